//! What people did: three restores, the rehearsal of a failover, and the failover.

use std::sync::Arc;

use super::super::super::ticks::Ticks;
use super::super::super::types::Kind;
use super::super::super::world::{InnerTask, Oddities, Outcome, Plan};
use super::super::{DAY, Fleet, HOUR};
use super::MINUTE;

/// The failover plan of a fleet with a story: tested 20 days before the end of its history, started 6 days before.
pub const STORY_PLAN: &str = "Head office failover";

/// The machine that came up with a warning, and with which.
const NO_ADDRESS: (usize, &str) =
    (2, "The machine runs, but its network adapter has no address: no rule maps VLAN 240");

struct Restore {
    vm: &'static str,
    /// So long before the end of the history.
    ago_secs: i64,
    secs: i64,
    is_of_files: bool,
    /// The restore point is at least so old.
    point_age_secs: i64,
    failure: Option<&'static str>,
}

const RESTORES: [Restore; 3] = [
    Restore {
        vm: "office-print-01",
        ago_secs: 11 * DAY + 2 * HOUR,
        secs: 7 * MINUTE,
        is_of_files: false,
        point_age_secs: 0,
        failure: Some("Cannot register the machine on host esx-04.corp.example: its resource pool does not exist"),
    },
    Restore {
        vm: "shop-search-01",
        ago_secs: 4 * DAY + 5 * HOUR,
        secs: 52 * MINUTE,
        is_of_files: false,
        point_age_secs: 0,
        failure: None,
    },
    Restore {
        vm: "office-file-01",
        ago_secs: 9 * HOUR,
        secs: 5 * HOUR + 20 * MINUTE,
        is_of_files: true,
        point_age_secs: 3 * DAY,
        failure: None,
    },
];

impl Fleet {
    pub(super) fn told_restores(&mut self) {
        for restore in RESTORES {
            let at = self.now.plus_secs(-restore.ago_secs).plus(self.fraction());
            if at >= self.from {
                self.told_restore(&restore, at);
            }
        }
    }

    fn told_restore(&mut self, restore: &Restore, at: Ticks) {
        let Some(vm) = self.world.vms.iter().position(|vm| *vm.name == *restore.vm) else { return };
        let tasks = self.world.table(Kind::BackupTaskSession).rows.iter().rev().flatten();
        let of_vm = |task: &&super::super::Session| task.vm == Some(vm);
        let Some(server) = tasks.clone().find(of_vm).map(|task| task.server) else { return };
        let made_by = at.plus_secs(-restore.point_age_secs);
        let made = tasks.filter(of_vm).find(|task| task.end < made_by && task.point.is_some());
        let (point, made) = made.map_or((None, None), |task| (task.point, Some(task.end)));
        let end = at.plus_secs(restore.secs).plus(self.fraction());
        let mut session = self.session(Kind::RestoreSession, server, at, end);
        let name = Arc::clone(&self.world.vms[vm].name);
        session.more =
            made.and_then(|made| Fleet::odd(|odd| odd.point_name = Some(format!("{name}@{}", made.in_name(false)))));
        (session.label, session.job_type) = if restore.is_of_files {
            (format!("FLR_[{name}]").into(), "FileLevelRestore")
        } else {
            (name, "RestoreVm")
        };
        (session.vm, session.point) = (Some(vm), point);
        if let Some(reason) = restore.failure {
            (session.outcome, session.message) = (Outcome::Failed, Some(reason.into()));
        }
        self.world.add(session);
    }

    pub(super) fn rehearsed_failover(&mut self, server: usize) {
        let (uid, tenant_uid) = (self.world.new_uid(), self.world.new_uid());
        let names = ["head-dc-01", "head-erp-01", "head-file-01", "head-mail-01"];
        let plan = Plan {
            uid,
            server,
            name: STORY_PLAN.into(),
            tenant_uid,
            tenant_name: "Head office".to_owned(),
            description: "The domain first, then the rest".to_owned(),
            vms: names.map(|name| (self.world.new_uid(), name.to_owned())).into(),
        };
        for (ago_secs, warning) in [(20 * DAY + 3 * HOUR, None), (6 * DAY + 4 * HOUR, Some(NO_ADDRESS))] {
            let at = self.now.plus_secs(-ago_secs).plus(self.fraction());
            if at >= self.from {
                self.told_failover(&plan, at, warning);
            }
        }
        self.world.plans.push(plan);
    }

    fn told_failover(&mut self, plan: &Plan, at: Ticks, warning: Option<(usize, &str)>) {
        let mut session = self.session(Kind::CloudFailoverSession, plan.server, at, at);
        let mut odd = Oddities { plan_name: Some(plan.name.to_string()), ..Oddities::default() };
        for (n, (_, vm_name)) in plan.vms.iter().enumerate() {
            let creation = at.plus_secs(self.rng.i64(4..40)).plus(self.fraction());
            let end = creation.plus_secs(self.rng.i64(6 * MINUTE..25 * MINUTE)).plus(self.fraction());
            let message = warning.filter(|(vm, _)| *vm == n).map(|(_, message)| message.to_owned());
            let outcome = if message.is_some() { Outcome::Warning } else { Outcome::Success };
            let point = Some(self.world.new_uid());
            odd.inner.push(InnerTask { vm_name: vm_name.clone(), point, creation, end, outcome, message });
            (session.end, session.outcome) = (session.end.max(end.plus_secs(2)), session.outcome.max(outcome));
        }
        (session.label, session.job_type) = (Arc::clone(&plan.name), "FailoverPlan");
        session.message = warning.map(|_| format!("1 of {} machines started with a warning", plan.vms.len()).into());
        session.more = Some(Box::new(odd));
        self.world.add(session);
    }
}
