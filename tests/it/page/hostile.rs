//! Names come from a server that nobody controls, and addresses from anyone.

use reqwest::{Method, StatusCode};
use vemsync::timestamp;
use vemsync::web::Web;

use super::{Pages, crawl, start, told, words};
use crate::support::database::{Database, both};

/// Every answer says what may be run and shown in it.
fn assert_guarded(answer: &super::Answer, path: &str) {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let policy = header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"),
        "{path}: {policy}"
    );
    assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
}

/// Nothing in it is anything but text: no script, no style of its own, nothing that turns the direction of text.
fn assert_harmless(path: &str, page: &str) {
    for bad in
        ["<script", "<img", "<style", "\" style=", "\" onload=", "href=\"javascript:", "\u{202e}", "\u{7}", "\u{1b}"]
    {
        assert!(!page.contains(bad), "{path} has {bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_text_whatever_is_in_them() {
    let (_simulator, databases) = told().await;
    let names = [
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onload=alert(1)>'&amp;".to_owned(),
        "exe\u{202e}gnp \u{7}\u{1b}[31m\u{85}\n\tend".to_owned(),
        "javascript:alert(1)//%0a?x=1&y=2#z".to_owned(),
        "n".repeat(10_000),
        "é".repeat(500),
    ];
    for database in &databases {
        let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
        for (n, name) in names.iter().enumerate() {
            let name = quoted(name);
            for (table, column) in [("jobs", "name"), ("cdp_policies", "name"), ("backup_servers", "name")] {
                // Each name goes to another row; three servers take three of them.
                let row = format!("select uid from {table} order by uid limit 1 offset {n}");
                database.execute(&format!("update {table} set {column} = {name} where uid = ({row})")).await;
            }
            database
                .execute(&format!(
                    "update backup_job_sessions set job_name = (select name from jobs where jobs.uid = job_uid), failure_message = {name}\n\
                     where job_uid = (select uid from jobs order by uid limit 1 offset {n});\n\
                     update backup_task_sessions set vm_display_name = {name}, reason = {name} where vm_display_name =\n\
                     (select vm_display_name from (select distinct vm_display_name from backup_task_sessions) as machines\n\
                      where vm_display_name like '%-0%' order by length(vm_display_name), vm_display_name limit 1);\n\
                     insert into sync_rejects (em_id, kind, digest, uid, reason, raw, first_seen_at, last_seen_at, times)\n\
                     values (1, 'RestoreSession', 'd{n}', {name}, {name}, {name}, '{now}', '{now}', 1)",
                    now = timestamp::format(start())
                ))
                .await;
        }
        database
            .execute(&format!(
                "update enterprise_managers set base_url = {0}, collect_message = {0}",
                quoted(&names[1])
            ))
            .await;
        let pages = Pages::of(database).await;
        pages.followed();
        let uids = database
            .column(
                "select cast(uid as text) from backup_task_sessions where vm_display_name like '%alert(1)%' limit 3",
            )
            .await;
        let mut from: Vec<String> =
            ["/", "/search?q=alert", "/search?q=nnnn", "/search?q=%C3%A9", "/search?q=exe"].map(str::to_owned).into();
        from.extend(uids.into_iter().flatten().map(|uid| format!("/sessions/BackupTaskSession/{uid}")));
        assert!(from.len() > 5, "no task has such a name");
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        let seen = crawl(&pages, &from, 40, |path, page| {
            if !path.starts_with("/style.css") {
                assert_harmless(path, page);
            }
        })
        .await;
        assert!(seen > 60, "{seen}");
        let found = pages.page("/search?q=%3Cscript%3Ealert").await;
        assert!(
            found.contains("value=\"&lt;script&gt;alert\"")
                && found.contains("&lt;script&gt;alert(1)&lt;/script&gt;</a>"),
            "{found}"
        );
        assert_harmless("/search", &pages.page("/search?q=%22%3E%3Cscript%3E%E2%80%AE%1b").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_answered_in_a_sentence() {
    let (_simulator, databases) = told().await;
    let database = &databases[1];
    let pages = Pages::of(database).await;
    let uid = "8f2c1e4a-5b6d-4c7e-9f80-a1b2c3d4e5f6";
    for (path, status, sentence) in [
        ("/nothing", 404, "There is no such page."),
        ("/jobs/", 404, "There is no such page."),
        ("/jobs/x", 400, "This is no UID"),
        ("/jobs/%ff", 400, "The address cannot be read."),
        ("/jobs/%3Cscript%3E", 400, "This is no UID"),
        (&format!("/jobs/{uid}"), 404, "There is no job 8f2c1e4a"),
        (&format!("/sessions/Nothing/{uid}"), 404, "There is no such type of session; there are BackupJobSession,"),
        (&format!("/sessions/RestoreSession/{uid}"), 404, "No RestoreSession with the UID 8f2c1e4a"),
        ("/sessions/RestoreSession/17", 400, "This is no UID"),
        ("/machines", 400, "Say which machine"),
        ("/machines?server=&name=", 400, "Say which machine"),
        ("/machines?name=x%3Cb%3E", 404, "Nothing is known of a machine \"x&lt;b&gt;\"."),
        ("/machines?server=y&name=x", 404, "Nothing is known of a machine \"x\" on y."),
        ("/machines?name=x&name=y", 400, "The part of the address after the question mark"),
        ("/machines?name=x&days=8", 400, "The number of days is 7, 30 or 90."),
        ("/last-24-hours?time-zone=Mars", 400, "there is no time zone \"Mars\""),
        (&format!("/jobs/{uid}?time-zone=%3Cscript%3E"), 400, "there is no time zone \"&lt;script&gt;\""),
        ("/rejects/x", 400, "Rejected records have numbers"),
        ("/rejects/9", 404, "There is no such rejected record."),
        ("/rejects/99999999999999999999", 400, "Rejected records have numbers"),
    ] {
        let answer = pages.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        let words = words(&answer.text).replace("&quot;", "\"");
        assert!(words.contains(sentence), "{path}: {words}");
        assert!(words.contains("How things stand"), "{path} leads on: {words}");
        assert_guarded(&answer, path);
        assert_harmless(path, &answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_be_changed_and_every_answer_is_guarded() {
    for database in &both().await {
        let pages = Pages::with(database, &database.url, Web::new(Some("watch:me".into()), false)).await;
        let paths = ["/", "/last-24-hours", "/rejects", "/search?q=x", "/style.css", "/metrics", "/nothing"];
        for path in paths.iter().chain(&["/healthz", "/readyz"]) {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
                let answer = pages.ask(method.clone(), path).await;
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_guarded(&answer, path);
            }
            let answer = pages.get(path).await;
            assert_guarded(&answer, path);
            let is_closed = answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(is_closed, paths.contains(path), "{path}");
        }
        let open = Pages::of(database).await;
        let head = open.ask(Method::HEAD, "/").await;
        assert_eq!((head.status, &*head.text), (StatusCode::OK, ""));
        assert_eq!(head.headers["cache-control"], "no-store");
        let page = open.page("/").await;
        let (_, sheet) = page.split_once("rel=\"stylesheet\" href=\"").expect("a sheet");
        let sheet = open.get(sheet.split('"').next().expect("its address")).await;
        assert!(sheet.headers["cache-control"].to_str().expect("text").contains("immutable"));
        assert_eq!(sheet.headers["content-type"], "text/css; charset=utf-8");
        assert_guarded(&sheet, "/style.css");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_somebody_else_cannot_read_it_under_a_name_that_leads_here() {
    let database = &Database::sqlite();
    let open = Pages::of(database).await;
    let (account, fronted) = (Web::new(Some("watch:me".into()), false), Web::new(None, true));
    let account = Pages::with(database, &database.url, account).await;
    let fronted = Pages::with(database, &database.url, fronted).await;
    for (host, is_own) in [
        ("127.0.0.1:9090", true),
        ("10.0.0.5", true),
        ("[::1]:9090", true),
        ("localhost:9090", true),
        ("vemsync.example:9090", false),
        ("localhost.example", false),
        ("127.0.0.1.example:80", false),
        ("", false),
        ("a b", false),
    ] {
        let ask = async |pages: &Pages, path: &str| {
            let asked =
                pages.client.get(format!("{}{path}", pages.url)).header("host", host).basic_auth("watch", Some("me"));
            asked.send().await.expect("an answer").status()
        };
        for path in ["/", "/metrics", "/nothing"] {
            let is_forbidden = ask(&open, path).await == StatusCode::FORBIDDEN;
            assert_eq!(is_forbidden, !is_own, "{host} {path}");
        }
        // Whoever asks must know the password there, or something in front has seen to it.
        assert_eq!(ask(&account, "/").await, StatusCode::OK, "{host}");
        assert_eq!(ask(&fronted, "/").await, StatusCode::OK, "{host}");
        assert_eq!(ask(&open, "/healthz").await, StatusCode::OK, "{host}");
    }
}
