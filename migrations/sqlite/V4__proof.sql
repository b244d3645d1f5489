-- What proves the copy: sweeps, doubts, leases, and the trail of observed changes.

create table sync_sweeps (
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  scope TEXT not null,
  range_start TEXT not null,
  range_end TEXT not null,
  reached TEXT not null,
  rows_compared INTEGER not null,
  rows_missing INTEGER not null,
  rows_different INTEGER not null,
  rows_absent INTEGER not null,
  max_lateness_seconds INTEGER,
  started_at TEXT not null,
  finished_at TEXT,
  updated_at TEXT not null,
  primary key (em_id, kind, started_at)
) strict;

create table sync_doubts (
  em_id INTEGER not null references enterprise_managers (id),
  kind TEXT not null,
  uid TEXT not null,
  doubt TEXT not null,
  swept_at TEXT not null,
  sweeps INTEGER not null,
  seen_at TEXT not null,
  primary key (em_id, kind, uid, doubt)
) strict;

create table sync_leases (
  em_id INTEGER primary key references enterprise_managers (id),
  holder TEXT not null,
  term INTEGER not null,
  expires_at TEXT not null
) strict;

create table session_transitions (
  id INTEGER PRIMARY KEY,
  kind TEXT not null,
  uid TEXT not null,
  observed_at TEXT not null,
  from_state TEXT not null,
  to_state TEXT not null,
  from_result TEXT not null,
  to_result TEXT not null
) strict;
create index session_transitions_kind_uid on session_transitions (kind, uid, observed_at);

-- A name may be longer than an entry of an index may be, and a server has few plans.
drop index cloud_failover_plans_backup_server_uid_name;
create index cloud_failover_plans_backup_server_uid on cloud_failover_plans (backup_server_uid);

alter table enterprise_managers add column went_back_at TEXT;
alter table sync_marks add column widened_seconds INTEGER not null default 0;
alter table sync_backfills add column floor TEXT;

create view sync_freshness as
select e.name as em_name, m.kind, b.name as backup_server_name, m.creation_mark, m.end_mark, m.scanned_at,
  cast(strftime('%s', 'now') as integer) - cast(strftime('%s', m.scanned_at) as integer) as lag_seconds,
  cast(strftime('%s', 'now') as integer) - cast(strftime('%s', max(coalesce(m.creation_mark, m.end_mark), coalesce(m.end_mark, m.creation_mark))) as integer) as data_age_seconds,
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
  ('sync_sweeps', null, null, 'Sweeps: what is stored, compared with what Enterprise Manager lists, slice by slice from the newest down'),
  ('sync_sweeps', 'em_id', null, 'The Enterprise Manager'),
  ('sync_sweeps', 'kind', null, 'The API''s query type'),
  ('sync_sweeps', 'scope', null, 'recent (the last 48 hours), full (down to the floor of history) or verify (asked for by a person)'),
  ('sync_sweeps', 'range_start', null, 'Where it ends: the first second that it compares'),
  ('sync_sweeps', 'range_end', null, 'Where it began'),
  ('sync_sweeps', 'reached', null, 'Everything from here to range_end is compared'),
  ('sync_sweeps', 'rows_compared', null, 'Rows compared so far'),
  ('sync_sweeps', 'rows_missing', null, 'Rows that the source had, that were not stored, and that the next pass would not have read'),
  ('sync_sweeps', 'rows_different', null, 'Ended rows that were stored with other values than the source had'),
  ('sync_sweeps', 'rows_absent', null, 'Stored rows that the source did not list and that were not marked before'),
  ('sync_sweeps', 'max_lateness_seconds', null, 'How far below its stream''s mark the latest of the rows found was; null where none was'),
  ('sync_sweeps', 'started_at', null, 'When it began'),
  ('sync_sweeps', 'finished_at', null, 'When it was done; null while it is not'),
  ('sync_sweeps', 'updated_at', null, 'When it last came further'),
  ('sync_doubts', null, null, 'What one sweep saw and another has to confirm before it counts, of sessions and of what they hang below'),
  ('sync_doubts', 'em_id', null, 'The Enterprise Manager'),
  ('sync_doubts', 'kind', null, 'The API''s query type'),
  ('sync_doubts', 'uid', null, 'The row'),
  ('sync_doubts', 'doubt', null, 'absent (the source did not list it) or reopened (the source says that it runs again)'),
  ('sync_doubts', 'swept_at', null, 'When the sweep began that saw it last'),
  ('sync_doubts', 'sweeps', null, 'How many sweeps in a row saw it so'),
  ('sync_doubts', 'seen_at', null, 'When it was first seen so, by Enterprise Manager''s clock'),
  ('sync_leases', null, null, 'Which instance may write for an Enterprise Manager'),
  ('sync_leases', 'em_id', null, 'The Enterprise Manager'),
  ('sync_leases', 'holder', null, 'The instance: host, process and a number of its own'),
  ('sync_leases', 'term', null, 'Counts the holders; a transaction of an older term writes nothing'),
  ('sync_leases', 'expires_at', null, 'When it ends unless it is renewed'),
  ('session_transitions', null, null, 'Each observed change of state or result of a session that was first seen open, and each reopening'),
  ('session_transitions', 'id', null, 'Identity in this database'),
  ('session_transitions', 'kind', null, 'The API''s query type'),
  ('session_transitions', 'uid', null, 'The session'),
  ('session_transitions', 'observed_at', null, 'When this program saw the change'),
  ('session_transitions', 'from_state', null, 'The state before'),
  ('session_transitions', 'to_state', null, 'The state after'),
  ('session_transitions', 'from_result', null, 'The result before'),
  ('session_transitions', 'to_result', null, 'The result after'),
  ('enterprise_managers', 'went_back_at', null, 'When it was last found to show older data than before, as after a restore from a backup'),
  ('sync_marks', 'widened_seconds', null, 'The overlap that rows which came late made necessary; 0 if none did'),
  ('sync_backfills', 'floor', null, 'How far down it is to go where that is settled; null where the settings say'),
  ('sync_freshness', null, null, 'How current the copy is, per Enterprise Manager, session type and backup server'),
  ('sync_freshness', 'em_name', null, 'The Enterprise Manager''s name'),
  ('sync_freshness', 'kind', null, 'The API''s query type'),
  ('sync_freshness', 'backup_server_name', null, 'The backup server; null for rows that name none'),
  ('sync_freshness', 'creation_mark', 'TEXT', 'The newest start that is stored'),
  ('sync_freshness', 'end_mark', 'TEXT', 'The newest end that is stored'),
  ('sync_freshness', 'scanned_at', 'TEXT', 'When the stream was last read to its end'),
  ('sync_freshness', 'lag_seconds', 'INTEGER', 'Seconds since it was last read to its end'),
  ('sync_freshness', 'data_age_seconds', 'INTEGER', 'Seconds since the newest start or end that is stored'),
  ('sync_freshness', 'last_sweep_at', 'TEXT', 'When the last sweep of the session type was done'),
  ('sync_freshness', 'rejects', 'INTEGER', 'Records of the session type that could not be stored');
