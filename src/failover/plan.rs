//! Cloud failover plans and their sessions, as Enterprise Manager lists them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Error;
use crate::batch::{Batch, Values};
use crate::decode::{Decoded, decode};
use crate::em::query::{Filter, Form, Op, Operand, Sort};
use crate::em::{self, Client, Query};
use crate::kind::{Entity, position};
use crate::kinds::{self, PARENTS, common};

/// Rows to ask for in a request: plans are few, and each carries all of its settings.
const PAGE: u32 = 200;

/// A cloud failover plan, as far as it decides what an action does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Its identity.
    pub uid: Uuid,
    /// Its name, which need not be the only one of its kind.
    pub name: String,
    /// The backup server that has it.
    pub backup_server_uid: Option<Uuid>,
    /// How a link calls that server; no part of the fingerprint.
    pub backup_server_name: Option<String>,
    /// Whose it is.
    pub tenant_uid: Option<Uuid>,
    /// Their name.
    pub tenant_name: Option<String>,
    /// What somebody wrote about it.
    pub description: Option<String>,
    /// Its options: what is run before and after.
    pub options: BTreeMap<String, String>,
    /// Its machines, in the order in which they start.
    pub vms: Vec<PlanVm>,
}

/// A machine of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanVm {
    /// Its identity within the plan.
    pub failover_plan_vm_uid: Option<Uuid>,
    /// Its name.
    pub name: Option<String>,
    /// When it starts, among the others.
    pub boot_order: Option<i64>,
}

impl Plan {
    /// A hash of all that decides what an action does. Whoever gives it has seen the plan as it is now.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let seen = Self { backup_server_name: None, ..self.clone() };
        let text = serde_json::to_vec(&seen).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn of(batch: &Batch, row: usize) -> Self {
        let uid_of = |column| position(batch.entity.columns, column).and_then(|column| batch.uid_at(column, row));
        let text_of = |column| batch.text_of(column, row).map(str::to_owned);
        let extra: BTreeMap<String, serde_json::Value> =
            batch.extra.get(row).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let options = extra.into_iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("CloudFailoverPlanOptions.")?.to_owned();
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some((name, value)).filter(|(_, value)| !value.is_empty())
        });
        let server = uid_of("backup_server_uid");
        Self {
            uid: batch.uid(row),
            name: text_of("name").unwrap_or_default(),
            backup_server_uid: server,
            backup_server_name: server.and_then(|server| batch.link_names.get(&server).cloned()),
            tenant_uid: uid_of("tenant_uid"),
            tenant_name: text_of("tenant_name"),
            description: text_of("description"),
            options: options.collect(),
            vms: vms(batch, row),
        }
    }
}

/// The machines of one plan, by their order; as they were listed where that says nothing.
fn vms(batch: &Batch, owner: usize) -> Vec<PlanVm> {
    let (Some(inner), Some(kind)) = (&batch.inner, batch.entity.inner) else { return Vec::new() };
    let values = |name| position(kind.columns, name).map(|column| &inner.values[column]);
    let mut vms: Vec<PlanVm> = (0..inner.owners.len())
        .filter(|row| inner.owners[*row] == owner)
        .map(|row| PlanVm {
            failover_plan_vm_uid: match values("failover_plan_vm_uid") {
                Some(Values::Uid(values)) => values[row],
                _ => None,
            },
            name: match values("name") {
                Some(Values::Text(values)) => values.get(row).map(str::to_owned),
                _ => None,
            },
            boot_order: match values("boot_order") {
                Some(Values::Bigint(values)) => values[row],
                _ => None,
            },
        })
        .collect();
    vms.sort_by_key(|vm| vm.boot_order.unwrap_or(i64::MAX));
    vms
}

/// A cloud failover session as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its identity.
    pub uid: Uuid,
    /// Its backup server.
    pub backup_server_uid: Option<Uuid>,
    /// The plan's name, as the session has it.
    pub plan_name: String,
    /// When it started.
    pub creation_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// Starting, Working, Stopping or Stopped.
    pub state: String,
    /// Success, Warning or Failed; None while it runs.
    pub result: String,
    /// In percent.
    pub progress: Option<i64>,
    /// What went wrong.
    pub failure_message: Option<String>,
    /// Its machines.
    pub vms: Vec<SessionVm>,
}

/// A machine of a cloud failover session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionVm {
    /// Its name.
    pub name: String,
    /// Starting, Working or Stopped.
    pub state: String,
    /// How it ended.
    pub result: String,
    /// In percent.
    pub progress: Option<i64>,
    /// When it began.
    pub creation_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// What went wrong.
    pub failure_message: Option<String>,
}

impl Session {
    /// Whether nothing more comes of it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == "Stopped"
    }

    /// Whether it may be of a plan of this name on this server: it says no more of its plan.
    #[must_use]
    pub fn may_be_of(&self, plan_name: &str, backup_server_uid: Option<Uuid>) -> bool {
        self.plan_name == plan_name && self.backup_server_uid == backup_server_uid
    }

    fn of(batch: &Batch, row: usize) -> Self {
        let text_of = |column| batch.text_of(column, row).map(str::to_owned);
        let progress = position(batch.entity.columns, "progress").and_then(|column| match &batch.values[column] {
            Values::Bigint(values) => values[row],
            _ => None,
        });
        Self {
            uid: batch.uid(row),
            backup_server_uid: batch.uid_at(common::BACKUP_SERVER_UID, row),
            plan_name: text_of("cloud_failover_plan_name").or_else(|| text_of("name")).unwrap_or_default(),
            creation_time: batch.time_at(common::CREATION_TIME, row),
            end_time: batch.time_at(common::END_TIME, row),
            state: text_of("state").unwrap_or_default(),
            result: text_of("result").unwrap_or_default(),
            progress,
            failure_message: text_of("failure_message"),
            vms: session_vms(batch, row),
        }
    }
}

fn session_vms(batch: &Batch, owner: usize) -> Vec<SessionVm> {
    let (Some(inner), Some(kind)) = (&batch.inner, batch.entity.inner) else { return Vec::new() };
    let values = |name| position(kind.columns, name).map(|column| &inner.values[column]);
    let text = |name, row| match values(name) {
        Some(Values::Text(values)) => values.get(row).map(str::to_owned),
        _ => None,
    };
    let time = |name, row| match values(name) {
        Some(Values::Time(values)) => values[row],
        _ => None,
    };
    (0..inner.owners.len())
        .filter(|row| inner.owners[*row] == owner)
        .map(|row| SessionVm {
            name: text("vm_name", row).unwrap_or_default(),
            state: text("state", row).unwrap_or_default(),
            result: text("result", row).unwrap_or_default(),
            progress: match values("progress") {
                Some(Values::Bigint(values)) => values[row],
                _ => None,
            },
            creation_time: time("creation_time", row),
            end_time: time("end_time", row),
            failure_message: text("failure_message", row),
        })
        .collect()
}

/// Reads plans and sessions. It never sends an action.
pub struct Source {
    /// The client, with the account for failover actions.
    pub client: Client,
}

impl Source {
    /// All plans that the account sees.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn plans(&self) -> Result<Vec<Plan>, Error> {
        let Some(entity) = PARENTS.iter().find(|entity| entity.table == "cloud_failover_plans") else {
            return Ok(Vec::new());
        };
        let parts = self.read(*entity, None, Sort::Ascending("Name")).await?;
        Ok(parts.iter().flat_map(|part| (0..part.batch.len()).map(|row| Plan::of(&part.batch, row))).collect())
    }

    /// The sessions that were created since then, newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn sessions(&self, since: DateTime<Utc>) -> Result<Vec<Session>, Error> {
        let filter = Filter::Compare("CreationTime", Op::GreaterOrEqual, Operand::Second(since));
        let parts = self.read(session_entity(), Some(filter), Sort::Descending("CreationTime")).await?;
        Ok(parts.iter().flat_map(|part| (0..part.batch.len()).map(|row| Session::of(&part.batch, row))).collect())
    }

    /// One session as it is now, with its row as the sync stores it; `None` where it is not listed.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn session(&self, uid: Uuid) -> Result<Option<(Session, Decoded)>, Error> {
        let filter = Filter::uids("UID", &[uid]);
        let parts = self.read(session_entity(), Some(filter), Sort::Descending("CreationTime")).await?;
        let found = parts.into_iter().find(|part| part.batch.uids().eq([uid]));
        Ok(found.map(|part| (Session::of(&part.batch, 0), part)))
    }

    async fn read(&self, entity: Entity, filter: Option<Filter>, sort: Sort) -> Result<Vec<Decoded>, Error> {
        let mut parts = Vec::new();
        loop {
            let page = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
            let query = Query {
                kind: entity.name,
                form: Form::Entities,
                filter: filter.clone(),
                sort: Some(sort),
                page_size: PAGE,
                page,
            };
            let accept = |body: &[u8]| {
                let decoded = decode(entity, body)?;
                query.check(decoded.paging, decoded.records)?;
                Ok(decoded)
            };
            let decoded = self.client.query(&query, accept).await.map_err(Error::Source)?;
            let pages = decoded.paging.pages;
            parts.push(decoded);
            if page >= pages {
                return Ok(parts);
            }
        }
    }
}

/// The entry of cloud failover sessions.
pub(super) fn session_kind() -> &'static crate::kind::SessionKind {
    kinds::kind("CloudFailoverSession").expect("one of the eight")
}

fn session_entity() -> Entity {
    session_kind().entity()
}

/// The plan that a person named: by UID, or by a name that only one of them has.
///
/// # Errors
/// What is wrong with the name, with the candidates.
pub fn choose<'a, T>(given: &str, plans: &'a [(T, Plan)]) -> Result<&'a (T, Plan), Error> {
    let uid = Uuid::try_parse(given.trim_start_matches("urn:veeam:CloudFailoverPlan:")).ok();
    let found: Vec<&(T, Plan)> = match uid {
        Some(uid) => plans.iter().filter(|(_, plan)| plan.uid == uid).collect(),
        None => plans.iter().filter(|(_, plan)| plan.name == given).collect(),
    };
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let names = plans.iter().map(|(_, plan)| plan.name.as_str());
            let near = crate::config::nearest(given, names).map(|near| format!("; did you mean {near:?}?"));
            let near = near.unwrap_or_else(|| "; `vemsync failover list` shows those that the account sees".to_owned());
            Err(Error::Usage(format!("there is no cloud failover plan {given:?}{near}")))
        }
        several => {
            let line = |(_, plan): &&(T, Plan)| {
                let server = plan.backup_server_name.as_deref().unwrap_or("unknown server");
                let tenant = plan.tenant_name.as_deref().unwrap_or("no tenant");
                format!("{} (of {tenant}, on {server})", plan.uid)
            };
            let all: Vec<String> = several.iter().map(line).collect();
            let all = all.join(", ");
            Err(Error::Usage(format!("{} plans are called {given:?}: give the UID of one: {all}", several.len())))
        }
    }
}

impl From<em::Error> for Error {
    fn from(error: em::Error) -> Self {
        Self::Source(error)
    }
}
