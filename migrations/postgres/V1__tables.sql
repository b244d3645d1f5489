-- The tables that reports, dashboards and audits are written against, and the sync's own.
-- Times are UTC, floored to the microsecond; identities are the GUIDs of the API's URNs.

create table enterprise_managers (
  id bigint generated always as identity primary key,
  name text not null unique,
  base_url text not null,
  api_version text,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);

create table backup_servers (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  name text,
  description text,
  port bigint,
  version text,
  extra jsonb,
  listed_as text,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);

create table jobs (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  job_type text,
  platform text,
  description text,
  schedule_configured boolean,
  schedule_enabled boolean,
  next_run timestamptz,
  extra jsonb,
  listed_as text,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index jobs_backup_server_uid on jobs (backup_server_uid);

create table cdp_policies (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  policy_type text,
  platform text,
  description text,
  schedule_configured boolean,
  schedule_enabled boolean,
  next_run timestamptz,
  extra jsonb,
  listed_as text,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index cdp_policies_backup_server_uid on cdp_policies (backup_server_uid);

create table cloud_failover_plans (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  tenant_uid uuid,
  tenant_name text,
  description text,
  extra jsonb,
  listed_as text,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index cloud_failover_plans_backup_server_uid_name on cloud_failover_plans (backup_server_uid, name);

create table cloud_failover_plan_vms (
  plan_uid uuid not null references cloud_failover_plans (uid),
  vm_position bigint not null,
  failover_plan_vm_uid uuid,
  name text,
  boot_order bigint,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz,
  primary key (plan_uid, vm_position)
);

create table backup_job_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  job_uid uuid references jobs (uid),
  job_name text,
  job_type text,
  progress bigint,
  failure_message text,
  reason_group text,
  is_retry boolean,
  restore_point_uids jsonb,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index backup_job_sessions_creation_time on backup_job_sessions (creation_time);
create index backup_job_sessions_job_uid on backup_job_sessions (job_uid);
create index backup_job_sessions_open on backup_job_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table replica_job_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  job_uid uuid references jobs (uid),
  job_name text,
  job_type text,
  progress bigint,
  failure_message text,
  reason_group text,
  is_retry boolean,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index replica_job_sessions_creation_time on replica_job_sessions (creation_time);
create index replica_job_sessions_job_uid on replica_job_sessions (job_uid);
create index replica_job_sessions_open on replica_job_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table backup_task_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  job_session_uid uuid,
  job_uid uuid,
  vm_display_name text,
  vm_ref text,
  reason text,
  reason_group text,
  total_size_bytes bigint,
  vm_restore_point_uid uuid,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index backup_task_sessions_creation_time on backup_task_sessions (creation_time);
create index backup_task_sessions_job_session_uid on backup_task_sessions (job_session_uid);
create index backup_task_sessions_job_uid on backup_task_sessions (job_uid);
create index backup_task_sessions_open on backup_task_sessions (creation_time) where end_time is null or state not in ('Completed');

create table replica_task_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  job_session_uid uuid,
  job_uid uuid,
  vm_display_name text,
  vm_ref text,
  reason text,
  reason_group text,
  total_size_bytes bigint,
  vm_replica_point_uid uuid,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index replica_task_sessions_creation_time on replica_task_sessions (creation_time);
create index replica_task_sessions_job_session_uid on replica_task_sessions (job_session_uid);
create index replica_task_sessions_job_uid on replica_task_sessions (job_uid);
create index replica_task_sessions_open on replica_task_sessions (creation_time) where end_time is null or state not in ('Completed');

create table restore_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  restore_type text,
  vm_display_name text,
  restored_obj_ref text,
  progress bigint,
  failure_message text,
  reason_group text,
  vm_restore_point_uid uuid,
  vm_restore_point_name text,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index restore_sessions_creation_time on restore_sessions (creation_time);
create index restore_sessions_open on restore_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table cloud_failover_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  job_type text,
  cloud_failover_plan_name text,
  cloud_failover_plan_uid uuid,
  progress bigint,
  failure_message text,
  reason_group text,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index cloud_failover_sessions_creation_time on cloud_failover_sessions (creation_time);
create index cloud_failover_sessions_cloud_failover_plan_uid on cloud_failover_sessions (cloud_failover_plan_uid);
create index cloud_failover_sessions_open on cloud_failover_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table cdp_replica_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  policy_uid uuid references cdp_policies (uid),
  policy_name text,
  policy_type text,
  progress bigint,
  failure_message text,
  reason_group text,
  is_retry boolean,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index cdp_replica_sessions_creation_time on cdp_replica_sessions (creation_time);
create index cdp_replica_sessions_policy_uid on cdp_replica_sessions (policy_uid);
create index cdp_replica_sessions_open on cdp_replica_sessions (creation_time) where end_time is null or state not in ('Stopped');

create table cdp_replica_task_sessions (
  uid uuid primary key,
  em_id bigint not null references enterprise_managers (id),
  backup_server_uid uuid references backup_servers (uid),
  name text,
  creation_time timestamptz not null,
  end_time timestamptz,
  state text not null,
  result text not null,
  policy_session_uid uuid,
  policy_uid uuid,
  vm_display_name text,
  reason text,
  reason_group text,
  total_size_bytes bigint,
  extra jsonb,
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  source_missing_since timestamptz
);
create index cdp_replica_task_sessions_creation_time on cdp_replica_task_sessions (creation_time);
create index cdp_replica_task_sessions_policy_session_uid on cdp_replica_task_sessions (policy_session_uid);
create index cdp_replica_task_sessions_policy_uid on cdp_replica_task_sessions (policy_uid);
create index cdp_replica_task_sessions_open on cdp_replica_task_sessions (creation_time) where end_time is null or state not in ('Completed');

create table cloud_failover_task_sessions (
  session_uid uuid not null references cloud_failover_sessions (uid),
  task_position bigint not null,
  vm_name text,
  vm_replica_point_uid uuid,
  creation_time timestamptz,
  end_time timestamptz,
  state text,
  result text,
  progress bigint,
  failure_message text,
  primary key (session_uid, task_position)
);

create table sync_marks (
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  backup_server_uid uuid not null,
  field text not null,
  mark timestamptz not null,
  scanned_at timestamptz not null,
  overlap_seconds bigint not null,
  rows_per_hour double precision not null,
  updated_at timestamptz not null,
  primary key (em_id, kind, backup_server_uid, field)
);

create table sync_backfills (
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  backup_server_uid uuid not null,
  started_at timestamptz not null,
  range_start timestamptz not null,
  range_end timestamptz not null,
  first_marks jsonb,
  finished_at timestamptz,
  updated_at timestamptz not null,
  primary key (em_id, kind, backup_server_uid, started_at)
);

create table sync_passes (
  id bigint generated always as identity primary key,
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  mode text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  outcome text not null,
  passes bigint not null,
  requests bigint not null,
  rows_read bigint not null,
  rows_inserted bigint not null,
  rows_updated bigint not null,
  rows_unchanged bigint not null,
  rows_rejected bigint not null,
  error text
);
create index sync_passes_em_id_kind_started_at on sync_passes (em_id, kind, started_at);

create table sync_rejects (
  id bigint generated always as identity primary key,
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  digest text not null,
  uid text,
  reason text not null,
  raw text not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  times bigint not null,
  unique (em_id, kind, digest)
);

create table sync_rereads (
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  uid uuid not null,
  asked_at timestamptz not null,
  times bigint not null,
  absent_since timestamptz,
  primary key (em_id, kind, uid)
);
