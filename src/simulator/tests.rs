use std::collections::{BTreeMap, HashMap, HashSet};

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::*;

fn end() -> DateTime<Utc> {
    "2026-03-10T20:30:00Z".parse().unwrap()
}

fn small() -> World {
    World::fleet(42, &FleetOptions::small(end()))
}

async fn start(world: World, options: Options) -> Simulator {
    Simulator::start(world, options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// A client that speaks the plainest HTTP, so that nothing of the collector takes part.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn log_on(simulator: &Simulator) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let base = format!("{}/api", simulator.url());
        let answer = http
            .post(format!("{base}/sessionMngr/?v=latest"))
            .basic_auth("demo", Some("demo"))
            .header("Content-Length", "0")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 201);
        let token = answer.headers()["X-RestSvcSessionId"].to_str().unwrap().to_owned();
        Client { http, base, token }
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> reqwest::Result<(u16, String)> {
        let mut url = url::Url::parse(&format!("{}/{path}", self.base)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.http.get(url).header("X-RestSvcSessionId", &self.token).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    async fn query(&self, kind: &str, filter: &str, more: &[(&str, &str)]) -> Doc {
        let mut parameters = vec![("type", kind), ("format", "Entities")];
        if !filter.is_empty() {
            parameters.push(("filter", filter));
        }
        parameters.extend(more);
        let (status, body) = self.get("query", &parameters).await.unwrap();
        assert_eq!(status, 200, "{body}");
        Doc::read(&body)
    }
}

/// A row as a reader of XML sees it.
#[derive(Debug, Default, Clone)]
struct Entity {
    tag: String,
    attributes: BTreeMap<String, String>,
    leaves: BTreeMap<String, String>,
    /// Rel, Type, last segment of the Href, Name.
    links: Vec<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct Doc {
    rows: Vec<Entity>,
    paging: BTreeMap<String, String>,
}

impl Doc {
    /// Rows are what stands at depth 3 of a query's answer, leaves what has text at depth 4.
    fn read(xml: &str) -> Doc {
        let mut reader = quick_xml::Reader::from_str(xml.trim_start_matches('\u{FEFF}'));
        reader.config_mut().expand_empty_elements = true;
        let (mut doc, mut path, mut text) = (Doc::default(), Vec::<String>::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    path.push(start.name().as_ref().to_owned());
                    text.clear();
                    let attributes: BTreeMap<String, String> = start
                        .attributes()
                        .map(|attribute| {
                            let attribute = attribute.unwrap();
                            let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                            (attribute.key.as_ref().to_owned(), value)
                        })
                        .collect();
                    match (path.len(), path[path.len() - 1].as_str()) {
                        (2, "PagingInfo") => doc.paging = attributes,
                        (4, tag) if path[1] == "Entities" => {
                            doc.rows.push(Entity { tag: tag.to_owned(), attributes, ..Entity::default() });
                        }
                        (6, "Link") => doc.rows.last_mut().unwrap().links.push(attributes),
                        _ => {}
                    }
                }
                Event::End(_) => {
                    let name = path.pop().unwrap();
                    if path.len() == 4 && path[1] == "Entities" {
                        doc.rows.last_mut().unwrap().leaves.insert(name, std::mem::take(&mut text));
                    }
                }
                Event::Text(part) => text.push_str(&part),
                Event::CData(part) => text.push_str(&part),
                Event::GeneralRef(part) => match part.resolve_char_ref() {
                    Ok(Some(c)) => text.push(if c < ' ' && !"\t\r\n".contains(c) { '\u{FFFD}' } else { c }),
                    Ok(None) => text.push_str(resolve_predefined_entity(&part).unwrap()),
                    Err(_) => text.push('\u{FFFD}'),
                },
                Event::Eof => return doc,
                _ => {}
            }
        }
    }

    fn uids(&self) -> Vec<String> {
        self.rows.iter().map(Entity::uid).collect()
    }

    fn pages(&self) -> usize {
        self.paging["PagesCount"].parse().unwrap()
    }
}

impl Entity {
    fn uid(&self) -> String {
        self.attributes["UID"].rsplit(':').next().unwrap().to_owned()
    }

    fn leaf(&self, name: &str) -> Option<String> {
        self.leaves.get(name).filter(|text| !text.is_empty()).cloned()
    }
}

fn truth(world: &World, kind: Kind, now: DateTime<Utc>) -> HashMap<String, Row> {
    world.expected(kind.name(), now).into_iter().map(|row| (row["uid"].clone().unwrap(), row)).collect()
}

#[tokio::test]
async fn every_kind_shows_what_the_truth_says() {
    let simulator = start(small(), Options { shuffle_ties: true, ..Options::frozen(end()) }).await;
    let client = Client::log_on(&simulator).await;
    for hours in [0, 5, 31] {
        simulator.set_now(end() + TimeDelta::hours(hours));
        for kind in Kind::ALL {
            let wanted = simulator.with_world(|world| truth(world, kind, end() + TimeDelta::hours(hours)));
            let doc = client.query(kind.name(), "", &[("pageSize", "100000")]).await;
            assert!(!doc.rows.is_empty(), "{kind:?}");
            assert_eq!(doc.rows.len(), wanted.len());
            for row in &doc.rows {
                let wanted = &wanted[&row.uid()];
                assert_eq!(row.attributes["Type"], kind.name());
                assert_eq!(row.attributes.get("Name"), wanted["name"].as_ref());
                assert_eq!(row.leaf("State"), wanted["state"]);
                assert_eq!(row.leaf("Result").or(Some("None".to_owned())), wanted["result"]);
                let message = wanted.get("reason").or(wanted.get("failure_message")).unwrap();
                assert_eq!(&row.leaf("Reason").or(row.leaf("FailureMessage")), message);
                let time = |name| row.leaf(name).map(|text| Ticks::parse(&text).unwrap().canonical());
                assert_eq!(time("CreationTimeUTC"), wanted["creation_time"]);
                assert_eq!(time("EndTimeUTC"), wanted["end_time"]);
                let up = |kind: &str| {
                    let link = row
                        .links
                        .iter()
                        .find(|link| link["Rel"] == "Up" && link.get("Type") == Some(&format!("{kind}Reference")))?;
                    Some(link["Href"].rsplit('/').next().unwrap().to_owned())
                };
                assert_eq!(up("BackupServer"), wanted["backup_server_uid"]);
                if let Some(job) = wanted.get("job_uid").filter(|_| !kind.is_task()) {
                    let told = row.leaf("JobUid").map(|urn| urn.rsplit(':').next().unwrap().to_owned()).or(up("Job"));
                    assert_eq!(&told, job);
                }
                if let Some(size) = wanted.get("total_size_bytes") {
                    assert_eq!(&row.leaf("TotalSize"), size);
                }
                if let Some(extra) = &wanted["extra"] {
                    assert!(extra.contains(&row.leaf("TransferredBytes").unwrap()));
                }
            }
        }
    }
}

#[test]
fn a_fleet_holds_what_is_odd_and_is_the_same_each_time() {
    let world = small();
    for kind in Kind::ALL {
        let rows = world.expected(kind.name(), end());
        assert!(rows.len() > 5, "{kind:?}: {}", rows.len());
        assert!(rows.iter().any(|row| row["end_time"].is_none()), "{kind:?}");
        assert_eq!(rows, small().expected(kind.name(), end()));
    }
    let texts: String =
        world.expected("BackupTaskSession", end()).iter().filter_map(|row| row["reason"].clone()).collect();
    for odd in ["\\\\", "\"", "{", "ü", "🔑", "\n", "\t", "<", "&", "'", "\u{FFFD}"] {
        assert!(texts.contains(odd), "{odd:?}");
    }
    assert!(!world.expected_inner(end()).is_empty());
    let failovers = world.expected("CloudFailoverSession", end());
    assert!(failovers.iter().any(|row| row["cloud_failover_plan_uid"].is_some()));
    assert!(failovers.iter().any(|row| row["cloud_failover_plan_uid"].is_none()));
    for table in ["backup_servers", "jobs", "cdp_policies", "cloud_failover_plans"] {
        assert!(!world.expected_parents(table, end()).is_empty());
    }
    let retries = world.expected("BackupJobSession", end());
    assert!(retries.iter().any(|row| row["is_retry"].as_deref() == Some("true")));
    assert!(retries.iter().any(|row| row["job_uid"].is_none()));
    assert!(retries.iter().any(|row| row["extra"].is_some()));
}

#[test]
fn a_session_is_seen_from_the_collection_after_its_creation_on() {
    let mut world = World::empty(3);
    let server = world.add_server("one.example", None);
    let start = end();
    let uid = world.add_session(Kind::RestoreSession, server, start, TimeDelta::hours(1));
    let state = |world: &World, minutes| {
        let rows = world.expected("RestoreSession", start + TimeDelta::minutes(minutes));
        rows.first().map(|row| (row["state"].clone().unwrap(), row["end_time"].is_some()))
    };
    assert_eq!(state(&world, -1), None);
    assert!(matches!(state(&world, 15), Some((state, false)) if state != "Stopped"));
    assert_eq!(state(&world, 75), Some(("Stopped".to_owned(), true)));

    world.edit(uid, |session| session.more.get_or_insert_default().late_end = 2);
    assert_eq!(state(&world, 75), Some(("Stopped".to_owned(), false)));
    assert_eq!(state(&world, 106), Some(("Stopped".to_owned(), true)));

    world.add_outage(server, start - TimeDelta::minutes(20), start + TimeDelta::hours(30));
    assert_eq!(state(&world, 29 * 60), None);
    assert!(state(&world, 30 * 60 + 15).is_some());

    world.set_retention_days(Some(2));
    assert!(state(&world, 47 * 60).is_some());
    assert_eq!(state(&world, 49 * 60), None);
    world.set_retention_days(None);

    world.edit(uid, |session| session.delay_secs = 40 * 3600);
    assert_eq!(state(&world, 39 * 60), None);
    assert!(state(&world, 41 * 60).is_some());
    let later = world.add_server("two.example", Some(start + TimeDelta::hours(60)));
    assert_eq!(world.expected_parents("backup_servers", start).len(), 1);
    assert_eq!(world.expected_parents("backup_servers", start + TimeDelta::hours(61)).len(), 2);
    world.add_session(Kind::RestoreSession, later, start, TimeDelta::hours(1));
    assert_eq!(world.visible_count(Kind::RestoreSession, start + TimeDelta::hours(59)), 1);
    assert_eq!(world.visible_count(Kind::RestoreSession, start + TimeDelta::hours(61)), 2);
    world.remove(&[uid]);
    assert_eq!(world.visible_count(Kind::RestoreSession, start + TimeDelta::hours(61)), 1);
}

#[tokio::test]
async fn filters_find_by_index_what_a_scan_finds() {
    let simulator = start(small(), Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    let all = [("pageSize", "100000")];
    let rows = simulator.expected("BackupTaskSession");
    let some: Vec<_> = rows.iter().step_by(97).map(|row| row["uid"].clone().unwrap()).collect();
    let (from, to) = ("2026-03-05T20:00:00.000000Z", "2026-03-09T21:30:00.000000Z");
    type Test<'a> = Box<dyn Fn(&Row) -> bool + 'a>;
    let get = |row: &Row, column: &str| row[column].clone().unwrap_or_default();
    let cases: Vec<(String, Test<'_>)> = vec![
        (
            format!("CreationTime>={from};CreationTime<{to}"),
            Box::new(|row| (from..to).contains(&get(row, "creation_time").as_str())),
        ),
        (
            format!("EndTime>=\"{from}\";EndTime<=\"{to}\""),
            Box::new(|row| row["end_time"].as_deref().is_some_and(|time| (from..=to).contains(&time))),
        ),
        ("State==InProgress,State==pending".to_owned(), Box::new(|row| get(row, "state") != "Completed")),
        ("State!=Completed".to_owned(), Box::new(|row| get(row, "state") != "Completed")),
        (
            some.iter()
                .map(|uid| format!("UID==\"urn:veeam:BackupTaskSession:{}\"", uid.to_uppercase()))
                .collect::<Vec<_>>()
                .join(","),
            Box::new(|row| some.contains(&get(row, "uid"))),
        ),
        (
            format!("(Result==Failed,Result==Warning);EndTime>{from}"),
            Box::new(|row| {
                ["Failed", "Warning"].contains(&get(row, "result").as_str())
                    && row["end_time"].as_deref().is_some_and(|time| time > from)
            }),
        ),
        (
            format!("CreationTime<{from},CreationTime<{from},TotalSize>4294967296;EndTime>{to}"),
            Box::new(|row| {
                get(row, "creation_time").as_str() < from
                    || (row["end_time"].as_deref().is_some_and(|time| time > to)
                        && get(row, "total_size_bytes").parse::<i64>().unwrap() > 1 << 32)
            }),
        ),
        ("VmDisplayName==\"web-ber-002\"".to_owned(), Box::new(|row| get(row, "vm_display_name") == "web-ber-002")),
    ];
    for (filter, test) in cases {
        let found: HashSet<_> = client.query("BackupTaskSession", &filter, &all).await.uids().into_iter().collect();
        let wanted: HashSet<_> = rows.iter().filter(|row| test(row)).map(|row| get(row, "uid")).collect();
        assert!(!wanted.is_empty(), "{filter}");
        assert_eq!(found, wanted, "{filter}");
    }
}

#[tokio::test]
async fn pages_are_counted_and_clamped() {
    let simulator = start(small(), Options { max_page_size: Some(50), bom: true, ..Options::frozen(end()) }).await;
    let client = Client::log_on(&simulator).await;
    let total = simulator.expected("BackupTaskSession").len();
    let mut seen = Vec::new();
    let mut page = 1;
    loop {
        let doc = client
            .query(
                "BackupTaskSession",
                "",
                &[("pageSize", "500"), ("page", &page.to_string()), ("sortAsc", "creationtime")],
            )
            .await;
        assert_eq!((doc.paging["PageSize"].as_str(), doc.pages()), ("50", total.div_ceil(50)));
        seen.extend(doc.rows.iter().map(|row| (Ticks::parse(&row.leaf("CreationTimeUTC").unwrap()), row.uid())));
        page += 1;
        if page > doc.pages() {
            break;
        }
    }
    assert_eq!(seen.len(), total);
    assert!(seen.is_sorted_by_key(|(time, _)| *time));
    assert_eq!(seen.iter().map(|(_, uid)| uid).collect::<HashSet<_>>().len(), total);
    let beyond = client.query("BackupTaskSession", "", &[("page", "99999")]).await;
    assert!(beyond.rows.is_empty());
    let refused =
        [("pageSize", "0"), ("page", "x"), ("sortAsc", "Progress"), ("filter", "Progress==1"), ("filter", "(UID")];
    for bad in refused {
        let (status, body) = client.get("query", &[("type", "BackupTaskSession"), bad]).await.unwrap();
        assert_eq!(status, 400, "{bad:?}");
        assert!(body.contains("StatusCode=\"400\""), "{body}");
    }
    assert_eq!(client.get("query", &[("type", "Tape")]).await.unwrap().0, 400);
    simulator.set_unknown_types(&["CdpReplicaSession"]);
    assert_eq!(client.get("query", &[("type", "cdpreplicasession")]).await.unwrap().0, 400);
    assert_eq!(client.get("query", &[("type", "cdpReplicaTaskSession")]).await.unwrap().0, 200);
}

#[tokio::test]
async fn entities_and_parents_are_served_alone() {
    let simulator = start(small(), Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    for kind in types::QueryType::all() {
        let doc = client.query(kind.name(), "", &[("pageSize", "3")]).await;
        for row in doc.rows {
            assert_eq!(row.tag, kind.row_tag());
            let path = format!("{}/{}", kind.path(), row.uid());
            let (status, body) = client.get(&path, &[("format", "Entity")]).await.unwrap();
            assert_eq!(status, 200, "{path}");
            assert!(body.starts_with(&format!("<{} xmlns=", kind.name())), "{body}");
            assert!(client.get(&path, &[]).await.unwrap().1.starts_with("<Ref "));
        }
    }
    let (status, body) = client.get("backupServers", &[("format", "Entity")]).await.unwrap();
    assert_eq!((status, body.matches("<BackupServer ").count()), (200, 3));
    for path in ["nothing", "backupSessions/12", "backupSessions/00000000-0000-0000-0000-000000000001"] {
        assert_eq!(client.get(path, &[]).await.unwrap().0, 404);
    }
}

#[tokio::test]
async fn a_logon_is_needed_and_ends() {
    let simulator = start(small(), Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    let post =
        |user: &str| client.http.post(format!("{}/sessionMngr/?v=latest", client.base)).basic_auth(user, Some("demo"));
    let wrong = post("other").header("Content-Length", "0").send().await.unwrap();
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()["WWW-Authenticate"]),
        (401, &"Basic Realm=RestSvc".parse().unwrap())
    );
    let root = client.http.get(format!("{}/", client.base)).send().await.unwrap();
    assert_eq!(root.headers()["Date"], "Tue, 10 Mar 2026 20:30:00 GMT");
    assert!(root.text().await.unwrap().contains("\"v1_7\""));
    let stale = client
        .http
        .get(format!("{}/jobs", client.base))
        .header("X-RestSvcSessionId", &client.token)
        .header("Cookie", "X-RestSvcSessionId=old")
        .send()
        .await
        .unwrap();
    assert_eq!(stale.status(), 401);
    assert_eq!(client.get("jobs", &[]).await.unwrap().0, 200);
    let (_, list) = client.get("logonSessions", &[]).await.unwrap();
    let id = list.split("<SessionId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let delete =
        client.http.delete(format!("{}/logonSessions/{id}", client.base)).header("X-RestSvcSessionId", &client.token);
    assert_eq!(delete.send().await.unwrap().status(), 204);
    assert_eq!(client.get("jobs", &[]).await.unwrap().0, 401);
    assert_eq!(simulator.logon_count(), 0);
}

#[tokio::test]
async fn faults_strike_on_cue() {
    let simulator = start(small(), Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    let good = client.get("query", &[("type", "Job"), ("format", "Entities")]).await.unwrap().1;
    let strike = async |fault: Fault| {
        simulator.fail_next("type=Job&", 1, fault);
        client.get("query", &[("type", "Job"), ("format", "Entities")]).await
    };
    for (fault, status) in [
        (Fault::Unavailable(Some(3)), 503),
        (Fault::ServerError, 500),
        (Fault::TooManyRequests(None), 429),
        (Fault::Redirect("http://10.0.0.1/".to_owned()), 302),
        (Fault::LoginPage, 200),
        (Fault::EmptyBody, 200),
    ] {
        assert_eq!(strike(fault.clone()).await.unwrap().0, status, "{fault:?}");
    }
    assert!(strike(Fault::Reset).await.is_err());
    assert!(strike(Fault::TruncatedBody).await.is_err());
    let half = strike(Fault::TruncatedXml).await.unwrap().1;
    assert!(half.len() < good.len() * 2 / 3 && !half.contains("</QueryResult>"));
    assert!(!strike(Fault::NoPagingInfo).await.unwrap().1.contains("PagingInfo"));
    assert!(!strike(Fault::NoEntities).await.unwrap().1.contains("Entities>"));
    assert!(strike(Fault::EmptyList).await.unwrap().1.contains("<Jobs/>"));
    assert!(strike(Fault::WrongPage).await.unwrap().1.contains("PageNum=\"2\""));
    assert!(strike(Fault::Doctype).await.unwrap().1.contains("<!DOCTYPE"));
    let whole = strike(Fault::SlowBody(Duration::from_millis(1))).await.unwrap().1;
    assert_eq!(whole.matches("<Job ").count(), good.matches("<Job ").count());
    simulator.fail_next("type=RestoreSession", 1, Fault::BadRecord(Broken::NoUid));
    let doc = client.query("RestoreSession", "", &[("pageSize", "5")]).await;
    assert_eq!(doc.rows.iter().filter(|row| !row.attributes.contains_key("UID")).count(), 1);
    assert_eq!(strike(Fault::SessionLost).await.unwrap().0, 401);
    assert_eq!(client.get("jobs", &[]).await.unwrap().0, 401);
    let last = simulator.requests().pop().unwrap();
    assert_eq!((last.path.as_str(), last.status), ("/api/jobs", 401));
    assert_eq!(simulator.counters().max_in_flight, 1);
}

#[tokio::test]
async fn a_bulk_history_is_plain_and_fast() {
    let options = BulkOptions { tasks: 20_000, rows_per_hour: 3600, servers: 3, end: end() };
    let world = World::bulk(5, &options);
    assert_eq!(world.visible_count(Kind::BackupTaskSession, end()), 20_000);
    assert_eq!(world.visible_count(Kind::BackupJobSession, end()), 800);
    let wanted = truth(&world, Kind::BackupTaskSession, end());
    let simulator = start(world, Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    let mut seen = 0;
    let mut time = end() - TimeDelta::hours(9);
    while time < end() {
        let to = time + TimeDelta::minutes(15);
        let filter = format!("CreationTime>={};CreationTime<{}", time.format("%FT%TZ"), to.format("%FT%TZ"));
        let doc =
            client.query("BackupTaskSession", &filter, &[("pageSize", "2000"), ("sortAsc", "CreationTime")]).await;
        assert_eq!(doc.pages(), 1);
        for row in &doc.rows {
            assert_eq!(row.leaf("TotalSize"), wanted[&row.uid()]["total_size_bytes"]);
        }
        seen += doc.rows.len();
        time = to;
    }
    assert_eq!(seen, 20_000);
}
