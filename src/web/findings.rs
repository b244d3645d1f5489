//! What an operator has to know first: all that is wrong or has to be looked at, worst first, with what to do.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::servers::{self, Verdict};
use crate::health::{Condition, ManagerHealth, Trouble, span};
use crate::report::Tone;
use crate::store::{Collects, KindStatus, ManagerStatus, News};

/// A lease that ended so long ago is not about to be renewed.
const LEASE_OVER: TimeDelta = TimeDelta::minutes(1);

const SEE_REJECTS: &str = "see the rejected records";

/// Something to be mended, or to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) tone: Tone,
    /// What it concerns, from the whole to the part.
    pub(super) about: Vec<String>,
    pub(super) what: String,
    pub(super) mend: String,
    /// Where there is more about it.
    pub(super) href: Option<&'static str>,
}

/// What keeps the daemon from being ready.
pub(super) fn of_trouble(trouble: Trouble, health: Option<&ManagerHealth>) -> Finding {
    // At the start nothing is wrong yet.
    let is_starting = health.is_some_and(|health| health.condition == Condition::Starting);
    Finding {
        tone: if is_starting { Tone::Warning } else { Tone::Bad },
        about: trouble.manager.into_iter().chain(trouble.kind.map(str::to_owned)).collect(),
        what: trouble.what,
        mend: trouble.mend.to_owned(),
        href: None,
    }
}

/// What the database says about an Enterprise Manager.
pub(super) fn of_manager(
    manager: &ManagerStatus,
    health: Option<&ManagerHealth>,
    news: &[News],
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |tone, part: Option<&str>, what: String, mend: &str| {
        let about = [Some(manager.name.as_str()), part].into_iter().flatten().map(str::to_owned).collect();
        let href = (mend == SEE_REJECTS).then_some("/rejects");
        findings.push(Finding { tone, about, what, mend: mend.to_owned(), href });
    };
    // Whoever leads is asked for the state of the passes; here, what it wrote is all that is known of them.
    let is_led_here = health.is_some_and(|health| matches!(health.condition, Condition::Following | Condition::Slow));
    if let Some(health) = health
        && matches!(health.condition, Condition::StandingBy(_))
        && let Some(lease) = &manager.lease
        && now - lease.expires_at > LEASE_OVER
    {
        let what = format!("nobody has written for {}", span(now - lease.expires_at));
        add(Tone::Bad, None, what, "see that an instance leads: restart those that stand by");
    }
    if let Collects::No(why) = manager.collection.goes_on(now) {
        let what = format!("Enterprise Manager stopped collecting from its backup servers: {why}");
        add(Tone::Bad, None, what, Verdict::NotCollected.mend());
    }
    let servers = servers::servers(manager, now);
    for server in &servers {
        let newest = server.newest_start.map_or_else(String::new, |at| format!(" for {}", span(now - at)));
        match server.verdict {
            Verdict::Silent => {
                let what = format!("the server is silent{newest}, while others send and Enterprise Manager collects");
                add(Tone::Bad, Some(&server.name), what, server.verdict.mend());
            }
            Verdict::NotKnown => {
                let what = format!("silent{newest}; whether Enterprise Manager collects from it is not known");
                add(Tone::Warning, Some(&server.name), what, server.verdict.mend());
            }
            // Told once, for all of them.
            Verdict::Sends | Verdict::NotCollected | Verdict::Quiet => {}
        }
    }
    let quiet = servers.iter().filter(|server| server.verdict == Verdict::Quiet);
    if let Some(newest) = quiet.filter_map(|server| server.newest_start).max() {
        let what = format!("no server has sent anything new for {}", span(now - newest));
        add(Tone::Warning, None, what, Verdict::Quiet.mend());
    }
    let told: BTreeSet<&str> = health
        .filter(|_| is_led_here)
        .into_iter()
        .flat_map(|health| health.kinds.iter().filter(|kind| kind.error.is_none()).map(|kind| kind.kind))
        .collect();
    for kind in manager.kinds.iter().filter(|kind| is_failing(kind) && !told.contains(kind.kind)) {
        let what = format!("its last pass failed: {}", kind.last_error.as_deref().unwrap_or("without saying why"));
        add(Tone::Warning, Some(kind.kind), what, "nothing, if the next pass succeeds; the log says why");
    }
    for news in news.iter().filter(|news| news.manager == manager.name && news.rejects > 0) {
        let records = if news.rejects == 1 { "record was" } else { "records were" };
        let what = format!("{} {records} refused in the last 24 hours: not stored as a row, but kept", news.rejects);
        add(Tone::Warning, Some(&news.kind), what, SEE_REJECTS);
    }
    findings
}

pub(super) fn is_failing(kind: &KindStatus) -> bool {
    kind.last_outcome.as_deref() == Some("failed")
}

/// Worst first, and nothing twice: a session type that is late is not told again as failing.
pub(super) fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    let late: BTreeSet<Vec<String>> =
        findings.iter().filter(|one| one.tone == Tone::Bad).map(|one| one.about.clone()).collect();
    findings.retain(|one| one.tone == Tone::Bad || one.about.len() < 2 || !late.contains(&one.about));
    findings.sort_by_key(|one| std::cmp::Reverse(one.tone));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(tone: Tone, about: &[&str], what: &str) -> Finding {
        let about = about.iter().map(|part| (*part).to_owned()).collect();
        Finding { tone, about, what: what.to_owned(), mend: String::new(), href: None }
    }

    #[test]
    fn the_worst_comes_first_and_nothing_is_told_twice() {
        let found = sorted(vec![
            finding(Tone::Warning, &["em", "RestoreSession"], "refused"),
            finding(Tone::Warning, &["em", "BackupJobSession"], "failing"),
            finding(Tone::Bad, &["em", "BackupJobSession"], "late"),
            finding(Tone::Warning, &["em"], "quiet"),
        ]);
        let told: Vec<&str> = found.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(told, ["late", "refused", "quiet"]);
    }
}
