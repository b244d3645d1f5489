//! One read of one kind: a filter, one page, and whether that page can be believed.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::RwLockReadGuard;
use uuid::Uuid;

use super::plan::Start;
use super::{Context, Error, Window};
use crate::decode::{Decoded, References, decode, references};
use crate::em::query::{Filter, Form, MAX_URL, Op, Operand, Sort};
use crate::em::{self, Query, Rejection};
use crate::kind::SessionKind;
use crate::kinds::common;
use crate::planted::{self, Bug};
use crate::store::{Commit, Field};

/// Which rows of a window are asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scope {
    /// All of them.
    All,
    /// Those of these servers, of each from its own start on.
    Servers(Vec<Start>),
    /// Those that have not ended.
    Open,
    /// Those that have not ended, and those that are newer than this.
    OpenOrSince(DateTime<Utc>),
    /// Those that have not ended, and those that have started or ended since then.
    Lately(DateTime<Utc>),
    /// Those with these identities; the window does not matter.
    Uids(Vec<Uuid>),
}

/// What one answer gave.
#[derive(Debug)]
pub(super) enum Page {
    /// Everything that was asked for.
    Whole(Box<Decoded>),
    /// More than a page.
    Overflow {
        /// How many pages there are.
        pages: u32,
        /// Rows a page, as the server has it.
        size: u32,
        /// The oldest row of the page, if the page came newest first.
        oldest: Option<DateTime<Utc>>,
        /// Servers that rows of the page have.
        servers: Vec<Uuid>,
    },
}

/// Rows and references to ask for in a request where much is read.
const LARGE_PAGE: u32 = 2000;

/// Rows a page, unless someone chose otherwise.
const DEFAULT_PAGE: u32 = 500;

/// Reads one kind.
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) kind: &'static SessionKind,
    /// Reads so far.
    pub(super) reads: u64,
    /// Rows to ask for in a request.
    page_size: u32,
    /// Rows a page, as the server last granted them.
    pub(super) granted: u32,
    /// Rows newer than this were just seen, so that a list cannot be missing.
    pub(super) seen_since: Option<DateTime<Utc>>,
    /// Rows that are expected to come, as long as they have not.
    pub(super) awaited: HashSet<Uuid>,
    /// References a page, as the server last granted them.
    pub(super) granted_references: u32,
    /// Its share of the turn.
    share: Option<RwLockReadGuard<'a, ()>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(context: &'a Context<'a>, kind: &'static SessionKind) -> Self {
        Self {
            context,
            kind,
            reads: 0,
            page_size: context.options.page_size,
            granted: context.options.page_size,
            seen_since: None,
            awaited: HashSet::new(),
            granted_references: LARGE_PAGE,
            share: None,
        }
    }

    /// Keeps the turn from ending until this reader is done, or gives way.
    pub(super) async fn enter(&mut self) {
        self.share = None;
        self.share = Some(self.context.gate.read().await);
    }

    /// A commit for this kind that stores nothing yet.
    pub(super) fn commit(&self) -> Commit {
        Commit::new(self.context.em_id, self.kind.entity(), Some(self.kind), self.context.client.now())
    }

    /// Stops between two windows, if that was asked for.
    pub(super) fn check_cancelled(&self) -> Result<(), Error> {
        if self.context.cancel.is_cancelled() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Asks for large pages from here on, unless small ones were configured: a sweep reads a lot that is known to be
    /// there, and nobody waits for it.
    pub(super) fn ask_for_more(&mut self) {
        if self.page_size >= DEFAULT_PAGE {
            self.page_size = self.page_size.max(LARGE_PAGE);
            self.granted = self.page_size;
        }
    }

    /// Reads a window as one page.
    pub(super) async fn window(&mut self, field: Field, scope: &Scope, window: Window) -> Result<Page, Error> {
        match self.window_once(field, scope, window).await {
            // Rows that are larger than most fit pages as they are configured.
            Err(Error::Read { source: em::Error::Exhausted { last: em::Failure::TooLarge(_), .. }, .. })
                if self.page_size > self.context.options.page_size =>
            {
                self.page_size = self.context.options.page_size;
                self.granted = self.page_size;
                self.window_once(field, scope, window).await
            }
            other => other,
        }
    }

    async fn window_once(&mut self, field: Field, scope: &Scope, window: Window) -> Result<Page, Error> {
        let sort = Sort::Descending(self.property(field));
        let query = self.query(scope, field, window, Some(sort), self.page_size, 1);
        self.send(&query, field, scope, window).await
    }

    /// Reads rows by identity, as many as fit one request's URL: in one answer, or more where the server grants
    /// smaller pages than that.
    pub(super) async fn by_uid(&mut self, uids: &[Uuid]) -> Result<Vec<Decoded>, Error> {
        let window = Window::since(DateTime::UNIX_EPOCH);
        let mut parts = vec![uids];
        let mut answers = Vec::new();
        while let Some(part) = parts.pop() {
            let scope = Scope::Uids(part.to_vec());
            let query = self.query(&scope, Field::Creation, window, None, self.page_size, 1);
            match self.send(&query, Field::Creation, &scope, window).await? {
                Page::Whole(decoded) => answers.push(*decoded),
                Page::Overflow { .. } => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([left, right].into_iter().filter(|half| !half.is_empty()));
                }
            }
        }
        Ok(answers)
    }

    /// Commits rows with nothing else.
    pub(super) async fn store(&self, decoded: Decoded) -> Result<(), Error> {
        let mut commit = self.commit();
        commit.batch = decoded.batch;
        commit.rejects = decoded.rejects;
        self.context.writer.commit(commit).await
    }

    /// How many of these identities fit one request.
    pub(super) fn uids_a_request(&self) -> usize {
        (1..=35)
            .rev()
            .find(|count| {
                let scope = Scope::Uids(vec![Uuid::max(); *count]);
                let window = Window::since(DateTime::UNIX_EPOCH);
                let query = self.query(&scope, Field::Creation, window, None, 10_000, 1);
                query.url(self.context.client.base()).as_str().len() < MAX_URL
            })
            .unwrap_or(1)
    }

    /// Reads one page of a listing that is longer than a page, in the order of creation.
    pub(super) async fn listed_page(
        &mut self,
        field: Field,
        scope: &Scope,
        window: Window,
        page: u32,
    ) -> Result<Decoded, Error> {
        let sort = Sort::Ascending(self.property(field));
        let query = self.query(scope, field, window, Some(sort), self.page_size, page);
        self.reads += 1;
        let (kind, open) = (self.kind, self.kind.open);
        let accept = |body: &[u8]| {
            let decoded = decode(kind.entity(), body)?;
            query.check(decoded.paging, decoded.records)?;
            check_inside(&decoded, field, scope, window, open)?;
            Ok(decoded)
        };
        let context = self.context;
        let decoded = until_cancelled(context, context.client.query(&query, accept))
            .await?
            .map_err(|source| self.error(&window, source))?;
        self.receive(&decoded);
        Ok(decoded)
    }

    /// Takes note of rows that were awaited.
    fn receive(&mut self, decoded: &Decoded) {
        if !self.awaited.is_empty() {
            for uid in decoded.identities() {
                self.awaited.remove(&uid);
            }
        }
    }

    /// Reads what there is in a window without what it says, as one page; `None` if it is more than a page.
    pub(super) async fn references(&mut self, window: Window) -> Result<Option<References>, Error> {
        let query = Query {
            kind: self.kind.name,
            form: Form::References,
            filter: self.filter(&Scope::All, Field::Creation, window),
            sort: Some(Sort::Descending(self.property(Field::Creation))),
            page_size: LARGE_PAGE,
            page: 1,
        };
        self.reads += 1;
        let accept = |body: &[u8]| {
            let found = references(body)?;
            query.check(found.paging, found.records)?;
            Ok(found)
        };
        let context = self.context;
        let found = until_cancelled(context, context.client.query(&query, accept))
            .await?
            .map_err(|source| self.error(&window, source))?;
        if found.paging.size > 0 {
            self.granted_references = found.paging.size;
        }
        Ok((found.paging.pages <= 1).then_some(found))
    }

    /// The oldest row that the source has, if it has any.
    pub(super) async fn oldest(&mut self) -> Result<Option<(Uuid, DateTime<Utc>)>, Error> {
        let everything = Window::since(DateTime::UNIX_EPOCH);
        let sort = Some(Sort::Ascending(self.property(Field::Creation)));
        let query = self.query(&Scope::All, Field::Creation, everything, sort, 1, 1);
        self.reads += 1;
        let kind = self.kind;
        let accept = |body: &[u8]| {
            let decoded = decode(kind.entity(), body)?;
            query.check(decoded.paging, decoded.records)?;
            Ok(decoded)
        };
        let context = self.context;
        let decoded = until_cancelled(context, context.client.query(&query, accept))
            .await?
            .map_err(|source| self.error(&everything, source))?;
        let batch = &decoded.batch;
        let times =
            (0..batch.len()).filter_map(|row| Some((batch.time_at(common::CREATION_TIME, row)?, batch.uid(row))));
        Ok(times.min().map(|(time, uid)| (uid, time)))
    }

    async fn send(&mut self, query: &Query, field: Field, scope: &Scope, window: Window) -> Result<Page, Error> {
        self.reads += 1;
        tracing::debug!(%query, "read");
        let kind = self.kind;
        let expects_rows = self.seen_since.is_some_and(|seen| window.contains(seen)) && *scope == Scope::All;
        let accept = |body: &[u8]| {
            let decoded = decode(kind.entity(), body)?;
            query.check(decoded.paging, decoded.records)?;
            check_inside(&decoded, field, scope, window, kind.open)?;
            let paging = decoded.paging;
            if paging.pages > 1 && matches!(scope, Scope::Uids(uids) if uids.len() == 1) {
                return Err(Rejection::Count { records: decoded.records, size: paging.size, pages: paging.pages });
            }
            if paging.pages > 1 {
                return Ok(Page::Overflow {
                    pages: paging.pages,
                    size: paging.size,
                    oldest: oldest_of_descending(&decoded, field),
                    servers: servers(&decoded),
                });
            }
            if !decoded.has_container && expects_rows {
                return Err(Rejection::NoContainer);
            }
            Ok(Page::Whole(Box::new(decoded)))
        };
        let context = self.context;
        let page = until_cancelled(context, context.client.query(query, accept))
            .await?
            .map_err(|source| self.error(&window, source))?;
        match &page {
            Page::Whole(decoded) if decoded.paging.size > 0 => self.granted = decoded.paging.size,
            Page::Overflow { size, .. } => self.granted = *size,
            Page::Whole(_) => {}
        }
        if let Page::Whole(decoded) = &page {
            self.receive(decoded);
        }
        Ok(page)
    }

    fn error(&self, window: &Window, source: em::Error) -> Error {
        Error::Read { kind: self.kind.name, window: window.to_string(), source }
    }

    /// The query parameter that a field is filtered and sorted by.
    fn property(&self, field: Field) -> &'static str {
        match field {
            Field::Creation => self.kind.query.creation,
            Field::End => self.kind.query.end,
        }
    }

    fn query(
        &self,
        scope: &Scope,
        field: Field,
        window: Window,
        sort: Option<Sort>,
        page_size: u32,
        page: u32,
    ) -> Query {
        let filter = self.filter(scope, field, window);
        Query { kind: self.kind.name, form: Form::Entities, filter, sort, page_size, page }
    }

    fn filter(&self, scope: &Scope, field: Field, window: Window) -> Option<Filter> {
        let property = self.property(field);
        let exclusive = if planted::is(Bug::LowerBound) { SECOND } else { TimeDelta::zero() };
        let since_in =
            |property, from| Filter::Compare(property, Op::GreaterOrEqual, Operand::Second(from + exclusive));
        let since = |from| since_in(property, from);
        let until = window.to.map(|to| Filter::Compare(property, Op::Less, Operand::Second(to)));
        let begin = (window.from > DateTime::UNIX_EPOCH).then(|| since(window.from));
        let mut all = Vec::new();
        match scope {
            Scope::Uids(uids) => return Some(Filter::uids(self.kind.query.uid, uids)),
            Scope::Servers(starts) => {
                let part =
                    |start: &Start| Filter::All(vec![of_server(start.server), since(start.from.max(window.from))]);
                all.push(Filter::Any(starts.iter().map(part).collect()));
            }
            Scope::OpenOrSince(from) => {
                let states = self.kind.open.iter().map(|state| equal_state(state));
                all.push(Filter::Any(std::iter::once(since(*from)).chain(states).collect()));
            }
            Scope::Lately(from) => {
                let times = [Field::Creation, Field::End].map(|field| since_in(self.property(field), *from));
                let states = self.kind.open.iter().map(|state| equal_state(state));
                all.push(Filter::Any(times.into_iter().chain(states).collect()));
                all.extend(begin);
            }
            Scope::Open => {
                all.push(Filter::states(self.kind.open));
                all.extend(begin);
            }
            Scope::All => all.extend(begin),
        }
        all.extend(until);
        (!all.is_empty()).then_some(Filter::All(all))
    }
}

/// Gives up a read when someone asks to stop. A commit is never given up: that is the writer's, and goes on.
pub(super) async fn until_cancelled<T>(context: &Context<'_>, read: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        () = context.cancel.cancelled() => Err(Error::Interrupted),
        done = read => Ok(done),
    }
}

fn of_server(server: Uuid) -> Filter {
    Filter::Compare("BackupServerUid", Op::Equal, Operand::Uid(server))
}

fn equal_state(state: &'static str) -> Filter {
    Filter::Compare("State", Op::Equal, Operand::Word(state))
}

/// Tells a type that the server does not know, and refuses even in the plainest query, from any other refusal.
pub(super) async fn unless_unknown<T>(
    client: &em::Client,
    kind: &'static str,
    result: Result<T, Error>,
) -> Result<T, Error> {
    let Err(Error::Read { source: em::Error::BadRequest { status: 400, .. }, .. }) = &result else {
        return result;
    };
    known(client, kind).await?;
    result
}

/// Asks in the plainest way for a type; [`Error::Unavailable`] if the server does not know it.
pub(super) async fn known(client: &em::Client, kind: &'static str) -> Result<(), Error> {
    let bare = Query { kind, form: Form::Entities, filter: None, sort: None, page_size: 1, page: 1 };
    client.query(&bare, |_| Ok(())).await.map_err(|error| match error {
        em::Error::BadRequest { status: 400, .. } => Error::Unavailable,
        error => Error::Source(error),
    })
}

/// Every row has to be what was asked for: a server that ignores a filter must not be believed to have answered it.
fn check_inside(
    decoded: &Decoded,
    field: Field,
    scope: &Scope,
    window: Window,
    open: &[&str],
) -> Result<(), Rejection> {
    let column = field.column();
    let batch = &decoded.batch;
    for row in 0..batch.len() {
        let time = batch.time_at(column, row);
        // A row without an end has no place in a window of ends, nor does it do harm there.
        let in_window = time.is_none_or(|time| window.contains(time));
        let server = batch.uid_at(common::BACKUP_SERVER_UID, row);
        let is_open = || batch.text_at(common::STATE, row).is_some_and(|state| open.contains(&state));
        let is_inside = match scope {
            Scope::All => in_window,
            Scope::Open => in_window && is_open(),
            Scope::OpenOrSince(from) => time.is_none_or(|time| time >= *from) || is_open(),
            Scope::Lately(from) => {
                let end = batch.time_at(common::END_TIME, row);
                let is_late = time.is_none_or(|time| time >= *from) || end.is_none_or(|end| end >= *from);
                in_window && (is_late || is_open())
            }
            Scope::Servers(starts) => {
                let mine = |start: &&Start| server == Some(start.server);
                in_window
                    && starts
                        .iter()
                        .find(mine)
                        .map_or(server.is_none(), |start| time.is_none_or(|time| time + SECOND > start.from))
            }
            Scope::Uids(uids) => uids.contains(&batch.uid(row)),
        };
        if !is_inside {
            return Err(Rejection::Outside(batch.uid(row).to_string()));
        }
    }
    Ok(())
}

/// Starts are floored to the second in a filter.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// The oldest time of a page, if the page came newest first as asked.
fn oldest_of_descending(decoded: &Decoded, field: Field) -> Option<DateTime<Utc>> {
    let column = field.column();
    let batch = &decoded.batch;
    let mut oldest: Option<DateTime<Utc>> = None;
    for row in 0..batch.len() {
        let time = batch.time_at(column, row)?;
        if oldest.is_some_and(|oldest| time > oldest) {
            return None;
        }
        oldest = Some(time);
    }
    oldest
}

fn servers(decoded: &Decoded) -> Vec<Uuid> {
    let batch = &decoded.batch;
    let mut servers: Vec<Uuid> =
        (0..batch.len()).filter_map(|row| batch.uid_at(common::BACKUP_SERVER_UID, row)).collect();
    servers.sort_unstable();
    servers.dedup();
    servers
}
