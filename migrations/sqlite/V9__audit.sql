-- What auditors ask: restores, failovers, days and months; and how current all of it is.

-- A restore point is named after its machine and its time, with or without a fraction of a second; a name that is not
-- gives no time.
create view restore_audit as
select s.uid, s.vm_display_name, s.restore_type, s.vm_restore_point_uid, s.restore_point_time,
  max(0, cast(strftime('%s', substr(s.start_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.restore_point_time, 1, 19)) as integer)
       - (substr(s.start_time, 21, 6) < substr(s.restore_point_time, 21, 6))) as restore_point_age_seconds,
  s.start_time, s.end_time, s.duration_seconds, s.result, s.message, b.name as backup_server_name
from (
  select s.*,
    case when substr(s.named, -20, 1) = '@' and substr(s.named, -19) glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]'
        and substr(s.named, -19) >= '0001' and strftime('%Y-%m-%d %H:%M:%S', substr(s.named, -19)) = substr(s.named, -19)
      then replace(substr(s.named, -19), ' ', 'T') || '.' || substr(s.fraction || '000000', 1, 6) || 'Z' end as restore_point_time
  from (
    select s.*,
      case when s.bare like '%.' then substr(s.bare, 1, length(s.bare) - 1) else s.vm_restore_point_name end as named,
      case when s.bare like '%.' then substr(s.vm_restore_point_name, length(s.bare) + 1) else '' end as fraction
    from (
      select s.uid, s.vm_display_name, s.restore_type, s.vm_restore_point_uid, s.creation_time as start_time, s.end_time,
        case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
        s.result, s.failure_message as message, s.backup_server_uid,
        s.vm_restore_point_name, rtrim(s.vm_restore_point_name, '0123456789') as bare
      from restore_sessions s
    ) s
  ) s
) s
left join backup_servers b on b.uid = s.backup_server_uid;

-- As before, with durations that are never negative.
drop view failover_audit;

create view failover_audit as
select s.uid as session_uid, coalesce(s.cloud_failover_plan_name, s.name) as plan_name,
  coalesce(o.plan_uid, s.cloud_failover_plan_uid) as plan_uid,
  o.action, o.requested_by, o.reason, o.requested_at, o.task_id,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6))) end as duration_seconds,
  s.result, t.vm_name, t.result as vm_result,
  case when t.end_time is not null then max(0, cast(strftime('%s', substr(t.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(t.creation_time, 1, 19)) as integer)
       - (substr(t.end_time, 21, 6) < substr(t.creation_time, 21, 6))) end as vm_duration_seconds
from cloud_failover_sessions s
left join failover_operations o on o.session_uid = s.uid
left join cloud_failover_task_sessions t on t.session_uid = s.uid;

-- What ended, by the day on which it started.
create view daily_results as
select u.day, b.name as backup_server_name, u.kind, u.runs, u.success, u.warning, u.failed, u.total_size_bytes, u.total_duration_seconds, u.longest_duration_seconds
from (
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'BackupJobSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from backup_job_sessions s where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'ReplicaJobSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from replica_job_sessions s where s.end_time is not null and s.state in ('Stopped') and coalesce(s.job_type, (select j.job_type from jobs j where j.uid = s.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'BackupTaskSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, case when sum(s.total_size_bytes >> 24) < 549755813888 then (sum(s.total_size_bytes >> 24) << 24) + sum(s.total_size_bytes & 16777215) when count(s.total_size_bytes) > 0 then 9223372036854775807 end as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from backup_task_sessions s where s.end_time is not null and s.state in ('Completed')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'ReplicaTaskSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, case when sum(s.total_size_bytes >> 24) < 549755813888 then (sum(s.total_size_bytes >> 24) << 24) + sum(s.total_size_bytes & 16777215) when count(s.total_size_bytes) > 0 then 9223372036854775807 end as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from replica_task_sessions s where s.end_time is not null and s.state in ('Completed')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'RestoreSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from restore_sessions s where s.end_time is not null and s.state in ('Stopped')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'CloudFailoverSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from cloud_failover_sessions s where s.end_time is not null and s.state in ('Stopped')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'CdpReplicaSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, null as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from cdp_replica_sessions s where s.end_time is not null and s.state in ('Stopped')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
  union all
  select substr(s.creation_time, 1, 10) as day, s.backup_server_uid, 'CdpReplicaTaskSession' as kind, count(*) as runs,
    count(*) filter (where s.result = 'Success') as success, count(*) filter (where s.result = 'Warning') as warning,
    count(*) filter (where s.result = 'Failed') as failed, case when sum(s.total_size_bytes >> 24) < 549755813888 then (sum(s.total_size_bytes >> 24) << 24) + sum(s.total_size_bytes & 16777215) when count(s.total_size_bytes) > 0 then 9223372036854775807 end as total_size_bytes,
    sum(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as total_duration_seconds, max(max(0, cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)))) as longest_duration_seconds
  from cdp_replica_task_sessions s where s.end_time is not null and s.state in ('Completed')
  group by substr(s.creation_time, 1, 10), s.backup_server_uid
) u
left join backup_servers b on b.uid = u.backup_server_uid;

-- Months of history, up to now.
create view months as
with recursive g (month) as (
  select * from (select substr(min(coalesce((select min(creation_time) from backup_job_sessions), '9999'), coalesce((select min(creation_time) from replica_job_sessions), '9999'), coalesce((select min(creation_time) from backup_task_sessions), '9999'), coalesce((select min(creation_time) from replica_task_sessions), '9999'), coalesce((select min(creation_time) from restore_sessions), '9999'), coalesce((select min(creation_time) from cloud_failover_sessions), '9999'), coalesce((select min(creation_time) from cdp_replica_sessions), '9999'), coalesce((select min(creation_time) from cdp_replica_task_sessions), '9999')), 1, 7) || '-01' as month) where month <= (select as_of from report_clock)
  union all
  select strftime('%Y-%m-%d', month, '+1 month') from g where strftime('%Y-%m-%d', month, '+1 month') <= (select as_of from report_clock)
)
select month, month || 'T00:00:00.000000Z' as starts,
  min(strftime('%Y-%m-%d', month, '+1 month') || 'T00:00:00.000000Z', (select as_of from report_clock)) as ends
from g;

-- A machine counts on the days from its first attempt until 30 days after its last (or its RPO, if that is longer), and a
-- day is within RPO if a good attempt ended no longer than the RPO before the day's end.
-- Nothing is doubled here: `distinct` keeps what is looked up from being looked up again for every use of it.
create view machine_months as
select x.month, x.backup_server_uid, x.vm_display_name, x.good > 0 as is_protected,
  max(0, (x.counts_until) / 86400000000 - (max(x.starts_us + 1, x.first_end) - 1) / 86400000000) as days,
  coalesce(x.days_within, 0) as days_within_rpo,
  max(0, coalesce(x.longest, 0),
    case when x.first_in > x.first_good then 0 else coalesce(x.first_in - coalesce(x.good_before, x.first_end), 0) end,
    coalesce(x.counts_until - coalesce(x.last_good, x.good_before, x.first_end), 0)
  ) / 1000000 as longest_gap_seconds
from (
  select distinct x.month, x.starts, x.starts_us, x.ends_us, x.backup_server_uid, x.vm_display_name, x.good, x.first_good, x.first_in, x.last_good, x.longest, x.days_within,
    case when x.first_good < x.starts_us then x.starts_us else (cast(strftime('%s', substr(x.first_end, 1, 19)) as integer) * 1000000 + cast(substr(x.first_end, 21, 6) as integer)) end as first_end,
    case when x.first_good < x.starts_us then x.first_good else (cast(strftime('%s', substr(x.good_before, 1, 19)) as integer) * 1000000 + cast(substr(x.good_before, 21, 6) as integer)) end as good_before,
    min(x.ends_us, coalesce(case when x.last_good >= x.ends_us - x.counts_us then x.ends_us else x.counts_us + (cast(strftime('%s', substr(x.last_end, 1, 19)) as integer) * 1000000 + cast(substr(x.last_end, 21, 6) as integer)) end, x.starts_us)) as counts_until
  from (
    select distinct m.*,
      json_extract(m.g, '$[0]') as good, json_extract(m.g, '$[1]') as first_good, json_extract(m.g, '$[2]') as last_good,
      json_extract(m.g, '$[3]') as first_in, json_extract(m.g, '$[4]') as longest, json_extract(m.g, '$[5]') as days_within,
      case when json_extract(m.g, '$[1]') < m.starts_us then null
        when exists (select 1 from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts) or exists (select 1 from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts) or exists (select 1 from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts) or exists (select 1 from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts) or exists (select 1 from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts) or exists (select 1 from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts) then m.starts
        else nullif(min(coalesce((select min(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.starts and t.end_time < m.ends), '9999'), coalesce((select min(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.starts and t.end_time < m.ends), '9999'), coalesce((select min(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.starts and t.end_time < m.ends), '9999'), coalesce((select min(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.starts and t.end_time < m.ends), '9999'), coalesce((select min(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.starts and t.end_time < m.ends), '9999'), coalesce((select min(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.starts and t.end_time < m.ends), '9999')), '9999') end as first_end,
      case when json_extract(m.g, '$[1]') < m.starts_us then null
        else nullif(max(coalesce((select max(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts), ''), coalesce((select max(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts), ''), coalesce((select max(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.starts), '')), '') end as good_before,
      case when json_extract(m.g, '$[2]') >= m.ends_us - m.counts_us then null
        else nullif(max(coalesce((select max(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.ends), ''), coalesce((select max(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.ends), ''), coalesce((select max(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.ends), ''), coalesce((select max(t.end_time) from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.ends), ''), coalesce((select max(t.end_time) from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.ends), ''), coalesce((select max(t.end_time) from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result not in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < m.ends), '')), '') end as last_end
    from (
      select distinct m.*, m.rpo_hours * 3600000000 as rpo_us, max(m.rpo_hours * 3600000000, 2592000000000) as counts_us,
        (
          select json_array(count(*) filter (where e.at >= m.starts_us), min(e.at), max(e.at), min(e.at) filter (where e.at >= m.starts_us),
            max(e.next_at - e.at) filter (where e.next_at >= m.starts_us),
            sum(max(0, (min(coalesce(e.next_at - 1, m.ends_us), e.at + m.rpo_hours * 3600000000, m.ends_us)) / 86400000000 - (max(e.at, m.starts_us + 1) - 1) / 86400000000)))
          from (
            select e.at, lead(e.at) over (order by e.at) as next_at from (
              select (cast(strftime('%s', substr(t.end_time, 1, 19)) as integer) * 1000000 + cast(substr(t.end_time, 21, 6) as integer)) as at from (
            select t.end_time from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.range_starts and t.end_time < m.ends
            union all select t.end_time from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.range_starts and t.end_time < m.ends
            union all select t.end_time from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time >= m.range_starts and t.end_time < m.ends
              ) t
            ) e
          ) e
        ) as g
      from (
        select distinct m.*, strftime('%Y-%m-%dT%H:%M:%S', substr(m.starts, 1, 19), '-' || m.rpo_hours || ' hours') || '.000000Z' as range_starts
        from (
          select distinct y.month, y.starts, y.ends, (cast(strftime('%s', substr(y.starts, 1, 19)) as integer) * 1000000 + cast(substr(y.starts, 21, 6) as integer)) as starts_us, (cast(strftime('%s', substr(y.ends, 1, 19)) as integer) * 1000000 + cast(substr(y.ends, 21, 6) as integer)) as ends_us, m.vm_display_name, m.backup_server_uid,
            case when (select count(*) from report_settings) > 1 then coalesce((
      select s.rpo_hours from (
        select * from (select t.end_time, (select f.family_uid from job_families f where f.job_uid = t.job_uid) as family_uid from backup_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends order by t.end_time desc limit 1) a0
        union all select * from (select t.end_time, (select f.family_uid from job_families f where f.job_uid = t.job_uid) as family_uid from replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends order by t.end_time desc limit 1) a1
        union all select * from (select t.end_time, t.policy_uid as family_uid from cdp_replica_task_sessions t where t.end_time is not null and t.state in ('Completed') and t.result in ('Success', 'Warning') and t.backup_server_uid is not null and length(t.vm_display_name) <= 500 and t.vm_display_name = m.vm_display_name and t.backup_server_uid = m.backup_server_uid and t.end_time < y.ends order by t.end_time desc limit 1) a2
      ) a left join report_settings s on s.job_uid = a.family_uid order by a.end_time desc limit 1
    ), coalesce((select e.rpo_hours from report_settings e where e.job_uid = '00000000-0000-0000-0000-000000000000'), 24)) else coalesce((select e.rpo_hours from report_settings e where e.job_uid = '00000000-0000-0000-0000-000000000000'), 24) end as rpo_hours
          from months y
          cross join (select distinct vm_display_name, backup_server_uid from machines) m
        ) m
      ) m
    ) m
  ) x
) x
where x.counts_until > x.starts_us and x.first_end < x.ends_us;

-- By month and server, for auditors.
-- Partitions again, so that a condition on the month reaches the machines.
create view audit_monthly as
select a.month, b.name as backup_server_name, a.vms_protected, (10000 * (a.days_within_rpo) / nullif(a.days, 0)) / 100.0 as rpo_pct,
  (10000 * (a.runs_good) / nullif(a.runs, 0)) / 100.0 as job_success_pct, a.restores, (10000 * (a.restores_good) / nullif(a.restores, 0)) / 100.0 as restore_success_pct,
  a.failover_tests, a.longest_gap_seconds / 3600 as longest_gap_hours
from (
select u.month, u.backup_server_uid, row_number() over (partition by u.month, u.backup_server_uid) as place,
  sum(u.vms_protected) over (partition by u.month, u.backup_server_uid) as vms_protected,
  sum(u.days_within_rpo) over (partition by u.month, u.backup_server_uid) as days_within_rpo,
  sum(u.days) over (partition by u.month, u.backup_server_uid) as days,
  sum(u.runs_good) over (partition by u.month, u.backup_server_uid) as runs_good,
  sum(u.runs) over (partition by u.month, u.backup_server_uid) as runs,
  sum(u.restores_good) over (partition by u.month, u.backup_server_uid) as restores_good,
  sum(u.restores) over (partition by u.month, u.backup_server_uid) as restores,
  sum(u.failover_tests) over (partition by u.month, u.backup_server_uid) as failover_tests,
  max(u.longest_gap_seconds) over (partition by u.month, u.backup_server_uid) as longest_gap_seconds
from (
  select m.month, m.backup_server_uid, m.is_protected as vms_protected, m.days_within_rpo, m.days,
    0 as runs_good, 0 as runs, 0 as restores_good, 0 as restores, 0 as failover_tests, m.longest_gap_seconds
  from machine_months m
  union all
  select y.month, r.backup_server_uid, 0, 0, 0, r.result in ('Success', 'Warning'), 1, 0, 0, 0, null
  from months y join backup_job_sessions r on r.creation_time >= y.starts and r.creation_time < y.ends
  where r.end_time is not null and r.state in ('Stopped') and coalesce(r.job_type, (select j.job_type from jobs j where j.uid = r.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
  union all
  select y.month, r.backup_server_uid, 0, 0, 0, r.result in ('Success', 'Warning'), 1, 0, 0, 0, null
  from months y join replica_job_sessions r on r.creation_time >= y.starts and r.creation_time < y.ends
  where r.end_time is not null and r.state in ('Stopped') and coalesce(r.job_type, (select j.job_type from jobs j where j.uid = r.job_uid), '') not in ('ImmediateBackupCopyWorker', 'AgentManagement')
  union all
  select y.month, r.backup_server_uid, 0, 0, 0, 0, 0, r.result in ('Success', 'Warning'), 1, 0, null
  from months y join restore_sessions r on r.creation_time >= y.starts and r.creation_time < y.ends
  where r.end_time is not null and r.state in ('Stopped')
  union all
  select y.month, r.backup_server_uid, 0, 0, 0, 0, 0, 0, 0, coalesce(o.action = 'test', 0), null
  from months y join cloud_failover_sessions r on r.creation_time >= y.starts and r.creation_time < y.ends
  left join failover_operations o on o.session_uid = r.uid
  where r.end_time is not null and r.state in ('Stopped')
) u
) a
left join backup_servers b on b.uid = a.backup_server_uid
where a.place = 1;

-- As before, by the clock that the reports go by.
drop view sync_freshness;
create view sync_freshness as
select e.name as em_name, m.kind, b.name as backup_server_name, m.creation_mark, m.end_mark, m.scanned_at,
  max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(m.scanned_at, 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(m.scanned_at, 21, 6))) as lag_seconds,
  max(0, cast(strftime('%s', substr((select as_of from report_clock), 1, 19)) as integer) - cast(strftime('%s', substr(max(coalesce(m.creation_mark, m.end_mark), coalesce(m.end_mark, m.creation_mark)), 1, 19)) as integer)
       - (substr((select as_of from report_clock), 21, 6) < substr(max(coalesce(m.creation_mark, m.end_mark), coalesce(m.end_mark, m.creation_mark)), 21, 6))) as data_age_seconds,
  (select max(s.finished_at) from sync_sweeps s where s.em_id = m.em_id and s.kind = m.kind) as last_sweep_at,
  (select count(*) from sync_rejects r where r.em_id = m.em_id and r.kind = m.kind) as rejects
from (
  select em_id, kind, backup_server_uid, max(case when field = 'creation' then mark end) as creation_mark,
    max(case when field = 'end' then mark end) as end_mark, max(scanned_at) as scanned_at
  from sync_marks group by em_id, kind, backup_server_uid
) m
join enterprise_managers e on e.id = m.em_id
left join backup_servers b on b.uid = m.backup_server_uid;

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('restore_audit', null, null, 'Restores; Enterprise Manager does not say who asked for them'),
  ('restore_audit', 'uid', null, 'The session'),
  ('restore_audit', 'vm_display_name', null, 'The machine'),
  ('restore_audit', 'restore_type', null, 'FileLevelRestore, RestoreVm, …, as the API spells it'),
  ('restore_audit', 'vm_restore_point_uid', null, 'The restore point that it read'),
  ('restore_audit', 'restore_point_time', 'TEXT', 'When that was made, by its name, taken as UTC; null where the name has no time'),
  ('restore_audit', 'restore_point_age_seconds', 'INTEGER', 'How old it was when the restore started'),
  ('restore_audit', 'start_time', null, 'When it started'),
  ('restore_audit', 'end_time', null, 'When it ended; null while it runs'),
  ('restore_audit', 'duration_seconds', 'INTEGER', 'Its length; null while it runs'),
  ('restore_audit', 'result', null, 'Its result'),
  ('restore_audit', 'message', null, 'Why it failed or warned'),
  ('restore_audit', 'backup_server_name', null, 'The backup server''s name'),
  ('daily_results', null, null, 'Sessions that ended, by the UTC day on which they started, server and type; workers'' and children''s runs are left out'),
  ('daily_results', 'day', 'TEXT', 'The UTC day'),
  ('daily_results', 'backup_server_name', null, 'The backup server''s name'),
  ('daily_results', 'kind', 'TEXT', 'The API''s query type'),
  ('daily_results', 'runs', 'INTEGER', 'Sessions that ended'),
  ('daily_results', 'success', 'INTEGER', 'Of them with Success'),
  ('daily_results', 'warning', 'INTEGER', 'Of them with Warning'),
  ('daily_results', 'failed', 'INTEGER', 'Of them failed'),
  ('daily_results', 'total_size_bytes', 'INTEGER', 'Sum of TotalSize; null for types that have none'),
  ('daily_results', 'total_duration_seconds', 'INTEGER', 'Sum of their lengths'),
  ('daily_results', 'longest_duration_seconds', 'INTEGER', 'The longest of them'),
  ('months', null, null, 'Months of history, up to now'),
  ('months', 'month', 'TEXT', 'The first day of the month'),
  ('months', 'starts', 'TEXT', 'When it begins, UTC'),
  ('months', 'ends', 'TEXT', 'When it ends, or now'),
  ('machine_months', null, null, 'How each machine was protected in each month'),
  ('machine_months', 'month', null, 'The first day of the month'),
  ('machine_months', 'backup_server_uid', null, 'The backup server'),
  ('machine_months', 'vm_display_name', null, 'Name of the machine'),
  ('machine_months', 'is_protected', 'INTEGER', 'Whether an attempt with Success or Warning ended in it'),
  ('machine_months', 'days', 'INTEGER', 'Ends of days from its first attempt until 30 days after its last'),
  ('machine_months', 'days_within_rpo', 'INTEGER', 'Of them those at which the last good end was no older than the RPO'),
  ('machine_months', 'longest_gap_seconds', 'INTEGER', 'The longest time without a good end that reaches into the month'),
  ('audit_monthly', null, null, 'What an auditor asks, by month and server'),
  ('audit_monthly', 'month', null, 'The first day of the month'),
  ('audit_monthly', 'backup_server_name', null, 'The backup server''s name'),
  ('audit_monthly', 'vms_protected', 'INTEGER', 'Machines with a good end in the month'),
  ('audit_monthly', 'rpo_pct', 'REAL', 'Days of machines at whose end the last good end was within the RPO, in percent of all days of machines, cut to two decimals'),
  ('audit_monthly', 'job_success_pct', 'REAL', 'Runs of jobs with Success or Warning, in percent, cut to two decimals'),
  ('audit_monthly', 'restores', 'INTEGER', 'Restores that ended'),
  ('audit_monthly', 'restore_success_pct', 'REAL', 'Of them with Success or Warning, in percent, cut to two decimals'),
  ('audit_monthly', 'failover_tests', 'INTEGER', 'Tests of cloud failover plans that vemsync sent; Enterprise Manager does not tell tests apart'),
  ('audit_monthly', 'longest_gap_hours', 'INTEGER', 'The longest time that a machine was without a good end, in whole hours');
