//! The numbers of a month for an audit.

use super::ask::{Ask, section};
use super::views::AUDIT_MONTHLY;
use super::{Body, Section};
use crate::store::Error;

const MOST: usize = 1000;

pub(super) async fn build(ask: &Ask<'_>) -> Result<Vec<Section>, Error> {
    let columns = [
        "month",
        "backup_server_name",
        "vms_protected",
        "rpo_pct",
        "job_success_pct",
        "restores",
        "restore_success_pct",
        "failover_tests",
        "longest_gap_hours",
    ];
    let filters = ask.period.within_months("month");
    let rows = ask.rows(&AUDIT_MONTHLY, &columns, filters, "").await?.sorted("month desc, backup_server_name");
    let (table, rest) = rows.table(MOST, "Nothing ran in these months.");
    let note = format!(
        "Months are whole, and their days are UTC. Within RPO is the share of machines and days on which the last good \
         backup was young enough at the day's end. {rest}"
    );
    Ok(vec![section("months", "Months", note.trim_end(), Body::Table(table))])
}
