-- Machines: who they are, how they are protected, how they grow. A machine is a name on a backup server; a task without a
-- server, or with a name longer than any real one, belongs to none.

-- Every machine that was ever attempted, with what protects it. Each step looks up the next name in an index; reading all
-- rows for it would take seconds.
create view machines as
with recursive backup_good as (
  (select t.vm_display_name, t.backup_server_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select n.vm_display_name, n.backup_server_uid from backup_good v cross join lateral (
    select t.vm_display_name, t.backup_server_uid from backup_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and (t.vm_display_name, t.backup_server_uid) > (v.vm_display_name, v.backup_server_uid)
    order by t.vm_display_name, t.backup_server_uid limit 1
  ) n
),
backup_bad as (
  (select t.vm_display_name, t.backup_server_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select n.vm_display_name, n.backup_server_uid from backup_bad v cross join lateral (
    select t.vm_display_name, t.backup_server_uid from backup_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and (t.vm_display_name, t.backup_server_uid) > (v.vm_display_name, v.backup_server_uid)
    order by t.vm_display_name, t.backup_server_uid limit 1
  ) n
),
replica_good as (
  (select t.vm_display_name, t.backup_server_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select n.vm_display_name, n.backup_server_uid from replica_good v cross join lateral (
    select t.vm_display_name, t.backup_server_uid from replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and (t.vm_display_name, t.backup_server_uid) > (v.vm_display_name, v.backup_server_uid)
    order by t.vm_display_name, t.backup_server_uid limit 1
  ) n
),
replica_bad as (
  (select t.vm_display_name, t.backup_server_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select n.vm_display_name, n.backup_server_uid from replica_bad v cross join lateral (
    select t.vm_display_name, t.backup_server_uid from replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and (t.vm_display_name, t.backup_server_uid) > (v.vm_display_name, v.backup_server_uid)
    order by t.vm_display_name, t.backup_server_uid limit 1
  ) n
),
cdp_good as (
  (select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select n.vm_display_name, n.backup_server_uid from cdp_good v cross join lateral (
    select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and (t.vm_display_name, t.backup_server_uid) > (v.vm_display_name, v.backup_server_uid)
    order by t.vm_display_name, t.backup_server_uid limit 1
  ) n
),
cdp_bad as (
  (select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 order by t.vm_display_name, t.backup_server_uid limit 1)
  union all
  select n.vm_display_name, n.backup_server_uid from cdp_bad v cross join lateral (
    select t.vm_display_name, t.backup_server_uid from cdp_replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and (t.vm_display_name, t.backup_server_uid) > (v.vm_display_name, v.backup_server_uid)
    order by t.vm_display_name, t.backup_server_uid limit 1
  ) n
)
select 'backup'::text as protection, u.vm_display_name, u.backup_server_uid from (select * from backup_good union select * from backup_bad) u
union all
select 'replica'::text as protection, u.vm_display_name, u.backup_server_uid from (select * from replica_good union select * from replica_bad) u
union all
select 'cdp'::text as protection, u.vm_display_name, u.backup_server_uid from (select * from cdp_good union select * from cdp_bad) u;

-- The last good attempt and the last one that was none; the later of them is the last attempt.
create view vm_protection as
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
  from machines m
  left join lateral (
    select t.end_time, t.result, t.job_uid as parent_uid from backup_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) g on true
  left join lateral (
    select t.end_time, t.result, t.reason, t.job_uid as parent_uid from backup_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) x on true
  where m.protection = 'backup'
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
  from machines m
  left join lateral (
    select t.end_time, t.result, t.job_uid as parent_uid from replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) g on true
  left join lateral (
    select t.end_time, t.result, t.reason, t.job_uid as parent_uid from replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) x on true
  where m.protection = 'replica'
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
  from machines m
  left join lateral (
    select t.end_time, t.result, t.policy_uid as parent_uid from cdp_replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) g on true
  left join lateral (
    select t.end_time, t.result, t.reason, t.policy_uid as parent_uid from cdp_replica_task_sessions t
    where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid order by t.end_time desc, t.creation_time desc limit 1
  ) x on true
  where m.protection = 'cdp'
) a
cross join report_clock c
left join report_settings e on e.job_uid = '00000000-0000-0000-0000-000000000000'
left join backup_servers b on b.uid = a.backup_server_uid
left join cdp_policies f on f.uid = a.parent_uid
left join report_settings o on o.job_uid = f.uid;

-- Of each machine and day the best result, and that of the attempt that started last.
create view vm_daily_status as
select u.day, u.backup_server_uid, b.name as backup_server_name, u.vm_display_name, u.runs,
  coalesce(u.best_result, u.last_result) as best_result, u.last_result
from (
select u.day, u.backup_server_uid, u.vm_display_name, count(*) as runs,
  (array['Success', 'Warning', 'Failed'])[min(case u.result when 'Success' then 1 when 'Warning' then 2 when 'Failed' then 3 else 4 end)] as best_result,
  (array_agg(u.result order by u.creation_time desc, u.uid desc))[1] as last_result
from (
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
  union all
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name, t.creation_time, t.uid, t.result
  from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500
) u
group by u.day, u.backup_server_uid, u.vm_display_name
) u
left join backup_servers b on b.uid = u.backup_server_uid;

-- A gap is the time between the end of one good session and the start of the next; a session that runs covers until now.
-- The last good one that began before the 30 days counts as well: gaps reach into them, and a machine may be silent.
create view cdp_status as
select a.policy_uid, p.name as policy_name, a.vm_display_name, a.sessions_30d, a.failed_30d,
  (10000 * (a.good_30d) / nullif(a.sessions_30d, 0)) / 100.0::float8 as good_pct_30d,
  greatest(coalesce(a.longest_seconds, 0), coalesce(case when (select as_of from report_clock) < a.covered_until then 0 else floor(extract(epoch from (select as_of from report_clock) - a.covered_until))::bigint end, 0)) as longest_gap_seconds,
  (select max(x.end_time) from cdp_replica_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.vm_display_name = a.vm_display_name
    and x.backup_server_uid = a.backup_server_uid and x.policy_uid = a.policy_uid) as last_good_end_time
from (
select g.policy_uid, g.backup_server_uid, g.vm_display_name,
  count(*) filter (where g.in_30d and not g.is_running) as sessions_30d,
  count(*) filter (where g.in_30d and not g.is_running and g.result = 'Failed') as failed_30d,
  count(*) filter (where g.in_30d and not g.is_running and g.result in ('Success', 'Warning')) as good_30d,
  max(case when g.covers and g.covered_before is not null then case when g.creation_time < g.covered_before then 0 else floor(extract(epoch from g.creation_time - g.covered_before))::bigint end end) as longest_seconds,
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
        select x.policy_uid, x.backup_server_uid, x.vm_display_name, x.uid, x.creation_time, x.end_time, x.state, x.result, true as in_30d from cdp_replica_task_sessions x
        where x.creation_time >= (select as_of from report_clock) - interval '720 hours' and x.policy_uid is not null and x.backup_server_uid is not null and length(x.vm_display_name) <= 500
        union all
        select l.policy_uid, l.backup_server_uid, l.vm_display_name, l.uid, l.creation_time, l.end_time, l.state, l.result, false as in_30d from machines m cross join lateral (
          select t.policy_uid, t.backup_server_uid, t.vm_display_name, t.uid, t.creation_time, t.end_time, t.state, t.result from cdp_replica_task_sessions t
          where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid
            and t.creation_time < (select as_of from report_clock) - interval '720 hours' and t.policy_uid is not null order by t.end_time desc, t.creation_time desc limit 1
        ) l where m.protection = 'cdp'
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
      and x.backup_server_uid = a.backup_server_uid and x.creation_time < (a.day - 6)::timestamp at time zone 'UTC' order by x.end_time desc, x.creation_time desc limit 1
  ) as change_7d_bytes,
  a.total_size_bytes - (
    select x.total_size_bytes from backup_task_sessions x where x.end_time is not null and x.state in ('Completed') and x.result in ('Success', 'Warning') and x.backup_server_uid is not null and length(x.vm_display_name) <= 500 and x.total_size_bytes is not null and x.vm_display_name = a.vm_display_name
      and x.backup_server_uid = a.backup_server_uid and x.creation_time < (a.day - 29)::timestamp at time zone 'UTC' order by x.end_time desc, x.creation_time desc limit 1
  ) as change_30d_bytes
from (
  select (t.creation_time at time zone 'UTC')::date as day, t.backup_server_uid, t.vm_display_name,
    (array_agg(t.total_size_bytes order by t.end_time desc, t.creation_time desc, t.uid desc))[1] as total_size_bytes
  from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.total_size_bytes is not null
  group by (t.creation_time at time zone 'UTC')::date, t.backup_server_uid, t.vm_display_name
) a
left join backup_servers b on b.uid = a.backup_server_uid;

comment on view machines is 'Machines that were ever attempted, once for each way of protection; a machine is a name on a backup server';
comment on column machines.protection is 'backup, replica or cdp';
comment on column machines.vm_display_name is 'Name of the machine';
comment on column machines.backup_server_uid is 'The backup server';
comment on view vm_protection is 'How each machine is protected: its last attempt, its last good one, and whether that is within its RPO';
comment on column vm_protection.backup_server_uid is 'The backup server';
comment on column vm_protection.backup_server_name is 'The backup server''s name';
comment on column vm_protection.vm_display_name is 'Name of the machine';
comment on column vm_protection.protection is 'backup, replica or cdp';
comment on column vm_protection.job_name is 'The job or CDP policy of the last attempt';
comment on column vm_protection.last_attempt_end_time is 'When the last attempt ended';
comment on column vm_protection.last_attempt_result is 'How it ended';
comment on column vm_protection.last_good_end_time is 'When the last attempt with Success or Warning ended';
comment on column vm_protection.hours_since_good is 'Whole hours since then';
comment on column vm_protection.rpo_hours is 'How old it may be, from report_settings';
comment on column vm_protection.within_rpo is 'Whether it is no older than that';
comment on column vm_protection.consecutive_failures is 'Attempts that failed since then';
comment on column vm_protection.last_failure_reason is 'The reason of the last attempt that failed';
comment on view vm_daily_status is 'How each machine fared on each day on which it was attempted; a task belongs to the UTC day on which it started';
comment on column vm_daily_status.day is 'The UTC day';
comment on column vm_daily_status.backup_server_uid is 'The backup server';
comment on column vm_daily_status.backup_server_name is 'The backup server''s name';
comment on column vm_daily_status.vm_display_name is 'Name of the machine';
comment on column vm_daily_status.runs is 'Attempts that ended';
comment on column vm_daily_status.best_result is 'The best of their results';
comment on column vm_daily_status.last_result is 'The result of the one that started last';
comment on view cdp_status is 'How each machine of each CDP policy fared in the last 30 days';
comment on column cdp_status.policy_uid is 'The policy';
comment on column cdp_status.policy_name is 'Its name';
comment on column cdp_status.vm_display_name is 'Name of the machine';
comment on column cdp_status.sessions_30d is 'Task sessions that started in the last 30 days and ended';
comment on column cdp_status.failed_30d is 'Of them failed';
comment on column cdp_status.good_pct_30d is 'Of them with Success or Warning, in percent, cut to two decimals';
comment on column cdp_status.longest_gap_seconds is 'The longest time between the end of a good session and the start of the next one, or now';
comment on column cdp_status.last_good_end_time is 'When the last good session ended';
comment on view size_growth is 'Sizes of machines by day, from their good backups';
comment on column size_growth.day is 'The UTC day';
comment on column size_growth.backup_server_uid is 'The backup server';
comment on column size_growth.backup_server_name is 'The backup server''s name';
comment on column size_growth.vm_display_name is 'Name of the machine';
comment on column size_growth.total_size_bytes is 'TotalSize of the day''s last good backup';
comment on column size_growth.change_7d_bytes is 'Its difference to the last one known 7 days before';
comment on column size_growth.change_30d_bytes is 'Its difference to the last one known 30 days before';
