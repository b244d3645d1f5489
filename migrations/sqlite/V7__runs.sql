-- What the reports mean is written once, here; docs/REPORTS.md explains it. A run is good when its result is Success or
-- Warning; what still runs counts in no rate; a day is a UTC day, and a session belongs to the day on which it started.

-- The moment that counts as now.
create view report_clock as
select coalesce((select as_of from report_settings where job_uid = '00000000-0000-0000-0000-000000000000'), strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) as as_of;

-- A worker's or child's runs are not runs of their own: they belong to the job that they work for.
create view job_families as
select f.job_uid, f.is_child, coalesce(p.uid, f.job_uid) as family_uid,
  case when f.is_child then coalesce(p.name, substr(f.name, 1, instr(f.name || '\', '\') - 1)) else f.name end as family_name,
  coalesce(p.backup_server_uid, f.backup_server_uid) as backup_server_uid
from (
  select j.uid as job_uid, j.name, j.backup_server_uid, coalesce(j.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), 0) as is_child,
    case when j.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') then (
      select o.uid from jobs o
      where o.backup_server_uid = j.backup_server_uid and o.name = substr(j.name, 1, instr(j.name || '\', '\') - 1) and o.uid <> j.uid
        and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
      order by o.source_missing_since is not null, o.updated_at desc, o.uid limit 1
    ) end as parent_uid
  from jobs j
) f
left join jobs p on p.uid = f.parent_uid;

-- An end before its start is the source's; a duration is never negative.
drop view sessions;

create view sessions as
select 'BackupJobSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, s.job_name as parent_name, null as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from backup_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'ReplicaJobSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, s.job_name as parent_name, null as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from replica_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'BackupTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from backup_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'ReplicaTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'RestoreSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  null as parent_uid, null as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from restore_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CloudFailoverSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  null as parent_uid, null as parent_name, coalesce(s.cloud_failover_plan_name, s.name) as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from cloud_failover_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CdpReplicaSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.policy_uid as parent_uid, s.policy_name as parent_name, null as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from cdp_replica_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CdpReplicaTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.policy_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from cdp_replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies p on p.uid = s.policy_uid;

-- Runs that ended, of jobs that stand for themselves.
create view ended_runs as
select 'BackupJobSession' as kind, s.uid, s.job_uid, s.backup_server_uid, s.creation_time, s.end_time, s.result, s.is_retry,
  max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) as duration_seconds
from backup_job_sessions s
where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'ReplicaJobSession' as kind, s.uid, s.job_uid, s.backup_server_uid, s.creation_time, s.end_time, s.result, s.is_retry,
  max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) as duration_seconds
from replica_job_sessions s
where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement');

-- A worker's tasks count for the run that began last before it, of all jobs that have or had the name of its job.
create view job_runs as
select 'BackupJobSession' as kind, s.uid as session_uid, s.job_uid, coalesce(j.name, s.job_name) as job_name,
  coalesce(s.job_type, j.job_type) as job_type, s.backup_server_uid, b.name as backup_server_name,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running, coalesce(s.is_retry, 0) as is_retry, s.result, s.failure_message as message,
  (select count(*) from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from backup_task_sessions x where x.job_session_uid = s.uid
    union all
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from jobs c
      join backup_job_sessions w on w.job_uid = c.uid
      join backup_task_sessions x on x.job_session_uid = w.uid
      where c.backup_server_uid = s.backup_server_uid and c.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') and length(c.name) <= 500
        and substr(c.name, 1, instr(c.name || '\', '\') - 1) = j.name and c.uid <> s.job_uid and w.creation_time >= s.creation_time
        and w.creation_time < coalesce((
          select min((select min(n.creation_time) from backup_job_sessions n where n.job_uid = o.uid and n.creation_time > s.creation_time))
          from jobs o where o.backup_server_uid = s.backup_server_uid and o.name = j.name and length(o.name) <= 500
            and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
        ), '9999')
  ) u) as task_count,
  (select count(*) filter (where u.result = 'Warning') from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from backup_task_sessions x where x.job_session_uid = s.uid
    union all
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from jobs c
      join backup_job_sessions w on w.job_uid = c.uid
      join backup_task_sessions x on x.job_session_uid = w.uid
      where c.backup_server_uid = s.backup_server_uid and c.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') and length(c.name) <= 500
        and substr(c.name, 1, instr(c.name || '\', '\') - 1) = j.name and c.uid <> s.job_uid and w.creation_time >= s.creation_time
        and w.creation_time < coalesce((
          select min((select min(n.creation_time) from backup_job_sessions n where n.job_uid = o.uid and n.creation_time > s.creation_time))
          from jobs o where o.backup_server_uid = s.backup_server_uid and o.name = j.name and length(o.name) <= 500
            and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
        ), '9999')
  ) u) as task_warning_count,
  (select count(*) filter (where u.result = 'Failed') from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from backup_task_sessions x where x.job_session_uid = s.uid
    union all
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from jobs c
      join backup_job_sessions w on w.job_uid = c.uid
      join backup_task_sessions x on x.job_session_uid = w.uid
      where c.backup_server_uid = s.backup_server_uid and c.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') and length(c.name) <= 500
        and substr(c.name, 1, instr(c.name || '\', '\') - 1) = j.name and c.uid <> s.job_uid and w.creation_time >= s.creation_time
        and w.creation_time < coalesce((
          select min((select min(n.creation_time) from backup_job_sessions n where n.job_uid = o.uid and n.creation_time > s.creation_time))
          from jobs o where o.backup_server_uid = s.backup_server_uid and o.name = j.name and length(o.name) <= 500
            and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
        ), '9999')
  ) u) as task_failed_count,
  (select case when sum(u.total_size_bytes >> 24) < 549755813888 then (sum(u.total_size_bytes >> 24) << 24) + sum(u.total_size_bytes & 16777215) when count(u.total_size_bytes) > 0 then 9223372036854775807 end from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from backup_task_sessions x where x.job_session_uid = s.uid
    union all
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from jobs c
      join backup_job_sessions w on w.job_uid = c.uid
      join backup_task_sessions x on x.job_session_uid = w.uid
      where c.backup_server_uid = s.backup_server_uid and c.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') and length(c.name) <= 500
        and substr(c.name, 1, instr(c.name || '\', '\') - 1) = j.name and c.uid <> s.job_uid and w.creation_time >= s.creation_time
        and w.creation_time < coalesce((
          select min((select min(n.creation_time) from backup_job_sessions n where n.job_uid = o.uid and n.creation_time > s.creation_time))
          from jobs o where o.backup_server_uid = s.backup_server_uid and o.name = j.name and length(o.name) <= 500
            and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
        ), '9999')
  ) u) as total_size_bytes
from backup_job_sessions s
left join jobs j on j.uid = s.job_uid
left join backup_servers b on b.uid = s.backup_server_uid
where coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'ReplicaJobSession' as kind, s.uid as session_uid, s.job_uid, coalesce(j.name, s.job_name) as job_name,
  coalesce(s.job_type, j.job_type) as job_type, s.backup_server_uid, b.name as backup_server_name,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running, coalesce(s.is_retry, 0) as is_retry, s.result, s.failure_message as message,
  (select count(*) from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from replica_task_sessions x where x.job_session_uid = s.uid
  ) u) as task_count,
  (select count(*) filter (where u.result = 'Warning') from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from replica_task_sessions x where x.job_session_uid = s.uid
  ) u) as task_warning_count,
  (select count(*) filter (where u.result = 'Failed') from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from replica_task_sessions x where x.job_session_uid = s.uid
  ) u) as task_failed_count,
  (select case when sum(u.total_size_bytes >> 24) < 549755813888 then (sum(u.total_size_bytes >> 24) << 24) + sum(u.total_size_bytes & 16777215) when count(u.total_size_bytes) > 0 then 9223372036854775807 end from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from replica_task_sessions x where x.job_session_uid = s.uid
  ) u) as total_size_bytes
from replica_job_sessions s
left join jobs j on j.uid = s.job_uid
left join backup_servers b on b.uid = s.backup_server_uid
where coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement');

-- A retry repaired a run when it was good and the run before it failed.
create view job_status as
select s.job_uid, s.job_name, s.job_type, s.backup_server_name,
  coalesce(lb.creation_time, lr.creation_time) as last_start_time, coalesce(lb.result, lr.result) as last_result,
  coalesce(gb.end_time, gr.end_time) as last_good_end_time,
  (max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(coalesce(gb.end_time, gr.end_time), 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(coalesce(gb.end_time, gr.end_time), 21, 6)))) / 3600 as hours_since_good,
  coalesce(r.runs_7d, 0) as runs_7d,
  (10000 * (r.strict_7d) / nullif(r.runs_7d, 0)) / 100.0 as success_pct_strict_7d,
  (10000 * (r.good_7d) / nullif(r.runs_7d, 0)) / 100.0 as success_pct_7d,
  coalesce(r.recovered_7d, 0) as recovered_by_retry_7d,
  coalesce(r.runs_30d, 0) as runs_30d,
  (10000 * (r.strict_30d) / nullif(r.runs_30d, 0)) / 100.0 as success_pct_strict_30d,
  (10000 * (r.good_30d) / nullif(r.runs_30d, 0)) / 100.0 as success_pct_30d,
  coalesce(r.recovered_30d, 0) as recovered_by_retry_30d,
  case when lb.uid is not null then max(0, cast(strftime('%s', substr(lb.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(lb.creation_time, 1, 19)) as integer)
       - (substr(lb.end_time, 21, 6) < substr(lb.creation_time, 21, 6))) when lr.uid is not null then max(0, cast(strftime('%s', substr(lr.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(lr.creation_time, 1, 19)) as integer)
       - (substr(lr.end_time, 21, 6) < substr(lr.creation_time, 21, 6))) end as last_duration_seconds,
  m.duration_seconds as median_duration_seconds_30d,
  s.schedule_enabled, s.source_missing_since
from (
  select j.uid as job_uid, j.name as job_name, j.job_type, b.name as backup_server_name, j.schedule_enabled, j.source_missing_since,
    (select x.uid from backup_job_sessions x where x.job_uid = j.uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') order by x.creation_time desc, x.uid desc limit 1) as last_backup,
    (select x.uid from replica_job_sessions x where x.job_uid = j.uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') order by x.creation_time desc, x.uid desc limit 1) as last_replica,
    (select x.uid from backup_job_sessions x where x.job_uid = j.uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') and x.result in ('Success', 'Warning') order by x.creation_time desc, x.uid desc limit 1) as good_backup,
    (select x.uid from replica_job_sessions x where x.job_uid = j.uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') and x.result in ('Success', 'Warning') order by x.creation_time desc, x.uid desc limit 1) as good_replica
  from jobs j
  left join backup_servers b on b.uid = j.backup_server_uid
  where coalesce(j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
) s
left join backup_job_sessions lb on lb.uid = s.last_backup
left join replica_job_sessions lr on lr.uid = s.last_replica
left join backup_job_sessions gb on gb.uid = s.good_backup
left join replica_job_sessions gr on gr.uid = s.good_replica
left join (
  select w.job_uid,
    count(*) filter (where w.in_7d) as runs_7d,
    count(*) filter (where w.in_7d and w.result = 'Success') as strict_7d,
    count(*) filter (where w.in_7d and w.result in ('Success', 'Warning')) as good_7d,
    count(*) filter (where w.in_7d and w.result in ('Success', 'Warning') and w.is_retry and w.result_before = 'Failed') as recovered_7d,
    count(*) filter (where w.in_30d) as runs_30d,
    count(*) filter (where w.in_30d and w.result = 'Success') as strict_30d,
    count(*) filter (where w.in_30d and w.result in ('Success', 'Warning')) as good_30d,
    count(*) filter (where w.in_30d and w.result in ('Success', 'Warning') and w.is_retry and w.result_before = 'Failed') as recovered_30d
  from (
    select e.job_uid, e.result, e.is_retry, e.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-7 days') || substr(as_of, 20) from report_clock) as in_7d, e.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) as in_30d,
      lag(e.result) over (partition by e.job_uid order by e.creation_time, e.uid) as result_before
    from ended_runs e
    where e.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-32 days') || substr(as_of, 20) from report_clock)
  ) w
  group by w.job_uid
) r on r.job_uid = s.job_uid
left join (
  select w.job_uid, w.duration_seconds
  from (
    select e.job_uid, e.duration_seconds, row_number() over (partition by e.job_uid order by e.duration_seconds, e.uid) as place,
      count(*) over (partition by e.job_uid) as runs
    from ended_runs e
    where e.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
  ) w
  where w.place = (w.runs + 1) / 2
) m on m.job_uid = s.job_uid;

-- The result of the run that started last is the day's. Runs of workers bring their tasks, and no run.
create view job_daily_results as
select substr(s.creation_time, 1, 10) as day, f.family_uid as job_uid, f.family_name as job_name, b.name as backup_server_name,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) as runs,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child) and s.is_retry) as retries,
  substr(max(case when s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child) then s.creation_time || s.uid || s.result end), 64) as resulting_result,
  sum((select count(*) from backup_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning'))) as tasks_good, sum((select count(*) from backup_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result = 'Failed')) as tasks_failed
from backup_job_sessions s
join job_families f on f.job_uid = s.job_uid
left join backup_servers b on b.uid = f.backup_server_uid
group by substr(s.creation_time, 1, 10), f.family_uid, f.family_name, b.name
having count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) + sum((select count(*) from backup_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning'))) + sum((select count(*) from backup_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result = 'Failed')) > 0
union all
select substr(s.creation_time, 1, 10) as day, f.family_uid as job_uid, f.family_name as job_name, b.name as backup_server_name,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) as runs,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child) and s.is_retry) as retries,
  substr(max(case when s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child) then s.creation_time || s.uid || s.result end), 64) as resulting_result,
  sum((select count(*) from replica_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning'))) as tasks_good, sum((select count(*) from replica_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result = 'Failed')) as tasks_failed
from replica_job_sessions s
join job_families f on f.job_uid = s.job_uid
left join backup_servers b on b.uid = f.backup_server_uid
group by substr(s.creation_time, 1, 10), f.family_uid, f.family_name, b.name
having count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) + sum((select count(*) from replica_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning'))) + sum((select count(*) from replica_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed') and x.result = 'Failed')) > 0;

-- What ended badly, and whether the same job, machine or plan had a good end since.
create view failures as
select 'BackupJobSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(j.name, s.job_name) as job_name, null as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from backup_job_sessions x where x.job_uid = s.job_uid and x.creation_time > s.creation_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from backup_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning') and coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'ReplicaJobSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(j.name, s.job_name) as job_name, null as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from replica_job_sessions x where x.job_uid = s.job_uid and x.creation_time > s.creation_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from replica_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning') and coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'BackupTaskSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, j.family_name as job_name, s.vm_display_name as vm_display_name,
  s.reason as reason, s.reason_group,
  exists (select 1 from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time) as later_good
from backup_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
where s.end_time is not null and s.state in ('Completed') and s.result in ('Failed', 'Warning')
union all
select 'ReplicaTaskSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, j.family_name as job_name, s.vm_display_name as vm_display_name,
  s.reason as reason, s.reason_group,
  exists (select 1 from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time) as later_good
from replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
where s.end_time is not null and s.state in ('Completed') and s.result in ('Failed', 'Warning')
union all
select 'RestoreSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, null as job_name, s.vm_display_name as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from restore_sessions x where x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from restore_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning')
union all
select 'CloudFailoverSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(s.cloud_failover_plan_name, s.name) as job_name, null as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from cloud_failover_sessions x where coalesce(x.cloud_failover_plan_name, x.name) = coalesce(s.cloud_failover_plan_name, s.name) and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from cloud_failover_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning')
union all
select 'CdpReplicaSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(j.name, s.policy_name) as job_name, null as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from cdp_replica_sessions x where x.policy_uid = s.policy_uid and x.creation_time > s.creation_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from cdp_replica_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning')
union all
select 'CdpReplicaTaskSession' as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, j.name as job_name, s.vm_display_name as vm_display_name,
  s.reason as reason, s.reason_group,
  exists (select 1 from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time) as later_good
from cdp_replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
where s.end_time is not null and s.state in ('Completed') and s.result in ('Failed', 'Warning');

-- What runs, and how long its like took in the last 30 days.
create view running_sessions as
select r.kind, r.uid, r.start_time, r.running_seconds, r.job_name, r.object_name, r.backup_server_name, r.median_duration_seconds,
  (100 * r.running_seconds / nullif(r.median_duration_seconds, 0)) / 100.0 as times_median
from (
select r.*, max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(r.start_time, 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(r.start_time, 21, 6))) as running_seconds
from (
  select 'BackupJobSession' as kind, s.uid, s.creation_time as start_time, coalesce(j.name, s.job_name) as job_name, null as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from backup_job_sessions x where x.job_uid = s.job_uid and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) and x.end_time is not null and x.state in ('Stopped')
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from backup_job_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'ReplicaJobSession' as kind, s.uid, s.creation_time as start_time, coalesce(j.name, s.job_name) as job_name, null as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from replica_job_sessions x where x.job_uid = s.job_uid and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) and x.end_time is not null and x.state in ('Stopped')
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from replica_job_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'BackupTaskSession' as kind, s.uid, s.creation_time as start_time, j.family_name as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
        union all select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from backup_task_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
  where (s.end_time is null or s.state not in ('Completed'))
  union all
  select 'ReplicaTaskSession' as kind, s.uid, s.creation_time as start_time, j.family_name as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
        union all select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from replica_task_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
  where (s.end_time is null or s.state not in ('Completed'))
  union all
  select 'RestoreSession' as kind, s.uid, s.creation_time as start_time, null as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  null as median_duration_seconds
  from restore_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'CloudFailoverSession' as kind, s.uid, s.creation_time as start_time, null as job_name, coalesce(s.cloud_failover_plan_name, s.name) as object_name, b.name as backup_server_name,
  null as median_duration_seconds
  from cloud_failover_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'CdpReplicaSession' as kind, s.uid, s.creation_time as start_time, coalesce(j.name, s.policy_name) as job_name, null as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from cdp_replica_sessions x where x.policy_uid = s.policy_uid and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) and x.end_time is not null and x.state in ('Stopped')
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from cdp_replica_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'CdpReplicaTaskSession' as kind, s.uid, s.creation_time as start_time, j.name as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
        union all select max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
       - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from cdp_replica_task_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
  where (s.end_time is null or s.state not in ('Completed'))
) r
) r;

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('report_clock', null, null, 'The moment that counts as now'),
  ('report_clock', 'as_of', 'TEXT', 'Now, or the moment that report_settings names'),
  ('job_families', null, null, 'Which job the runs of a job count for: a worker''s for the job that it works for'),
  ('job_families', 'job_uid', null, 'The job'),
  ('job_families', 'is_child', 'INTEGER', 'Whether it is a worker or child, whose runs are not runs of their own'),
  ('job_families', 'family_uid', 'TEXT', 'The job that its tasks count for: itself, or the one whose name a worker''s begins with'),
  ('job_families', 'family_name', 'TEXT', 'The name of that job'),
  ('job_families', 'backup_server_uid', 'TEXT', 'The backup server of that job'),
  ('ended_runs', null, null, 'Runs of backup and replica jobs that ended, without those of workers and children'),
  ('ended_runs', 'kind', 'TEXT', 'The API''s query type'),
  ('ended_runs', 'uid', null, 'The session'),
  ('ended_runs', 'job_uid', null, 'The job'),
  ('ended_runs', 'backup_server_uid', null, 'The backup server'),
  ('ended_runs', 'creation_time', null, 'When it started'),
  ('ended_runs', 'end_time', null, 'When it ended'),
  ('ended_runs', 'result', null, 'Its result'),
  ('ended_runs', 'is_retry', null, 'Whether it repeats a failed run'),
  ('ended_runs', 'duration_seconds', 'INTEGER', 'Its length'),
  ('job_runs', null, null, 'Runs of backup and replica jobs'),
  ('job_runs', 'kind', 'TEXT', 'The API''s query type'),
  ('job_runs', 'session_uid', null, 'The session'),
  ('job_runs', 'job_uid', null, 'The job'),
  ('job_runs', 'job_name', 'TEXT', 'The job''s name of today'),
  ('job_runs', 'job_type', 'TEXT', 'JobType, as the API spells it'),
  ('job_runs', 'backup_server_uid', null, 'The backup server'),
  ('job_runs', 'backup_server_name', null, 'The backup server''s name'),
  ('job_runs', 'start_time', null, 'When it started'),
  ('job_runs', 'end_time', null, 'When it ended; null while it runs'),
  ('job_runs', 'duration_seconds', 'INTEGER', 'Its length; null while it runs'),
  ('job_runs', 'is_running', 'INTEGER', 'Whether it may still change'),
  ('job_runs', 'is_retry', 'INTEGER', 'Whether it repeats a failed run'),
  ('job_runs', 'result', null, 'Its result; means nothing while it runs'),
  ('job_runs', 'message', null, 'Why it failed or warned'),
  ('job_runs', 'task_count', 'INTEGER', 'Machines that it worked on, those of its workers included'),
  ('job_runs', 'task_warning_count', 'INTEGER', 'Of them with a warning'),
  ('job_runs', 'task_failed_count', 'INTEGER', 'Of them failed'),
  ('job_runs', 'total_size_bytes', 'INTEGER', 'Sum of the sizes of those machines; not bytes read or sent'),
  ('job_status', null, null, 'How each job stands: its last run, and its success over 7 and 30 days'),
  ('job_status', 'job_uid', null, 'The job'),
  ('job_status', 'job_name', null, 'Its name'),
  ('job_status', 'job_type', null, 'JobType, as the API spells it'),
  ('job_status', 'backup_server_name', null, 'The backup server''s name'),
  ('job_status', 'last_start_time', 'TEXT', 'When its last run that ended started'),
  ('job_status', 'last_result', 'TEXT', 'How that run ended'),
  ('job_status', 'last_good_end_time', 'TEXT', 'When the last run with Success or Warning ended'),
  ('job_status', 'hours_since_good', 'INTEGER', 'Whole hours since then'),
  ('job_status', 'runs_7d', 'INTEGER', 'Runs that started in the last 7 days and ended, retries included'),
  ('job_status', 'success_pct_strict_7d', 'REAL', 'Of them with Success, in percent, cut to two decimals'),
  ('job_status', 'success_pct_7d', 'REAL', 'Of them with Success or Warning'),
  ('job_status', 'recovered_by_retry_7d', 'INTEGER', 'Retries that were good after a run that failed'),
  ('job_status', 'runs_30d', 'INTEGER', 'Runs that started in the last 30 days and ended, retries included'),
  ('job_status', 'success_pct_strict_30d', 'REAL', 'Of them with Success, in percent, cut to two decimals'),
  ('job_status', 'success_pct_30d', 'REAL', 'Of them with Success or Warning'),
  ('job_status', 'recovered_by_retry_30d', 'INTEGER', 'Retries that were good after a run that failed'),
  ('job_status', 'last_duration_seconds', 'INTEGER', 'Length of the last run that ended'),
  ('job_status', 'median_duration_seconds_30d', null, 'The lower middle length of the runs of 30 days'),
  ('job_status', 'schedule_enabled', null, 'Whether its schedule is switched on'),
  ('job_status', 'source_missing_since', null, 'Since when Enterprise Manager provably no longer has the job'),
  ('job_daily_results', null, null, 'What came of each job on each day on which it ran; a session belongs to the UTC day on which it started'),
  ('job_daily_results', 'day', 'TEXT', 'The UTC day'),
  ('job_daily_results', 'job_uid', 'TEXT', 'The job'),
  ('job_daily_results', 'job_name', 'TEXT', 'Its name of today'),
  ('job_daily_results', 'backup_server_name', null, 'The backup server''s name'),
  ('job_daily_results', 'runs', 'INTEGER', 'Runs that ended; 0 where only workers ran'),
  ('job_daily_results', 'retries', 'INTEGER', 'Of them retries'),
  ('job_daily_results', 'resulting_result', 'TEXT', 'The result of the run that started last'),
  ('job_daily_results', 'tasks_good', 'INTEGER', 'Tasks of the runs, and of their workers, with Success or Warning'),
  ('job_daily_results', 'tasks_failed', 'INTEGER', 'Tasks that failed'),
  ('failures', null, null, 'Sessions and tasks that ended Failed or Warning'),
  ('failures', 'kind', 'TEXT', 'The API''s query type'),
  ('failures', 'uid', null, 'The session'),
  ('failures', 'end_time', null, 'When it ended'),
  ('failures', 'result', null, 'Failed or Warning'),
  ('failures', 'backup_server_name', null, 'The backup server''s name'),
  ('failures', 'job_name', 'TEXT', 'The job, CDP policy or failover plan'),
  ('failures', 'vm_display_name', 'TEXT', 'The machine; null for whole jobs'),
  ('failures', 'reason', null, 'Why'),
  ('failures', 'reason_group', null, 'The reason with names, paths, numbers and GUIDs taken out, to group by'),
  ('failures', 'later_good', 'INTEGER', 'Whether the same job, machine or plan had a good session of this type since'),
  ('running_sessions', null, null, 'Sessions that have not ended, and how long their like took'),
  ('running_sessions', 'kind', 'TEXT', 'The API''s query type'),
  ('running_sessions', 'uid', null, 'The session'),
  ('running_sessions', 'start_time', null, 'When it started'),
  ('running_sessions', 'running_seconds', 'INTEGER', 'For how long it has been running'),
  ('running_sessions', 'job_name', 'TEXT', 'The job or CDP policy'),
  ('running_sessions', 'object_name', 'TEXT', 'The machine or failover plan; null for whole jobs'),
  ('running_sessions', 'backup_server_name', null, 'The backup server''s name'),
  ('running_sessions', 'median_duration_seconds', 'INTEGER', 'The lower middle length of that job''s, policy''s or machine''s sessions of 30 days'),
  ('running_sessions', 'times_median', 'REAL', 'How many times that it has been running, cut to two decimals');
