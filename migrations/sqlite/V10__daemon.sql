-- What the daemon must remember across its own restarts: refused logons, because accounts lock, and whether Enterprise
-- Manager itself still collects.

alter table enterprise_managers add column collected_at TEXT;
alter table enterprise_managers add column collect_state TEXT;
alter table enterprise_managers add column collect_message TEXT;
alter table enterprise_managers add column collect_asked_at TEXT;

create table sync_refusals (
  id INTEGER PRIMARY KEY,
  em_name TEXT not null,
  refused_at TEXT not null,
  credentials TEXT not null,
  message TEXT not null
) strict;
create index sync_refusals_em_name on sync_refusals (em_name, refused_at);

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('enterprise_managers', 'collected_at', null, 'When it last finished collecting from its backup servers'),
  ('enterprise_managers', 'collect_state', null, 'State of its newest collection, as the API spells it'),
  ('enterprise_managers', 'collect_message', null, 'What its newest collection says'),
  ('enterprise_managers', 'collect_asked_at', null, 'When it was last asked for its collections'),
  ('sync_refusals', null, null, 'Logons of the daemon that were refused since one last succeeded; accounts lock'),
  ('sync_refusals', 'id', null, 'Identity in this database'),
  ('sync_refusals', 'em_name', null, 'The Enterprise Manager''s name in the configuration'),
  ('sync_refusals', 'refused_at', null, 'When'),
  ('sync_refusals', 'credentials', null, 'Tells a changed account or password from the refused one: a random number, and a byte of a hash of both'),
  ('sync_refusals', 'message', null, 'What it said');
