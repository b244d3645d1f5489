-- What the reports mean is written once, here; docs/REPORTS.md explains it. A run is good when its result is Success or
-- Warning; what still runs counts in no rate; a day is a UTC day, and a session belongs to the day on which it started.
-- Stretches of time are written in hours: a day may have 23 or 25 where the client is.

-- The moment that counts as now.
create view report_clock as
select coalesce((select as_of from report_settings where job_uid = '00000000-0000-0000-0000-000000000000'), now()) as as_of;

-- A worker's or child's runs are not runs of their own: they belong to the job that they work for.
create view job_families as
select f.job_uid, f.is_child, coalesce(p.uid, f.job_uid) as family_uid,
  case when f.is_child then coalesce(p.name, split_part(f.name, '\', 1)) else f.name end as family_name,
  coalesce(p.backup_server_uid, f.backup_server_uid) as backup_server_uid
from (
  select j.uid as job_uid, j.name, j.backup_server_uid, coalesce(j.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), false) as is_child,
    case when j.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') then (
      select o.uid from jobs o
      where o.backup_server_uid = j.backup_server_uid and o.name = split_part(j.name, '\', 1) and o.uid <> j.uid
        and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
      order by o.source_missing_since is not null, o.updated_at desc, o.uid limit 1
    ) end as parent_uid
  from jobs j
) f
left join jobs p on p.uid = f.parent_uid;

-- An end before its start is the source's; a duration is never negative.
create or replace view sessions as
select 'BackupJobSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, s.job_name as parent_name, null::text as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from backup_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'ReplicaJobSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, s.job_name as parent_name, null::text as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from replica_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'BackupTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from backup_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'ReplicaTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.job_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'RestoreSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  null::uuid as parent_uid, null::text as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from restore_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CloudFailoverSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  null::uuid as parent_uid, null::text as parent_name, coalesce(s.cloud_failover_plan_name, s.name) as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from cloud_failover_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CdpReplicaSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.policy_uid as parent_uid, s.policy_name as parent_name, null::text as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running,
  s.state, s.result, s.failure_message as message
from cdp_replica_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
union all
select 'CdpReplicaTaskSession' as kind, s.uid, s.em_id, s.backup_server_uid, b.name as backup_server_name,
  s.policy_uid as parent_uid, p.name as parent_name, s.vm_display_name as object_name,
  s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Completed')) as is_running,
  s.state, s.result, s.reason as message
from cdp_replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies p on p.uid = s.policy_uid;

-- Runs that ended, of jobs that stand for themselves.
create view ended_runs as
select 'BackupJobSession'::text as kind, s.uid, s.job_uid, s.backup_server_uid, s.creation_time, s.end_time, s.result, s.is_retry,
  case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds
from backup_job_sessions s
where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'ReplicaJobSession'::text as kind, s.uid, s.job_uid, s.backup_server_uid, s.creation_time, s.end_time, s.result, s.is_retry,
  case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds
from replica_job_sessions s
where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement');

-- A worker's tasks count for the run that began last before it, of all jobs that have or had the name of its job.
create view job_runs as
select 'BackupJobSession'::text as kind, s.uid as session_uid, s.job_uid, coalesce(j.name, s.job_name) as job_name,
  coalesce(s.job_type, j.job_type) as job_type, s.backup_server_uid, b.name as backup_server_name,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running, coalesce(s.is_retry, false) as is_retry, s.result, s.failure_message as message,
  t.task_count, t.task_warning_count, t.task_failed_count, t.total_size_bytes
from backup_job_sessions s
left join jobs j on j.uid = s.job_uid
left join backup_servers b on b.uid = s.backup_server_uid
cross join lateral (
  select count(*) as task_count, count(*) filter (where u.result = 'Warning') as task_warning_count,
    count(*) filter (where u.result = 'Failed') as task_failed_count, case when count(u.total_size_bytes) > 0 then least(sum(u.total_size_bytes), 9223372036854775807)::bigint end as total_size_bytes
  from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from backup_task_sessions x where x.job_session_uid = s.uid
    union all
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from jobs c
      join backup_job_sessions w on w.job_uid = c.uid
      join backup_task_sessions x on x.job_session_uid = w.uid
      where c.backup_server_uid = s.backup_server_uid and c.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement') and length(c.name) <= 500
        and split_part(c.name, '\', 1) = j.name and c.uid <> s.job_uid and w.creation_time >= s.creation_time
        and w.creation_time < coalesce((
          select min((select min(n.creation_time) from backup_job_sessions n where n.job_uid = o.uid and n.creation_time > s.creation_time))
          from jobs o where o.backup_server_uid = s.backup_server_uid and o.name = j.name and length(o.name) <= 500
            and coalesce(o.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
        ), 'infinity')
  ) u
) t
where coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'ReplicaJobSession'::text as kind, s.uid as session_uid, s.job_uid, coalesce(j.name, s.job_name) as job_name,
  coalesce(s.job_type, j.job_type) as job_type, s.backup_server_uid, b.name as backup_server_name,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  not (s.end_time is not null and s.state in ('Stopped')) as is_running, coalesce(s.is_retry, false) as is_retry, s.result, s.failure_message as message,
  t.task_count, t.task_warning_count, t.task_failed_count, t.total_size_bytes
from replica_job_sessions s
left join jobs j on j.uid = s.job_uid
left join backup_servers b on b.uid = s.backup_server_uid
cross join lateral (
  select count(*) as task_count, count(*) filter (where u.result = 'Warning') as task_warning_count,
    count(*) filter (where u.result = 'Failed') as task_failed_count, case when count(u.total_size_bytes) > 0 then least(sum(u.total_size_bytes), 9223372036854775807)::bigint end as total_size_bytes
  from (
    select case when x.end_time is not null and x.state in ('Completed') then x.result end as result, x.total_size_bytes from replica_task_sessions x where x.job_session_uid = s.uid
  ) u
) t
where coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement');

-- A retry repaired a run when it was good and the run before it failed.
create view job_status as
select s.job_uid, s.job_name, s.job_type, s.backup_server_name,
  coalesce(lb.creation_time, lr.creation_time) as last_start_time, coalesce(lb.result, lr.result) as last_result,
  coalesce(gb.end_time, gr.end_time) as last_good_end_time,
  (case when (select as_of from report_clock) < coalesce(gb.end_time, gr.end_time) then 0 else floor(extract(epoch from (select as_of from report_clock) - coalesce(gb.end_time, gr.end_time)))::bigint end) / 3600 as hours_since_good,
  coalesce(r.runs_7d, 0) as runs_7d,
  (10000 * (r.strict_7d) / nullif(r.runs_7d, 0)) / 100.0::float8 as success_pct_strict_7d,
  (10000 * (r.good_7d) / nullif(r.runs_7d, 0)) / 100.0::float8 as success_pct_7d,
  coalesce(r.recovered_7d, 0) as recovered_by_retry_7d,
  coalesce(r.runs_30d, 0) as runs_30d,
  (10000 * (r.strict_30d) / nullif(r.runs_30d, 0)) / 100.0::float8 as success_pct_strict_30d,
  (10000 * (r.good_30d) / nullif(r.runs_30d, 0)) / 100.0::float8 as success_pct_30d,
  coalesce(r.recovered_30d, 0) as recovered_by_retry_30d,
  case when lb.uid is not null then case when lb.end_time < lb.creation_time then 0 else floor(extract(epoch from lb.end_time - lb.creation_time))::bigint end when lr.uid is not null then case when lr.end_time < lr.creation_time then 0 else floor(extract(epoch from lr.end_time - lr.creation_time))::bigint end end as last_duration_seconds,
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
    select e.job_uid, e.result, e.is_retry, e.creation_time >= (select as_of from report_clock) - interval '168 hours' as in_7d, e.creation_time >= (select as_of from report_clock) - interval '720 hours' as in_30d,
      lag(e.result) over (partition by e.job_uid order by e.creation_time, e.uid) as result_before
    from ended_runs e
    where e.creation_time >= (select as_of from report_clock) - interval '768 hours'
  ) w
  group by w.job_uid
) r on r.job_uid = s.job_uid
left join (
  select w.job_uid, w.duration_seconds
  from (
    select e.job_uid, e.duration_seconds, row_number() over (partition by e.job_uid order by e.duration_seconds, e.uid) as place,
      count(*) over (partition by e.job_uid) as runs
    from ended_runs e
    where e.creation_time >= (select as_of from report_clock) - interval '720 hours'
  ) w
  where w.place = (w.runs + 1) / 2
) m on m.job_uid = s.job_uid;

-- The result of the run that started last is the day's. Runs of workers bring their tasks, and no run.
create view job_daily_results as
select (s.creation_time at time zone 'UTC')::date as day, f.family_uid as job_uid, f.family_name as job_name, b.name as backup_server_name,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) as runs,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child) and s.is_retry) as retries,
  (array_agg(s.result order by s.creation_time desc, s.uid desc) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)))[1] as resulting_result,
  sum(t.tasks_good)::bigint as tasks_good, sum(t.tasks_failed)::bigint as tasks_failed
from backup_job_sessions s
join job_families f on f.job_uid = s.job_uid
left join backup_servers b on b.uid = f.backup_server_uid
cross join lateral (
  select count(*) filter (where x.result in ('Success', 'Warning')) as tasks_good, count(*) filter (where x.result = 'Failed') as tasks_failed
  from backup_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed')
) t
group by (s.creation_time at time zone 'UTC')::date, f.family_uid, f.family_name, b.name
having count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) + sum(t.tasks_good) + sum(t.tasks_failed) > 0
union all
select (s.creation_time at time zone 'UTC')::date as day, f.family_uid as job_uid, f.family_name as job_name, b.name as backup_server_name,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) as runs,
  count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child) and s.is_retry) as retries,
  (array_agg(s.result order by s.creation_time desc, s.uid desc) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)))[1] as resulting_result,
  sum(t.tasks_good)::bigint as tasks_good, sum(t.tasks_failed)::bigint as tasks_failed
from replica_job_sessions s
join job_families f on f.job_uid = s.job_uid
left join backup_servers b on b.uid = f.backup_server_uid
cross join lateral (
  select count(*) filter (where x.result in ('Success', 'Warning')) as tasks_good, count(*) filter (where x.result = 'Failed') as tasks_failed
  from replica_task_sessions x where x.job_session_uid = s.uid and x.end_time is not null and x.state in ('Completed')
) t
group by (s.creation_time at time zone 'UTC')::date, f.family_uid, f.family_name, b.name
having count(*) filter (where s.end_time is not null and s.state in ('Stopped') and not coalesce(s.job_type in ('ImmediateBackupCopyWorker', 'AgentManagement'), f.is_child)) + sum(t.tasks_good) + sum(t.tasks_failed) > 0;

-- What ended badly, and whether the same job, machine or plan had a good end since.
create view failures as
select 'BackupJobSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(j.name, s.job_name) as job_name, null::text as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from backup_job_sessions x where x.job_uid = s.job_uid and x.creation_time > s.creation_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from backup_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning') and coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'ReplicaJobSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(j.name, s.job_name) as job_name, null::text as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from replica_job_sessions x where x.job_uid = s.job_uid and x.creation_time > s.creation_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from replica_job_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning') and coalesce(s.job_type, j.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
union all
select 'BackupTaskSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, j.family_name as job_name, s.vm_display_name as vm_display_name,
  s.reason as reason, s.reason_group,
  exists (select 1 from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time) as later_good
from backup_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
where s.end_time is not null and s.state in ('Completed') and s.result in ('Failed', 'Warning')
union all
select 'ReplicaTaskSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, j.family_name as job_name, s.vm_display_name as vm_display_name,
  s.reason as reason, s.reason_group,
  exists (select 1 from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time) as later_good
from replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
where s.end_time is not null and s.state in ('Completed') and s.result in ('Failed', 'Warning')
union all
select 'RestoreSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, null::text as job_name, s.vm_display_name as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from restore_sessions x where x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from restore_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning')
union all
select 'CloudFailoverSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(s.cloud_failover_plan_name, s.name) as job_name, null::text as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from cloud_failover_sessions x where coalesce(x.cloud_failover_plan_name, x.name) = coalesce(s.cloud_failover_plan_name, s.name) and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from cloud_failover_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning')
union all
select 'CdpReplicaSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, coalesce(j.name, s.policy_name) as job_name, null::text as vm_display_name,
  s.failure_message as reason, s.reason_group,
  exists (select 1 from cdp_replica_sessions x where x.policy_uid = s.policy_uid and x.creation_time > s.creation_time and x.end_time is not null and x.state in ('Stopped') and x.result in ('Success', 'Warning')) as later_good
from cdp_replica_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
where s.end_time is not null and s.state in ('Stopped') and s.result in ('Failed', 'Warning')
union all
select 'CdpReplicaTaskSession'::text as kind, s.uid, s.end_time, s.result, b.name as backup_server_name, j.name as job_name, s.vm_display_name as vm_display_name,
  s.reason as reason, s.reason_group,
  exists (select 1 from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time > s.end_time) as later_good
from cdp_replica_task_sessions s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
where s.end_time is not null and s.state in ('Completed') and s.result in ('Failed', 'Warning');

-- What runs, and how long its like took in the last 30 days.
create view running_sessions as
select r.kind, r.uid, r.start_time, r.running_seconds, r.job_name, r.object_name, r.backup_server_name, r.median_duration_seconds,
  (100 * r.running_seconds / nullif(r.median_duration_seconds, 0)) / 100.0::float8 as times_median
from (
select r.*, case when (select as_of from report_clock) < r.start_time then 0 else floor(extract(epoch from (select as_of from report_clock) - r.start_time))::bigint end as running_seconds
from (
  select 'BackupJobSession'::text as kind, s.uid, s.creation_time as start_time, coalesce(j.name, s.job_name) as job_name, null::text as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from backup_job_sessions x where x.job_uid = s.job_uid and x.creation_time >= (select as_of from report_clock) - interval '720 hours' and x.end_time is not null and x.state in ('Stopped')
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from backup_job_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'ReplicaJobSession'::text as kind, s.uid, s.creation_time as start_time, coalesce(j.name, s.job_name) as job_name, null::text as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from replica_job_sessions x where x.job_uid = s.job_uid and x.creation_time >= (select as_of from report_clock) - interval '720 hours' and x.end_time is not null and x.state in ('Stopped')
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from replica_job_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join jobs j on j.uid = s.job_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'BackupTaskSession'::text as kind, s.uid, s.creation_time as start_time, j.family_name as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select as_of from report_clock) - interval '720 hours'
        union all select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select as_of from report_clock) - interval '720 hours'
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from backup_task_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
  where (s.end_time is null or s.state not in ('Completed'))
  union all
  select 'ReplicaTaskSession'::text as kind, s.uid, s.creation_time as start_time, j.family_name as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select as_of from report_clock) - interval '720 hours'
        union all select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select as_of from report_clock) - interval '720 hours'
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from replica_task_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join job_families j on j.job_uid = s.job_uid
  where (s.end_time is null or s.state not in ('Completed'))
  union all
  select 'RestoreSession'::text as kind, s.uid, s.creation_time as start_time, null::text as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  null::bigint as median_duration_seconds
  from restore_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'CloudFailoverSession'::text as kind, s.uid, s.creation_time as start_time, null::text as job_name, coalesce(s.cloud_failover_plan_name, s.name) as object_name, b.name as backup_server_name,
  null::bigint as median_duration_seconds
  from cloud_failover_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'CdpReplicaSession'::text as kind, s.uid, s.creation_time as start_time, coalesce(j.name, s.policy_name) as job_name, null::text as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from cdp_replica_sessions x where x.policy_uid = s.policy_uid and x.creation_time >= (select as_of from report_clock) - interval '720 hours' and x.end_time is not null and x.state in ('Stopped')
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from cdp_replica_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
  where (s.end_time is null or s.state not in ('Stopped'))
  union all
  select 'CdpReplicaTaskSession'::text as kind, s.uid, s.creation_time as start_time, j.name as job_name, s.vm_display_name as object_name, b.name as backup_server_name,
  (
    select w.duration_seconds from (
      select h.duration_seconds, row_number() over (order by h.duration_seconds) as place, count(*) over () as sessions from (
        select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select as_of from report_clock) - interval '720 hours'
        union all select case when x.end_time < x.creation_time then 0 else floor(extract(epoch from x.end_time - x.creation_time))::bigint end as duration_seconds from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = s.vm_display_name and x.backup_server_uid = s.backup_server_uid and x.end_time >= (select as_of from report_clock) - interval '720 hours'
      ) h
    ) w where w.place = (w.sessions + 1) / 2
  ) as median_duration_seconds
  from cdp_replica_task_sessions s
  left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies j on j.uid = s.policy_uid
  where (s.end_time is null or s.state not in ('Completed'))
) r
) r;

comment on view report_clock is 'The moment that counts as now';
comment on column report_clock.as_of is 'Now, or the moment that report_settings names';
comment on view job_families is 'Which job the runs of a job count for: a worker''s for the job that it works for';
comment on column job_families.job_uid is 'The job';
comment on column job_families.is_child is 'Whether it is a worker or child, whose runs are not runs of their own';
comment on column job_families.family_uid is 'The job that its tasks count for: itself, or the one whose name a worker''s begins with';
comment on column job_families.family_name is 'The name of that job';
comment on column job_families.backup_server_uid is 'The backup server of that job';
comment on view ended_runs is 'Runs of backup and replica jobs that ended, without those of workers and children';
comment on column ended_runs.kind is 'The API''s query type';
comment on column ended_runs.uid is 'The session';
comment on column ended_runs.job_uid is 'The job';
comment on column ended_runs.backup_server_uid is 'The backup server';
comment on column ended_runs.creation_time is 'When it started';
comment on column ended_runs.end_time is 'When it ended';
comment on column ended_runs.result is 'Its result';
comment on column ended_runs.is_retry is 'Whether it repeats a failed run';
comment on column ended_runs.duration_seconds is 'Its length';
comment on view job_runs is 'Runs of backup and replica jobs';
comment on column job_runs.kind is 'The API''s query type';
comment on column job_runs.session_uid is 'The session';
comment on column job_runs.job_uid is 'The job';
comment on column job_runs.job_name is 'The job''s name of today';
comment on column job_runs.job_type is 'JobType, as the API spells it';
comment on column job_runs.backup_server_uid is 'The backup server';
comment on column job_runs.backup_server_name is 'The backup server''s name';
comment on column job_runs.start_time is 'When it started';
comment on column job_runs.end_time is 'When it ended; null while it runs';
comment on column job_runs.duration_seconds is 'Its length; null while it runs';
comment on column job_runs.is_running is 'Whether it may still change';
comment on column job_runs.is_retry is 'Whether it repeats a failed run';
comment on column job_runs.result is 'Its result; means nothing while it runs';
comment on column job_runs.message is 'Why it failed or warned';
comment on column job_runs.task_count is 'Machines that it worked on, those of its workers included';
comment on column job_runs.task_warning_count is 'Of them with a warning';
comment on column job_runs.task_failed_count is 'Of them failed';
comment on column job_runs.total_size_bytes is 'Sum of the sizes of those machines; not bytes read or sent';
comment on view job_status is 'How each job stands: its last run, and its success over 7 and 30 days';
comment on column job_status.job_uid is 'The job';
comment on column job_status.job_name is 'Its name';
comment on column job_status.job_type is 'JobType, as the API spells it';
comment on column job_status.backup_server_name is 'The backup server''s name';
comment on column job_status.last_start_time is 'When its last run that ended started';
comment on column job_status.last_result is 'How that run ended';
comment on column job_status.last_good_end_time is 'When the last run with Success or Warning ended';
comment on column job_status.hours_since_good is 'Whole hours since then';
comment on column job_status.runs_7d is 'Runs that started in the last 7 days and ended, retries included';
comment on column job_status.success_pct_strict_7d is 'Of them with Success, in percent, cut to two decimals';
comment on column job_status.success_pct_7d is 'Of them with Success or Warning';
comment on column job_status.recovered_by_retry_7d is 'Retries that were good after a run that failed';
comment on column job_status.runs_30d is 'Runs that started in the last 30 days and ended, retries included';
comment on column job_status.success_pct_strict_30d is 'Of them with Success, in percent, cut to two decimals';
comment on column job_status.success_pct_30d is 'Of them with Success or Warning';
comment on column job_status.recovered_by_retry_30d is 'Retries that were good after a run that failed';
comment on column job_status.last_duration_seconds is 'Length of the last run that ended';
comment on column job_status.median_duration_seconds_30d is 'The lower middle length of the runs of 30 days';
comment on column job_status.schedule_enabled is 'Whether its schedule is switched on';
comment on column job_status.source_missing_since is 'Since when Enterprise Manager provably no longer has the job';
comment on view job_daily_results is 'What came of each job on each day on which it ran; a session belongs to the UTC day on which it started';
comment on column job_daily_results.day is 'The UTC day';
comment on column job_daily_results.job_uid is 'The job';
comment on column job_daily_results.job_name is 'Its name of today';
comment on column job_daily_results.backup_server_name is 'The backup server''s name';
comment on column job_daily_results.runs is 'Runs that ended; 0 where only workers ran';
comment on column job_daily_results.retries is 'Of them retries';
comment on column job_daily_results.resulting_result is 'The result of the run that started last';
comment on column job_daily_results.tasks_good is 'Tasks of the runs, and of their workers, with Success or Warning';
comment on column job_daily_results.tasks_failed is 'Tasks that failed';
comment on view failures is 'Sessions and tasks that ended Failed or Warning';
comment on column failures.kind is 'The API''s query type';
comment on column failures.uid is 'The session';
comment on column failures.end_time is 'When it ended';
comment on column failures.result is 'Failed or Warning';
comment on column failures.backup_server_name is 'The backup server''s name';
comment on column failures.job_name is 'The job, CDP policy or failover plan';
comment on column failures.vm_display_name is 'The machine; null for whole jobs';
comment on column failures.reason is 'Why';
comment on column failures.reason_group is 'The reason with names, paths, numbers and GUIDs taken out, to group by';
comment on column failures.later_good is 'Whether the same job, machine or plan had a good session of this type since';
comment on view running_sessions is 'Sessions that have not ended, and how long their like took';
comment on column running_sessions.kind is 'The API''s query type';
comment on column running_sessions.uid is 'The session';
comment on column running_sessions.start_time is 'When it started';
comment on column running_sessions.running_seconds is 'For how long it has been running';
comment on column running_sessions.job_name is 'The job or CDP policy';
comment on column running_sessions.object_name is 'The machine or failover plan; null for whole jobs';
comment on column running_sessions.backup_server_name is 'The backup server''s name';
comment on column running_sessions.median_duration_seconds is 'The lower middle length of that job''s, policy''s or machine''s sessions of 30 days';
comment on column running_sessions.times_median is 'How many times that it has been running, cut to two decimals';
