//! The columns that tables have: how they are headed and how their values are shown.

use super::{Column, Unit};

/// The column of that name, which is the view's where it comes from one.
///
/// # Panics
/// If there is none.
pub(super) fn column(name: &str) -> Column {
    let found = COLUMNS.iter().find(|(known, _, _)| *known == name);
    let (name, title, unit) = *found.unwrap_or_else(|| panic!("no table has a column {name}"));
    Column { name, title, unit }
}

use Unit::{Bool, Bytes, Change, Count, Day, Hours, Message, Month, Percent, Result, Seconds, Text, Time, Times};

const COLUMNS: &[(&str, &str, Unit)] = &[
    // Who and what.
    ("kind", "Kind", Text),
    ("uid", "UID", Text),
    ("session_uid", "Session", Text),
    ("em_id", "Enterprise Manager", Count),
    ("em_name", "Enterprise Manager", Text),
    ("backup_server_uid", "Server UID", Text),
    ("backup_server_name", "Server", Text),
    ("parent_uid", "Job UID", Text),
    ("parent_name", "Job", Text),
    ("job_uid", "Job UID", Text),
    ("job_name", "Job", Text),
    ("job_type", "Type", Text),
    ("policy_uid", "Policy UID", Text),
    ("policy_name", "Policy", Text),
    ("plan_uid", "Plan UID", Text),
    ("plan_name", "Plan", Text),
    ("object_name", "Machine", Text),
    ("vm_name", "Machine", Text),
    ("vm_display_name", "Machine", Text),
    ("vm_restore_point_uid", "Restore point", Text),
    ("protection", "Protection", Text),
    ("restore_type", "Restore", Text),
    ("action", "Action", Text),
    ("requested_by", "Asked for by", Text),
    ("task_id", "Task", Text),
    ("vms", "Which", Text),
    ("jobs", "Jobs", Count),
    // How it went.
    ("state", "State", Text),
    ("result", "Result", Result),
    ("last_result", "Last result", Result),
    ("best_result", "Best result", Result),
    ("resulting_result", "Result", Result),
    ("last_attempt_result", "Last result", Result),
    ("vm_result", "Machine's result", Result),
    ("is_running", "Running", Bool),
    ("is_retry", "Retry", Bool),
    ("later_good", "Good since", Bool),
    ("within_rpo", "Within RPO", Bool),
    ("schedule_enabled", "Schedule on", Bool),
    ("message", "Message", Message),
    ("reason", "Reason", Message),
    ("reason_group", "Reason", Message),
    ("last_failure_reason", "Reason", Message),
    // When.
    ("day", "Day", Day),
    ("month", "Month", Month),
    ("creation_time", "Start", Time),
    ("start_time", "Start", Time),
    ("end_time", "End", Time),
    ("first_end_time", "First", Time),
    ("last_end_time", "Last", Time),
    ("last_start_time", "Last start", Time),
    ("last_good_end_time", "Last good", Time),
    ("last_attempt_end_time", "Last attempt", Time),
    ("restore_point_time", "Restore point of", Time),
    ("requested_at", "Asked for", Time),
    ("creation_mark", "Newest start", Time),
    ("end_mark", "Newest end", Time),
    ("scanned_at", "Last read", Time),
    ("last_sweep_at", "Last sweep", Time),
    ("source_missing_since", "Missing since", Time),
    ("as_of", "Now", Time),
    ("hour", "Hour", Time),
    ("usual_start", "Usual start", Text),
    ("usual_end", "Usual end", Text),
    // How long.
    ("duration_seconds", "Duration", Seconds),
    ("last_duration_seconds", "Last duration", Seconds),
    ("median_duration_seconds", "Median", Seconds),
    ("median_duration_seconds_30d", "Median, 30 d", Seconds),
    ("longest_duration_seconds", "Longest", Seconds),
    ("total_duration_seconds", "In total", Seconds),
    ("vm_duration_seconds", "Machine's duration", Seconds),
    ("running_seconds", "Running for", Seconds),
    ("restore_point_age_seconds", "Age of data", Seconds),
    ("longest_gap_seconds", "Longest gap", Seconds),
    ("lag_seconds", "Not read for", Seconds),
    ("data_age_seconds", "Age of data", Seconds),
    ("silent_seconds", "Silent for", Seconds),
    ("hours_since_good", "Since good", Hours),
    ("rpo_hours", "RPO", Hours),
    ("longest_gap_hours", "Longest gap", Hours),
    ("times_median", "× median", Times),
    // How many.
    ("runs", "Runs", Count),
    ("retries", "Retries", Count),
    ("success", "Success", Count),
    ("warning", "Warning", Count),
    ("failed", "Failed", Count),
    ("failures", "Failures", Count),
    ("unrepaired", "Not repaired", Count),
    ("consecutive_failures", "Failures in a row", Count),
    ("started", "Started", Count),
    ("at_once", "At once", Count),
    ("runs_7d", "Runs, 7 d", Count),
    ("runs_30d", "Runs, 30 d", Count),
    ("recovered_by_retry_7d", "Repaired, 7 d", Count),
    ("recovered_by_retry_30d", "Repaired, 30 d", Count),
    ("sessions_30d", "Sessions, 30 d", Count),
    ("failed_30d", "Failed, 30 d", Count),
    ("task_count", "Machines", Count),
    ("task_warning_count", "Warning", Count),
    ("task_failed_count", "Failed", Count),
    ("tasks_good", "Machines good", Count),
    ("tasks_failed", "Machines failed", Count),
    ("vm_count", "Machines", Count),
    ("vms_protected", "Machines", Count),
    ("vms_within_rpo", "In time", Count),
    ("restores", "Restores", Count),
    ("failover_tests", "Failover tests", Count),
    ("rejects", "Rejected", Count),
    ("success_pct_7d", "Good, 7 d", Percent),
    ("success_pct_strict_7d", "Strict, 7 d", Percent),
    ("success_pct_30d", "Good, 30 d", Percent),
    ("success_pct_strict_30d", "Strict, 30 d", Percent),
    ("good_pct_30d", "Good, 30 d", Percent),
    ("rpo_pct", "Within RPO", Percent),
    ("job_success_pct", "Good runs", Percent),
    ("restore_success_pct", "Good restores", Percent),
    // How large.
    ("total_size_bytes", "Size", Bytes),
    ("change_7d_bytes", "Change, 7 d", Change),
    ("change_30d_bytes", "Change, 30 d", Change),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::views::VIEWS;
    use crate::store::Type;

    #[test]
    fn every_column_of_every_view_has_a_heading_and_a_unit_that_fits_its_type() {
        for view in VIEWS {
            for (name, ty) in view.columns {
                let column = column(name);
                let fits = match ty {
                    Type::Text | Type::Uid => matches!(column.unit, Text | Message | Result),
                    Type::Int => matches!(column.unit, Count | Bytes | Change | Seconds | Hours),
                    Type::Real => matches!(column.unit, Percent | Times),
                    Type::Time => column.unit == Time,
                    Type::Day => matches!(column.unit, Day | Month),
                    Type::Bool => column.unit == Bool,
                };
                assert!(fits, "{}.{name} is shown as {:?}", view.name, column.unit);
            }
        }
    }

    #[test]
    fn no_column_is_listed_twice() {
        let names: std::collections::BTreeSet<&str> = COLUMNS.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(names.len(), COLUMNS.len());
    }
}
