//! Reads a window of any size, newest part first, each part as one page.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::read::{Page, Reader, Scope};
use super::window::next_width;
use super::{Error, Greatest, Window, second};
use crate::batch::Batch;
use crate::decode::Decoded;
use crate::kinds::common;
use crate::store::Field;

/// A scan under way.
pub(super) struct Scan {
    field: Field,
    scope: Scope,
    /// What is still to be read, the newest last.
    rest: Vec<Window>,
    /// How wide the next part may be; unlimited until a part was too large.
    width: Option<TimeDelta>,
    /// Parts of one second that did not fit a page.
    pending: VecDeque<Decoded>,
    /// When the part under way was asked for, by this machine's clock.
    asked_at: DateTime<Utc>,
    /// The greatest value seen of each server.
    pub(super) greatest: Greatest,
    /// Rows seen of each server.
    pub(super) rows: HashMap<Uuid, u64>,
}

/// One part of a scan.
pub(super) struct Step {
    /// Its rows.
    pub(super) decoded: Decoded,
    /// Everything from here on is read, the rows of this part included.
    pub(super) reached: Option<DateTime<Utc>>,
    /// No later than when its rows were looked up, by this machine's clock.
    pub(super) asked_at: DateTime<Utc>,
    /// Whether the scan ends with it.
    pub(super) is_last: bool,
}

impl Scan {
    pub(super) fn new(field: Field, scope: Scope, window: Window) -> Self {
        Self {
            field,
            scope,
            rest: vec![window],
            width: None,
            pending: VecDeque::new(),
            asked_at: DateTime::UNIX_EPOCH,
            greatest: Greatest::new(),
            rows: HashMap::new(),
        }
    }

    /// Reads the next part; `None` after the last.
    pub(super) async fn next(&mut self, reader: &mut Reader<'_>) -> Result<Option<Step>, Error> {
        loop {
            if let Some(decoded) = self.pending.pop_front() {
                return Ok(Some(self.step(decoded, None)));
            }
            reader.check_cancelled()?;
            let Some(window) = self.rest.pop() else {
                return Ok(None);
            };
            let now = reader.context.client.now();
            self.asked_at = reader.context.clock.now();
            let (part, left) = window.newest(self.width, now);
            match reader.window(self.field, &self.scope, part).await? {
                Page::Whole(decoded) => {
                    self.rest.extend(left);
                    if self.width.is_some() {
                        let width = part.to.unwrap_or(now) - part.from;
                        self.width = Some(next_width(width, decoded.records, reader.granted));
                    }
                    return Ok(Some(self.step(*decoded, Some(part.from))));
                }
                overflow if part.is_one_second() => {
                    self.rest.extend(left);
                    let mut parts = second::read(reader, self.field, &self.scope, part, overflow).await?;
                    let last = parts.pop();
                    self.pending.extend(parts);
                    // The second counts as read with its last part.
                    let Some(last) = last else { continue };
                    if self.pending.is_empty() {
                        return Ok(Some(self.step(last, Some(part.from))));
                    }
                    self.pending.push_back(last);
                }
                Page::Overflow { oldest, .. } => {
                    let (newer, older) = part.cut(oldest, now);
                    self.width = Some(newer.to.unwrap_or(now) - newer.from);
                    self.rest.push(Window { from: left.map_or(older.from, |left| left.from), to: older.to });
                    self.rest.push(newer);
                }
            }
        }
    }

    /// Whether nothing is read that is not handed out.
    pub(super) fn is_between_windows(&self) -> bool {
        self.pending.is_empty()
    }

    fn step(&mut self, decoded: Decoded, reached: Option<DateTime<Utc>>) -> Step {
        self.count(&decoded.batch);
        let asked_at = self.asked_at;
        Step { decoded, reached, asked_at, is_last: self.rest.is_empty() && self.pending.is_empty() }
    }

    /// Takes note of rows' servers and times.
    pub(super) fn count(&mut self, batch: &Batch) {
        let column = self.field.column();
        for row in 0..batch.len() {
            let server = batch.uid_at(common::BACKUP_SERVER_UID, row).unwrap_or_default();
            *self.rows.entry(server).or_default() += 1;
            if let Some(time) = batch.time_at(column, row) {
                let greatest = self.greatest.entry(server).or_insert(time);
                *greatest = time.max(*greatest);
            }
        }
    }
}
