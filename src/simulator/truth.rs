//! What a correct database must hold: written from the contract of the tables, not from the collector's code.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ticks::Ticks;
use super::types::{Kind, ParentType};
use super::world::{Moment, Oddities, Session, View, World};

/// A row by column; `None` is null.
///
/// UIDs are lower case with hyphens, times `YYYY-MM-DDTHH:MM:SS.ffffffZ`, booleans `true` and `false`.
pub type Row = BTreeMap<&'static str, Option<String>>;

impl World {
    /// The rows of a session type's table, without the columns that the collector fills on its own account.
    ///
    /// # Panics
    /// When there is no such type.
    #[must_use]
    pub fn expected(&self, kind: &str, now: DateTime<Utc>) -> Vec<Row> {
        let kind = Kind::named(kind).expect("one of the eight session types");
        let moment = self.at(Ticks::from_utc(now));
        let table = self.table(kind);
        let ids = table.by_creation.iter().filter_map(|id| table.row(*id));
        ids.filter_map(|row| self.expected_row(row, &moment)).collect()
    }

    fn expected_row(&self, row: &Session, moment: &Moment) -> Option<Row> {
        let view = row.view(moment.shows(row)?);
        let plain = Oddities::default();
        let odd = row.more.as_deref().unwrap_or(&plain);
        if odd.broken.is_some() {
            return None;
        }
        let server_uid = (!odd.no_server_link).then(|| self.servers[row.server].uid);
        let mut columns = Row::from([
            ("uid", uid(Some(row.uid))),
            ("backup_server_uid", uid(server_uid)),
            ("name", text(&self.name_of(row))),
            ("creation_time", Some(row.creation.canonical())),
            ("end_time", view.end.map(Ticks::canonical)),
            ("state", text(view.state)),
            ("result", Some(view.result.unwrap_or("None").to_owned())),
            ("extra", extra(odd)),
        ]);
        let message = row.message.as_deref().filter(|_| view.says_why).and_then(text);
        let vm = row.vm.map(|vm| &self.vms[vm]);
        let progress = view.progress.map(|n| n.to_string());
        let job = self.stored_job_uid(row);
        let job_name = self.job_of(row).and_then(|(_, name)| text(name));
        let parent = row.kind.parent().zip(row.parent).and_then(|(kind, uid)| self.table(kind).get(uid));
        let parents_job = parent.filter(|parent| moment.shows(parent).is_some()).and_then(|p| self.stored_job_uid(p));
        let size = if view.finished { row.size_bytes } else { 0 };
        let made = row.point.filter(|_| view.finished);
        columns.extend(match row.kind {
            Kind::BackupJobSession | Kind::ReplicaJobSession => vec![
                ("job_uid", uid(job)),
                ("job_name", job_name),
                ("job_type", text(row.job_type)),
                ("progress", progress),
                ("failure_message", message),
                ("is_retry", Some(row.is_retry.to_string())),
            ],
            Kind::CdpReplicaSession => vec![
                ("policy_uid", uid(job)),
                ("policy_name", job_name),
                ("policy_type", text(row.job_type)),
                ("progress", progress),
                ("failure_message", message),
                ("is_retry", Some(row.is_retry.to_string())),
            ],
            Kind::BackupTaskSession | Kind::ReplicaTaskSession => vec![
                ("job_session_uid", uid(row.parent)),
                ("job_uid", uid(parents_job)),
                ("vm_display_name", vm.and_then(|vm| text(&vm.name))),
                ("reason", message),
                ("total_size_bytes", Some(size.to_string())),
            ],
            Kind::CdpReplicaTaskSession => vec![
                ("policy_session_uid", uid(row.parent)),
                ("policy_uid", uid(parents_job)),
                ("vm_display_name", vm.and_then(|vm| text(&vm.name))),
                ("reason", message),
                ("total_size_bytes", Some(size.to_string())),
            ],
            Kind::RestoreSession => vec![
                ("restore_type", text(row.job_type)),
                ("vm_display_name", vm.and_then(|vm| text(&vm.name))),
                ("restored_obj_ref", vm.and_then(|vm| text(&vm.reference))),
                ("progress", progress),
                ("failure_message", message),
                ("vm_restore_point_uid", uid(row.point)),
                ("vm_restore_point_name", row.point.and(odd.point_name.as_deref()).and_then(text)),
            ],
            Kind::CloudFailoverSession => vec![
                ("job_type", text(row.job_type)),
                ("cloud_failover_plan_name", odd.plan_name.as_deref().and_then(text)),
                ("cloud_failover_plan_uid", uid(self.proven_plan(row, odd, moment))),
                ("progress", progress),
                ("failure_message", message),
            ],
        });
        match row.kind {
            Kind::BackupJobSession => {
                columns.insert("restore_point_uids", points(if view.finished { &odd.points } else { &[] }));
            }
            Kind::BackupTaskSession => {
                columns.insert("vm_ref", vm.and_then(|vm| text(&vm.reference)));
                columns.insert("vm_restore_point_uid", uid(made));
            }
            Kind::ReplicaTaskSession => {
                columns.insert("vm_ref", None);
                columns.insert("vm_replica_point_uid", uid(made));
            }
            _ => {}
        }
        Some(columns)
    }

    /// The job as the session itself tells it: in an element, or else in a link.
    fn stored_job_uid(&self, row: &Session) -> Option<Uuid> {
        let silent = row.more.as_deref().is_some_and(|odd| odd.no_job_link && odd.no_job_uid);
        self.job_of(row).filter(|_| !silent).map(|(uid, _)| uid)
    }

    /// The only plan of that name on the server.
    fn proven_plan(&self, row: &Session, odd: &Oddities, moment: &Moment) -> Option<Uuid> {
        if odd.no_server_link {
            return None;
        }
        let name = odd.plan_name.as_deref().unwrap_or(&row.label);
        let mut plans = self
            .plans
            .iter()
            .filter(|plan| plan.server == row.server && *plan.name == *name && moment.knows_server(plan.server));
        let plan = plans.next()?;
        plans.next().is_none().then_some(plan.uid)
    }

    /// The rows of `cloud_failover_task_sessions`: what each visible session lists now.
    #[must_use]
    pub fn expected_inner(&self, now: DateTime<Utc>) -> Vec<Row> {
        let moment = self.at(Ticks::from_utc(now));
        let mut rows = Vec::new();
        for session in self.sessions(Kind::CloudFailoverSession) {
            let Some(view) = moment.shows(session).map(|collected| session.view(collected)) else { continue };
            if session.more.as_deref().is_some_and(|odd| odd.broken.is_some()) {
                continue;
            }
            for (position, task) in session.shown_inner(view).into_iter().enumerate() {
                let View { state, result, end, progress, says_why, .. } = task.view(view.collected);
                rows.push(Row::from([
                    ("session_uid", uid(Some(session.uid))),
                    ("task_position", Some(position.to_string())),
                    ("vm_name", text(&task.vm_name)),
                    ("vm_replica_point_uid", uid(task.point)),
                    ("creation_time", Some(task.creation.canonical())),
                    ("end_time", end.map(Ticks::canonical)),
                    ("state", text(state)),
                    ("result", result.map(str::to_owned)),
                    ("progress", progress.map(|n| n.to_string())),
                    ("failure_message", task.message.as_deref().filter(|_| says_why).and_then(text)),
                ]));
            }
        }
        rows
    }

    /// The rows of `backup_servers`, `jobs`, `cdp_policies` or `cloud_failover_plans` that are listed at `now`.
    ///
    /// # Panics
    /// When there is no such table.
    #[must_use]
    pub fn expected_parents(&self, table: &str, now: DateTime<Utc>) -> Vec<Row> {
        let moment = self.at(Ticks::from_utc(now));
        let server = |at: usize| uid(Some(self.servers[at].uid));
        match table {
            "backup_servers" => self
                .parents(&moment, ParentType::BackupServer)
                .into_iter()
                .map(|at| &self.servers[at])
                .map(|row| {
                    Row::from([
                        ("uid", uid(Some(row.uid))),
                        ("name", text(&row.name)),
                        ("description", text(&row.description)),
                        ("port", Some(row.port.to_string())),
                        ("version", text(&row.version)),
                    ])
                })
                .collect(),
            "jobs" => [ParentType::Job, ParentType::AgentBackupJob, ParentType::NasJob]
                .into_iter()
                .flat_map(|kind| self.parents(&moment, kind))
                .map(|at| &self.jobs[at])
                .map(|row| {
                    Row::from([
                        ("uid", uid(Some(row.uid))),
                        ("backup_server_uid", server(row.server)),
                        ("name", text(&row.name)),
                        ("job_type", text(row.job_type)),
                        ("platform", text(row.platform)),
                        ("description", text(&row.description)),
                        ("schedule_configured", Some(row.schedule_configured.to_string())),
                        ("schedule_enabled", Some(row.schedule_enabled.to_string())),
                        ("next_run", row.next_run.map(Ticks::canonical)),
                    ])
                })
                .collect(),
            "cdp_policies" => self
                .parents(&moment, ParentType::CdpPolicy)
                .into_iter()
                .map(|at| &self.policies[at])
                .map(|row| {
                    Row::from([
                        ("uid", uid(Some(row.uid))),
                        ("backup_server_uid", server(row.server)),
                        ("name", text(&row.name)),
                        ("policy_type", text("CdpReplica")),
                        ("platform", text("VMware")),
                        ("description", text(&row.description)),
                        ("schedule_configured", text("true")),
                        ("schedule_enabled", Some(row.schedule_enabled.to_string())),
                        ("next_run", row.next_run.map(Ticks::canonical)),
                    ])
                })
                .collect(),
            "cloud_failover_plans" => self
                .parents(&moment, ParentType::CloudFailoverPlan)
                .into_iter()
                .map(|at| &self.plans[at])
                .map(|row| {
                    Row::from([
                        ("uid", uid(Some(row.uid))),
                        ("backup_server_uid", server(row.server)),
                        ("name", text(&row.name)),
                        ("tenant_uid", uid(Some(row.tenant_uid))),
                        ("tenant_name", text(&row.tenant_name)),
                        ("description", text(&row.description)),
                    ])
                })
                .collect(),
            other => panic!("no table of parents is called {other}"),
        }
    }
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn uid(uid: Option<Uuid>) -> Option<String> {
    uid.map(|uid| uid.to_string())
}

fn points(points: &[Uuid]) -> Option<String> {
    let mut sorted: Vec<String> = points.iter().map(Uuid::to_string).collect();
    sorted.sort();
    (!sorted.is_empty()).then(|| serde_json::to_string(&sorted).expect("strings"))
}

fn extra(odd: &Oddities) -> Option<String> {
    let parts: BTreeMap<&str, &str> =
        odd.elements.iter().chain(&odd.attributes).map(|(key, value)| (key.as_str(), value.as_str())).collect();
    (!parts.is_empty()).then(|| serde_json::to_string(&parts).expect("strings"))
}
