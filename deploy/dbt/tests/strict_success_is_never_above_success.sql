select job_uid, success_pct_strict_7d, success_pct_7d, success_pct_strict_30d, success_pct_30d
from {{ source('vemsync', 'job_status') }}
where success_pct_strict_7d > success_pct_7d or success_pct_strict_30d > success_pct_30d
