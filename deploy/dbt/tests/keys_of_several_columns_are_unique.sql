with doubles as (
  select 'job_daily_results' as relation, day::text as first_column, job_uid::text as second_column, null as third_column, count(*) as times
  from {{ source('vemsync', 'job_daily_results') }}
  group by day, job_uid
  union all
  select 'vm_protection', backup_server_uid::text, vm_display_name, protection, count(*)
  from {{ source('vemsync', 'vm_protection') }}
  group by backup_server_uid, vm_display_name, protection
  union all
  select 'vm_daily_status', day::text, backup_server_uid::text, vm_display_name, count(*)
  from {{ source('vemsync', 'vm_daily_status') }}
  group by day, backup_server_uid, vm_display_name
  union all
  select 'size_growth', day::text, backup_server_uid::text, vm_display_name, count(*)
  from {{ source('vemsync', 'size_growth') }}
  group by day, backup_server_uid, vm_display_name
  union all
  select 'cloud_failover_task_sessions', session_uid::text, task_position::text, null, count(*)
  from {{ source('vemsync', 'cloud_failover_task_sessions') }}
  group by session_uid, task_position
  union all
  select 'mart_job_day', day::text, job_uid::text, null, count(*)
  from {{ ref('mart_job_day') }}
  group by day, job_uid
  union all
  select 'mart_vm_rpo', backup_server_uid::text, vm_display_name, null, count(*)
  from {{ ref('mart_vm_rpo') }}
  group by backup_server_uid, vm_display_name
)
select *
from doubles
where times > 1
