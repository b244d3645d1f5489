//! The values of sessions and parents as filters and sorting see them.

use crate::simulator::filter::{self, Value};
use crate::simulator::types::{Field, ParentType};
use crate::simulator::world::{Session, View, World};

/// A value of a session as it looks now.
pub(super) fn session_value(world: &World, row: &Session, view: View, field: Field) -> Option<Value> {
    let text = |text: &str| (!text.is_empty()).then(|| Value::Text(text.to_owned()));
    let parent = || world.table(row.kind.parent()?).get(row.parent?);
    let holder = || if row.kind.is_task() { parent() } else { Some(row) };
    match field {
        Field::Uid => Some(Value::Uid(row.uid)),
        Field::Name => Some(Value::Text(world.name_of(row))),
        Field::JobType => Some(Value::Text(row.job_type.to_ascii_lowercase())),
        Field::JobUid => holder().and_then(|row| world.job_of(row)).map(|(uid, _)| Value::Uid(uid)),
        Field::JobName => holder().and_then(|row| world.job_of(row)).and_then(|(_, name)| text(name)),
        Field::Creation => Some(Value::Time(row.creation)),
        Field::End => view.end.map(Value::Time),
        Field::State => filter::state_rank(row.kind, view.state).map(Value::Rank),
        Field::Result => view.result.and_then(filter::result_rank).map(Value::Rank),
        Field::IsRetry => Some(Value::Bool(row.is_retry)),
        Field::ServerUid => Some(Value::Uid(world.servers[row.server].uid)),
        Field::ServerName => text(&world.servers[row.server].name),
        Field::Reason => row.message.as_deref().filter(|_| view.says_why).and_then(text),
        Field::TotalSize => Some(Value::Int(if view.finished { row.size_bytes } else { 0 })),
        Field::ParentSessionUid => row.parent.map(Value::Uid),
        Field::ParentSessionName => parent().map(|row| Value::Text(world.name_of(row))),
        Field::Vm => text(&world.vms[row.vm?].name),
        _ => None,
    }
}

/// A value of a parent.
pub(super) fn parent_value(world: &World, kind: ParentType, at: usize, field: Field) -> Option<Value> {
    let text = |text: &str| (!text.is_empty()).then(|| Value::Text(text.to_owned()));
    let server = |at: usize| match field {
        Field::ServerUid => Some(Value::Uid(world.servers[at].uid)),
        Field::ServerName => text(&world.servers[at].name),
        _ => None,
    };
    match kind {
        ParentType::BackupServer => {
            let row = &world.servers[at];
            match field {
                Field::Uid => Some(Value::Uid(row.uid)),
                Field::Name => text(&row.name),
                Field::Description => text(&row.description),
                Field::Port => Some(Value::Int(row.port)),
                Field::Version => text(&row.version),
                _ => None,
            }
        }
        ParentType::Job | ParentType::AgentBackupJob | ParentType::NasJob => {
            let row = &world.jobs[at];
            match field {
                Field::Uid => Some(Value::Uid(row.uid)),
                Field::Name => text(&row.name),
                Field::Description => text(&row.description),
                Field::NextRun => row.next_run.map(Value::Time),
                Field::JobType => text(&row.job_type.to_ascii_lowercase()),
                Field::Platform => text(&row.platform.to_ascii_lowercase()),
                Field::ScheduleConfigured => Some(Value::Bool(row.schedule_configured)),
                Field::ScheduleEnabled => Some(Value::Bool(row.schedule_enabled)),
                _ => server(row.server),
            }
        }
        ParentType::CdpPolicy => {
            let row = &world.policies[at];
            match field {
                Field::Uid => Some(Value::Uid(row.uid)),
                Field::Name => text(&row.name),
                Field::Description => text(&row.description),
                Field::NextRun => row.next_run.map(Value::Time),
                Field::ScheduleConfigured => Some(Value::Bool(true)),
                Field::ScheduleEnabled => Some(Value::Bool(row.schedule_enabled)),
                _ => server(row.server),
            }
        }
        ParentType::CloudFailoverPlan => {
            let row = &world.plans[at];
            match field {
                Field::Uid => Some(Value::Uid(row.uid)),
                Field::Name => text(&row.name),
                Field::Description => text(&row.description),
                Field::TenantUid => Some(Value::Uid(row.tenant_uid)),
                Field::TenantName => text(&row.tenant_name),
                _ => server(row.server),
            }
        }
    }
}
