//! The daemon's pages: what they say, that nothing in them is anything but text, and that every link leads somewhere.

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use vemsync::clock::Clock;
use vemsync::health::{Condition, Health};
use vemsync::kinds::KINDS;
use vemsync::metrics::Metrics;
use vemsync::simulator::{FleetOptions, Simulator, World};
use vemsync::store::{Counts, Looks, Schema, SqlStore};
use vemsync::sync::{Mode, Summary};
use vemsync::timestamp;
use vemsync::web::{Site, Web, router};

use crate::support::database::{Database, both};
use crate::support::world::{simulate, start, sync};

mod hostile;
mod state;

/// A clock that stands.
struct At(DateTime<Utc>);

impl Clock for At {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// The pages of a database, served.
struct Pages {
    url: String,
    client: Client,
    health: Arc<Health>,
    store: Arc<SqlStore>,
    web: Web,
    _server: JoinSet<()>,
}

/// What was answered.
struct Answer {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Pages {
    async fn of(database: &Database) -> Self {
        Self::with(database, &database.url, Web::new(None, false)).await
    }

    /// With looks at the database of that URL, for whom this lets in.
    async fn with(database: &Database, looks: &str, web: Web) -> Self {
        let store = Arc::new(SqlStore::connect(&database.url, Schema::Migrate).await.expect("a store"));
        let health = Arc::new(Health::default());
        web.open(Site {
            health: health.clone(),
            metrics: Arc::new(Metrics::new(start())),
            store: store.clone(),
            upkeep: store.clone(),
            looks: Looks::new(looks).expect("a URL"),
            clock: Arc::new(At(start())),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        // Nothing is encrypted here, but a client wants to be able to.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut server = JoinSet::new();
        let router = router(web.clone());
        server.spawn(async move { axum::serve(listener, router).await.expect("an end") });
        Self { url, client: Client::new(), health, store, web, _server: server }
    }

    async fn ask(&self, method: Method, path: &str) -> Answer {
        let answer = self.client.request(method, format!("{}{path}", self.url)).send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.expect("text") }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// A page that has to be there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.text
    }

    /// What the follower of the Enterprise Manager notes after a pass in which everything was read.
    fn followed(&self) {
        let summary = Summary { kinds: KINDS.iter().map(read).collect(), requests: 8 };
        self.health.enter("default", &KINDS.iter().collect::<Vec<_>>(), Duration::from_secs(60), start());
        self.health.note("default", Mode::Wide, start() - TimeDelta::seconds(5), &summary);
        self.health.turn("default", Condition::Following, None, start() - TimeDelta::minutes(12));
    }
}

fn read(kind: &'static vemsync::kind::SessionKind) -> vemsync::sync::KindOutcome {
    vemsync::sync::KindOutcome { kind: kind.name, counts: Counts::default(), reads: 1, result: Ok(()) }
}

fn fleet() -> FleetOptions {
    FleetOptions { servers: 3, jobs: 14, vms: 30, days: 21, story: true, ..FleetOptions::small(start()) }
}

/// A fleet with a story in both databases, as of its end.
async fn told() -> (Simulator, [Database; 2]) {
    let simulator = simulate(World::fleet(71, &fleet())).await;
    let databases = both().await;
    for database in &databases {
        synced(&simulator, database).await;
    }
    (simulator, databases)
}

async fn synced(simulator: &Simulator, database: &Database) {
    sync(simulator, database).await;
    let now = timestamp::format(start());
    database.execute(&format!("update report_settings set as_of = '{now}'")).await;
    database.execute(&format!("update sync_marks set scanned_at = '{now}'")).await;
    database.execute(&format!("update sync_passes set started_at = '{now}', finished_at = '{now}'")).await;
}

/// The text of a page without its tags, with single spaces.
fn words(page: &str) -> String {
    let (mut text, page) = (String::new(), page.replace("<wbr>", ""));
    for (n, part) in page.split('<').enumerate() {
        let shown = if n == 0 { part } else { part.split_once('>').map_or("", |(_, shown)| shown) };
        text.push(' ');
        text.push_str(shown);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The addresses to which a page leads.
fn links(page: &str) -> Vec<String> {
    let ends = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    ends.map(|href| href.replace("&amp;", "&")).filter(|href| href.starts_with('/')).collect()
}

/// Follows every link from a page, of some kinds no more than so many, and hands each page over.
async fn crawl(pages: &Pages, from: &[&str], most: usize, look: impl Fn(&str, &str)) -> usize {
    let mut found: BTreeSet<String> = from.iter().map(|path| (*path).to_owned()).collect();
    let mut queue: VecDeque<String> = found.iter().cloned().collect();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut seen = 0;
    while let Some(path) = queue.pop_front() {
        let page = pages.page(&path).await;
        look(&path, &page);
        seen += 1;
        for href in links(&page) {
            let kind = href.split(['?', '/']).filter(|part| !part.is_empty()).take(2).next().unwrap_or("").to_owned();
            if !found.contains(&href) && counts.get(&kind).copied().unwrap_or(0) < most {
                *counts.entry(kind).or_default() += 1;
                found.insert(href.clone());
                queue.push_back(href);
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_of_every_page_leads_somewhere() {
    let (_simulator, databases) = told().await;
    let mut seen = Vec::new();
    for database in &databases {
        database
            .execute(
                "insert into sync_rejects (em_id, kind, digest, uid, reason, raw, first_seen_at, last_seen_at, times)\n\
                 values (1, 'RestoreSession', 'd', null, 'no start', '<x/>', '2025-06-02', '2025-06-02', 3)"
                    .replace("'2025-06-02'", &format!("'{}'", timestamp::format(start())))
                    .as_str(),
            )
            .await;
        let pages = Pages::of(database).await;
        pages.followed();
        let uid = database.column("select cast(uid as text) from cloud_failover_sessions limit 1").await;
        let mut from =
            vec!["/".to_owned(), "/search?q=o".to_owned(), "/last-24-hours?time-zone=europe/berlin".to_owned()];
        from.extend(uid.into_iter().flatten().map(|uid| format!("/sessions/CloudFailoverSession/{uid}")));
        for kind in KINDS {
            let uid =
                database.column(&format!("select cast(min(cast(uid as text)) as text) from {}", kind.table)).await;
            from.extend(uid.into_iter().flatten().map(|uid| format!("/sessions/{}/{uid}", kind.name)));
        }
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        seen.push(
            crawl(&pages, &from, 40, |path, page| {
                assert!(path.starts_with("/style.css") || page.contains("<h1"), "{path}");
            })
            .await,
        );
    }
    assert!(seen[0] > 60 && seen[0] == seen[1], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_shown_with_all_that_is_stored_of_it() {
    let (_simulator, databases) = told().await;
    for database in &databases {
        let pages = Pages::of(database).await;
        let task = database
            .query(
                "select cast(t.uid as text), cast(t.job_session_uid as text), cast(t.job_uid as text), t.vm_display_name, b.name\n\
                 from backup_task_sessions t join backup_servers b on b.uid = t.backup_server_uid\n\
                 join backup_job_sessions s on s.uid = t.job_session_uid where t.result = 'Failed' order by t.uid limit 1",
            )
            .await;
        let [uid, run, job, vm, server] = <[_; 5]>::try_from(task[0].clone()).expect("columns").map(Option::unwrap);
        database
            .execute(&format!(
                "update backup_task_sessions set extra = '{{\"NewField\":\"seven\"}}' where uid = '{uid}';\n\
                 insert into session_transitions (kind, uid, observed_at, from_state, to_state, from_result, to_result)\n\
                 values ('BackupTaskSession', '{uid}', '{}', 'Pending', 'Completed', 'None', 'Failed')",
                timestamp::format(start())
            ))
            .await;
        let page = pages.page(&format!("/sessions/BackupTaskSession/{uid}")).await;
        for part in [
            format!("href=\"/sessions/BackupJobSession/{run}\""),
            format!("href=\"/jobs/{job}\""),
            format!("href=\"/machines?server={server}&amp;name={vm}\""),
        ] {
            assert!(page.contains(&part), "{part}: {page}");
        }
        let words = words(&page);
        assert!(
            words.contains("Pending · ! None Completed · ✕ Failed")
                || words.contains("Pending · None Completed · ✕ Failed"),
            "{words}"
        );
        assert!(words.contains("&quot;NewField&quot;: &quot;seven&quot;"), "{words}");
        assert!(words.contains("At the source not known to be gone"), "{words}");
        let parent = pages.page(&format!("/sessions/BackupJobSession/{run}")).await;
        assert!(parent.contains(&format!("href=\"/sessions/BackupTaskSession/{uid}\"")), "{parent}");
        database
            .execute(&format!(
                "update backup_task_sessions set source_missing_since = '{}' where uid = '{uid}'",
                timestamp::format(start())
            ))
            .await;
        let page = pages.page(&format!("/sessions/BackupTaskSession/{uid}")).await;
        assert!(self::words(&page).contains("At the source gone since 2025-06-02 09:20 UTC"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_jobs_are_found_by_parts_of_their_names() {
    let (_simulator, databases) = told().await;
    for database in &databases {
        let pages = Pages::of(database).await;
        let found = pages.page("/search?q=OFFICE-MAIL").await;
        assert!(found.contains(">office-mail-01</a>"), "{found}");
        let machine = links(&found).into_iter().find(|href| href.contains("office-mail-01")).expect("a link");
        let shown = pages.page(&machine).await;
        assert!(
            words(&shown).contains("Machine \"office-mail-01\" on vbr-")
                || words(&shown).contains("Machine &quot;office-mail-01&quot; on vbr-"),
            "{}",
            words(&shown)
        );
        let found = pages.page("/search?q=office+servers").await;
        let job = links(&found).into_iter().find(|href| href.starts_with("/jobs/")).expect("a link");
        let shown = pages.page(&job).await;
        assert!(shown.contains("href=\"/sessions/BackupJobSession/") && shown.contains("/machines?server="), "{shown}");
        let run = links(&shown).into_iter().find(|href| href.starts_with("/sessions/")).expect("a link");
        let uid = run.rsplit('/').next().expect("a UID");
        let by_uid = pages.page(&format!("/search?q={uid}")).await;
        assert!(links(&by_uid).contains(&run), "{by_uid}");
        assert!(words(&pages.page("/search?q=nothing-like-it").await).contains("No machine has that in its name."));
        assert!(words(&pages.page("/search").await).contains("A part of the name"));
        let policy = database.column("select cast(uid as text) from cdp_policies where name is not null limit 1").await;
        if let Some(Some(policy)) = policy.first() {
            assert!(words(&pages.page(&format!("/jobs/{policy}")).await).contains("Its sessions, newest first"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_24_hours_are_the_report_of_that_name() {
    let (_simulator, databases) = told().await;
    for database in &databases {
        let pages = Pages::of(database).await;
        let views = vemsync::store::connect_views(&database.url).await.expect("views");
        let asked =
            vemsync::report::Request { name: "overview", time_zone: Some("Europe/Berlin"), ..Default::default() };
        let report = vemsync::report::Asked::new(&asked).expect("a request").build(&*views).await.expect("a report");
        let mut file = Vec::new();
        vemsync::report::form::html(&report, &mut file).expect("a page");
        let file = String::from_utf8(file).expect("text");
        let page = pages.page("/last-24-hours?time-zone=Europe/Berlin").await;
        let main = |page: &str| {
            let (_, rest) = page.split_once("<section").expect("a section");
            words(rest.rsplit_once("</section>").expect("its end").0)
        };
        assert_eq!(main(&page), main(&file));
        assert!(page.contains("href=\"/jobs/") && page.contains("href=\"/machines?"), "{page}");
        assert!(page.contains("time-zone=Europe%2FBerlin"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_last_24_hours_take_long_to_make_they_are_made_before_anybody_asks() {
    let (_simulator, databases) = told().await;
    for database in &databases {
        let pages = Pages::of(database).await;
        let as_of = |minutes| {
            let moment = timestamp::format(start() + TimeDelta::minutes(minutes));
            format!("update report_settings set as_of = '{moment}'")
        };
        let shown = async |minutes: i64| {
            let text = (start() + TimeDelta::minutes(minutes)).format("%H:%M").to_string();
            words(&pages.page("/last-24-hours").await).contains(&text)
        };
        // Not where it is done in no time.
        assert!(pages.web.renew_overview(Duration::MAX).await >= Duration::from_secs(300));
        database.execute(&as_of(17)).await;
        assert!(pages.web.renew_overview(Duration::ZERO).await >= Duration::from_secs(300));
        // What was made in advance stays, however late it has become.
        database.execute(&as_of(38)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(shown(17).await && !shown(38).await);
        database.execute(&as_of(51)).await;
        assert!(pages.web.renew_overview(Duration::ZERO).await >= Duration::from_secs(300));
        assert!(shown(51).await && !shown(17).await);
        // So it is with the machines that can be searched for.
        assert!(pages.web.renew_machines(Duration::ZERO).await >= Duration::from_secs(300));
        database.execute("update backup_task_sessions set vm_display_name = 'new-name' where vm_display_name like 'office-mail%'").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(pages.page("/search?q=office-mail").await.contains("office-mail-01</a>"));
        assert!(pages.web.renew_machines(Duration::ZERO).await >= Duration::from_secs(300));
        assert!(pages.page("/search?q=new-name").await.contains("new-name</a>"));
    }
}
