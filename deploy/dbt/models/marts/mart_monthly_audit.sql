-- A row a month and server, each beside its month before.
select
  month,
  backup_server_name,
  vms_protected,
  vms_protected - lag(vms_protected) over months as vms_protected_change,
  rpo_pct,
  round((rpo_pct - lag(rpo_pct) over months)::numeric, 2) as rpo_pct_change,
  job_success_pct,
  round((job_success_pct - lag(job_success_pct) over months)::numeric, 2) as job_success_pct_change,
  restores,
  restore_success_pct,
  failover_tests,
  longest_gap_hours
from {{ source('vemsync', 'audit_monthly') }}
window months as (partition by backup_server_name order by month)
