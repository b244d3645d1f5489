//! The eight session types and the six types of their parents: the only place where they are declared.
//!
//! Read an entry beside the vendor's page of the type. Every entry spells out all of its columns, the common ones
//! too, so that it can be compared with that page line by line.

use crate::kind::{
    Column, Entity, Inner, ParentLink, ParentSession, QueryNames, SessionKind, Source, attr, bigint, boolean, elem,
    json, position, text, time, uid,
};

const MOST: QueryNames = QueryNames { uid: "UID", creation: "CreationTime", end: "EndTime" };
const CDP: QueryNames = QueryNames { uid: "Id", creation: "CreationTimeUTC", end: "EndTimeUTC" };

const JOB_OPEN: &[&str] = &["Starting", "Stopping", "Working", "Pausing", "Resuming"];
const RESTORE_OPEN: &[&str] = &["Starting", "Stopping", "Working"];
const TASK_OPEN: &[&str] = &["InProgress", "Pending"];
const STOPPED: &[&str] = &["Stopped"];
const COMPLETED: &[&str] = &["Completed"];

const SERVER: ParentLink =
    ParentLink { column: "backup_server_uid", table: "backup_servers", name: None, type_column: None };
const JOB: ParentLink = ParentLink {
    column: "job_uid",
    table: "jobs",
    name: Some("job_name"),
    type_column: Some(("job_type", "job_type")),
};
const POLICY: ParentLink = ParentLink {
    column: "policy_uid",
    table: "cdp_policies",
    name: Some("policy_name"),
    type_column: Some(("policy_type", "policy_type")),
};

/// The rows inside a cloud failover session; the list and its rows have the same name.
const FAILOVER_TASKS: Inner = Inner {
    container: "CloudFailoverTasks",
    table: "cloud_failover_task_sessions",
    owner: "session_uid",
    position: "task_position",
    columns: &[
        text("vm_name", attr("VmName")),
        uid("vm_replica_point_uid", Source::Related("CloudVmReplicaPoint")),
        time("creation_time", elem("CreationTimeUTC")),
        time("end_time", elem("EndTimeUTC")),
        text("state", elem("State")),
        text("result", elem("Result")),
        bigint("progress", elem("Progress")),
        text("failure_message", elem("FailureMessage")),
    ],
};

/// The machines of a cloud failover plan: `CloudFailoveredVm`, or `CloudFailoverPlanVm` from older servers.
const PLAN_VMS: Inner = Inner {
    container: "Includes",
    table: "cloud_failover_plan_vms",
    owner: "plan_uid",
    position: "vm_position",
    columns: &[
        uid("failover_plan_vm_uid", elem("FailoverPlanVMId")),
        text("name", elem("Name")),
        bigint("boot_order", elem("Order")),
    ],
};

/// Every session type that the API can list, parents before the tasks that hang below them.
pub const KINDS: &[SessionKind] = &[
    SessionKind {
        name: "BackupJobSession",
        table: "backup_job_sessions",
        query: MOST,
        open: JOB_OPEN,
        finished: STOPPED,
        parent_session: None,
        parents: &[SERVER, JOB],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            uid("job_uid", Source::ElemOrUp("JobUid", "Job")),
            text("job_name", elem("JobName")),
            text("job_type", elem("JobType")),
            bigint("progress", elem("Progress")),
            text("failure_message", elem("FailureMessage")),
            text("reason_group", Source::GroupOf("failure_message")),
            boolean("is_retry", elem("IsRetry")),
            json("restore_point_uids", Source::RelatedAll("RestorePoint")),
        ],
    },
    SessionKind {
        name: "ReplicaJobSession",
        table: "replica_job_sessions",
        query: MOST,
        open: JOB_OPEN,
        finished: STOPPED,
        parent_session: None,
        parents: &[SERVER, JOB],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            uid("job_uid", Source::ElemOrUp("JobUid", "Job")),
            text("job_name", elem("JobName")),
            text("job_type", elem("JobType")),
            bigint("progress", elem("Progress")),
            text("failure_message", elem("FailureMessage")),
            text("reason_group", Source::GroupOf("failure_message")),
            boolean("is_retry", elem("IsRetry")),
        ],
    },
    SessionKind {
        name: "BackupTaskSession",
        table: "backup_task_sessions",
        query: MOST,
        open: TASK_OPEN,
        finished: COMPLETED,
        parent_session: Some(ParentSession { kind: "BackupJobSession", link: "job_session_uid", filled: "job_uid" }),
        parents: &[SERVER],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            uid("job_session_uid", Source::ElemOrUp("JobSessionUid", "BackupJobSession")),
            uid("job_uid", Source::Parent("job_uid")),
            text("vm_display_name", attr("VmDisplayName")),
            text("vm_ref", elem("VmUid")),
            text("reason", elem("Reason")),
            text("reason_group", Source::GroupOf("reason")),
            bigint("total_size_bytes", elem("TotalSize")),
            uid("vm_restore_point_uid", Source::Related("VmRestorePoint")),
        ],
    },
    SessionKind {
        name: "ReplicaTaskSession",
        table: "replica_task_sessions",
        query: MOST,
        open: TASK_OPEN,
        finished: COMPLETED,
        parent_session: Some(ParentSession { kind: "ReplicaJobSession", link: "job_session_uid", filled: "job_uid" }),
        parents: &[SERVER],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            uid("job_session_uid", Source::ElemOrUp("JobSessionUid", "ReplicaJobSession")),
            uid("job_uid", Source::Parent("job_uid")),
            text("vm_display_name", attr("VmDisplayName")),
            text("vm_ref", elem("VmUid")),
            text("reason", elem("Reason")),
            text("reason_group", Source::GroupOf("reason")),
            bigint("total_size_bytes", elem("TotalSize")),
            uid("vm_replica_point_uid", Source::Related("VmReplicaPoint")),
        ],
    },
    SessionKind {
        name: "RestoreSession",
        table: "restore_sessions",
        query: MOST,
        open: RESTORE_OPEN,
        finished: STOPPED,
        parent_session: None,
        parents: &[SERVER],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            text("restore_type", elem("JobType")),
            text("vm_display_name", attr("VmDisplayName")),
            text("restored_obj_ref", elem("RestoredObjRef")),
            bigint("progress", elem("Progress")),
            text("failure_message", elem("FailureMessage")),
            text("reason_group", Source::GroupOf("failure_message")),
            uid("vm_restore_point_uid", Source::Related("VmRestorePoint")),
            text("vm_restore_point_name", Source::RelatedName("VmRestorePoint")),
        ],
    },
    SessionKind {
        name: "CloudFailoverSession",
        table: "cloud_failover_sessions",
        query: MOST,
        open: RESTORE_OPEN,
        finished: STOPPED,
        parent_session: None,
        parents: &[SERVER],
        inner: Some(FAILOVER_TASKS),
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            text("job_type", elem("JobType")),
            text("cloud_failover_plan_name", attr("CloudFailoverPlanName")),
            uid("cloud_failover_plan_uid", Source::Derived),
            bigint("progress", elem("Progress")),
            text("failure_message", elem("FailureMessage")),
            text("reason_group", Source::GroupOf("failure_message")),
        ],
    },
    SessionKind {
        name: "CdpReplicaSession",
        table: "cdp_replica_sessions",
        query: CDP,
        open: JOB_OPEN,
        finished: STOPPED,
        parent_session: None,
        parents: &[SERVER, POLICY],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            uid("policy_uid", Source::ElemOrUp("PolicyUid", "CdpPolicy")),
            text("policy_name", elem("PolicyName")),
            text("policy_type", elem("PolicyType")),
            bigint("progress", elem("Progress")),
            text("failure_message", elem("FailureMessage")),
            text("reason_group", Source::GroupOf("failure_message")),
            boolean("is_retry", elem("IsRetry")),
        ],
    },
    SessionKind {
        name: "CdpReplicaTaskSession",
        table: "cdp_replica_task_sessions",
        query: CDP,
        open: TASK_OPEN,
        finished: COMPLETED,
        parent_session: Some(ParentSession {
            kind: "CdpReplicaSession",
            link: "policy_session_uid",
            filled: "policy_uid",
        }),
        parents: &[SERVER],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            time("creation_time", elem("CreationTimeUTC")),
            time("end_time", elem("EndTimeUTC")),
            text("state", elem("State")),
            text("result", elem("Result")),
            uid("policy_session_uid", Source::ElemOrUp("PolicySessionUid", "CdpReplicaSession")),
            uid("policy_uid", Source::Parent("policy_uid")),
            text("vm_display_name", attr("VmDisplayName")),
            text("reason", elem("Reason")),
            text("reason_group", Source::GroupOf("reason")),
            bigint("total_size_bytes", elem("TotalSize")),
        ],
    },
];

const JOB_COLUMNS: &[Column] = &[
    uid("uid", attr("UID")),
    uid("backup_server_uid", Source::Up("BackupServer")),
    text("name", attr("Name")),
    text("job_type", elem("JobType")),
    text("platform", elem("Platform")),
    text("description", elem("Description")),
    boolean("schedule_configured", elem("ScheduleConfigured")),
    boolean("schedule_enabled", elem("ScheduleEnabled")),
    time("next_run", elem("NextRun")),
];

/// The first of [`PARENTS`].
pub const BACKUP_SERVERS: Entity = PARENTS[0];

/// What sessions hang below, in the order in which it is read: servers first, since all others refer to them.
pub const PARENTS: &[Entity] = &[
    Entity {
        name: "BackupServer",
        table: "backup_servers",
        parents: &[],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            text("name", attr("Name")),
            text("description", elem("Description")),
            bigint("port", elem("Port")),
            text("version", elem("Version")),
        ],
    },
    Entity { name: "Job", table: "jobs", parents: &[SERVER], inner: None, columns: JOB_COLUMNS },
    Entity { name: "AgentBackupJob", table: "jobs", parents: &[SERVER], inner: None, columns: JOB_COLUMNS },
    Entity { name: "NasJob", table: "jobs", parents: &[SERVER], inner: None, columns: JOB_COLUMNS },
    Entity {
        name: "CdpPolicy",
        table: "cdp_policies",
        parents: &[SERVER],
        inner: None,
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            text("policy_type", elem("PolicyType")),
            text("platform", elem("Platform")),
            text("description", elem("Description")),
            boolean("schedule_configured", elem("ScheduleConfigured")),
            boolean("schedule_enabled", elem("ScheduleEnabled")),
            time("next_run", elem("NextRun")),
        ],
    },
    Entity {
        name: "CloudFailoverPlan",
        table: "cloud_failover_plans",
        parents: &[SERVER],
        inner: Some(PLAN_VMS),
        columns: &[
            uid("uid", attr("UID")),
            uid("backup_server_uid", Source::Up("BackupServer")),
            text("name", attr("Name")),
            uid("tenant_uid", elem("TenantUid")),
            text("tenant_name", elem("TenantName")),
            text("description", elem("Description")),
        ],
    },
];

/// The session type of that name, in any case.
#[must_use]
pub fn kind(name: &str) -> Option<&'static SessionKind> {
    KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
}

/// Positions of the columns that every session type begins with, so that hot code needs no search.
pub mod common {
    /// `uid`
    pub const UID: usize = 0;
    /// `backup_server_uid`
    pub const BACKUP_SERVER_UID: usize = 1;
    /// `creation_time`
    pub const CREATION_TIME: usize = 3;
    /// `end_time`
    pub const END_TIME: usize = 4;
    /// `state`
    pub const STATE: usize = 5;
}

/// The build fails when an entry names a column that it does not have, or begins otherwise than all others.
const _: () = {
    const HEAD: [&str; 7] = ["uid", "backup_server_uid", "name", "creation_time", "end_time", "state", "result"];
    let mut k = 0;
    while k < KINDS.len() {
        let kind = &KINDS[k];
        let mut i = 0;
        while i < HEAD.len() {
            assert!(matches!(kind.position(HEAD[i]), Some(at) if at == i), "a kind begins with other columns");
            i += 1;
        }
        if let Some(parent) = kind.parent_session {
            assert!(kind.position(parent.link).is_some(), "a parent session's link names no column");
            assert!(kind.position(parent.filled).is_some(), "a parent session fills no column");
        }
        let mut p = 0;
        while p < kind.parents.len() {
            assert!(kind.position(kind.parents[p].column).is_some(), "a parent link names no column");
            p += 1;
        }
        let mut c = 0;
        while c < kind.columns.len() {
            if let Source::GroupOf(message) = kind.columns[c].source {
                assert!(position(kind.columns, message).is_some(), "a group names no column");
            }
            c += 1;
        }
        k += 1;
    }
};
