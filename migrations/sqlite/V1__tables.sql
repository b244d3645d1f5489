-- The tables that reports, dashboards and audits are written against, and the sync's own.
-- Times are UTC, floored to the microsecond; identities are the GUIDs of the API's URNs.

create table enterprise_managers (
  id INTEGER PRIMARY KEY,
  name TEXT not null unique,
  base_url TEXT not null,
  api_version TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;

create table backup_servers (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  name TEXT,
  description TEXT,
  port INTEGER,
  version TEXT,
  extra TEXT,
  listed_as TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;

create table jobs (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  job_type TEXT,
  platform TEXT,
  description TEXT,
  schedule_configured INTEGER,
  schedule_enabled INTEGER,
  next_run TEXT,
  extra TEXT,
  listed_as TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index jobs_backup_server_uid on jobs (backup_server_uid);

create table cdp_policies (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  policy_type TEXT,
  platform TEXT,
  description TEXT,
  schedule_configured INTEGER,
  schedule_enabled INTEGER,
  next_run TEXT,
  extra TEXT,
  listed_as TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index cdp_policies_backup_server_uid on cdp_policies (backup_server_uid);

create table cloud_failover_plans (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  tenant_uid TEXT,
  tenant_name TEXT,
  description TEXT,
  extra TEXT,
  listed_as TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index cloud_failover_plans_backup_server_uid_name on cloud_failover_plans (backup_server_uid, name);

create table cloud_failover_plan_vms (
  plan_uid TEXT not null references cloud_failover_plans (uid),
  vm_position INTEGER not null,
  failover_plan_vm_uid TEXT,
  name TEXT,
  boot_order INTEGER,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT,
  primary key (plan_uid, vm_position)
) strict;

create table backup_job_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  job_uid TEXT references jobs (uid),
  job_name TEXT,
  job_type TEXT,
  progress INTEGER,
  failure_message TEXT,
  reason_group TEXT,
  is_retry INTEGER,
  restore_point_uids TEXT,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index backup_job_sessions_creation_time on backup_job_sessions (creation_time);
create index backup_job_sessions_job_uid on backup_job_sessions (job_uid);
create index backup_job_sessions_open on backup_job_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table replica_job_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  job_uid TEXT references jobs (uid),
  job_name TEXT,
  job_type TEXT,
  progress INTEGER,
  failure_message TEXT,
  reason_group TEXT,
  is_retry INTEGER,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index replica_job_sessions_creation_time on replica_job_sessions (creation_time);
create index replica_job_sessions_job_uid on replica_job_sessions (job_uid);
create index replica_job_sessions_open on replica_job_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table backup_task_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  job_session_uid TEXT,
  job_uid TEXT,
  vm_display_name TEXT,
  vm_ref TEXT,
  reason TEXT,
  reason_group TEXT,
  total_size_bytes INTEGER,
  vm_restore_point_uid TEXT,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index backup_task_sessions_creation_time on backup_task_sessions (creation_time);
create index backup_task_sessions_job_session_uid on backup_task_sessions (job_session_uid);
create index backup_task_sessions_job_uid on backup_task_sessions (job_uid);
create index backup_task_sessions_open on backup_task_sessions (creation_time) where end_time is null or state not in ('Completed');

create table replica_task_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  job_session_uid TEXT,
  job_uid TEXT,
  vm_display_name TEXT,
  vm_ref TEXT,
  reason TEXT,
  reason_group TEXT,
  total_size_bytes INTEGER,
  vm_replica_point_uid TEXT,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index replica_task_sessions_creation_time on replica_task_sessions (creation_time);
create index replica_task_sessions_job_session_uid on replica_task_sessions (job_session_uid);
create index replica_task_sessions_job_uid on replica_task_sessions (job_uid);
create index replica_task_sessions_open on replica_task_sessions (creation_time) where end_time is null or state not in ('Completed');

create table restore_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  restore_type TEXT,
  vm_display_name TEXT,
  restored_obj_ref TEXT,
  progress INTEGER,
  failure_message TEXT,
  reason_group TEXT,
  vm_restore_point_uid TEXT,
  vm_restore_point_name TEXT,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index restore_sessions_creation_time on restore_sessions (creation_time);
create index restore_sessions_open on restore_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table cloud_failover_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  job_type TEXT,
  cloud_failover_plan_name TEXT,
  cloud_failover_plan_uid TEXT,
  progress INTEGER,
  failure_message TEXT,
  reason_group TEXT,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index cloud_failover_sessions_creation_time on cloud_failover_sessions (creation_time);
create index cloud_failover_sessions_cloud_failover_plan_uid on cloud_failover_sessions (cloud_failover_plan_uid);
create index cloud_failover_sessions_open on cloud_failover_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table cdp_replica_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  policy_uid TEXT references cdp_policies (uid),
  policy_name TEXT,
  policy_type TEXT,
  progress INTEGER,
  failure_message TEXT,
  reason_group TEXT,
  is_retry INTEGER,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index cdp_replica_sessions_creation_time on cdp_replica_sessions (creation_time);
create index cdp_replica_sessions_policy_uid on cdp_replica_sessions (policy_uid);
create index cdp_replica_sessions_open on cdp_replica_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table cdp_replica_task_sessions (
  uid TEXT not null primary key,
  em_id INTEGER not null references enterprise_managers (id),
  backup_server_uid TEXT references backup_servers (uid),
  name TEXT,
  creation_time TEXT not null,
  end_time TEXT,
  state TEXT not null,
  result TEXT not null,
  policy_session_uid TEXT,
  policy_uid TEXT,
  vm_display_name TEXT,
  reason TEXT,
  reason_group TEXT,
  total_size_bytes INTEGER,
  extra TEXT,
  first_seen_at TEXT not null,
  updated_at TEXT not null,
  source_missing_since TEXT
) strict;
create index cdp_replica_task_sessions_creation_time on cdp_replica_task_sessions (creation_time);
create index cdp_replica_task_sessions_policy_session_uid on cdp_replica_task_sessions (policy_session_uid);
create index cdp_replica_task_sessions_policy_uid on cdp_replica_task_sessions (policy_uid);
create index cdp_replica_task_sessions_open on cdp_replica_task_sessions (creation_time) where end_time is null or state not in ('Completed');

create table cloud_failover_task_sessions (
  session_uid TEXT not null references cloud_failover_sessions (uid),
  task_position INTEGER not null,
  vm_name TEXT,
  vm_replica_point_uid TEXT,
  creation_time TEXT,
  end_time TEXT,
  state TEXT,
  result TEXT,
  progress INTEGER,
  failure_message TEXT,
  primary key (session_uid, task_position)
) strict;

create table sync_marks (
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  backup_server_uid TEXT not null,
  field TEXT not null,
  mark TEXT not null,
  scanned_at TEXT not null,
  overlap_seconds INTEGER not null,
  rows_per_hour REAL not null,
  updated_at TEXT not null,
  primary key (em_id, kind, backup_server_uid, field)
) strict;

create table sync_backfills (
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  backup_server_uid TEXT not null,
  started_at TEXT not null,
  range_start TEXT not null,
  range_end TEXT not null,
  first_marks TEXT,
  finished_at TEXT,
  updated_at TEXT not null,
  primary key (em_id, kind, backup_server_uid, started_at)
) strict;

create table sync_passes (
  id INTEGER PRIMARY KEY,
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  mode TEXT not null,
  started_at TEXT not null,
  finished_at TEXT not null,
  outcome TEXT not null,
  passes INTEGER not null,
  requests INTEGER not null,
  rows_read INTEGER not null,
  rows_inserted INTEGER not null,
  rows_updated INTEGER not null,
  rows_unchanged INTEGER not null,
  rows_rejected INTEGER not null,
  error TEXT
) strict;
create index sync_passes_em_id_kind_started_at on sync_passes (em_id, kind, started_at);

create table sync_rejects (
  id INTEGER PRIMARY KEY,
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  digest TEXT not null,
  uid TEXT,
  reason TEXT not null,
  raw TEXT not null,
  first_seen_at TEXT not null,
  last_seen_at TEXT not null,
  times INTEGER not null,
  unique (em_id, kind, digest)
) strict;

create table sync_rereads (
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  uid TEXT not null,
  asked_at TEXT not null,
  times INTEGER not null,
  absent_since TEXT,
  primary key (em_id, kind, uid)
) strict;
