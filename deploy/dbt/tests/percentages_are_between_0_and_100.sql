with percentages as (
  select 'job_status.success_pct_7d' as of_what, success_pct_7d as pct from {{ source('vemsync', 'job_status') }}
  union all
  select 'job_status.success_pct_strict_7d', success_pct_strict_7d from {{ source('vemsync', 'job_status') }}
  union all
  select 'job_status.success_pct_30d', success_pct_30d from {{ source('vemsync', 'job_status') }}
  union all
  select 'job_status.success_pct_strict_30d', success_pct_strict_30d from {{ source('vemsync', 'job_status') }}
  union all
  select 'cdp_status.good_pct_30d', good_pct_30d from {{ source('vemsync', 'cdp_status') }}
  union all
  select 'audit_monthly.rpo_pct', rpo_pct from {{ source('vemsync', 'audit_monthly') }}
  union all
  select 'audit_monthly.job_success_pct', job_success_pct from {{ source('vemsync', 'audit_monthly') }}
  union all
  select 'audit_monthly.restore_success_pct', restore_success_pct from {{ source('vemsync', 'audit_monthly') }}
)
select of_what, pct
from percentages
where pct not between 0 and 100
