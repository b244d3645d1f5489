-- Lookups of one job or one machine, which must not cost what all of them cost.

-- How a job stands is looked up job by job. A retry repaired a run when it was good and the run before it failed.
-- What is counted of a job is one row of one value: as columns of a subquery, SQLite would count anew for each of them.
drop view job_status;

create view job_status as
select s.job_uid, s.job_name, s.job_type, s.backup_server_name,
  coalesce(lb.creation_time, lr.creation_time) as last_start_time, coalesce(lb.result, lr.result) as last_result,
  coalesce(gb.end_time, gr.end_time) as last_good_end_time,
  (max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(coalesce(gb.end_time, gr.end_time), 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(coalesce(gb.end_time, gr.end_time), 21, 6)))) / 3600 as hours_since_good,
  json_extract(r.value, '$[0]') as runs_7d,
  (10000 * json_extract(r.value, '$[1]') / nullif(json_extract(r.value, '$[0]'), 0)) / 100.0 as success_pct_strict_7d,
  (10000 * json_extract(r.value, '$[2]') / nullif(json_extract(r.value, '$[0]'), 0)) / 100.0 as success_pct_7d,
  json_extract(r.value, '$[3]') as recovered_by_retry_7d,
  json_extract(r.value, '$[4]') as runs_30d,
  (10000 * json_extract(r.value, '$[5]') / nullif(json_extract(r.value, '$[4]'), 0)) / 100.0 as success_pct_strict_30d,
  (10000 * json_extract(r.value, '$[6]') / nullif(json_extract(r.value, '$[4]'), 0)) / 100.0 as success_pct_30d,
  json_extract(r.value, '$[7]') as recovered_by_retry_30d,
  case when lb.uid is not null then max(0, cast(strftime('%s', substr(lb.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(lb.creation_time, 1, 19)) as integer)
       - (substr(lb.end_time, 21, 6) < substr(lb.creation_time, 21, 6))) when lr.uid is not null then max(0, cast(strftime('%s', substr(lr.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(lr.creation_time, 1, 19)) as integer)
       - (substr(lr.end_time, 21, 6) < substr(lr.creation_time, 21, 6))) end as last_duration_seconds,
  (
    select w.duration_seconds
    from (
      select e.duration_seconds, row_number() over (order by e.duration_seconds, e.uid) as place, count(*) over () as runs
      from (
        select x.uid, max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
          - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds
        from backup_job_sessions x
        where x.job_uid = s.job_uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
        union all
        select x.uid, max(0, cast(strftime('%s', substr(x.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(x.creation_time, 1, 19)) as integer)
          - (substr(x.end_time, 21, 6) < substr(x.creation_time, 21, 6))) as duration_seconds
        from replica_job_sessions x
        where x.job_uid = s.job_uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock)
      ) e
    ) w
    where w.place = (w.runs + 1) / 2
  ) as median_duration_seconds_30d,
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
cross join json_each((
  select json_array(json_array(
    count(*) filter (where w.in_7d),
    count(*) filter (where w.in_7d and w.result = 'Success'),
    count(*) filter (where w.in_7d and w.result in ('Success', 'Warning')),
    count(*) filter (where w.in_7d and w.result in ('Success', 'Warning') and w.is_retry and w.result_before = 'Failed'),
    count(*) filter (where w.in_30d),
    count(*) filter (where w.in_30d and w.result = 'Success'),
    count(*) filter (where w.in_30d and w.result in ('Success', 'Warning')),
    count(*) filter (where w.in_30d and w.result in ('Success', 'Warning') and w.is_retry and w.result_before = 'Failed')
  ))
  from (
    select e.result, e.is_retry, e.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-7 days') || substr(as_of, 20) from report_clock) as in_7d, e.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) as in_30d,
      lag(e.result) over (order by e.creation_time, e.uid) as result_before
    from (
      select x.uid, x.result, x.is_retry, x.creation_time
      from backup_job_sessions x
      where x.job_uid = s.job_uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-32 days') || substr(as_of, 20) from report_clock)
      union all
      select x.uid, x.result, x.is_retry, x.creation_time
      from replica_job_sessions x
      where x.job_uid = s.job_uid and x.end_time is not null and x.state in ('Stopped') and coalesce(x.job_type, '') not in ('ImmediateBackupCopyWorker', 'AgentManagement') and x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-32 days') || substr(as_of, 20) from report_clock)
    ) e
  ) w
)) r
left join backup_job_sessions lb on lb.uid = s.last_backup
left join replica_job_sessions lr on lr.uid = s.last_replica
left join backup_job_sessions gb on gb.uid = s.good_backup
left join replica_job_sessions gr on gr.uid = s.good_replica;

-- A machine's sessions, of all times at once: those that ended have an index by machine, those that run are few.
create view machine_sessions as
select 'BackupTaskSession' as kind, s.uid, s.vm_display_name, b.name as backup_server_name, p.name as parent_name, s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  s.state, s.result, s.reason as message
from (
  select x.uid, x.vm_display_name, x.backup_server_uid, x.job_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
  union all
  select x.uid, x.vm_display_name, x.backup_server_uid, x.job_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
  union all
  select x.uid, x.vm_display_name, x.backup_server_uid, x.job_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from backup_task_sessions x where (x.end_time is null or x.state not in ('Completed')) and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
) s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'ReplicaTaskSession' as kind, s.uid, s.vm_display_name, b.name as backup_server_name, p.name as parent_name, s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  s.state, s.result, s.reason as message
from (
  select x.uid, x.vm_display_name, x.backup_server_uid, x.job_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
  union all
  select x.uid, x.vm_display_name, x.backup_server_uid, x.job_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
  union all
  select x.uid, x.vm_display_name, x.backup_server_uid, x.job_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from replica_task_sessions x where (x.end_time is null or x.state not in ('Completed')) and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
) s
left join backup_servers b on b.uid = s.backup_server_uid
left join jobs p on p.uid = s.job_uid
union all
select 'CdpReplicaTaskSession' as kind, s.uid, s.vm_display_name, b.name as backup_server_name, p.name as parent_name, s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  s.state, s.result, s.reason as message
from (
  select x.uid, x.vm_display_name, x.backup_server_uid, x.policy_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
  union all
  select x.uid, x.vm_display_name, x.backup_server_uid, x.policy_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
  union all
  select x.uid, x.vm_display_name, x.backup_server_uid, x.policy_uid, x.creation_time, x.end_time, x.state, x.result, x.reason from cdp_replica_task_sessions x where (x.end_time is null or x.state not in ('Completed')) and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
) s
left join backup_servers b on b.uid = s.backup_server_uid
left join cdp_policies p on p.uid = s.policy_uid;

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('machine_sessions', null, null, 'Task sessions of machines, looked up by the machine''s name; see `sessions` for those of a time'),
  ('machine_sessions', 'kind', 'TEXT', 'The API''s query type'),
  ('machine_sessions', 'uid', null, 'The session'),
  ('machine_sessions', 'vm_display_name', null, 'Name of the machine'),
  ('machine_sessions', 'backup_server_name', null, 'The backup server''s name'),
  ('machine_sessions', 'parent_name', null, 'Name of the job or policy'),
  ('machine_sessions', 'creation_time', null, 'When it started'),
  ('machine_sessions', 'end_time', null, 'When it ended'),
  ('machine_sessions', 'duration_seconds', 'INTEGER', 'Its length; null while it runs'),
  ('machine_sessions', 'state', null, 'State, as the API spells it'),
  ('machine_sessions', 'result', null, 'Result, as the API spells it'),
  ('machine_sessions', 'message', null, 'What it says');

-- As vm_protection, which first finds out who all the machines are: here it is known.
-- Conditions on the name reach both indexes through `distinct`, which they do not through `union`.
create view machine_protection as
select a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, 'backup' as protection, f.family_name as job_name,
  a.last_attempt_end_time, a.last_attempt_result, a.last_good_end_time,
  (max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(a.last_good_end_time, 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(a.last_good_end_time, 21, 6)))) / 3600 as hours_since_good,
  coalesce(o.rpo_hours, e.rpo_hours, 24) as rpo_hours,
  coalesce(a.last_good_end_time >= strftime('%Y-%m-%dT%H:%M:%S', substr(c.as_of, 1, 19), '-' || coalesce(o.rpo_hours, e.rpo_hours, 24) || ' hours') || substr(c.as_of, 20), 0) as within_rpo,
  case when a.last_attempt_result in ('Success', 'Warning') then 0 else (select count(*) from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' and x.end_time > coalesce(a.last_good_end_time, '')) end as consecutive_failures,
  case when a.bad_result = 'Failed' then a.bad_reason when a.bad_result is not null then (select x.reason from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' order by x.end_time desc, x.creation_time desc limit 1) end as last_failure_reason
from (
  select m.vm_display_name, m.backup_server_uid, g.end_time as last_good_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.end_time else x.end_time end as last_attempt_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.result else x.result end as last_attempt_result,
    case when x.end_time is null or g.end_time >= x.end_time then g.job_uid else x.job_uid end as parent_uid,
    x.result as bad_result, x.reason as bad_reason
  from (
    select m.vm_display_name, m.backup_server_uid,
      (select t.rowid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1) as good_id,
      (select t.rowid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1) as bad_id
    from (
      select distinct u.vm_display_name, u.backup_server_uid from (
        select t.vm_display_name, t.backup_server_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
        union all
        select t.vm_display_name, t.backup_server_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      ) u
    ) m
  ) m
  left join backup_task_sessions g on g.rowid = m.good_id
  left join backup_task_sessions x on x.rowid = m.bad_id
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join job_families f on f.job_uid = a.parent_uid
left join report_settings o on o.job_uid = f.family_uid
union all
select a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, 'replica' as protection, f.family_name as job_name,
  a.last_attempt_end_time, a.last_attempt_result, a.last_good_end_time,
  (max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(a.last_good_end_time, 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(a.last_good_end_time, 21, 6)))) / 3600 as hours_since_good,
  coalesce(o.rpo_hours, e.rpo_hours, 24) as rpo_hours,
  coalesce(a.last_good_end_time >= strftime('%Y-%m-%dT%H:%M:%S', substr(c.as_of, 1, 19), '-' || coalesce(o.rpo_hours, e.rpo_hours, 24) || ' hours') || substr(c.as_of, 20), 0) as within_rpo,
  case when a.last_attempt_result in ('Success', 'Warning') then 0 else (select count(*) from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' and x.end_time > coalesce(a.last_good_end_time, '')) end as consecutive_failures,
  case when a.bad_result = 'Failed' then a.bad_reason when a.bad_result is not null then (select x.reason from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' order by x.end_time desc, x.creation_time desc limit 1) end as last_failure_reason
from (
  select m.vm_display_name, m.backup_server_uid, g.end_time as last_good_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.end_time else x.end_time end as last_attempt_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.result else x.result end as last_attempt_result,
    case when x.end_time is null or g.end_time >= x.end_time then g.job_uid else x.job_uid end as parent_uid,
    x.result as bad_result, x.reason as bad_reason
  from (
    select m.vm_display_name, m.backup_server_uid,
      (select t.rowid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1) as good_id,
      (select t.rowid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1) as bad_id
    from (
      select distinct u.vm_display_name, u.backup_server_uid from (
        select t.vm_display_name, t.backup_server_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
        union all
        select t.vm_display_name, t.backup_server_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      ) u
    ) m
  ) m
  left join replica_task_sessions g on g.rowid = m.good_id
  left join replica_task_sessions x on x.rowid = m.bad_id
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join job_families f on f.job_uid = a.parent_uid
left join report_settings o on o.job_uid = f.family_uid
union all
select a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, 'cdp' as protection, f.name as job_name,
  a.last_attempt_end_time, a.last_attempt_result, a.last_good_end_time,
  (max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(a.last_good_end_time, 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(a.last_good_end_time, 21, 6)))) / 3600 as hours_since_good,
  coalesce(o.rpo_hours, e.rpo_hours, 24) as rpo_hours,
  coalesce(a.last_good_end_time >= strftime('%Y-%m-%dT%H:%M:%S', substr(c.as_of, 1, 19), '-' || coalesce(o.rpo_hours, e.rpo_hours, 24) || ' hours') || substr(c.as_of, 20), 0) as within_rpo,
  case when a.last_attempt_result in ('Success', 'Warning') then 0 else (select count(*) from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' and x.end_time > coalesce(a.last_good_end_time, '')) end as consecutive_failures,
  case when a.bad_result = 'Failed' then a.bad_reason when a.bad_result is not null then (select x.reason from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' order by x.end_time desc, x.creation_time desc limit 1) end as last_failure_reason
from (
  select m.vm_display_name, m.backup_server_uid, g.end_time as last_good_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.end_time else x.end_time end as last_attempt_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.result else x.result end as last_attempt_result,
    case when x.end_time is null or g.end_time >= x.end_time then g.policy_uid else x.policy_uid end as parent_uid,
    x.result as bad_result, x.reason as bad_reason
  from (
    select m.vm_display_name, m.backup_server_uid,
      (select t.rowid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1) as good_id,
      (select t.rowid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1) as bad_id
    from (
      select distinct u.vm_display_name, u.backup_server_uid from (
        select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
        union all
        select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      ) u
    ) m
  ) m
  left join cdp_replica_task_sessions g on g.rowid = m.good_id
  left join cdp_replica_task_sessions x on x.rowid = m.bad_id
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join cdp_policies f on f.uid = a.parent_uid
left join report_settings o on o.job_uid = f.uid;

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('machine_protection', null, null, 'As `vm_protection`, looked up by the machine''s name'),
  ('machine_protection', 'backup_server_uid', null, 'The backup server'),
  ('machine_protection', 'backup_server_name', null, 'The backup server''s name'),
  ('machine_protection', 'vm_display_name', null, 'Name of the machine'),
  ('machine_protection', 'protection', 'TEXT', 'backup, replica or cdp'),
  ('machine_protection', 'job_name', 'TEXT', 'The job or CDP policy of the last attempt'),
  ('machine_protection', 'last_attempt_end_time', 'TEXT', 'When the last attempt ended'),
  ('machine_protection', 'last_attempt_result', 'TEXT', 'How it ended'),
  ('machine_protection', 'last_good_end_time', null, 'When the last attempt with Success or Warning ended'),
  ('machine_protection', 'hours_since_good', 'INTEGER', 'Whole hours since then'),
  ('machine_protection', 'rpo_hours', 'INTEGER', 'How old it may be, from report_settings'),
  ('machine_protection', 'within_rpo', 'INTEGER', 'Whether it is no older than that'),
  ('machine_protection', 'consecutive_failures', 'INTEGER', 'Attempts that failed since then'),
  ('machine_protection', 'last_failure_reason', 'TEXT', 'The reason of the last attempt that failed');
