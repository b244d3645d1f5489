select *
from {{ source('vemsync', 'daily_results') }}
where runs <= 0 or success + warning + failed > runs
