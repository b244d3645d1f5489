//! The first page: what it says of a world in which something is wrong.

use chrono::TimeDelta;
use vemsync::health::Condition;
use vemsync::simulator::World;
use vemsync::store::Store as _;
use vemsync::timestamp;
use vemsync::web::Web;

use super::{Pages, fleet, start, synced, told, words};
use crate::support::database::{Database, both};
use crate::support::world::{simulate, sync};

/// A world with nothing in it to complain of.
async fn well() -> [Database; 2] {
    let mut fleet = fleet();
    fleet.story = false;
    let simulator = simulate(World::fleet(72, &fleet)).await;
    let databases = both().await;
    for database in &databases {
        synced(&simulator, database).await;
    }
    databases
}

/// What stands in the verdict, and the whole page, as words.
async fn state(pages: &Pages) -> (String, String) {
    let page = pages.page("/").await;
    let (_, verdict) = page.split_once("<div class=\"verdict").expect("a verdict");
    let (verdict, _) = verdict.split_once("</div>").expect("its end");
    (words(&format!("<{verdict}")), words(&page))
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_wrong_the_page_says_so_and_shows_how_things_stand() {
    for database in &well().await {
        let pages = Pages::of(database).await;
        pages.followed();
        let ours = pages.store.leases().holder();
        database.execute(&format!("update sync_leases set holder = '{ours}'")).await;
        let (verdict, page) = state(&pages).await;
        assert!(verdict.starts_with("✓ All is well"), "{verdict}");
        for part in [
            "followed, with a pass every 60 seconds for 12 minutes",
            "Collects from its servers ✓ yes",
            "BackupTaskSession",
            "Writes this instance",
            "✓ sends",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let new = database.number("select sum(rows_inserted) from sync_passes where kind = 'RestoreSession'").await;
        assert!(
            new > 0 && page.contains(&format!("RestoreSession ✓ done 0 seconds ago 5 seconds {new} ")),
            "{new}: {page}"
        );
        assert!(!pages.page("/").await.contains("http-equiv"));
        let refreshed = pages.page("/?refresh=60").await;
        assert!(refreshed.contains("<meta http-equiv=\"refresh\" content=\"60\">") && refreshed.contains("href=\"/\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_told_apart_from_an_enterprise_manager_that_stopped_collecting() {
    let (_simulator, databases) = told().await;
    for database in &databases {
        let pages = Pages::of(database).await;
        pages.followed();
        let (verdict, page) = state(&pages).await;
        assert!(verdict.starts_with("✕ 1 thing is wrong"), "{verdict}");
        assert!(verdict.contains("vbr-branch-01.corp.example the server is silent for"), "{verdict}");
        assert!(verdict.contains("while others send and Enterprise Manager collects"), "{verdict}");
        assert_eq!(page.matches("✕ the server is silent").count(), 1, "{page}");
        // Nobody has asked for hours: then it cannot be said who is to blame.
        let long_ago = timestamp::format(start() - TimeDelta::hours(5));
        database.execute(&format!("update enterprise_managers set collect_asked_at = '{long_ago}'")).await;
        let (verdict, _) = state(&pages).await;
        assert!(verdict.starts_with("! 1 thing to look at"), "{verdict}");
        assert!(verdict.contains("whether Enterprise Manager collects from it is not known"), "{verdict}");
    }
    let mut world = World::fleet(71, &fleet());
    world.stop_collecting(start() - TimeDelta::hours(3));
    let simulator = simulate(world).await;
    for database in &both().await {
        synced(&simulator, database).await;
        let pages = Pages::of(database).await;
        pages.followed();
        let (verdict, page) = state(&pages).await;
        assert!(verdict.starts_with("✕ 1 thing is wrong"), "{verdict}");
        let said = "Enterprise Manager stopped collecting from its backup servers: its last good collection ended";
        assert!(verdict.contains(said) && verdict.contains("start a collection there by hand"), "{verdict}");
        assert_eq!(page.matches("✕ Enterprise Manager stopped collecting").count(), 4, "{page}");
        assert!(!page.contains("the server is silent"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_and_what_was_refused_is_told_with_what_to_do() {
    for database in &well().await {
        let now = timestamp::format(start());
        database
            .execute(&format!(
                "update sync_passes set outcome = 'failed', error = 'answer <b>407</b>' where kind = 'CdpReplicaSession';\n\
                 insert into sync_rejects (em_id, kind, digest, uid, reason, raw, first_seen_at, last_seen_at, times)\n\
                 values (1, 'RestoreSession', 'd', null, 'no <start>', '<RestoreSession>&<script>alert(1)</script>', '{now}', '{now}', 1234)"
            ))
            .await;
        let pages = Pages::of(database).await;
        let (verdict, page) = state(&pages).await;
        assert!(verdict.starts_with("! 2 things to look at"), "{verdict}");
        assert!(verdict.contains("CdpReplicaSession its last pass failed: answer &lt;b&gt;407&lt;/b&gt;"), "{verdict}");
        assert!(verdict.contains("RestoreSession 1 record was refused in the last 24 hours"), "{verdict}");
        assert!(page.contains("✕ failed"), "{page}");
        let list = pages.page("/rejects").await;
        assert!(
            words(&list).contains("Record 1 no &lt;start&gt; RestoreSession 2025-06-02 09:20 1,234 default –"),
            "{list}"
        );
        let one = pages.page("/rejects/1").await;
        assert!(one.contains("&lt;RestoreSession&gt;&amp;&lt;script&gt;alert(1)&lt;/script&gt;"), "{one}");
        // Long ago is no news.
        let long_ago = timestamp::format(start() - TimeDelta::days(2));
        database
            .execute(&format!(
                "update sync_rejects set last_seen_at = '{long_ago}'; update sync_passes set outcome = 'done', error = null"
            ))
            .await;
        let (verdict, page) = state(&pages).await;
        assert!(verdict.contains("All is well"), "{verdict}");
        assert!(page.contains("not followed: the configuration does not name it"), "{page}");
        // A follower that cannot read says so by itself.
        pages.followed();
        let away = Condition::Refused("Enterprise Manager refused the account \"x<y\"".to_owned());
        pages.health.turn("default", away, Some(start() + TimeDelta::minutes(20)), start());
        let (verdict, page) = state(&pages).await;
        assert!(verdict.starts_with("✕ 1 thing is wrong") && verdict.contains("correct the user name"), "{verdict}");
        assert!(page.contains("✕ refuses the account for 0 seconds ; next try in 20 minutes"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_instance_leads_what_it_wrote_is_shown() {
    for database in &well().await {
        let pages = Pages::of(database).await;
        pages.followed();
        let other = "process 7 on <other>";
        pages.health.turn("default", Condition::StandingBy(other.to_owned()), None, start());
        let lease = |minutes| {
            let until = timestamp::format(start() + TimeDelta::minutes(minutes));
            format!("update sync_leases set holder = '{other}', expires_at = '{until}'")
        };
        database.execute(&lease(1)).await;
        let (verdict, page) = state(&pages).await;
        assert!(verdict.contains("All is well") && verdict.contains("this one stands by"), "{verdict}");
        for part in [
            "standing by, while process 7 on &lt;other&gt; follows it",
            "Writes another instance: process 7 on &lt;other&gt;",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        database.execute(&lease(-10)).await;
        let (verdict, _) = state(&pages).await;
        assert!(
            verdict.starts_with("✕ 1 thing is wrong") && verdict.contains("nobody has written for 10 minutes"),
            "{verdict}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_the_followers_speak_for_themselves() {
    for (database, nowhere) in
        both().await.iter().zip(["sqlite:/nowhere/at/all.db", "postgres://nobody@127.0.0.1:1/nothing"])
    {
        let pages = Pages::with(database, nowhere, Web::new(None, false)).await;
        pages.followed();
        pages.store.close().await;
        let (verdict, page) = state(&pages).await;
        assert!(
            verdict.starts_with("✕ 1 thing is wrong") && verdict.contains("the database cannot be used"),
            "{verdict}"
        );
        assert!(page.contains("away: what is stored cannot be shown"), "{page}");
        assert!(page.contains("RestoreSession 5 seconds ago"), "{page}");
        for path in ["/last-24-hours", "/rejects"] {
            let answer = pages.get(path).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(words(&answer.text).contains("The database cannot be read"), "{path}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_anything_is_read_the_pages_are_there() {
    for database in &both().await {
        let pages = Pages::of(database).await;
        let (verdict, _) = state(&pages).await;
        assert!(verdict.contains("All is well No Enterprise Manager is configured."), "{verdict}");
        let day = pages.get("/last-24-hours").await;
        assert_eq!(day.status, 404);
        assert!(words(&day.text).contains("holds no session yet"), "{}", day.text);
        assert!(words(&pages.page("/rejects").await).contains("Every record that was sent could be stored."));
        let simulator = simulate(World::empty(1)).await;
        sync(&simulator, database).await;
        let page = words(&pages.page("/").await);
        assert!(page.contains("No backup server has sent anything yet."), "{page}");
    }
}
