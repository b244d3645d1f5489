-- What auditors ask: restores, failovers, days and months; and how current all of it is.

-- A restore point is named after its machine and its time, with or without a fraction of a second; a name that is not
-- gives no time.
create view restore_audit as
select s.uid, s.vm_display_name, s.restore_type, s.vm_restore_point_uid, p.restore_point_time,
  case when s.creation_time < p.restore_point_time then 0 else floor(extract(epoch from s.creation_time - p.restore_point_time))::bigint end as restore_point_age_seconds,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  s.result, s.failure_message as message, b.name as backup_server_name
from restore_sessions s
-- The fences keep what it costs to once a row.
cross join lateral (
  select regexp_match(s.vm_restore_point_name, '@([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?$') as part offset 0
) n
cross join lateral (
  select case when n.part[1] >= '0001' and n.part[2] between '01' and '12' and n.part[3] between '01' and '31'
    and n.part[4] <= '23' and n.part[5] <= '59' and n.part[6] <= '59'
    then make_date(n.part[1]::int, n.part[2]::int, 1) + n.part[3]::int - 1 end as day offset 0
) d
cross join lateral (
  -- A 30th of February has become a day of March.
  select case when extract(month from d.day) = n.part[2]::int
    then (d.day + make_time(n.part[4]::int, n.part[5]::int, n.part[6]::int)) at time zone 'UTC'
      + coalesce(rpad(left(n.part[7], 6), 6, '0')::bigint, 0) * interval '1 microsecond' end as restore_point_time offset 0
) p
left join backup_servers b on b.uid = s.backup_server_uid;

-- As before, with durations that are never negative.
create or replace view failover_audit as
select s.uid as session_uid, coalesce(s.cloud_failover_plan_name, s.name) as plan_name,
  coalesce(o.plan_uid, s.cloud_failover_plan_uid) as plan_uid,
  o.action, o.requested_by, o.reason, o.requested_at, o.task_id,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end end as duration_seconds,
  s.result, t.vm_name, t.result as vm_result,
  case when t.end_time is not null then case when t.end_time < t.creation_time then 0 else floor(extract(epoch from t.end_time - t.creation_time))::bigint end end as vm_duration_seconds
from cloud_failover_sessions s
left join failover_operations o on o.session_uid = s.uid
left join cloud_failover_task_sessions t on t.session_uid = s.uid;

-- What ended, by the day on which it started.
create view daily_results as
select u.day, b.name as backup_server_name, u.kind, u.runs, u.success, u.warning, u.failed, u.total_size_bytes, u.total_duration_seconds, u.longest_duration_seconds
from (
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'BackupJobSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null::bigint as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from backup_job_sessions s where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'ReplicaJobSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null::bigint as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from replica_job_sessions s where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'BackupTaskSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, case when count(s.total_size_bytes) > 0 then least(sum(s.total_size_bytes), 9223372036854775807)::bigint end as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from backup_task_sessions s where s.end_time is not null and s.state in ('Completed')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'ReplicaTaskSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, case when count(s.total_size_bytes) > 0 then least(sum(s.total_size_bytes), 9223372036854775807)::bigint end as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from replica_task_sessions s where s.end_time is not null and s.state in ('Completed')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'RestoreSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null::bigint as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from restore_sessions s where s.end_time is not null and s.state in ('Stopped')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'CloudFailoverSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null::bigint as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from cloud_failover_sessions s where s.end_time is not null and s.state in ('Stopped')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'CdpReplicaSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null::bigint as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from cdp_replica_sessions s where s.end_time is not null and s.state in ('Stopped')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
  union all
  select (s.creation_time at time zone 'UTC')::date as day, s.backup_server_uid, 'CdpReplicaTaskSession'::text as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, case when count(s.total_size_bytes) > 0 then least(sum(s.total_size_bytes), 9223372036854775807)::bigint end as total_size_bytes,
    sum(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end)::bigint as total_duration_seconds, max(case when s.end_time < s.creation_time then 0 else floor(extract(epoch from s.end_time - s.creation_time))::bigint end) as longest_duration_seconds
  from cdp_replica_task_sessions s where s.end_time is not null and s.state in ('Completed')
  group by (s.creation_time at time zone 'UTC')::date, s.backup_server_uid
) u
left join backup_servers b on b.uid = u.backup_server_uid;

-- Months of history, up to now.
create view months as
select g.month::date as month, g.month at time zone 'UTC' as starts, least((g.month + interval '1 month') at time zone 'UTC', c.as_of) as ends
from report_clock c
cross join lateral generate_series(
  date_trunc('month', least((select min(creation_time) from backup_job_sessions), (select min(creation_time) from replica_job_sessions), (select min(creation_time) from backup_task_sessions), (select min(creation_time) from replica_task_sessions), (select min(creation_time) from restore_sessions), (select min(creation_time) from cloud_failover_sessions), (select min(creation_time) from cdp_replica_sessions), (select min(creation_time) from cdp_replica_task_sessions)) at time zone 'UTC'), c.as_of at time zone 'UTC', interval '1 month'
) as g (month);

-- A machine counts on the days from its first attempt until 30 days after its last (or its RPO, if that is longer), and a
-- day is within RPO if a good attempt ended no longer than the RPO before the day's end.
create view machine_months as
select y.month, m.backup_server_uid, m.vm_display_name, x.is_protected, x.days, x.days_within_rpo, x.longest_gap_seconds
from months y
cross join (select distinct vm_display_name, backup_server_uid from machines) m
-- The fences keep what is looked up to once a machine.
cross join lateral (
  select x.good > 0 as is_protected, greatest(0, (x.counts_until at time zone interval '0')::date - ((greatest(y.starts + interval '1 microsecond', x.first_end) - interval '1 microsecond') at time zone interval '0')::date) as days,
    coalesce(x.days_within, 0) as days_within_rpo,
    greatest(0, floor(extract(epoch from greatest(
      x.longest,
      case when x.first_in > x.first_good then null else x.first_in - coalesce(x.good_before, x.first_end) end,
      x.counts_until - coalesce(x.last_good, x.good_before, x.first_end)
    ))))::bigint as longest_gap_seconds,
    x.counts_until, x.first_end
  from (
    select g.*,
      case when g.first_good < y.starts or exists (select 1 from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts) or exists (select 1 from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts) or exists (select 1 from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts) or exists (select 1 from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts) or exists (select 1 from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts) or exists (select 1 from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts) then y.starts
        else least(g.first_in, (select min(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= y.starts and t.end_time < y.ends), (select min(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= y.starts and t.end_time < y.ends), (select min(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= y.starts and t.end_time < y.ends)) end as first_end,
      case when g.first_good < y.starts then g.first_good
        else greatest((select max(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts), (select max(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts), (select max(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.starts)) end as good_before,
      case when g.last_good >= y.ends - g.counts then y.ends
        else least(y.ends, g.counts + greatest((select max(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends),
      (select max(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends),
      (select max(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends),
      (select max(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends),
      (select max(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends),
      (select max(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends))) end as counts_until
    from (
      select min(r.counts) as counts, count(*) filter (where e.end_time >= y.starts) as good, min(e.end_time) as first_good, max(e.end_time) as last_good,
        min(e.end_time) filter (where e.end_time >= y.starts) as first_in,
        max(e.next_end - e.end_time) filter (where e.next_end >= y.starts) as longest,
        sum(greatest(0, (least(e.next_end - interval '1 microsecond', e.end_time + r.rpo, y.ends) at time zone interval '0')::date - ((greatest(e.end_time, y.starts + interval '1 microsecond') - interval '1 microsecond') at time zone interval '0')::date)) filter (where e.end_time is not null) as days_within
      from (
        select h.rpo_hours * interval '1 hour' as rpo, greatest(h.rpo_hours * interval '1 hour', interval '720 hours') as counts
        from (select case when (select count(*) from report_settings) > 1 then coalesce((
      select s.rpo_hours from (
        select * from (select t.end_time, (select f.family_uid from job_families f where f.job_uid = t.job_uid) as family_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends order by t.end_time desc limit 1) a0
        union all select * from (select t.end_time, (select f.family_uid from job_families f where f.job_uid = t.job_uid) as family_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends order by t.end_time desc limit 1) a1
        union all select * from (select t.end_time, t.policy_uid as family_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends order by t.end_time desc limit 1) a2
      ) a left join report_settings s on s.job_uid = a.family_uid order by a.end_time desc limit 1
    ), coalesce((select e.rpo_hours from report_settings e where e.job_uid = '00000000-0000-0000-0000-000000000000'), 24)) else coalesce((select e.rpo_hours from report_settings e where e.job_uid = '00000000-0000-0000-0000-000000000000'), 24) end as rpo_hours offset 0) h
        offset 0
      ) r
      left join lateral (
        select t.end_time, lead(t.end_time) over (order by t.end_time) as next_end from (
        select t.end_time from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= y.starts - r.rpo and t.end_time < y.ends
        union all select t.end_time from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= y.starts - r.rpo and t.end_time < y.ends
        union all select t.end_time from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= y.starts - r.rpo and t.end_time < y.ends
        ) t
      ) e on true
    ) g
    offset 0
  ) x
  offset 0
) x
where x.counts_until > y.starts and x.first_end < y.ends;

-- By month and server, for auditors.
create view audit_monthly as
select a.month, b.name as backup_server_name, a.vms_protected, (10000 * (a.days_within_rpo) / nullif(a.days, 0)) / 100.0::float8 as rpo_pct,
  (10000 * (a.runs_good) / nullif(a.runs, 0)) / 100.0::float8 as job_success_pct, a.restores, (10000 * (a.restores_good) / nullif(a.restores, 0)) / 100.0::float8 as restore_success_pct,
  a.failover_tests, a.longest_gap_seconds / 3600 as longest_gap_hours
from (
  select u.month, u.backup_server_uid, sum(u.vms_protected)::bigint as vms_protected, sum(u.days_within_rpo)::bigint as days_within_rpo, sum(u.days)::bigint as days, sum(u.runs_good)::bigint as runs_good, sum(u.runs)::bigint as runs, sum(u.restores_good)::bigint as restores_good, sum(u.restores)::bigint as restores, sum(u.failover_tests)::bigint as failover_tests,
    max(u.longest_gap_seconds) as longest_gap_seconds
  from (
    select m.month, m.backup_server_uid, count(*) filter (where m.is_protected) as vms_protected, sum(m.days_within_rpo) as days_within_rpo, sum(m.days) as days,
      0 as runs_good, 0 as runs, 0 as restores_good, 0 as restores, 0 as failover_tests, max(m.longest_gap_seconds) as longest_gap_seconds
    from machine_months m group by m.month, m.backup_server_uid
    union all
    select y.month, r.backup_server_uid, 0, 0, 0, r.good, r.runs, 0, 0, 0, null::bigint
    from months y cross join lateral (
      select r.backup_server_uid, count(*) filter (where r.result in ('Success', 'Warning')) as good, count(*) as runs
      from ended_runs r where r.creation_time >= y.starts and r.creation_time < y.ends group by r.backup_server_uid
    ) r
    union all
    select y.month, r.backup_server_uid, 0, 0, 0, 0, 0, count(*) filter (where r.result in ('Success', 'Warning')), count(*), 0, null::bigint
    from months y join restore_sessions r on r.creation_time >= y.starts and r.creation_time < y.ends
    where r.end_time is not null and r.state in ('Stopped') group by y.month, r.backup_server_uid
    union all
    select y.month, r.backup_server_uid, 0, 0, 0, 0, 0, 0, 0, count(*) filter (where o.action = 'test'), null::bigint
    from months y join cloud_failover_sessions r on r.creation_time >= y.starts and r.creation_time < y.ends
    left join failover_operations o on o.session_uid = r.uid
    where r.end_time is not null and r.state in ('Stopped') group by y.month, r.backup_server_uid
  ) u
  group by u.month, u.backup_server_uid
) a
left join backup_servers b on b.uid = a.backup_server_uid;

-- As before, by the clock that the reports go by.
create or replace view sync_freshness as
select e.name as em_name, m.kind, b.name as backup_server_name, m.creation_mark, m.end_mark, m.scanned_at,
  case when (select as_of from report_clock) < m.scanned_at then 0 else floor(extract(epoch from (select as_of from report_clock) - m.scanned_at))::bigint end as lag_seconds,
  case when (select as_of from report_clock) < greatest(m.creation_mark, m.end_mark) then 0 else floor(extract(epoch from (select as_of from report_clock) - greatest(m.creation_mark, m.end_mark)))::bigint end as data_age_seconds,
  (select max(s.finished_at) from sync_sweeps s where s.em_id = m.em_id and s.kind = m.kind) as last_sweep_at,
  (select count(*) from sync_rejects r where r.em_id = m.em_id and r.kind = m.kind) as rejects
from (
  select em_id, kind, backup_server_uid, max(case when field = 'creation' then mark end) as creation_mark,
    max(case when field = 'end' then mark end) as end_mark, max(scanned_at) as scanned_at
  from sync_marks group by em_id, kind, backup_server_uid
) m
join enterprise_managers e on e.id = m.em_id
left join backup_servers b on b.uid = m.backup_server_uid;

comment on view restore_audit is 'Restores; Enterprise Manager does not say who asked for them';
comment on column restore_audit.uid is 'The session';
comment on column restore_audit.vm_display_name is 'The machine';
comment on column restore_audit.restore_type is 'FileLevelRestore, RestoreVm, …, as the API spells it';
comment on column restore_audit.vm_restore_point_uid is 'The restore point that it read';
comment on column restore_audit.restore_point_time is 'When that was made, by its name, taken as UTC; null where the name has no time';
comment on column restore_audit.restore_point_age_seconds is 'How old it was when the restore started';
comment on column restore_audit.start_time is 'When it started';
comment on column restore_audit.end_time is 'When it ended; null while it runs';
comment on column restore_audit.duration_seconds is 'Its length; null while it runs';
comment on column restore_audit.result is 'Its result';
comment on column restore_audit.message is 'Why it failed or warned';
comment on column restore_audit.backup_server_name is 'The backup server''s name';
comment on view daily_results is 'Sessions that ended, by the UTC day on which they started, server and type; workers'' and children''s runs are left out';
comment on column daily_results.day is 'The UTC day';
comment on column daily_results.backup_server_name is 'The backup server''s name';
comment on column daily_results.kind is 'The API''s query type';
comment on column daily_results.runs is 'Sessions that ended';
comment on column daily_results.success is 'Of them with Success';
comment on column daily_results.warning is 'Of them with Warning';
comment on column daily_results.failed is 'Of them failed';
comment on column daily_results.total_size_bytes is 'Sum of TotalSize; null for types that have none';
comment on column daily_results.total_duration_seconds is 'Sum of their lengths';
comment on column daily_results.longest_duration_seconds is 'The longest of them';
comment on view months is 'Months of history, up to now';
comment on column months.month is 'The first day of the month';
comment on column months.starts is 'When it begins, UTC';
comment on column months.ends is 'When it ends, or now';
comment on view machine_months is 'How each machine was protected in each month';
comment on column machine_months.month is 'The first day of the month';
comment on column machine_months.backup_server_uid is 'The backup server';
comment on column machine_months.vm_display_name is 'Name of the machine';
comment on column machine_months.is_protected is 'Whether an attempt with Success or Warning ended in it';
comment on column machine_months.days is 'Ends of days from its first attempt until 30 days after its last';
comment on column machine_months.days_within_rpo is 'Of them those at which the last good end was no older than the RPO';
comment on column machine_months.longest_gap_seconds is 'The longest time without a good end that reaches into the month';
comment on view audit_monthly is 'What an auditor asks, by month and server';
comment on column audit_monthly.month is 'The first day of the month';
comment on column audit_monthly.backup_server_name is 'The backup server''s name';
comment on column audit_monthly.vms_protected is 'Machines with a good end in the month';
comment on column audit_monthly.rpo_pct is 'Days of machines at whose end the last good end was within the RPO, in percent of all days of machines, cut to two decimals';
comment on column audit_monthly.job_success_pct is 'Runs of jobs with Success or Warning, in percent, cut to two decimals';
comment on column audit_monthly.restores is 'Restores that ended';
comment on column audit_monthly.restore_success_pct is 'Of them with Success or Warning, in percent, cut to two decimals';
comment on column audit_monthly.failover_tests is 'Tests of cloud failover plans that vemsync sent; Enterprise Manager does not tell tests apart';
comment on column audit_monthly.longest_gap_hours is 'The longest time that a machine was without a good end, in whole hours';
