-- What proves the copy: sweeps, doubts, leases, and the trail of observed changes.

create table sync_sweeps (
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  scope text not null,
  range_start timestamptz not null,
  range_end timestamptz not null,
  reached timestamptz not null,
  rows_compared bigint not null,
  rows_missing bigint not null,
  rows_different bigint not null,
  rows_absent bigint not null,
  max_lateness_seconds bigint,
  started_at timestamptz not null,
  finished_at timestamptz,
  updated_at timestamptz not null,
  primary key (em_id, kind, started_at)
);

create table sync_doubts (
  em_id bigint not null references enterprise_managers (id),
  kind text not null,
  uid uuid not null,
  doubt text not null,
  swept_at timestamptz not null,
  sweeps bigint not null,
  seen_at timestamptz not null,
  primary key (em_id, kind, uid, doubt)
);

create table sync_leases (
  em_id bigint primary key references enterprise_managers (id),
  holder text not null,
  term bigint not null,
  expires_at timestamptz not null
);

create table session_transitions (
  id bigint generated always as identity primary key,
  kind text not null,
  uid uuid not null,
  observed_at timestamptz not null,
  from_state text not null,
  to_state text not null,
  from_result text not null,
  to_result text not null
);
create index session_transitions_kind_uid on session_transitions (kind, uid, observed_at);

-- A name may be longer than an entry of an index may be, and a server has few plans.
drop index cloud_failover_plans_backup_server_uid_name;
create index cloud_failover_plans_backup_server_uid on cloud_failover_plans (backup_server_uid);

alter table enterprise_managers add column went_back_at timestamptz;
alter table sync_marks add column widened_seconds bigint not null default 0;
alter table sync_backfills add column floor timestamptz;

create view sync_freshness as
select e.name as em_name, m.kind, b.name as backup_server_name, m.creation_mark, m.end_mark, m.scanned_at,
  floor(extract(epoch from now() - m.scanned_at))::bigint as lag_seconds,
  floor(extract(epoch from now() - greatest(m.creation_mark, m.end_mark)))::bigint as data_age_seconds,
  (select max(s.finished_at) from sync_sweeps s where s.em_id = m.em_id and s.kind = m.kind) as last_sweep_at,
  (select count(*) from sync_rejects r where r.em_id = m.em_id and r.kind = m.kind) as rejects
from (
  select em_id, kind, backup_server_uid, max(case when field = 'creation' then mark end) as creation_mark,
    max(case when field = 'end' then mark end) as end_mark, max(scanned_at) as scanned_at
  from sync_marks group by em_id, kind, backup_server_uid
) m
join enterprise_managers e on e.id = m.em_id
left join backup_servers b on b.uid = m.backup_server_uid;

comment on table sync_sweeps is 'Sweeps: what is stored, compared with what Enterprise Manager lists, slice by slice from the newest down';
comment on column sync_sweeps.em_id is 'The Enterprise Manager';
comment on column sync_sweeps.kind is 'The API''s query type';
comment on column sync_sweeps.scope is 'recent (the last 48 hours), full (down to the floor of history) or verify (asked for by a person)';
comment on column sync_sweeps.range_start is 'Where it ends: the first second that it compares';
comment on column sync_sweeps.range_end is 'Where it began';
comment on column sync_sweeps.reached is 'Everything from here to range_end is compared';
comment on column sync_sweeps.rows_compared is 'Rows compared so far';
comment on column sync_sweeps.rows_missing is 'Rows that the source had, that were not stored, and that the next pass would not have read';
comment on column sync_sweeps.rows_different is 'Ended rows that were stored with other values than the source had';
comment on column sync_sweeps.rows_absent is 'Stored rows that the source did not list and that were not marked before';
comment on column sync_sweeps.max_lateness_seconds is 'How far below its stream''s mark the latest of the rows found was; null where none was';
comment on column sync_sweeps.started_at is 'When it began';
comment on column sync_sweeps.finished_at is 'When it was done; null while it is not';
comment on column sync_sweeps.updated_at is 'When it last came further';
comment on table sync_doubts is 'What one sweep saw and another has to confirm before it counts, of sessions and of what they hang below';
comment on column sync_doubts.em_id is 'The Enterprise Manager';
comment on column sync_doubts.kind is 'The API''s query type';
comment on column sync_doubts.uid is 'The row';
comment on column sync_doubts.doubt is 'absent (the source did not list it) or reopened (the source says that it runs again)';
comment on column sync_doubts.swept_at is 'When the sweep began that saw it last';
comment on column sync_doubts.sweeps is 'How many sweeps in a row saw it so';
comment on column sync_doubts.seen_at is 'When it was first seen so, by Enterprise Manager''s clock';
comment on table sync_leases is 'Which instance may write for an Enterprise Manager';
comment on column sync_leases.em_id is 'The Enterprise Manager';
comment on column sync_leases.holder is 'The instance: host, process and a number of its own';
comment on column sync_leases.term is 'Counts the holders; a transaction of an older term writes nothing';
comment on column sync_leases.expires_at is 'When it ends unless it is renewed';
comment on table session_transitions is 'Each observed change of state or result of a session that was first seen open, and each reopening';
comment on column session_transitions.id is 'Identity in this database';
comment on column session_transitions.kind is 'The API''s query type';
comment on column session_transitions.uid is 'The session';
comment on column session_transitions.observed_at is 'When this program saw the change';
comment on column session_transitions.from_state is 'The state before';
comment on column session_transitions.to_state is 'The state after';
comment on column session_transitions.from_result is 'The result before';
comment on column session_transitions.to_result is 'The result after';
comment on column enterprise_managers.went_back_at is 'When it was last found to show older data than before, as after a restore from a backup';
comment on column sync_marks.widened_seconds is 'The overlap that rows which came late made necessary; 0 if none did';
comment on column sync_backfills.floor is 'How far down it is to go where that is settled; null where the settings say';
comment on view sync_freshness is 'How current the copy is, per Enterprise Manager, session type and backup server';
comment on column sync_freshness.em_name is 'The Enterprise Manager''s name';
comment on column sync_freshness.kind is 'The API''s query type';
comment on column sync_freshness.backup_server_name is 'The backup server; null for rows that name none';
comment on column sync_freshness.creation_mark is 'The newest start that is stored';
comment on column sync_freshness.end_mark is 'The newest end that is stored';
comment on column sync_freshness.scanned_at is 'When the stream was last read to its end';
comment on column sync_freshness.lag_seconds is 'Seconds since it was last read to its end';
comment on column sync_freshness.data_age_seconds is 'Seconds since the newest start or end that is stored';
comment on column sync_freshness.last_sweep_at is 'When the last sweep of the session type was done';
comment on column sync_freshness.rejects is 'Records of the session type that could not be stored';
