//! What was restored, from when, and how it ended.

use std::collections::BTreeSet;

use super::ask::{Ask, count, count_bad, figure, maybe, section, sentences, share};
use super::views::RESTORE_AUDIT;
use super::{Body, Section, Tone, Unit};
use crate::store::{Cell, Error};

const MOST: usize = 1000;

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let columns = [
        "start_time",
        "end_time",
        "vm_display_name",
        "backup_server_name",
        "restore_type",
        "result",
        "duration_seconds",
        "restore_point_time",
        "restore_point_age_seconds",
        "message",
    ];
    let rows = ask.rows(&RESTORE_AUDIT, &columns, ask.period.within("start_time"), "start_time desc, uid").await?;
    let with = |result: &str| rows.iter().filter(|row| row.text("result") == result).count();
    let ended = rows.iter().filter(|row| row.time("end_time").is_some()).count();
    let machines: BTreeSet<(&str, &str)> =
        rows.iter().map(|row| (row.text("backup_server_name"), row.text("vm_display_name"))).collect();
    let longest = rows.iter().filter_map(|row| row.int("duration_seconds")).max();
    let figures = vec![
        count("restores", "Restores", rows.len()),
        count("vms", "Machines", machines.len()),
        count_bad("failed", "Failed", with("Failed"), Tone::Bad),
        share("restore_success_pct", "Good restores", with("Success") + with("Warning"), ended),
        figure("longest_duration_seconds", "Longest", maybe(longest, Cell::Int), Unit::Seconds, Tone::Plain),
    ];
    let (table, rest) = rows.table(MOST, "Nothing was restored.");
    let note = "Enterprise Manager does not say who asked for a restore.";
    Ok(vec![
        section("figures", "In short", "", Body::Figures(figures)),
        section("restores", "Restores, newest first", sentences(&[note, &rest]), Body::Table(table)),
    ])
}
