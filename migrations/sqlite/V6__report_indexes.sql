-- What the reports go by: settings, and the indexes that let them read years of history.

create table report_settings (
  job_uid TEXT primary key,
  rpo_hours INTEGER not null check (rpo_hours > 0),
  as_of TEXT
) strict;
insert into report_settings (job_uid, rpo_hours) values ('00000000-0000-0000-0000-000000000000', 24);

-- A worker's name begins with its job's; names longer than any real one fit into no index entry.
create index jobs_parent_name on jobs (backup_server_uid, substr(name, 1, instr(name || '\', '\') - 1))
  where job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') and length(name) <= 500;
create index jobs_name on jobs (backup_server_uid, name) where length(name) <= 500;

-- Runs of a job in the order in which they started.
drop index backup_job_sessions_job_uid;
create index backup_job_sessions_job_uid_creation_time on backup_job_sessions (job_uid, creation_time, uid);
drop index replica_job_sessions_job_uid;
create index replica_job_sessions_job_uid_creation_time on replica_job_sessions (job_uid, creation_time, uid);

-- What ended badly, and when.
create index backup_job_sessions_failures on backup_job_sessions (end_time)
  where end_time is not null and state in ('Stopped') and result in ('Failed', 'Warning');
create index replica_job_sessions_failures on replica_job_sessions (end_time)
  where end_time is not null and state in ('Stopped') and result in ('Failed', 'Warning');
create index backup_task_sessions_failures on backup_task_sessions (end_time)
  where end_time is not null and state in ('Completed') and result in ('Failed', 'Warning');
create index replica_task_sessions_failures on replica_task_sessions (end_time)
  where end_time is not null and state in ('Completed') and result in ('Failed', 'Warning');
create index restore_sessions_failures on restore_sessions (end_time)
  where end_time is not null and state in ('Stopped') and result in ('Failed', 'Warning');
create index cloud_failover_sessions_failures on cloud_failover_sessions (end_time)
  where end_time is not null and state in ('Stopped') and result in ('Failed', 'Warning');
create index cdp_replica_sessions_failures on cdp_replica_sessions (end_time)
  where end_time is not null and state in ('Stopped') and result in ('Failed', 'Warning');
create index cdp_replica_task_sessions_failures on cdp_replica_task_sessions (end_time)
  where end_time is not null and state in ('Completed') and result in ('Failed', 'Warning');

-- The attempts at a machine, those that left a usable restore point apart from those that did not.
create index backup_task_sessions_good on backup_task_sessions (vm_display_name, backup_server_uid, end_time, creation_time)
  where end_time is not null and state in ('Completed') and result in ('Success', 'Warning') and backup_server_uid is not null and length(vm_display_name) <= 500;
create index backup_task_sessions_bad on backup_task_sessions (vm_display_name, backup_server_uid, end_time, creation_time)
  where end_time is not null and state in ('Completed') and result not in ('Success', 'Warning') and backup_server_uid is not null and length(vm_display_name) <= 500;
create index replica_task_sessions_good on replica_task_sessions (vm_display_name, backup_server_uid, end_time, creation_time)
  where end_time is not null and state in ('Completed') and result in ('Success', 'Warning') and backup_server_uid is not null and length(vm_display_name) <= 500;
create index replica_task_sessions_bad on replica_task_sessions (vm_display_name, backup_server_uid, end_time, creation_time)
  where end_time is not null and state in ('Completed') and result not in ('Success', 'Warning') and backup_server_uid is not null and length(vm_display_name) <= 500;
create index cdp_replica_task_sessions_good on cdp_replica_task_sessions (vm_display_name, backup_server_uid, end_time, creation_time)
  where end_time is not null and state in ('Completed') and result in ('Success', 'Warning') and backup_server_uid is not null and length(vm_display_name) <= 500;
create index cdp_replica_task_sessions_bad on cdp_replica_task_sessions (vm_display_name, backup_server_uid, end_time, creation_time)
  where end_time is not null and state in ('Completed') and result not in ('Success', 'Warning') and backup_server_uid is not null and length(vm_display_name) <= 500;
create index restore_sessions_vm_display_name on restore_sessions (vm_display_name, backup_server_uid, creation_time)
  where backup_server_uid is not null and length(vm_display_name) <= 500;

-- Days.
create index backup_job_sessions_day on backup_job_sessions (substr(creation_time, 1, 10));
create index replica_job_sessions_day on replica_job_sessions (substr(creation_time, 1, 10));
create index backup_task_sessions_day on backup_task_sessions (substr(creation_time, 1, 10));
create index replica_task_sessions_day on replica_task_sessions (substr(creation_time, 1, 10));
create index restore_sessions_day on restore_sessions (substr(creation_time, 1, 10));
create index cloud_failover_sessions_day on cloud_failover_sessions (substr(creation_time, 1, 10));
create index cdp_replica_sessions_day on cdp_replica_sessions (substr(creation_time, 1, 10));
create index cdp_replica_task_sessions_day on cdp_replica_task_sessions (substr(creation_time, 1, 10));

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('report_settings', null, null, 'What the reports go by'),
  ('report_settings', 'job_uid', null, 'The job or CDP policy that the row is for; the nil GUID for all that have no row of their own'),
  ('report_settings', 'rpo_hours', null, 'How old the last good end of a machine may be, in hours'),
  ('report_settings', 'as_of', null, 'The moment that counts as now, on the row of the nil GUID; null for the present');
