-- Cloud failover actions that were sent through this program, and each step of them.

create table failover_operations (
  id bigint generated always as identity primary key,
  em_id bigint not null references enterprise_managers (id),
  plan_uid uuid not null,
  plan_name text not null,
  backup_server_uid uuid,
  tenant_name text,
  action text not null,
  restore_point_before timestamptz,
  plan_fingerprint text not null,
  request text not null,
  state text not null,
  requested_by text not null,
  requested_on text not null,
  reason text not null,
  requested_at timestamptz not null,
  sent_at timestamptz,
  task_id text,
  session_uid uuid,
  result text,
  message text,
  finished_at timestamptz,
  updated_at timestamptz not null
);
-- Of what may have changed the world, a plan has one at the most until it is known how it ended.
create unique index failover_operations_open on failover_operations (plan_uid) where state in ('confirmed', 'sending', 'accepted', 'running', 'unknown');
create unique index failover_operations_session_uid on failover_operations (session_uid);

create table failover_events (
  id bigint generated always as identity primary key,
  operation_id bigint not null references failover_operations (id),
  observed_at timestamptz not null,
  state text not null,
  what text not null
);
create index failover_events_operation_id on failover_events (operation_id, id);

create view failover_audit as
select s.uid as session_uid, coalesce(s.cloud_failover_plan_name, s.name) as plan_name,
  coalesce(o.plan_uid, s.cloud_failover_plan_uid) as plan_uid,
  o.action, o.requested_by, o.reason, o.requested_at, o.task_id,
  s.creation_time as start_time, s.end_time,
  case when s.end_time is not null and s.state in ('Stopped') then floor(extract(epoch from s.end_time - s.creation_time))::bigint end as duration_seconds,
  s.result, t.vm_name, t.result as vm_result,
  case when t.end_time is not null then floor(extract(epoch from t.end_time - t.creation_time))::bigint end as vm_duration_seconds
from cloud_failover_sessions s
left join failover_operations o on o.session_uid = s.uid
left join cloud_failover_task_sessions t on t.session_uid = s.uid;

comment on table failover_operations is 'Cloud failover actions that were sent through vemsync';
comment on column failover_operations.id is 'The operation; `vemsync failover status` takes it';
comment on column failover_operations.em_id is 'The Enterprise Manager';
comment on column failover_operations.plan_uid is 'The cloud failover plan';
comment on column failover_operations.plan_name is 'Its name when it was shown';
comment on column failover_operations.backup_server_uid is 'The backup server that has the plan';
comment on column failover_operations.tenant_name is 'The tenant when it was shown';
comment on column failover_operations.action is 'start, test or undo';
comment on column failover_operations.restore_point_before is 'Restore points from before this were asked for; null for the latest';
comment on column failover_operations.plan_fingerprint is 'A hash of the plan as it was shown';
comment on column failover_operations.request is 'The request: method, path and body';
comment on column failover_operations.state is 'prepared, confirmed, sending, accepted, running, finished, rejected or unknown';
comment on column failover_operations.requested_by is 'The user of the operating system';
comment on column failover_operations.requested_on is 'The machine';
comment on column failover_operations.reason is 'Why, as it was given';
comment on column failover_operations.requested_at is 'When it was prepared';
comment on column failover_operations.sent_at is 'When the request was about to be sent, by Enterprise Manager''s clock';
comment on column failover_operations.task_id is 'Enterprise Manager''s task; it dies with the logon session that sent the request';
comment on column failover_operations.session_uid is 'The cloud failover session that came of it';
comment on column failover_operations.result is 'Success, Warning or Failed, once it is finished';
comment on column failover_operations.message is 'What was said last about it';
comment on column failover_operations.finished_at is 'When it was finished or rejected';
comment on column failover_operations.updated_at is 'When it last changed';
comment on table failover_events is 'Each step of a cloud failover action';
comment on column failover_events.id is 'The step';
comment on column failover_events.operation_id is 'The operation';
comment on column failover_events.observed_at is 'When it was observed';
comment on column failover_events.state is 'The operation''s state from then on';
comment on column failover_events.what is 'What happened';
comment on view failover_audit is 'Cloud failover sessions and their machines, with who asked for them and why';
comment on column failover_audit.session_uid is 'The cloud failover session';
comment on column failover_audit.plan_name is 'The plan''s name, as the session has it';
comment on column failover_audit.plan_uid is 'The plan, where an operation or a unique name on that server proves it';
comment on column failover_audit.action is 'start or test, where vemsync sent it; Enterprise Manager does not tell them apart';
comment on column failover_audit.requested_by is 'Who asked for it, where vemsync sent it';
comment on column failover_audit.reason is 'Why, where vemsync sent it';
comment on column failover_audit.requested_at is 'When, where vemsync sent it';
comment on column failover_audit.task_id is 'Enterprise Manager''s task, where vemsync sent it';
comment on column failover_audit.start_time is 'When the session started';
comment on column failover_audit.end_time is 'When it ended';
comment on column failover_audit.duration_seconds is 'Its length; null while it runs';
comment on column failover_audit.result is 'Its result';
comment on column failover_audit.vm_name is 'A machine of the failover; null where none is listed';
comment on column failover_audit.vm_result is 'How the machine''s failover ended';
comment on column failover_audit.vm_duration_seconds is 'How long the machine''s failover took';
