use std::collections::{HashMap, HashSet};

use super::*;

mod client;
mod mishap;

use client::Client;

fn end() -> DateTime<Utc> {
    "2026-03-10T20:30:00Z".parse().unwrap()
}

fn small() -> World {
    World::fleet(42, &FleetOptions::small(end()))
}

async fn start(world: World, options: Options) -> Simulator {
    Simulator::start(world, options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
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

#[tokio::test]
async fn a_session_that_expired_is_refused_until_the_next_logon() {
    let simulator = start(small(), Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    assert_eq!(client.get("jobs", &[]).await.unwrap().0, 200);
    simulator.set_token_life(TokenLife::Absolute(Duration::ZERO));
    assert_eq!(client.get("jobs", &[]).await.unwrap().0, 401);
    simulator.set_token_life(TokenLife::Idle(Duration::from_secs(60)));
    assert_eq!(client.get("jobs", &[]).await.unwrap().0, 401);
    assert_eq!(Client::log_on(&simulator).await.get("jobs", &[]).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_burst_shares_one_second_and_its_ties_come_in_any_order() {
    let simulator = start(small(), Options { shuffle_ties: true, ..Options::frozen(end()) }).await;
    let client = Client::log_on(&simulator).await;
    let second = end() - TimeDelta::hours(30);
    let (server, wanted) = simulator.with_world(|world| {
        let server = world.add_server("burst.example", None);
        (server, world.add_burst(Kind::ReplicaTaskSession, server, second, 60))
    });
    let filter = format!(
        "CreationTime>={0};CreationTime<{1}",
        second.format("%FT%TZ"),
        (second + TimeDelta::seconds(1)).format("%FT%TZ")
    );
    let ask =
        async || client.query("ReplicaTaskSession", &filter, &[("pageSize", "100"), ("sortAsc", "State")]).await.uids();
    let (first, again) = (ask().await, ask().await);
    assert_ne!(first, again);
    let set = |uids: &[String]| uids.iter().cloned().collect::<HashSet<_>>();
    assert_eq!(set(&first), wanted.iter().map(uuid::Uuid::to_string).collect());
    assert_eq!(set(&first), set(&again));

    simulator.with_world(|world| {
        world.add_broken(Kind::ReplicaTaskSession, server, second, Broken::NoCreationTime);
        world.add_broken(Kind::ReplicaTaskSession, server, second, Broken::YearOne);
        world.add_broken(Kind::ReplicaTaskSession, server, second, Broken::NoUid);
        world.remove(&wanted);
    });
    let doc = client.query("ReplicaTaskSession", &filter, &[]).await;
    assert_eq!(doc.rows.len(), 3);
    let unfit = |row: &client::Entity| {
        !row.attributes.contains_key("UID") || row.leaf("CreationTimeUTC").is_none_or(|time| time.starts_with("0001"))
    };
    assert!(doc.rows.iter().all(unfit));
}

#[test]
fn a_slice_of_the_index_is_what_a_scan_gives() {
    let mut world = World::bulk(9, &BulkOptions { tasks: 3000, rows_per_hour: 500, servers: 4, end: end() });
    let of = types::QueryType::Session(Kind::BackupTaskSession);
    let page = |world: &World, filter: &str, sort: &str, page: &str| {
        let parameters = [("filter", filter), (sort, "CreationTime"), ("page", page), ("pageSize", "70")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let selection = query::Selection::read(of, &parameters, 100, None).unwrap();
        let found = query::select(world, &world.at(Ticks::from_utc(end())), &selection, None);
        let table = world.table(Kind::BackupTaskSession);
        (found.total, found.rows.into_iter().map(|id| table.creation(id)).collect::<Vec<_>>())
    };
    let times: Vec<_> = world.sessions(Kind::BackupTaskSession).map(|row| row.creation.canonical()).collect();
    let range = format!("CreationTime>={};CreationTime<={}", times[500], times[1700]);
    let cases = ["sortAsc", "sortDesc"].into_iter().flat_map(|sort| ["1", "3", "18", "99"].map(|page| (sort, page)));
    let cases: Vec<_> = cases.flat_map(|(sort, number)| [("", sort, number), (range.as_str(), sort, number)]).collect();
    let sliced: Vec<_> = cases.iter().map(|(filter, sort, number)| page(&world, filter, sort, number)).collect();
    assert_eq!(sliced[1].0, 1201);
    // A row that is a day late: what is visible must be asked row by row from now on.
    world.add_late(Kind::BackupTaskSession, 0, end() - TimeDelta::hours(1), TimeDelta::days(1));
    let scanned: Vec<_> = cases.iter().map(|(filter, sort, number)| page(&world, filter, sort, number)).collect();
    assert_eq!(sliced, scanned);
}

#[tokio::test]
async fn a_stopped_simulator_lets_go_of_its_address() {
    let simulator = start(small(), Options::frozen(end())).await;
    let client = Client::log_on(&simulator).await;
    let address = simulator.url().trim_start_matches("http://").parse().unwrap();
    simulator.stop().await;
    assert!(client.get("jobs", &[]).await.is_err());
    let again = Simulator::start(small(), Options::frozen(end()), address).await.unwrap();
    drop(again);
}
