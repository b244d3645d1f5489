select uid, is_running, end_time, duration_seconds
from {{ source('vemsync', 'sessions') }}
where is_running <> (duration_seconds is null) or duration_seconds < 0
