//! Finding a machine or a job by a part of its name, or anything by its UID.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::page::{Failure, Page, shortened};
use super::{Web, in_time, link, tables};
use crate::report::form::clean;
use crate::store::{Known, Look};

/// How many of each are shown.
const MOST: usize = 50;

#[derive(Deserialize)]
pub(super) struct Asked {
    q: Option<String>,
}

pub(super) async fn page(State(web): State<Web>, asked: Result<Query<Asked>, QueryRejection>) -> Result<Page, Failure> {
    let text = asked?.0.q.unwrap_or_default().trim().to_owned();
    if text.is_empty() {
        let what =
            "A part of the name of a machine or a job, in upper or lower case, or the UID of a session or a job.";
        return Ok(Page::new("Search", html! { h1 { "Search" } p.lead { (what) } }));
    }
    let site = web.site().ok_or(Failure::Starting)?;
    let (jobs, machines, same) = in_time(async {
        let look = site.looks.look().await?;
        let (jobs, machines) = (web.names.jobs(&look).await?, web.names.machines(&look).await?);
        let same = match Uuid::try_parse(&text) {
            Ok(uid) => with_uid(&look, uid).await?,
            Err(_) => Vec::new(),
        };
        Ok((matching(&jobs, &text), matching(&once(&machines), &text), same))
    })
    .await?;
    let main = html! {
        h1 { "Search for “" (clean(&shortened(&text, 200))) "”" }
        @if !same.is_empty() {
            section { h2 { "With this UID" } ul.plain-list { @for (href, what) in &same { li { a href=(href) { (what) } } } } }
        }
        (found("Machines", "Protected as", "No machine has that in its name.", &machines))
        (found("Jobs and CDP policies", "Type", "No job has that in its name.", &jobs))
    };
    Ok(Page { search: text.clone(), ..Page::new(format!("Search for {text}"), main) })
}

/// The sessions, the job or the policy of that identity: their addresses, and what they are.
async fn with_uid(look: &Look, uid: Uuid) -> Result<Vec<(String, String)>, Failure> {
    let kinds = look.kinds_of(uid).await?;
    let mut same: Vec<_> = kinds.into_iter().map(|kind| (link::session(kind, uid), format!("{kind} {uid}"))).collect();
    if let Some(job) = look.job(uid).await? {
        same.push((link::job(uid, Tz::UTC), job.name));
    }
    Ok(same)
}

/// Machines that are protected in several ways are one each.
fn once(machines: &[Known]) -> Vec<Known> {
    let mut known: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for machine in machines {
        known.entry((&machine.name, machine.server.as_deref())).or_default().push(&machine.what);
    }
    let machine = |((name, server), what): ((&str, Option<&str>), Vec<&str>)| Known {
        uid: None,
        name: name.to_owned(),
        server: server.map(str::to_owned),
        what: what.join(", "),
    };
    known.into_iter().map(machine).collect()
}

/// Those that have the text in their name, the most alike first, and how many there are.
fn matching(all: &[Known], text: &str) -> (Vec<Known>, usize) {
    let text = text.to_lowercase();
    let place = |one: &Known| {
        let name = one.name.to_lowercase();
        name.find(&text).map(|at| (name != text, at > 0, name))
    };
    let mut found: Vec<_> = all.iter().filter_map(|one| Some((place(one)?, one))).collect();
    found.sort_by(|(a, one), (b, other)| (a, &one.server).cmp(&(b, &other.server)));
    (found.iter().take(MOST).map(|(_, one)| (*one).clone()).collect(), found.len())
}

fn found(title: &str, what: &str, if_none: &str, (shown, all): &(Vec<Known>, usize)) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if shown.is_empty() {
                p.empty { (if_none) }
            } @else {
                @if *all > shown.len() {
                    p.note { (shown.len()) " of " (all) " are shown. More of the name finds fewer." }
                }
                (tables::frame(title, &["Name", "Server", what], &[], html! {
                    @for one in shown {
                        tr {
                            th.text scope="row" { (name(one)) }
                            td.text { (clean(one.server.as_deref().unwrap_or("–"))) }
                            td.text { (clean(&one.what)) }
                        }
                    }
                }))
            }
        }
    }
}

fn name(one: &Known) -> Markup {
    let server = one.server.as_deref().unwrap_or_default();
    let href = one.uid.map_or_else(|| link::machine(&one.name, server, Tz::UTC), |uid| Some(link::job(uid, Tz::UTC)));
    let name = shortened(&one.name, 500);
    html! { @if let Some(href) = href { a href=(href) { (clean(&name)) } } @else { (clean(&name)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, server: &str, what: &str) -> Known {
        Known { uid: None, name: name.to_owned(), server: Some(server.to_owned()), what: what.to_owned() }
    }

    #[test]
    fn the_most_alike_come_first_and_case_does_not_matter() {
        let all = ["Old SQL", "sql", "SQL-01", "web", "Äsqlß"].map(|name| known(name, "x", "backup"));
        let names = |text: &str| matching(&all, text).0.into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names("Sql"), ["sql", "SQL-01", "Old SQL", "Äsqlß"]);
        assert_eq!(names("äSQL"), ["Äsqlß"]);
        let many: Vec<Known> = (0..60).map(|n| known(&format!("vm{n:02}"), "x", "backup")).collect();
        let (shown, all) = matching(&many, "VM");
        assert_eq!((shown.len(), all, &*shown[49].name), (50, 60, "vm49"));
    }

    #[test]
    fn a_machine_that_is_protected_twice_is_found_once() {
        let all = [known("a", "x", "backup"), known("a", "y", "backup"), known("a", "x", "replica")];
        let once: Vec<_> = once(&all).into_iter().map(|one| (one.server.unwrap_or_default(), one.what)).collect();
        assert_eq!(once, [("x".to_owned(), "backup, replica".to_owned()), ("y".to_owned(), "backup".to_owned())]);
    }
}
