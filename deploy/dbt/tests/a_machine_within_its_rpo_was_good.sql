select *
from {{ ref('mart_vm_rpo') }}
where within_rpo and last_good_end_time is null
