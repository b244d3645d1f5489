-- One row a session, whatever its type. A session is running until it has a finished state and an end time.

create view sessions as
select 'BackupJobSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, s.job_name as parent_name, null::text as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from backup_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'ReplicaJobSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, s.job_name as parent_name, null::text as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from replica_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'BackupTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from backup_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'ReplicaTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'RestoreSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  null::uuid as parent_uid, null::text as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from restore_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CloudFailoverSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  null::uuid as parent_uid, null::text as parent_name, coalesce(s.cloud_failover_plan_name, s.name) as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from cloud_failover_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CdpReplicaSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.policy_uid as parent_uid, s.policy_name as parent_name, null::text as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from cdp_replica_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CdpReplicaTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.policy_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from cdp_replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies p on p.uid = s.policy_uid;
