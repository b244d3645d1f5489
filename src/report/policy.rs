//! One CDP policy, for the web page: how its machines fare, and its last sessions.

use chrono::TimeDelta;

use super::ask::{Ask, section, sentences, text};
use super::names::{Named, Subject};
use super::period::Span;
use super::views::{CDP_STATUS, SESSIONS};
use super::{Body, Section};
use crate::store::{Error, Filter};

const MOST: usize = 500;

/// Not on the command line, where a policy is read with its machines.
pub(super) const POLICY: Named = Named {
    name: "policy",
    subject: Some(Subject::Job),
    line: "one CDP policy: how its machines fare, its last sessions (7 days)",
    title: "CDP policy",
    span: Span::Last(TimeDelta::days(7)),
    build: |ask| Box::pin(build(ask)),
};

async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let columns =
        ["vm_display_name", "sessions_30d", "failed_30d", "good_pct_30d", "longest_gap_seconds", "last_good_end_time"];
    let of_policy = ask.names.first().map(|name| Filter::Is("policy_name", text(name)));
    let machines = ask.rows(&CDP_STATUS, &columns, of_policy, "").await?.sorted("vm_display_name");
    let (machines, rest) = machines.table(MOST, "No machine of it was tried in 30 days.");
    let columns = [
        "creation_time",
        "end_time",
        "backup_server_name",
        "state",
        "result",
        "duration_seconds",
        "message",
        "kind",
        "uid",
    ];
    let filters = ask.period.within("creation_time");
    let order = "creation_time desc, uid";
    let sessions = ask.rows_of_names(&SESSIONS, &columns, "parent_name", &filters, order).await?;
    let sessions = sessions.only(|row| row.text("kind") == "CdpReplicaSession");
    let (sessions, more) = sessions.table_of_sessions(MOST, "It did not run.");
    Ok(vec![
        section("machines", "Its machines", sentences(&["The last 30 days.", &rest]), Body::Table(machines)),
        section("runs", "Its sessions, newest first", more, Body::Table(sessions)),
    ])
}
