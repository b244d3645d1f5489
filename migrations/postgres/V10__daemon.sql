-- What the daemon must remember across its own restarts: refused logons, because accounts lock, and whether Enterprise
-- Manager itself still collects.

alter table enterprise_managers
  add column collected_at timestamptz,
  add column collect_state text,
  add column collect_message text,
  add column collect_asked_at timestamptz;

create table sync_refusals (
  id bigint generated always as identity primary key,
  em_name text not null,
  refused_at timestamptz not null,
  credentials text not null,
  message text not null
);
create index sync_refusals_em_name on sync_refusals (em_name, refused_at);

comment on column enterprise_managers.collected_at is 'When it last finished collecting from its backup servers';
comment on column enterprise_managers.collect_state is 'State of its newest collection, as the API spells it';
comment on column enterprise_managers.collect_message is 'What its newest collection says';
comment on column enterprise_managers.collect_asked_at is 'When it was last asked for its collections';
comment on table sync_refusals is 'Logons of the daemon that were refused since one last succeeded; accounts lock';
comment on column sync_refusals.id is 'Identity in this database';
comment on column sync_refusals.em_name is 'The Enterprise Manager''s name in the configuration';
comment on column sync_refusals.refused_at is 'When';
comment on column sync_refusals.credentials is 'Tells a changed account or password from the refused one: a random number, and a byte of a hash of both';
comment on column sync_refusals.message is 'What it said';
