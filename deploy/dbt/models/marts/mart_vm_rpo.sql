-- A row a machine, over all that protects it: one way of protection within its RPO is enough.
select
  backup_server_uid,
  backup_server_name,
  vm_display_name,
  count(*) as protections,
  string_agg(protection, ', ' order by protection) as protected_by,
  bool_or(within_rpo) as within_rpo,
  max(last_good_end_time) as last_good_end_time,
  min(hours_since_good) as hours_since_good,
  max(last_attempt_end_time) as last_attempt_end_time,
  min(consecutive_failures) as consecutive_failures
from {{ source('vemsync', 'vm_protection') }}
group by backup_server_uid, backup_server_name, vm_display_name
