-- Cloud failover actions that were sent through this program, and each step of them.

create table failover_operations (
  id INTEGER PRIMARY KEY,
  em_id INTEGER not null references enterprise_managers (id),
  plan_uid TEXT not null,
  plan_name TEXT not null,
  backup_server_uid TEXT,
  tenant_name TEXT,
  action TEXT not null,
  restore_point_before TEXT,
  plan_fingerprint TEXT not null,
  request TEXT not null,
  state TEXT not null,
  requested_by TEXT not null,
  requested_on TEXT not null,
  reason TEXT not null,
  requested_at TEXT not null,
  sent_at TEXT,
  task_id TEXT,
  session_uid TEXT,
  result TEXT,
  message TEXT,
  finished_at TEXT,
  updated_at TEXT not null
) strict;
-- Of what may have changed the world, a plan has one at the most until it is known how it ended.
create unique index failover_operations_open on failover_operations (plan_uid) where state in ('confirmed', 'sending', 'accepted', 'running', 'unknown');
create unique index failover_operations_session_uid on failover_operations (session_uid);

create table failover_events (
  id INTEGER PRIMARY KEY,
  operation_id INTEGER not null references failover_operations (id),
  observed_at TEXT not null,
  state TEXT not null,
  what TEXT not null
) strict;
create index failover_events_operation_id on failover_events (operation_id, id);

create view failover_audit as
select s.uid as session_uid, coalesce(s.cloud_failover_plan_name, s.name) as plan_name,
  coalesce(o.plan_uid, s.cloud_failover_plan_uid) as plan_uid,
  o.action, o.requested_by, o.reason, o.requested_at, o.task_id,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then cast(strftime('%s', substr(s.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(s.creation_time, 1, 19)) as integer)
       - (substr(s.end_time, 21, 6) < substr(s.creation_time, 21, 6)) end as duration_seconds,
  s.result, t.vm_name, t.result as vm_result,
  case when t.end_time is not null then cast(strftime('%s', substr(t.end_time, 1, 19)) as integer) - cast(strftime('%s', substr(t.creation_time, 1, 19)) as integer)
       - (substr(t.end_time, 21, 6) < substr(t.creation_time, 21, 6)) end as vm_duration_seconds
from cloud_failover_sessions s
left join failover_operations o on o.session_uid = s.uid
left join cloud_failover_task_sessions t on t.session_uid = s.uid;

insert into schema_comments (table_name, column_name, computed_type, description) values
  ('failover_operations', null, null, 'Cloud failover actions that were sent through vemsync'),
  ('failover_operations', 'id', null, 'The operation; `vemsync failover status` takes it'),
  ('failover_operations', 'em_id', null, 'The Enterprise Manager'),
  ('failover_operations', 'plan_uid', null, 'The cloud failover plan'),
  ('failover_operations', 'plan_name', null, 'Its name when it was shown'),
  ('failover_operations', 'backup_server_uid', null, 'The backup server that has the plan'),
  ('failover_operations', 'tenant_name', null, 'The tenant when it was shown'),
  ('failover_operations', 'action', null, 'start, test or undo'),
  ('failover_operations', 'restore_point_before', null, 'Restore points from before this were asked for; null for the latest'),
  ('failover_operations', 'plan_fingerprint', null, 'A hash of the plan as it was shown'),
  ('failover_operations', 'request', null, 'The request: method, path and body'),
  ('failover_operations', 'state', null, 'prepared, confirmed, sending, accepted, running, finished, rejected or unknown'),
  ('failover_operations', 'requested_by', null, 'The user of the operating system'),
  ('failover_operations', 'requested_on', null, 'The machine'),
  ('failover_operations', 'reason', null, 'Why, as it was given'),
  ('failover_operations', 'requested_at', null, 'When it was prepared'),
  ('failover_operations', 'sent_at', null, 'When the request was about to be sent, by Enterprise Manager''s clock'),
  ('failover_operations', 'task_id', null, 'Enterprise Manager''s task; it dies with the logon session that sent the request'),
  ('failover_operations', 'session_uid', null, 'The cloud failover session that came of it'),
  ('failover_operations', 'result', null, 'Success, Warning or Failed, once it is finished'),
  ('failover_operations', 'message', null, 'What was said last about it'),
  ('failover_operations', 'finished_at', null, 'When it was finished or rejected'),
  ('failover_operations', 'updated_at', null, 'When it last changed'),
  ('failover_events', null, null, 'Each step of a cloud failover action'),
  ('failover_events', 'id', null, 'The step'),
  ('failover_events', 'operation_id', null, 'The operation'),
  ('failover_events', 'observed_at', null, 'When it was observed'),
  ('failover_events', 'state', null, 'The operation''s state from then on'),
  ('failover_events', 'what', null, 'What happened'),
  ('failover_audit', null, null, 'Cloud failover sessions and their machines, with who asked for them and why'),
  ('failover_audit', 'session_uid', 'TEXT', 'The cloud failover session'),
  ('failover_audit', 'plan_name', 'TEXT', 'The plan''s name, as the session has it'),
  ('failover_audit', 'plan_uid', 'TEXT', 'The plan, where an operation or a unique name on that server proves it'),
  ('failover_audit', 'action', 'TEXT', 'start or test, where vemsync sent it; Enterprise Manager does not tell them apart'),
  ('failover_audit', 'requested_by', 'TEXT', 'Who asked for it, where vemsync sent it'),
  ('failover_audit', 'reason', 'TEXT', 'Why, where vemsync sent it'),
  ('failover_audit', 'requested_at', 'TEXT', 'When, where vemsync sent it'),
  ('failover_audit', 'task_id', 'TEXT', 'Enterprise Manager''s task, where vemsync sent it'),
  ('failover_audit', 'start_time', 'TEXT', 'When the session started'),
  ('failover_audit', 'end_time', 'TEXT', 'When it ended'),
  ('failover_audit', 'duration_seconds', 'INTEGER', 'Its length; null while it runs'),
  ('failover_audit', 'result', 'TEXT', 'Its result'),
  ('failover_audit', 'vm_name', 'TEXT', 'A machine of the failover; null where none is listed'),
  ('failover_audit', 'vm_result', 'TEXT', 'How the machine''s failover ended'),
  ('failover_audit', 'vm_duration_seconds', 'INTEGER', 'How long the machine''s failover took');
