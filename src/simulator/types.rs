//! What the API calls its types, and by which parameters each may be queried: written down from the vendor's pages a
//! second time, on purpose, so that a slip in the collector's own table shows as a difference.

/// The eight session types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the API's own names")]
pub enum Kind {
    BackupJobSession,
    BackupTaskSession,
    ReplicaJobSession,
    ReplicaTaskSession,
    RestoreSession,
    CloudFailoverSession,
    CdpReplicaSession,
    CdpReplicaTaskSession,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::BackupJobSession,
        Kind::BackupTaskSession,
        Kind::ReplicaJobSession,
        Kind::ReplicaTaskSession,
        Kind::RestoreSession,
        Kind::CloudFailoverSession,
        Kind::CdpReplicaSession,
        Kind::CdpReplicaTaskSession,
    ];

    /// The query type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::BackupJobSession => "BackupJobSession",
            Kind::BackupTaskSession => "BackupTaskSession",
            Kind::ReplicaJobSession => "ReplicaJobSession",
            Kind::ReplicaTaskSession => "ReplicaTaskSession",
            Kind::RestoreSession => "RestoreSession",
            Kind::CloudFailoverSession => "CloudFailoverSession",
            Kind::CdpReplicaSession => "CdpReplicaSession",
            Kind::CdpReplicaTaskSession => "CdpReplicaTaskSession",
        }
    }

    /// The type of that name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Whether a row is one machine's part of a job or policy session.
    #[must_use]
    pub fn is_task(self) -> bool {
        matches!(self, Kind::BackupTaskSession | Kind::ReplicaTaskSession | Kind::CdpReplicaTaskSession)
    }

    /// The type of the session that a task belongs to.
    #[must_use]
    pub fn parent(self) -> Option<Kind> {
        match self {
            Kind::BackupTaskSession => Some(Kind::BackupJobSession),
            Kind::ReplicaTaskSession => Some(Kind::ReplicaJobSession),
            Kind::CdpReplicaTaskSession => Some(Kind::CdpReplicaSession),
            _ => None,
        }
    }

    /// Position in tables that hold one entry a type.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The states in the order in which the documentation lists them, which is their order in comparisons.
    pub(super) fn states(self) -> &'static [&'static str] {
        match self {
            Kind::BackupJobSession | Kind::ReplicaJobSession | Kind::CdpReplicaSession => {
                &["Starting", "Stopping", "Working", "Pausing", "Resuming", "Stopped"]
            }
            Kind::RestoreSession | Kind::CloudFailoverSession => &["Starting", "Stopping", "Working", "Stopped"],
            Kind::BackupTaskSession | Kind::ReplicaTaskSession | Kind::CdpReplicaTaskSession => {
                &["InProgress", "Pending", "Completed"]
            }
        }
    }
}

/// What sessions hang below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ParentType {
    BackupServer,
    Job,
    AgentBackupJob,
    NasJob,
    CdpPolicy,
    CloudFailoverPlan,
}

/// What `type=` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum QueryType {
    Session(Kind),
    Parent(ParentType),
}

const PARENTS: [ParentType; 6] = [
    ParentType::BackupServer,
    ParentType::Job,
    ParentType::AgentBackupJob,
    ParentType::NasJob,
    ParentType::CdpPolicy,
    ParentType::CloudFailoverPlan,
];

/// A query parameter. Several names may mean the same field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Uid,
    Name,
    JobType,
    JobUid,
    JobName,
    Creation,
    End,
    State,
    Result,
    IsRetry,
    ServerUid,
    ServerName,
    Reason,
    TotalSize,
    ParentSessionUid,
    ParentSessionName,
    Vm,
    Description,
    Port,
    Version,
    NextRun,
    Platform,
    ScheduleConfigured,
    ScheduleEnabled,
    TenantUid,
    TenantName,
}

/// How the values of a field are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    /// An enumeration whose values are not all known: equal in any case.
    Word,
    /// An enumeration that compares by position.
    Rank,
    Time,
    Int,
    Bool,
    Uid,
}

impl Field {
    pub(super) fn shape(self) -> Shape {
        match self {
            Field::Uid | Field::JobUid | Field::ServerUid | Field::ParentSessionUid | Field::TenantUid => Shape::Uid,
            Field::Creation | Field::End | Field::NextRun => Shape::Time,
            Field::State | Field::Result => Shape::Rank,
            Field::JobType | Field::Platform => Shape::Word,
            Field::IsRetry | Field::ScheduleConfigured | Field::ScheduleEnabled => Shape::Bool,
            Field::TotalSize | Field::Port => Shape::Int,
            Field::Name
            | Field::JobName
            | Field::ServerName
            | Field::Reason
            | Field::ParentSessionName
            | Field::Vm
            | Field::Description
            | Field::Version
            | Field::TenantName => Shape::Text,
        }
    }
}

impl QueryType {
    pub(super) fn named(name: &str) -> Option<QueryType> {
        Kind::named(name)
            .map(QueryType::Session)
            .or_else(|| PARENTS.into_iter().map(QueryType::Parent).find(|kind| kind.name().eq_ignore_ascii_case(name)))
    }

    pub(super) fn all() -> impl Iterator<Item = QueryType> {
        Kind::ALL.into_iter().map(QueryType::Session).chain(PARENTS.into_iter().map(QueryType::Parent))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            QueryType::Session(kind) => kind.name(),
            QueryType::Parent(ParentType::BackupServer) => "BackupServer",
            QueryType::Parent(ParentType::Job) => "Job",
            QueryType::Parent(ParentType::AgentBackupJob) => "AgentBackupJob",
            QueryType::Parent(ParentType::NasJob) => "NasJob",
            QueryType::Parent(ParentType::CdpPolicy) => "CdpPolicy",
            QueryType::Parent(ParentType::CloudFailoverPlan) => "CloudFailoverPlan",
        }
    }

    /// The element around the rows of an answer.
    pub(super) fn container(self) -> &'static str {
        match self {
            QueryType::Session(Kind::BackupJobSession) => "BackupJobSessions",
            QueryType::Session(Kind::BackupTaskSession) => "BackupTaskSessions",
            QueryType::Session(Kind::ReplicaJobSession) => "ReplicaJobSessions",
            QueryType::Session(Kind::ReplicaTaskSession) => "ReplicaTaskSessions",
            QueryType::Session(Kind::RestoreSession) => "RestoreSessions",
            QueryType::Session(Kind::CloudFailoverSession) => "CloudFailoverSessions",
            QueryType::Session(Kind::CdpReplicaSession) => "CdpReplicaSessions",
            QueryType::Session(Kind::CdpReplicaTaskSession) => "CdpReplicaTaskSessions",
            QueryType::Parent(ParentType::BackupServer) => "BackupServers",
            QueryType::Parent(ParentType::Job) => "Jobs",
            // Singular, and all capitals: so it is.
            QueryType::Parent(ParentType::AgentBackupJob) => "AgentBackupJob",
            QueryType::Parent(ParentType::NasJob) => "NASJobs",
            QueryType::Parent(ParentType::CdpPolicy) => "CdpPolicies",
            QueryType::Parent(ParentType::CloudFailoverPlan) => "CloudFailoverPlans",
        }
    }

    /// The element of a row inside a query's answer; alone it is the type's name.
    pub(super) fn row_tag(self) -> &'static str {
        match self {
            QueryType::Session(Kind::CdpReplicaSession) => "CdpPolicySession",
            _ => self.name(),
        }
    }

    /// The path below `/api/` of the entities.
    pub(super) fn path(self) -> &'static str {
        match self {
            QueryType::Session(Kind::BackupJobSession) => "backupSessions",
            QueryType::Session(Kind::BackupTaskSession) => "backupTaskSessions",
            QueryType::Session(Kind::ReplicaJobSession) => "replicaSessions",
            QueryType::Session(Kind::ReplicaTaskSession) => "replicaTaskSessions",
            QueryType::Session(Kind::RestoreSession) => "restoreSessions",
            QueryType::Session(Kind::CloudFailoverSession) => "cloud/failoverSessions",
            QueryType::Session(Kind::CdpReplicaSession) => "cdpReplicaSessions",
            QueryType::Session(Kind::CdpReplicaTaskSession) => "cdpReplicaTaskSessions",
            QueryType::Parent(ParentType::BackupServer) => "backupServers",
            QueryType::Parent(ParentType::Job) => "jobs",
            QueryType::Parent(ParentType::AgentBackupJob) => "agents/jobs",
            QueryType::Parent(ParentType::NasJob) => "nas/jobs",
            QueryType::Parent(ParentType::CdpPolicy) => "cdpPolicies",
            QueryType::Parent(ParentType::CloudFailoverPlan) => "cloud/cloudFailoverPlans",
        }
    }

    /// The type whose entities live at this path below `/api/`.
    pub(super) fn at_path(path: &str) -> Option<QueryType> {
        let path = if path == "repicaTaskSessions" { "replicaTaskSessions" } else { path };
        QueryType::all().find(|kind| kind.path().eq_ignore_ascii_case(path))
    }

    /// The parameter of that name, in any case; anything else is a bad request.
    pub(super) fn field(self, name: &str) -> Option<Field> {
        let (_, field) = self.fields().iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(*field)
    }

    fn fields(self) -> &'static [(&'static str, Field)] {
        match self {
            QueryType::Session(Kind::BackupJobSession | Kind::ReplicaJobSession) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("JobType", Field::JobType),
                ("JobUid", Field::JobUid),
                ("JobName", Field::JobName),
                ("CreationTime", Field::Creation),
                ("EndTime", Field::End),
                ("State", Field::State),
                ("Result", Field::Result),
                ("IsRetry", Field::IsRetry),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
            ],
            QueryType::Session(Kind::BackupTaskSession | Kind::ReplicaTaskSession) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("CreationTime", Field::Creation),
                ("EndTime", Field::End),
                ("State", Field::State),
                ("Result", Field::Result),
                ("Reason", Field::Reason),
                ("TotalSize", Field::TotalSize),
                ("JobSessionUid", Field::ParentSessionUid),
                ("JobUid", Field::JobUid),
                ("JobName", Field::JobName),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
                ("VmDisplayName", Field::Vm),
            ],
            QueryType::Session(Kind::RestoreSession) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("Type", Field::JobType),
                ("CreationTime", Field::Creation),
                ("EndTime", Field::End),
                ("State", Field::State),
                ("Result", Field::Result),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
                ("VmDisplayName", Field::Vm),
            ],
            QueryType::Session(Kind::CloudFailoverSession) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("Type", Field::JobType),
                ("CreationTime", Field::Creation),
                ("EndTime", Field::End),
                ("State", Field::State),
                ("Result", Field::Result),
                ("FailureMessage", Field::Reason),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
            ],
            QueryType::Session(Kind::CdpReplicaSession) => &[
                ("Id", Field::Uid),
                ("Name", Field::Name),
                ("PolicyUid", Field::JobUid),
                ("PolicyName", Field::JobName),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
                ("CreationTimeUTC", Field::Creation),
                ("EndTimeUTC", Field::End),
                ("State", Field::State),
                ("Result", Field::Result),
                ("FailureMessage", Field::Reason),
            ],
            // No Result here, alone among the eight.
            QueryType::Session(Kind::CdpReplicaTaskSession) => &[
                ("Id", Field::Uid),
                ("Name", Field::Name),
                ("PolicySessionUid", Field::ParentSessionUid),
                ("PolicySessionName", Field::ParentSessionName),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
                ("CreationTimeUTC", Field::Creation),
                ("EndTimeUTC", Field::End),
                ("State", Field::State),
                ("Reason", Field::Reason),
                ("TotalSize", Field::TotalSize),
                ("VmDisplayName", Field::Vm),
            ],
            QueryType::Parent(ParentType::BackupServer) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("Description", Field::Description),
                ("IpOrDnsName", Field::Name),
                ("Port", Field::Port),
                ("Version", Field::Version),
            ],
            QueryType::Parent(ParentType::Job | ParentType::AgentBackupJob | ParentType::NasJob) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("Description", Field::Description),
                ("NextRun", Field::NextRun),
                ("JobType", Field::JobType),
                ("Platform", Field::Platform),
                ("ScheduleConfigured", Field::ScheduleConfigured),
                ("ScheduleEnabled", Field::ScheduleEnabled),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
            ],
            QueryType::Parent(ParentType::CdpPolicy) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("Description", Field::Description),
                ("NextRun", Field::NextRun),
                ("ScheduleConfigured", Field::ScheduleConfigured),
                ("ScheduleEnabled", Field::ScheduleEnabled),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
            ],
            QueryType::Parent(ParentType::CloudFailoverPlan) => &[
                ("UID", Field::Uid),
                ("Name", Field::Name),
                ("Description", Field::Description),
                ("CloudTenantUid", Field::TenantUid),
                ("CloudTenantName", Field::TenantName),
                ("BackupServerUid", Field::ServerUid),
                ("BackupServerName", Field::ServerName),
            ],
        }
    }
}
