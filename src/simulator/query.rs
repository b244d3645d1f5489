//! Answers queries: which rows, in which order, and which page of them.
//!
//! A filter is first turned into spans of the indexes (by creation, by end, by UID) that hold every row which could
//! match; only those rows are looked at. A plain range of creation whose rows are all visible is not looked at at all:
//! its page is a slice of the index.

use std::ops::Range;

use super::filter::{self, Expr, Op, Value};
use super::ticks::Ticks;
use super::types::{Field, Kind, ParentType, QueryType};
use super::world::{Family, Moment, Session, Table, View, World};

/// A query that was understood.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) of: QueryType,
    pub(super) filter: Option<Expr>,
    /// The field, and whether it descends.
    pub(super) sort: Option<(Field, bool)>,
    pub(super) entities: bool,
    /// From 1.
    pub(super) page: usize,
    pub(super) page_size: usize,
}

/// One page of the rows that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Rows on all pages.
    pub(super) total: usize,
    /// Positions in the table, or in the list of parents.
    pub(super) rows: Vec<u32>,
}

impl Selection {
    /// Reads the parameters of a query. The error is what the server would say.
    pub(super) fn read(
        of: QueryType,
        parameters: &[(String, String)],
        default_page_size: usize,
        max_page_size: Option<usize>,
    ) -> Result<Selection, String> {
        let get = |name: &str| {
            parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        let number = |name: &str, default: usize| match get(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number @ 1..) => Ok(number),
                _ => Err(format!("Parameter [{name}] is not valid: [{text}]")),
            },
        };
        let field = |name: &str| {
            of.field(name).ok_or_else(|| format!("Property [{name}] is not defined for type [{}]", of.name()))
        };
        let sort = match (get("sortAsc"), get("sortDesc")) {
            (Some(_), Some(_)) => return Err("Only one sorting is possible".to_owned()),
            (Some(name), None) => Some((field(name)?, false)),
            (None, Some(name)) => Some((field(name)?, true)),
            (None, None) => None,
        };
        let page_size = number("pageSize", default_page_size)?;
        Ok(Selection {
            of,
            filter: get("filter").filter(|text| !text.is_empty()).map(|text| filter::parse(of, text)).transpose()?,
            sort,
            entities: get("format")
                .is_some_and(|format| format.eq_ignore_ascii_case("entities") || format.eq_ignore_ascii_case("entity")),
            page: number("page", 1)?,
            page_size: max_page_size.map_or(page_size, |max| page_size.min(max)),
        })
    }

    pub(super) fn pages(&self, total: usize) -> usize {
        total.div_ceil(self.page_size).max(1)
    }

    fn range(&self, total: usize) -> Range<usize> {
        let start = (self.page - 1).saturating_mul(self.page_size).min(total);
        start..start.saturating_add(self.page_size).min(total)
    }
}

/// The page that a selection asks for. With `shuffle`, rows that no sorting tells apart come in a new order each time.
pub(super) fn select(
    world: &World,
    moment: &Moment,
    selection: &Selection,
    shuffle: Option<&mut fastrand::Rng>,
) -> Page {
    match selection.of {
        QueryType::Session(kind) => {
            if let (None, Some(page)) = (&shuffle, slice(world.table(kind), moment, selection)) {
                return page;
            }
            let rows = matching(world, world.table(kind), moment, kind, selection, shuffle);
            let range = selection.range(rows.len());
            Page { total: rows.len(), rows: rows[range].to_vec() }
        }
        QueryType::Parent(kind) => {
            let mut rows = matching_parents(world, moment, kind, selection);
            if let Some(rng) = shuffle {
                rng.shuffle(&mut rows);
            }
            sort(&mut rows, selection.sort, |id, field| parent_value(world, kind, id as usize, field));
            let range = selection.range(rows.len());
            Page { total: rows.len(), rows: rows[range].to_vec() }
        }
    }
}

/// A range of creation, all of it visible, in order of creation: nothing to decide row by row.
fn slice(table: &Table, moment: &Moment, selection: &Selection) -> Option<Page> {
    let Some((Field::Creation, descending)) = selection.sort else { return None };
    let mut bounds = Bounds::default();
    let exact = selection.filter.as_ref().is_none_or(|expr| bounds.take_all(expr, Field::Creation));
    let span = bounds.span(&table.by_creation, |id| table.creation(id));
    let ids = &table.by_creation[span];
    let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else { return None };
    let settled = table.creation(last).plus_secs(table.max_delay_secs) <= moment.oldest
        && table.creation(first) >= moment.kept_from
        && moment.knows_all();
    if !exact || !settled {
        return None;
    }
    let range = selection.range(ids.len());
    let rows = if descending {
        ids[ids.len() - range.end..ids.len() - range.start].iter().rev().copied().collect()
    } else {
        ids[range].to_vec()
    };
    Some(Page { total: ids.len(), rows })
}

fn matching(
    world: &World,
    table: &Table,
    moment: &Moment,
    kind: Kind,
    selection: &Selection,
    shuffle: Option<&mut fastrand::Rng>,
) -> Vec<u32> {
    let candidates = selection.filter.as_ref().and_then(|expr| candidates(table, moment, kind, expr));
    let all = Spans(vec![Span::Creation(0..table.by_creation.len())]);
    let mut rows = Vec::new();
    candidates.unwrap_or(all).visit(table, &mut |id| {
        let Some(row) = table.row(id) else { return };
        let Some(collected) = moment.shows(row) else { return };
        let passes = selection.filter.as_ref().is_none_or(|expr| {
            let view = row.view(collected);
            expr.matches(&|field| value(world, row, view, field))
        });
        if passes {
            rows.push(id);
        }
    });
    if let Some(rng) = shuffle {
        rng.shuffle(&mut rows);
    } else if selection.sort.is_none() {
        // Neither by time nor by name: real answers have no visible order either.
        rows.sort_unstable_by_key(|id| table.row(*id).map(|row| row.uid));
    }
    match selection.sort {
        Some((Field::Creation, false)) => rows.sort_by_key(|id| table.creation(*id)),
        Some((Field::Creation, true)) => rows.sort_by_key(|id| std::cmp::Reverse(table.creation(*id))),
        by => sort(&mut rows, by, |id, field| {
            let row = table.row(id)?;
            value(world, row, row.view(moment.shows(row)?), field)
        }),
    }
    rows
}

/// Missing values come first in ascending order, as they do in SQL Server.
fn sort(rows: &mut [u32], by: Option<(Field, bool)>, value: impl Fn(u32, Field) -> Option<Value>) {
    match by {
        None => {}
        Some((field, false)) => rows.sort_by_cached_key(|id| value(*id, field)),
        Some((field, true)) => rows.sort_by_cached_key(|id| std::cmp::Reverse(value(*id, field))),
    }
}

/// The limits that comparisons set on one time.
#[derive(Debug, Default, Clone, Copy)]
struct Bounds {
    /// First moment that may match.
    from: Option<Ticks>,
    /// First moment after it that may not.
    to: Option<Ticks>,
}

impl Bounds {
    fn take(&mut self, op: Op, time: Ticks) -> bool {
        let (from, to) = match op {
            Op::Ge => (Some(time), None),
            Op::Gt => (Some(time.plus(1)), None),
            Op::Lt => (None, Some(time)),
            Op::Le => (None, Some(time.plus(1))),
            Op::Eq => (Some(time), Some(time.plus(1))),
            Op::Ne => return false,
        };
        self.from = self.from.max(from);
        self.to = match (self.to, to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        true
    }

    /// Takes in every comparison of the field that must hold. Returns whether there is nothing else in the filter.
    fn take_all(&mut self, expr: &Expr, wanted: Field) -> bool {
        match expr {
            Expr::And(all) => all.iter().filter(|expr| !self.take_all(expr, wanted)).count() == 0,
            Expr::Test(field, op, Value::Time(time)) if *field == wanted => self.take(*op, *time),
            Expr::Or(_) | Expr::Test(..) => false,
        }
    }

    fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    fn span(&self, index: &[u32], time: impl Fn(u32) -> Ticks) -> Range<usize> {
        let start = self.from.map_or(0, |from| index.partition_point(|id| time(*id) < from));
        let end = self.to.map_or(index.len(), |to| index.partition_point(|id| time(*id) < to));
        start..end.max(start)
    }
}

/// A piece of an index.
#[derive(Debug)]
enum Span {
    Creation(Range<usize>),
    End(Range<usize>),
    Row(u32),
}

/// Rows that could match: none outside them does.
#[derive(Debug)]
struct Spans(Vec<Span>);

impl Spans {
    fn cost(&self) -> usize {
        let cost = |span: &Span| match span {
            Span::Creation(range) | Span::End(range) => range.len(),
            Span::Row(_) => 1,
        };
        self.0.iter().map(cost).sum()
    }

    fn visit(&self, table: &Table, visit: &mut dyn FnMut(u32)) {
        // One span has no row twice; several may.
        let mut seen = (self.0.len() > 1).then(|| std::collections::HashSet::with_capacity(self.cost()));
        let mut once = |id: u32| {
            if seen.as_mut().is_none_or(|seen| seen.insert(id)) {
                visit(id);
            }
        };
        for span in &self.0 {
            match span {
                Span::Creation(range) => table.by_creation[range.clone()].iter().copied().for_each(&mut once),
                Span::End(range) => table.by_end[range.clone()].iter().copied().for_each(&mut once),
                Span::Row(id) => once(*id),
            }
        }
    }
}

/// Where to look for the rows that match, or `None` for everywhere.
fn candidates(table: &Table, moment: &Moment, kind: Kind, expr: &Expr) -> Option<Spans> {
    match expr {
        Expr::And(all) => {
            let mut ways: Vec<Spans> = all.iter().filter_map(|expr| candidates(table, moment, kind, expr)).collect();
            let (mut creation, mut end) = (Bounds::default(), Bounds::default());
            creation.take_all(expr, Field::Creation);
            end.take_all(expr, Field::End);
            if !creation.is_open() {
                let range = creation.span(&table.by_creation, |id| table.creation(id));
                ways.push(Spans(vec![Span::Creation(range)]));
            }
            if !end.is_open() {
                ways.push(Spans(vec![Span::End(end.span(&table.by_end, |id| table.end(id)))]));
            }
            ways.into_iter().min_by_key(Spans::cost)
        }
        Expr::Or(any) => {
            let mut all = Vec::new();
            for expr in any {
                all.extend(candidates(table, moment, kind, expr)?.0);
            }
            Some(Spans(all))
        }
        Expr::Test(Field::Uid, Op::Eq, Value::Uid(uid)) => {
            Some(Spans(table.by_uid.get(uid).map(|id| Span::Row(*id)).into_iter().collect()))
        }
        Expr::Test(Field::Creation, op, Value::Time(time)) => {
            let mut bounds = Bounds::default();
            bounds
                .take(*op, *time)
                .then(|| Spans(vec![Span::Creation(bounds.span(&table.by_creation, |id| table.creation(id)))]))
        }
        // A missing end passes no test, and one that is shown is the true one.
        Expr::Test(Field::End, op, Value::Time(time)) => {
            let mut bounds = Bounds::default();
            bounds.take(*op, *time).then(|| Spans(vec![Span::End(bounds.span(&table.by_end, |id| table.end(id)))]))
        }
        // What ended before the oldest collection is known to have ended, so it is in no open state.
        Expr::Test(Field::State, op, Value::Rank(rank)) => {
            let finished = kind.states().len() - 1;
            (!op.holds(finished.cmp(rank))).then(|| {
                let start = table.by_end.partition_point(|id| table.end(*id) <= moment.oldest);
                Spans(vec![Span::End(start..table.by_end.len())])
            })
        }
        Expr::Test(..) => None,
    }
}

/// A value of a session as it looks now.
fn value(world: &World, row: &Session, view: View, field: Field) -> Option<Value> {
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

impl World {
    /// UID and name of the job or policy of a job or policy session.
    pub(super) fn job_of(&self, row: &Session) -> Option<(uuid::Uuid, &str)> {
        let at = row.job?;
        Some(match row.kind {
            Kind::CdpReplicaSession => (self.policies[at].uid, &self.policies[at].name),
            _ => (self.jobs[at].uid, &self.jobs[at].name),
        })
    }

    pub(super) fn parent_uid(&self, kind: ParentType, at: usize) -> uuid::Uuid {
        match kind {
            ParentType::BackupServer => self.servers[at].uid,
            ParentType::Job | ParentType::AgentBackupJob | ParentType::NasJob => self.jobs[at].uid,
            ParentType::CdpPolicy => self.policies[at].uid,
            ParentType::CloudFailoverPlan => self.plans[at].uid,
        }
    }

    /// Positions of the parents of that type that Enterprise Manager knows.
    pub(super) fn parents(&self, moment: &Moment, kind: ParentType) -> Vec<usize> {
        let known = |server: usize| moment.knows_server(server);
        let jobs = |family: Family| {
            let listed = |(at, job): (usize, &super::world::Job)| {
                (job.listed && job.family == family && known(job.server)).then_some(at)
            };
            self.jobs.iter().enumerate().filter_map(listed).collect()
        };
        match kind {
            ParentType::BackupServer => (0..self.servers.len()).filter(|at| known(*at)).collect(),
            ParentType::Job => jobs(Family::Job),
            ParentType::AgentBackupJob => jobs(Family::Agent),
            ParentType::NasJob => jobs(Family::Nas),
            ParentType::CdpPolicy => (0..self.policies.len()).filter(|at| known(self.policies[*at].server)).collect(),
            ParentType::CloudFailoverPlan => (0..self.plans.len()).filter(|at| known(self.plans[*at].server)).collect(),
        }
    }
}

fn matching_parents(world: &World, moment: &Moment, kind: ParentType, selection: &Selection) -> Vec<u32> {
    world
        .parents(moment, kind)
        .into_iter()
        .filter(|at| {
            let passes = |expr: &Expr| expr.matches(&|field| parent_value(world, kind, *at, field));
            selection.filter.as_ref().is_none_or(passes)
        })
        .map(|at| u32::try_from(at).expect("few parents"))
        .collect()
}

fn parent_value(world: &World, kind: ParentType, at: usize, field: Field) -> Option<Value> {
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
