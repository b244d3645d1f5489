-- A row a job and UTC day: what came of it, once retries are counted in.
select
  d.day,
  d.job_uid,
  d.job_name,
  s.job_type,
  d.backup_server_name,
  d.runs,
  d.retries,
  d.resulting_result,
  d.resulting_result in ('Success', 'Warning') as was_good,
  d.resulting_result in ('Success', 'Warning') and d.retries > 0 as was_good_after_retry,
  d.tasks_good,
  d.tasks_failed
from {{ source('vemsync', 'job_daily_results') }} d
left join {{ source('vemsync', 'job_status') }} s on s.job_uid = d.job_uid
where d.runs > 0
