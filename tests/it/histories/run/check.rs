//! What the sync promised, at any time and once all is quiet.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use vemsync::kind::SessionKind;
use vemsync::store::Field;
use vemsync::timestamp;

use super::{Checked, Run, Seen, aside};
use crate::histories::model::{Broken, Model};
use crate::support::database::Row;

impl Run {
    /// What holds at any time.
    pub(super) async fn check_now(&mut self) -> Checked<()> {
        if let Some(broken) = self.model.lock().expect("no panic").broken.take() {
            return Err(broken);
        }
        let in_flight = self.simulator.counters().max_in_flight;
        if in_flight > 2 {
            return Err(Broken::new("I8", format!("{in_flight} requests were in flight at once")));
        }
        let reopened = self.reopened().await;
        let mut stored = HashMap::new();
        for kind in &self.kinds {
            let (database, table) = (self.database.clone(), kind.table);
            let query = format!("select uid, state, end_time, source_missing_since from {table}");
            for row in aside(async move { database.query(&query).await }).await {
                let [Some(uid), state, end, missing] = <[_; 4]>::try_from(row).expect("four columns") else {
                    return Err(Broken::new("I10", format!("a row of {table} has no identity")));
                };
                let uid: Uuid = uid.parse().expect("a UID");
                let is_final = end.is_some() && state.is_some_and(|state| kind.finished.contains(&state.as_str()));
                let missing = missing.and_then(|at| timestamp::parse(&at));
                self.check_row(kind, uid, missing)?;
                let before = self.seen.get(&(kind.name, uid));
                if before.is_some_and(|before| before.is_final) && !is_final && !reopened.contains(&uid) {
                    return Err(Broken::new("I4", format!("{} {uid} was final and runs again", kind.name)));
                }
                stored.insert((kind.name, uid), Seen { is_final, is_missing: missing.is_some() });
            }
        }
        if let Some((kind, uid)) = self.seen.keys().find(|key| !stored.contains_key(*key)) {
            return Err(Broken::new("I10", format!("{kind} {uid} was deleted")));
        }
        self.seen = stored;
        let model = self.model.lock().expect("no panic");
        match model.rows.keys().find(|key| !self.seen.contains_key(*key)) {
            Some((kind, uid)) => Err(Broken::new("I3", format!("{kind} {uid} was committed and is not stored"))),
            None => Ok(()),
        }
    }

    /// Sessions whose reopening is on record.
    async fn reopened(&self) -> HashSet<Uuid> {
        let database = self.database.clone();
        let query = "select uid from session_transitions where from_state in ('Stopped', 'Completed') and to_state <> from_state";
        let rows = aside(async move { database.column(query).await }).await;
        rows.into_iter().flatten().filter_map(|uid| uid.parse().ok()).collect()
    }

    fn check_row(&self, kind: &'static SessionKind, uid: Uuid, missing: Option<DateTime<Utc>>) -> Checked<()> {
        let model = self.model.lock().expect("no panic");
        let Some(row) = model.truth.row(kind.name, uid) else {
            return Err(Broken::new("I1", format!("{} {uid} was never shown by the source", kind.name)));
        };
        let before = self.seen.get(&(kind.name, uid));
        if let Some(at) = missing.filter(|_| before.is_none_or(|before| !before.is_missing))
            && row.had.iter().any(|(from, to)| *from <= at && at < *to)
        {
            // From outside, a few rows that the account does not see cannot be told from rows that are gone.
            let is_listed = self.simulator.with_world(|world| world.sees_server(row.server, at));
            let is_hidden = !row.shown.iter().any(|(from, to)| *from <= at && at < *to);
            if is_hidden && is_listed && model.is_hidden_among_few(kind.name, row, at) {
                return Ok(());
            }
            let what = format!("{} {uid} is marked as missing since {at}, when the source had it: {row:?}", kind.name);
            return Err(Broken::new("I10", what));
        }
        Ok(())
    }

    /// What holds once all is quiet.
    pub(super) async fn check_end(&mut self) -> Checked<()> {
        let now = self.simulator.now();
        for kind in self.kinds.clone() {
            let expected = self.simulator.expected(kind.name);
            let (database, table, columns) = (self.database.clone(), kind.table, kind.columns);
            let found = aside(async move { database.entity(table, columns, false).await }).await;
            let found: HashMap<Uuid, Row> = found.into_iter().map(|row| (uid(&row), row)).collect();
            let shown: HashSet<Uuid> = expected.iter().map(uid).collect();
            for row in expected {
                match found.get(&uid(&row)) {
                    Some(found) => self.check_equal(kind, &row, found)?,
                    None => self.check_absent(kind, uid(&row), now)?,
                }
            }
            self.check_gone(kind, found.values().filter(|row| !shown.contains(&uid(row))))?;
        }
        Ok(())
    }

    fn check_absent(&self, kind: &'static SessionKind, uid: Uuid, now: DateTime<Utc>) -> Checked<()> {
        let model = self.model.lock().expect("no panic");
        let row = model.truth.row(kind.name, uid).expect("a row of this world");
        let floor = model.floor(kind.name).unwrap_or(DateTime::UNIX_EPOCH);
        // A sweep finds what came late; an Enterprise Manager that went back is read again as a whole.
        let is_promised = self.has_sweeps
            || self.must_have_noticed(kind.name, &model, now)
            || !model.is_lied_to && model.truth.is_on_time(kind.name, row, Field::Creation, now);
        if row.creation >= floor && is_promised {
            return Err(Broken::new("I2", format!("{} {uid} is not stored: {row:?}", kind.name)));
        }
        Ok(())
    }

    /// Whether so much of one server was lost in a restore that the sync has to notice, and to read everything again.
    fn must_have_noticed(&self, kind: &'static str, model: &Model, now: DateTime<Utc>) -> bool {
        // A backfill may have stored what came in the place of the lost rows before anyone noticed.
        let is_certain = |at: &DateTime<Utc>| {
            self.is_plain && !self.history.has_lies && self.backfilled_at.is_none_or(|backfilled| backfilled < *at)
        };
        let Some(at) = self.history.restored_at.filter(is_certain) else { return false };
        let durable = model.rows.keys().filter(|(of, _)| *of == kind);
        let rows = durable.filter_map(|(_, uid)| model.truth.row(kind, *uid));
        let oldest = model.truth.oldest_shown(kind, now);
        let mut lost: HashMap<Uuid, u32> = HashMap::new();
        for row in rows.filter(|row| row.had.last().is_some_and(|(_, to)| *to == at)) {
            let mark = model.mark_at(kind, row.server, at);
            let is_marked = mark.is_some_and(|mark| row.creation < mark + TimeDelta::seconds(1));
            if is_marked && oldest.is_some_and(|oldest| row.creation >= oldest) {
                *lost.entry(row.server).or_default() += 1;
            }
        }
        lost.values().any(|lost| *lost >= 2)
    }

    /// Rows that the source does not show any more are kept as they were last seen.
    fn check_gone<'a>(&self, kind: &'static SessionKind, rows: impl Iterator<Item = &'a Row>) -> Checked<()> {
        let model = self.model.lock().expect("no panic");
        for row in rows {
            let durable = &model.rows[&(kind.name, uid(row))];
            let end = durable.end.map(timestamp::format);
            if row["state"].as_deref() != Some(&durable.state) || row["end_time"] != end {
                return Err(Broken::new("I1", format!("{}: {row:?} was last seen as {durable:?}", kind.name)));
            }
        }
        Ok(())
    }

    /// A row as it is stored, and as the source has it.
    fn check_equal(&self, kind: &SessionKind, expected: &Row, found: &Row) -> Checked<()> {
        let model = self.model.lock().expect("no panic");
        for (column, value) in expected {
            // What a task takes from its parent needs the parent, and stays when the source no longer shows that.
            let parent = kind.parent_session.filter(|parent| parent.filled == *column);
            let is_excused = parent.is_some_and(|parent| {
                let uid = expected[parent.link].as_deref().and_then(|uid| uid.parse().ok());
                value.is_none() || uid.is_none_or(|uid| !model.rows.contains_key(&(parent.kind, uid)))
            });
            if found.get(column) != Some(value) && !is_excused {
                let (uid, found) = (uid(expected), found.get(column));
                let what = format!("{} {uid}: {column} is {found:?}, the source has {value:?}", kind.name);
                return Err(Broken::new("I1", what));
            }
        }
        Ok(())
    }
}

fn uid(row: &Row) -> Uuid {
    row["uid"].as_deref().expect("every row has one").parse().expect("a UID")
}
