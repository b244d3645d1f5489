//! The views of the contract, and others that reports read: the only place in the program where their columns are
//! listed. A test compares them with both databases.

use crate::store::{Type, View};

use Type::{Bool, Day, Int, Real, Text, Time, Uid};

/// See `sessions` in the data dictionary.
pub const SESSIONS: View = View {
    name: "sessions",
    columns: &[
        ("kind", Text),
        ("uid", Uid),
        ("em_id", Int),
        ("backup_server_uid", Uid),
        ("backup_server_name", Text),
        ("parent_uid", Uid),
        ("parent_name", Text),
        ("object_name", Text),
        ("creation_time", Time),
        ("end_time", Time),
        ("duration_seconds", Int),
        ("is_running", Bool),
        ("state", Text),
        ("result", Text),
        ("message", Text),
    ],
};

/// See `job_runs` in the data dictionary.
pub const JOB_RUNS: View = View {
    name: "job_runs",
    columns: &[
        ("kind", Text),
        ("session_uid", Uid),
        ("job_uid", Uid),
        ("job_name", Text),
        ("job_type", Text),
        ("backup_server_uid", Uid),
        ("backup_server_name", Text),
        ("start_time", Time),
        ("end_time", Time),
        ("duration_seconds", Int),
        ("is_running", Bool),
        ("is_retry", Bool),
        ("result", Text),
        ("message", Text),
        ("task_count", Int),
        ("task_warning_count", Int),
        ("task_failed_count", Int),
        ("total_size_bytes", Int),
    ],
};

/// See `job_status` in the data dictionary.
pub const JOB_STATUS: View = View {
    name: "job_status",
    columns: &[
        ("job_uid", Uid),
        ("job_name", Text),
        ("job_type", Text),
        ("backup_server_name", Text),
        ("last_start_time", Time),
        ("last_result", Text),
        ("last_good_end_time", Time),
        ("hours_since_good", Int),
        ("runs_7d", Int),
        ("success_pct_strict_7d", Real),
        ("success_pct_7d", Real),
        ("recovered_by_retry_7d", Int),
        ("runs_30d", Int),
        ("success_pct_strict_30d", Real),
        ("success_pct_30d", Real),
        ("recovered_by_retry_30d", Int),
        ("last_duration_seconds", Int),
        ("median_duration_seconds_30d", Int),
        ("schedule_enabled", Bool),
        ("source_missing_since", Time),
    ],
};

/// See `job_daily_results` in the data dictionary.
pub const JOB_DAILY_RESULTS: View = View {
    name: "job_daily_results",
    columns: &[
        ("day", Day),
        ("job_uid", Uid),
        ("job_name", Text),
        ("backup_server_name", Text),
        ("runs", Int),
        ("retries", Int),
        ("resulting_result", Text),
        ("tasks_good", Int),
        ("tasks_failed", Int),
    ],
};

/// See `vm_protection` in the data dictionary.
pub const VM_PROTECTION: View = View {
    name: "vm_protection",
    columns: &[
        ("backup_server_uid", Uid),
        ("backup_server_name", Text),
        ("vm_display_name", Text),
        ("protection", Text),
        ("job_name", Text),
        ("last_attempt_end_time", Time),
        ("last_attempt_result", Text),
        ("last_good_end_time", Time),
        ("hours_since_good", Int),
        ("rpo_hours", Int),
        ("within_rpo", Bool),
        ("consecutive_failures", Int),
        ("last_failure_reason", Text),
    ],
};

/// See `vm_daily_status` in the data dictionary.
pub const VM_DAILY_STATUS: View = View {
    name: "vm_daily_status",
    columns: &[
        ("day", Day),
        ("backup_server_uid", Uid),
        ("backup_server_name", Text),
        ("vm_display_name", Text),
        ("runs", Int),
        ("best_result", Text),
        ("last_result", Text),
    ],
};

/// See `failures` in the data dictionary.
pub const FAILURES: View = View {
    name: "failures",
    columns: &[
        ("kind", Text),
        ("uid", Uid),
        ("end_time", Time),
        ("result", Text),
        ("backup_server_name", Text),
        ("job_name", Text),
        ("vm_display_name", Text),
        ("reason", Text),
        ("reason_group", Text),
        ("later_good", Bool),
    ],
};

/// See `running_sessions` in the data dictionary.
pub const RUNNING_SESSIONS: View = View {
    name: "running_sessions",
    columns: &[
        ("kind", Text),
        ("uid", Uid),
        ("start_time", Time),
        ("running_seconds", Int),
        ("job_name", Text),
        ("object_name", Text),
        ("backup_server_name", Text),
        ("median_duration_seconds", Int),
        ("times_median", Real),
    ],
};

/// See `restore_audit` in the data dictionary.
pub const RESTORE_AUDIT: View = View {
    name: "restore_audit",
    columns: &[
        ("uid", Uid),
        ("vm_display_name", Text),
        ("restore_type", Text),
        ("vm_restore_point_uid", Uid),
        ("restore_point_time", Time),
        ("restore_point_age_seconds", Int),
        ("start_time", Time),
        ("end_time", Time),
        ("duration_seconds", Int),
        ("result", Text),
        ("message", Text),
        ("backup_server_name", Text),
    ],
};

/// See `failover_audit` in the data dictionary.
pub const FAILOVER_AUDIT: View = View {
    name: "failover_audit",
    columns: &[
        ("session_uid", Uid),
        ("plan_name", Text),
        ("plan_uid", Uid),
        ("action", Text),
        ("requested_by", Text),
        ("reason", Text),
        ("requested_at", Time),
        ("task_id", Text),
        ("start_time", Time),
        ("end_time", Time),
        ("duration_seconds", Int),
        ("result", Text),
        ("vm_name", Text),
        ("vm_result", Text),
        ("vm_duration_seconds", Int),
    ],
};

/// See `cdp_status` in the data dictionary.
pub const CDP_STATUS: View = View {
    name: "cdp_status",
    columns: &[
        ("policy_uid", Uid),
        ("policy_name", Text),
        ("vm_display_name", Text),
        ("sessions_30d", Int),
        ("failed_30d", Int),
        ("good_pct_30d", Real),
        ("longest_gap_seconds", Int),
        ("last_good_end_time", Time),
    ],
};

/// See `size_growth` in the data dictionary.
pub const SIZE_GROWTH: View = View {
    name: "size_growth",
    columns: &[
        ("day", Day),
        ("backup_server_uid", Uid),
        ("backup_server_name", Text),
        ("vm_display_name", Text),
        ("total_size_bytes", Int),
        ("change_7d_bytes", Int),
        ("change_30d_bytes", Int),
    ],
};

/// See `daily_results` in the data dictionary.
pub const DAILY_RESULTS: View = View {
    name: "daily_results",
    columns: &[
        ("day", Day),
        ("backup_server_name", Text),
        ("kind", Text),
        ("runs", Int),
        ("success", Int),
        ("warning", Int),
        ("failed", Int),
        ("total_size_bytes", Int),
        ("total_duration_seconds", Int),
        ("longest_duration_seconds", Int),
    ],
};

/// See `audit_monthly` in the data dictionary.
pub const AUDIT_MONTHLY: View = View {
    name: "audit_monthly",
    columns: &[
        ("month", Day),
        ("backup_server_name", Text),
        ("vms_protected", Int),
        ("rpo_pct", Real),
        ("job_success_pct", Real),
        ("restores", Int),
        ("restore_success_pct", Real),
        ("failover_tests", Int),
        ("longest_gap_hours", Int),
    ],
};

/// See `sync_freshness` in the data dictionary.
pub const SYNC_FRESHNESS: View = View {
    name: "sync_freshness",
    columns: &[
        ("em_name", Text),
        ("kind", Text),
        ("backup_server_name", Text),
        ("creation_mark", Time),
        ("end_mark", Time),
        ("scanned_at", Time),
        ("lag_seconds", Int),
        ("data_age_seconds", Int),
        ("last_sweep_at", Time),
        ("rejects", Int),
    ],
};

/// See `machine_protection` in the data dictionary.
pub const MACHINE_PROTECTION: View = View { name: "machine_protection", columns: VM_PROTECTION.columns };

/// See `machine_sessions` in the data dictionary.
pub const MACHINE_SESSIONS: View = View {
    name: "machine_sessions",
    columns: &[
        ("kind", Text),
        ("uid", Uid),
        ("vm_display_name", Text),
        ("backup_server_name", Text),
        ("parent_name", Text),
        ("creation_time", Time),
        ("end_time", Time),
        ("duration_seconds", Int),
        ("state", Text),
        ("result", Text),
        ("message", Text),
    ],
};

/// See `report_clock` in the data dictionary.
pub const REPORT_CLOCK: View = View { name: "report_clock", columns: &[("as_of", Time)] };

/// All of them.
pub const VIEWS: &[&View] = &[
    &SESSIONS,
    &JOB_RUNS,
    &JOB_STATUS,
    &JOB_DAILY_RESULTS,
    &VM_PROTECTION,
    &VM_DAILY_STATUS,
    &FAILURES,
    &RUNNING_SESSIONS,
    &RESTORE_AUDIT,
    &FAILOVER_AUDIT,
    &CDP_STATUS,
    &SIZE_GROWTH,
    &DAILY_RESULTS,
    &AUDIT_MONTHLY,
    &SYNC_FRESHNESS,
    &MACHINE_PROTECTION,
    &MACHINE_SESSIONS,
    &REPORT_CLOCK,
];
