-- Lookups of one job or one machine, which must not cost what all of them cost.

-- How a job stands is looked up job by job. A retry repaired a run when it was good and the run before it failed.
create or replace view job_status as
select s.job_uid, s.job_name, s.job_type, s.backup_server_name,
  coalesce(lb.creation_time, lr.creation_time) as last_start_time, coalesce(lb.result, lr.result) as last_result,
  coalesce(gb.end_time, gr.end_time) as last_good_end_time,
  (case when (select as_of from report_clock) < coalesce(gb.end_time, gr.end_time) then 0 else floor(extract(epoch from (select as_of from report_clock) - coalesce(gb.end_time, gr.end_time)))::bigint end) / 3600 as hours_since_good,
  r.runs_7d,
  (10000 * (r.strict_7d) / nullif(r.runs_7d, 0)) / 100.0::float8 as success_pct_strict_7d,
  (10000 * (r.good_7d) / nullif(r.runs_7d, 0)) / 100.0::float8 as success_pct_7d,
  r.recovered_7d as recovered_by_retry_7d,
  r.runs_30d,
  (10000 * (r.strict_30d) / nullif(r.runs_30d, 0)) / 100.0::float8 as success_pct_strict_30d,
  (10000 * (r.good_30d) / nullif(r.runs_30d, 0)) / 100.0::float8 as success_pct_30d,
  r.recovered_30d as recovered_by_retry_30d,
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
cross join lateral (
  select
    count(*) filter (where w.in_7d) as runs_7d,
    count(*) filter (where w.in_7d and w.result = 'Success') as strict_7d,
    count(*) filter (where w.in_7d and w.result in ('Success', 'Warning')) as good_7d,
    count(*) filter (where w.in_7d and w.result in ('Success', 'Warning') and w.is_retry and w.result_before = 'Failed') as recovered_7d,
    count(*) filter (where w.in_30d) as runs_30d,
    count(*) filter (where w.in_30d and w.result = 'Success') as strict_30d,
    count(*) filter (where w.in_30d and w.result in ('Success', 'Warning')) as good_30d,
    count(*) filter (where w.in_30d and w.result in ('Success', 'Warning') and w.is_retry and w.result_before = 'Failed') as recovered_30d
  from (
    select e.result, e.is_retry, e.creation_time >= (select as_of from report_clock) - interval '168 hours' as in_7d, e.creation_time >= (select as_of from report_clock) - interval '720 hours' as in_30d,
      lag(e.result) over (order by e.creation_time, e.uid) as result_before
    from ended_runs e
    where e.job_uid = s.job_uid and e.creation_time >= (select as_of from report_clock) - interval '768 hours'
  ) w
) r
left join lateral (
  select w.duration_seconds
  from (
    select e.duration_seconds, row_number() over (order by e.duration_seconds, e.uid) as place, count(*) over () as runs
    from ended_runs e
    where e.job_uid = s.job_uid and e.creation_time >= (select as_of from report_clock) - interval '720 hours'
  ) w
  where w.place = (w.runs + 1) / 2
) m on true;

-- A machine's sessions, of all times at once: those that ended have an index by machine, those that run are few.
create view machine_sessions as
select 'BackupTaskSession'::text as kind, s.uid, s.vm_display_name, b.name as backup_server_name, p.name as parent_name, s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
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
select 'ReplicaTaskSession'::text as kind, s.uid, s.vm_display_name, b.name as backup_server_name, p.name as parent_name, s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
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
select 'CdpReplicaTaskSession'::text as kind, s.uid, s.vm_display_name, b.name as backup_server_name, p.name as parent_name, s.creation_time, s.end_time,
  case when s.end_time is not null and s.state in ('Completed') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
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

comment on view machine_sessions is 'Task sessions of machines, looked up by the machine''s name; see `sessions` for those of a time';
comment on column machine_sessions.kind is 'The API''s query type';
comment on column machine_sessions.uid is 'The session';
comment on column machine_sessions.vm_display_name is 'Name of the machine';
comment on column machine_sessions.backup_server_name is 'The backup server''s name';
comment on column machine_sessions.parent_name is 'Name of the job or policy';
comment on column machine_sessions.creation_time is 'When it started';
comment on column machine_sessions.end_time is 'When it ended';
comment on column machine_sessions.duration_seconds is 'Its length; null while it runs';
comment on column machine_sessions.state is 'State, as the API spells it';
comment on column machine_sessions.result is 'Result, as the API spells it';
comment on column machine_sessions.message is 'What it says';

-- As vm_protection, which first finds out who all the machines are: here it is known.
create view machine_protection as
select a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, 'backup'::text as protection, f.family_name as job_name,
  a.last_attempt_end_time, a.last_attempt_result, a.last_good_end_time,
  (case when (select as_of from report_clock) < a.last_good_end_time then 0 else floor(extract(epoch from (select as_of from report_clock) - a.last_good_end_time))::bigint end) / 3600 as hours_since_good,
  coalesce(o.rpo_hours, e.rpo_hours, 24) as rpo_hours,
  coalesce(a.last_good_end_time >= c.as_of - coalesce(o.rpo_hours, e.rpo_hours, 24) * interval '1 hour', false) as within_rpo,
  case when a.last_attempt_result in ('Success', 'Warning') then 0 else (select count(*) from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' and x.end_time > coalesce(a.last_good_end_time, '-infinity')) end as consecutive_failures,
  case when a.bad_result = 'Failed' then a.bad_reason when a.bad_result is not null then (select x.reason from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' order by x.end_time desc, x.creation_time desc limit 1) end as last_failure_reason
from (
  select m.vm_display_name, m.backup_server_uid, g.end_time as last_good_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.end_time else x.end_time end as last_attempt_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.result else x.result end as last_attempt_result,
    case when x.end_time is null or g.end_time >= x.end_time then g.parent_uid else x.parent_uid end as parent_uid,
    x.result as bad_result, x.reason as bad_reason
  from (
    select t.vm_display_name, t.backup_server_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
    union
    select t.vm_display_name, t.backup_server_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  ) m
  left join lateral (
    select t.end_time, t.result, t.job_uid as parent_uid from backup_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) g on true
  left join lateral (
    select t.end_time, t.result, t.reason, t.job_uid as parent_uid from backup_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) x on true
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join job_families f on f.job_uid = a.parent_uid
left join report_settings o on o.job_uid = f.family_uid
union all
select a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, 'replica'::text as protection, f.family_name as job_name,
  a.last_attempt_end_time, a.last_attempt_result, a.last_good_end_time,
  (case when (select as_of from report_clock) < a.last_good_end_time then 0 else floor(extract(epoch from (select as_of from report_clock) - a.last_good_end_time))::bigint end) / 3600 as hours_since_good,
  coalesce(o.rpo_hours, e.rpo_hours, 24) as rpo_hours,
  coalesce(a.last_good_end_time >= c.as_of - coalesce(o.rpo_hours, e.rpo_hours, 24) * interval '1 hour', false) as within_rpo,
  case when a.last_attempt_result in ('Success', 'Warning') then 0 else (select count(*) from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' and x.end_time > coalesce(a.last_good_end_time, '-infinity')) end as consecutive_failures,
  case when a.bad_result = 'Failed' then a.bad_reason when a.bad_result is not null then (select x.reason from replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' order by x.end_time desc, x.creation_time desc limit 1) end as last_failure_reason
from (
  select m.vm_display_name, m.backup_server_uid, g.end_time as last_good_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.end_time else x.end_time end as last_attempt_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.result else x.result end as last_attempt_result,
    case when x.end_time is null or g.end_time >= x.end_time then g.parent_uid else x.parent_uid end as parent_uid,
    x.result as bad_result, x.reason as bad_reason
  from (
    select t.vm_display_name, t.backup_server_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
    union
    select t.vm_display_name, t.backup_server_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  ) m
  left join lateral (
    select t.end_time, t.result, t.job_uid as parent_uid from replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) g on true
  left join lateral (
    select t.end_time, t.result, t.reason, t.job_uid as parent_uid from replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) x on true
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join job_families f on f.job_uid = a.parent_uid
left join report_settings o on o.job_uid = f.family_uid
union all
select a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, 'cdp'::text as protection, f.name as job_name,
  a.last_attempt_end_time, a.last_attempt_result, a.last_good_end_time,
  (case when (select as_of from report_clock) < a.last_good_end_time then 0 else floor(extract(epoch from (select as_of from report_clock) - a.last_good_end_time))::bigint end) / 3600 as hours_since_good,
  coalesce(o.rpo_hours, e.rpo_hours, 24) as rpo_hours,
  coalesce(a.last_good_end_time >= c.as_of - coalesce(o.rpo_hours, e.rpo_hours, 24) * interval '1 hour', false) as within_rpo,
  case when a.last_attempt_result in ('Success', 'Warning') then 0 else (select count(*) from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' and x.end_time > coalesce(a.last_good_end_time, '-infinity')) end as consecutive_failures,
  case when a.bad_result = 'Failed' then a.bad_reason when a.bad_result is not null then (select x.reason from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result not in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name and x.backup_server_uid = a.backup_server_uid and x.result = 'Failed' order by x.end_time desc, x.creation_time desc limit 1) end as last_failure_reason
from (
  select m.vm_display_name, m.backup_server_uid, g.end_time as last_good_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.end_time else x.end_time end as last_attempt_end_time,
    case when x.end_time is null or g.end_time >= x.end_time then g.result else x.result end as last_attempt_result,
    case when x.end_time is null or g.end_time >= x.end_time then g.parent_uid else x.parent_uid end as parent_uid,
    x.result as bad_result, x.reason as bad_reason
  from (
    select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
    union
    select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  ) m
  left join lateral (
    select t.end_time, t.result, t.policy_uid as parent_uid from cdp_replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) g on true
  left join lateral (
    select t.end_time, t.result, t.reason, t.policy_uid as parent_uid from cdp_replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) x on true
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join cdp_policies f on f.uid = a.parent_uid
left join report_settings o on o.job_uid = f.uid;

comment on view machine_protection is 'As `vm_protection`, looked up by the machine''s name';
comment on column machine_protection.backup_server_uid is 'The backup server';
comment on column machine_protection.backup_server_name is 'The backup server''s name';
comment on column machine_protection.vm_display_name is 'Name of the machine';
comment on column machine_protection.protection is 'backup, replica or cdp';
comment on column machine_protection.job_name is 'The job or CDP policy of the last attempt';
comment on column machine_protection.last_attempt_end_time is 'When the last attempt ended';
comment on column machine_protection.last_attempt_result is 'How it ended';
comment on column machine_protection.last_good_end_time is 'When the last attempt with Success or Warning ended';
comment on column machine_protection.hours_since_good is 'Whole hours since then';
comment on column machine_protection.rpo_hours is 'How old it may be, from report_settings';
comment on column machine_protection.within_rpo is 'Whether it is no older than that';
comment on column machine_protection.consecutive_failures is 'Attempts that failed since then';
comment on column machine_protection.last_failure_reason is 'The reason of the last attempt that failed';
