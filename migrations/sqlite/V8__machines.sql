-- Machines: who they are, how they are protected, how they grow. A machine is a name on a backup server; a task without a
-- server, or with a name longer than any real one, belongs to none.

-- Every machine that was ever attempted, with what protects it. Each step looks up the next name in an index; reading all
-- rows for it would take seconds.
create view machines as
with recursive backup_good (id) as (
  select * from (select t.rowid from backup_task_sessions t indexed by backup_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select coalesce(
    (select t.rowid from backup_task_sessions t indexed by backup_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name = o.vm_display_name and t.backup_server_uid > o.backup_server_uid order by t.backup_server_uid limit 1),
    (select t.rowid from backup_task_sessions t indexed by backup_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name > o.vm_display_name order by t.vm_display_name, t.backup_server_uid limit 1)
  ) from backup_good v join backup_task_sessions o on o.rowid = v.id
),
backup_bad (id) as (
  select * from (select t.rowid from backup_task_sessions t indexed by backup_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select coalesce(
    (select t.rowid from backup_task_sessions t indexed by backup_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name = o.vm_display_name and t.backup_server_uid > o.backup_server_uid order by t.backup_server_uid limit 1),
    (select t.rowid from backup_task_sessions t indexed by backup_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name > o.vm_display_name order by t.vm_display_name, t.backup_server_uid limit 1)
  ) from backup_bad v join backup_task_sessions o on o.rowid = v.id
),
replica_good (id) as (
  select * from (select t.rowid from replica_task_sessions t indexed by replica_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select coalesce(
    (select t.rowid from replica_task_sessions t indexed by replica_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name = o.vm_display_name and t.backup_server_uid > o.backup_server_uid order by t.backup_server_uid limit 1),
    (select t.rowid from replica_task_sessions t indexed by replica_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name > o.vm_display_name order by t.vm_display_name, t.backup_server_uid limit 1)
  ) from replica_good v join replica_task_sessions o on o.rowid = v.id
),
replica_bad (id) as (
  select * from (select t.rowid from replica_task_sessions t indexed by replica_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select coalesce(
    (select t.rowid from replica_task_sessions t indexed by replica_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name = o.vm_display_name and t.backup_server_uid > o.backup_server_uid order by t.backup_server_uid limit 1),
    (select t.rowid from replica_task_sessions t indexed by replica_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name > o.vm_display_name order by t.vm_display_name, t.backup_server_uid limit 1)
  ) from replica_bad v join replica_task_sessions o on o.rowid = v.id
),
cdp_good (id) as (
  select * from (select t.rowid from cdp_replica_task_sessions t indexed by cdp_replica_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select coalesce(
    (select t.rowid from cdp_replica_task_sessions t indexed by cdp_replica_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name = o.vm_display_name and t.backup_server_uid > o.backup_server_uid order by t.backup_server_uid limit 1),
    (select t.rowid from cdp_replica_task_sessions t indexed by cdp_replica_task_sessions_good where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name > o.vm_display_name order by t.vm_display_name, t.backup_server_uid limit 1)
  ) from cdp_good v join cdp_replica_task_sessions o on o.rowid = v.id
),
cdp_bad (id) as (
  select * from (select t.rowid from cdp_replica_task_sessions t indexed by cdp_replica_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select coalesce(
    (select t.rowid from cdp_replica_task_sessions t indexed by cdp_replica_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name = o.vm_display_name and t.backup_server_uid > o.backup_server_uid order by t.backup_server_uid limit 1),
    (select t.rowid from cdp_replica_task_sessions t indexed by cdp_replica_task_sessions_bad where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
      and t.vm_display_name > o.vm_display_name order by t.vm_display_name, t.backup_server_uid limit 1)
  ) from cdp_bad v join cdp_replica_task_sessions o on o.rowid = v.id
)
select 'backup' as protection, u.vm_display_name, u.backup_server_uid from (
  select t.vm_display_name, t.backup_server_uid from backup_good v join backup_task_sessions t on t.rowid = v.id
  union
  select t.vm_display_name, t.backup_server_uid from backup_bad v join backup_task_sessions t on t.rowid = v.id
) u
union all
select 'replica' as protection, u.vm_display_name, u.backup_server_uid from (
  select t.vm_display_name, t.backup_server_uid from replica_good v join replica_task_sessions t on t.rowid = v.id
  union
  select t.vm_display_name, t.backup_server_uid from replica_bad v join replica_task_sessions t on t.rowid = v.id
) u
union all
select 'cdp' as protection, u.vm_display_name, u.backup_server_uid from (
  select t.vm_display_name, t.backup_server_uid from cdp_good v join cdp_replica_task_sessions t on t.rowid = v.id
  union
  select t.vm_display_name, t.backup_server_uid from cdp_bad v join cdp_replica_task_sessions t on t.rowid = v.id
) u;

-- The last good attempt and the last one that was none; the later of them is the last attempt.
create view vm_protection as
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
    from machines m
    where m.protection = 'backup'
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
    from machines m
    where m.protection = 'replica'
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
    from machines m
    where m.protection = 'cdp'
  ) m
  left join cdp_replica_task_sessions g on g.rowid = m.good_id
  left join cdp_replica_task_sessions x on x.rowid = m.bad_id
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join cdp_policies f on f.uid = a.parent_uid
left join report_settings o on o.job_uid = f.uid;

-- Of each machine and day the best result, and that of the attempt that started last.
-- A condition on the machine or the day reaches the indexes through the partitions, but not through a group.
create view vm_daily_status as
select u.day, u.backup_server_uid, b.name as backup_server_name, u.vm_display_name, u.runs,
  case u.best_rank when 1 then 'Success' when 2 then 'Warning' when 3 then 'Failed' else u.result end as best_result,
  u.result as last_result
from (
select u.day, u.backup_server_uid, u.vm_display_name, u.result,
  row_number() over (partition by u.day, u.backup_server_uid, u.vm_display_name order by u.creation_time desc, u.uid desc) as place,
  count(*) over (partition by u.day, u.backup_server_uid, u.vm_display_name) as runs,
  min(case u.result when 'Success' then 1 when 'Warning' then 2 when 'Failed' then 3 else 4 end) over (partition by u.day, u.backup_server_uid, u.vm_display_name) as best_rank
from (
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
) u
) u
left join backup_servers b on b.uid = u.backup_server_uid
where u.place = 1;

-- A gap is the time between the end of one good session and the start of the next; a session that runs covers until now.
-- The last good one that began before the 30 days counts as well: gaps reach into them, and a machine may be silent.
create view cdp_status as
select a.policy_uid, p.name as policy_name, a.vm_display_name, a.sessions_30d, a.failed_30d,
  (10000 * (a.good_30d) / nullif(a.sessions_30d, 0)) / 100.0 as good_pct_30d,
  max(coalesce(a.longest_seconds, 0), coalesce(max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(a.covered_until, 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(a.covered_until, 21, 6))), 0)) as longest_gap_seconds,
  (select max(x.end_time) from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name
    and x.backup_server_uid = a.backup_server_uid and x.policy_uid = a.policy_uid) as last_good_end_time
from (
select g.policy_uid, g.backup_server_uid, g.vm_display_name,
  count(*) filter (where g.in_30d and not g.is_running) as sessions_30d,
  count(*) filter (where g.in_30d and not g.is_running and g.result = 'Failed') as failed_30d,
  count(*) filter (where g.in_30d and not g.is_running and g.result in ('Success', 'Warning')) as good_30d,
  max(case when g.covers and g.covered_before is not null then max(0, cast(strftime('%s', substr(g.creation_time, 1, 19)) as integer) - cast(strftime('%s', substr(g.covered_before, 1, 19)) as integer)
       - (substr(g.creation_time, 21, 6) < substr(g.covered_before, 21, 6))) end) as longest_seconds,
  max(case when g.covers then g.covered_until else g.creation_time end) as covered_until
from (
  select t.*, max(case when t.covers then t.covered_until else t.first_start end)
    over (partition by t.policy_uid, t.backup_server_uid, t.vm_display_name order by t.creation_time, t.uid rows between unbounded preceding and 1 preceding) as covered_before
  from (
    select t.*, min(t.creation_time) over (partition by t.policy_uid, t.backup_server_uid, t.vm_display_name) as first_start
    from (
      select x.policy_uid, x.backup_server_uid, x.vm_display_name, x.uid, x.creation_time, x.result, x.in_30d,
        (x.end_time is null or x.state not in ('Completed')) as is_running,
        ((x.end_time is null or x.state not in ('Completed')) or x.result in ('Success', 'Warning')) as covers,
        case when x.end_time is not null and x.state in ('Completed') then x.end_time else (select as_of from report_clock) end as covered_until
      from (
        select x.policy_uid, x.backup_server_uid, x.vm_display_name, x.uid, x.creation_time, x.end_time, x.state, x.result, 1 as in_30d from cdp_replica_task_sessions x
        where x.creation_time >= (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) and x.policy_uid is not null and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
        union all
        select x.policy_uid, x.backup_server_uid, x.vm_display_name, x.uid, x.creation_time, x.end_time, x.state, x.result, 0 as in_30d from (
          select (
            select t.rowid from cdp_replica_task_sessions t
            where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid
              and t.creation_time < (select strftime('%Y-%m-%dT%H:%M:%S', substr(as_of, 1, 19), '-30 days') || substr(as_of, 20) from report_clock) and t.policy_uid is not null order by t.end_time desc, t.creation_time desc limit 1
          ) as id from machines m where m.protection = 'cdp'
        ) m join cdp_replica_task_sessions x on x.rowid = m.id
      ) x
    ) t
  ) t
) g
group by g.policy_uid, g.backup_server_uid, g.vm_display_name
) a
left join cdp_policies p on p.uid = a.policy_uid;

-- A machine's size on a day is that of the day's last good backup; it is compared with the last one known 7 and 30 days before.
create view size_growth as
select a.day, a.backup_server_uid, b.name as backup_server_name, a.vm_display_name, a.total_size_bytes,
  a.total_size_bytes - (
    select x.total_size_bytes from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.total_size_bytes is not null and x.vm_display_name = a.vm_display_name
      and x.backup_server_uid = a.backup_server_uid and x.creation_time < strftime('%Y-%m-%d', a.day, '-6 days') order by x.end_time desc, x.creation_time desc limit 1
  ) as change_7d_bytes,
  a.total_size_bytes - (
    select x.total_size_bytes from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.total_size_bytes is not null and x.vm_display_name = a.vm_display_name
      and x.backup_server_uid = a.backup_server_uid and x.creation_time < strftime('%Y-%m-%d', a.day, '-29 days') order by x.end_time desc, x.creation_time desc limit 1
  ) as change_30d_bytes
from (
  select substr(t.creation_time, 1, 10) as day, t.backup_server_uid, t.vm_display_name,
    cast(substr(max(t.end_time || t.creation_time || t.uid || t.total_size_bytes), 91) as integer) as total_size_bytes
  from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.total_size_bytes is not null
  group by substr(t.creation_time, 1, 10), t.backup_server_uid, t.vm_display_name
) a
left join backup_servers b on b.uid = a.backup_server_uid;

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('machines', null, null, 'Machines that were ever attempted, once for each way of protection; a machine is a name on a backup server'),
  ('machines', 'protection', 'TEXT', 'backup, replica or cdp'),
  ('machines', 'vm_display_name', null, 'Name of the machine'),
  ('machines', 'backup_server_uid', null, 'The backup server'),
  ('vm_protection', null, null, 'How each machine is protected: its last attempt, its last good one, and whether that is within its RPO'),
  ('vm_protection', 'backup_server_uid', null, 'The backup server'),
  ('vm_protection', 'backup_server_name', null, 'The backup server''s name'),
  ('vm_protection', 'vm_display_name', null, 'Name of the machine'),
  ('vm_protection', 'protection', 'TEXT', 'backup, replica or cdp'),
  ('vm_protection', 'job_name', 'TEXT', 'The job or CDP policy of the last attempt'),
  ('vm_protection', 'last_attempt_end_time', 'TEXT', 'When the last attempt ended'),
  ('vm_protection', 'last_attempt_result', 'TEXT', 'How it ended'),
  ('vm_protection', 'last_good_end_time', null, 'When the last attempt with Success or Warning ended'),
  ('vm_protection', 'hours_since_good', 'INTEGER', 'Whole hours since then'),
  ('vm_protection', 'rpo_hours', 'INTEGER', 'How old it may be, from report_settings'),
  ('vm_protection', 'within_rpo', 'INTEGER', 'Whether it is no older than that'),
  ('vm_protection', 'consecutive_failures', 'INTEGER', 'Attempts that failed since then'),
  ('vm_protection', 'last_failure_reason', 'TEXT', 'The reason of the last attempt that failed'),
  ('vm_daily_status', null, null, 'How each machine fared on each day on which it was attempted; a task belongs to the UTC day on which it started'),
  ('vm_daily_status', 'day', 'TEXT', 'The UTC day'),
  ('vm_daily_status', 'backup_server_uid', null, 'The backup server'),
  ('vm_daily_status', 'backup_server_name', null, 'The backup server''s name'),
  ('vm_daily_status', 'vm_display_name', null, 'Name of the machine'),
  ('vm_daily_status', 'runs', 'INTEGER', 'Attempts that ended'),
  ('vm_daily_status', 'best_result', 'TEXT', 'The best of their results'),
  ('vm_daily_status', 'last_result', 'TEXT', 'The result of the one that started last'),
  ('cdp_status', null, null, 'How each machine of each CDP policy fared in the last 30 days'),
  ('cdp_status', 'policy_uid', null, 'The policy'),
  ('cdp_status', 'policy_name', null, 'Its name'),
  ('cdp_status', 'vm_display_name', null, 'Name of the machine'),
  ('cdp_status', 'sessions_30d', 'INTEGER', 'Task sessions that started in the last 30 days and ended'),
  ('cdp_status', 'failed_30d', 'INTEGER', 'Of them failed'),
  ('cdp_status', 'good_pct_30d', 'REAL', 'Of them with Success or Warning, in percent, cut to two decimals'),
  ('cdp_status', 'longest_gap_seconds', 'INTEGER', 'The longest time between the end of a good session and the start of the next one, or now'),
  ('cdp_status', 'last_good_end_time', 'TEXT', 'When the last good session ended'),
  ('size_growth', null, null, 'Sizes of machines by day, from their good backups'),
  ('size_growth', 'day', 'TEXT', 'The UTC day'),
  ('size_growth', 'backup_server_uid', null, 'The backup server'),
  ('size_growth', 'backup_server_name', null, 'The backup server''s name'),
  ('size_growth', 'vm_display_name', null, 'Name of the machine'),
  ('size_growth', 'total_size_bytes', 'INTEGER', 'TotalSize of the day''s last good backup'),
  ('size_growth', 'change_7d_bytes', 'INTEGER', 'Its difference to the last one known 7 days before'),
  ('size_growth', 'change_30d_bytes', 'INTEGER', 'Its difference to the last one known 30 days before');
