//! Filters: what is sent means to the other side what it means here.
//!
//! A filter and some rows are made from the data. The filter is written into a URL, taken out of it again, and read by
//! the simulator's parser, which shares nothing with the writer. Both sides must then pass the same rows.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;
use uuid::Uuid;
use vemsync::em::Query;
use vemsync::em::query::{Filter, Form, Op, Operand};
use vemsync::kind::SessionKind;
use vemsync::kinds::KINDS;
use vemsync::simulator::{Kind, passes};
use vemsync::timestamp;

/// # Panics
/// If the two sides differ.
pub fn check(data: &[u8]) {
    let mut dice = Dice(data);
    let kind = &KINDS[dice.below(KINDS.len())];
    let filter = dice.filter(kind, 4);
    let query = Query {
        kind: kind.name,
        form: Form::Entities,
        filter: Some(filter.clone()),
        sort: None,
        page_size: 500,
        page: 1,
    };
    let base = Url::parse("https://em.example.org:9398/api/").expect("a URL");
    let url = Url::parse(query.url(&base).as_str()).expect("a URL that was written");
    assert_eq!((url.host_str(), url.path(), url.fragment()), (base.host_str(), "/api/query", None), "{url}");
    let sent: Vec<String> = url.query_pairs().filter(|(name, _)| name == "filter").map(|(_, it)| it.into()).collect();
    let [text] = sent.as_slice() else { panic!("{} filters in {url}", sent.len()) };

    let of = Kind::named(kind.name).expect("the simulator knows all types");
    for _ in 0..8 {
        let row = dice.row(kind);
        let values = row.values(kind);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let theirs = passes(of, text, &values).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(theirs, row.passes(kind, &filter), "{text}\n{values:?}");
    }
}

struct Row {
    uid: Uuid,
    server: Option<Uuid>,
    creation: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
    state: &'static str,
}

impl Row {
    fn values(&self, kind: &SessionKind) -> Vec<(&'static str, String)> {
        let mut values = vec![
            (kind.query.uid, self.uid.to_string()),
            (kind.query.creation, timestamp::format(self.creation)),
            ("State", self.state.to_owned()),
        ];
        values.extend(self.server.map(|server| ("BackupServerUid", server.to_string())));
        values.extend(self.end.map(|end| (kind.query.end, timestamp::format(end))));
        values
    }

    fn passes(&self, kind: &SessionKind, filter: &Filter) -> bool {
        match filter {
            Filter::All(parts) => parts.iter().all(|part| self.passes(kind, part)),
            Filter::Any(parts) => parts.iter().any(|part| self.passes(kind, part)),
            Filter::Compare(property, op, operand) => {
                let order = match operand {
                    Operand::Uid(uid) if *property == kind.query.uid => Some(self.uid.cmp(uid)),
                    Operand::Uid(uid) => self.server.map(|server| server.cmp(uid)),
                    Operand::Second(time) => {
                        let of = if *property == kind.query.creation { Some(self.creation) } else { self.end };
                        of.map(|of| of.cmp(&timestamp::floor_second(*time)))
                    }
                    Operand::Word(word) => Some(if self.state == *word { Ordering::Equal } else { Ordering::Greater }),
                };
                order.is_some_and(|order| match op {
                    Op::Equal => order.is_eq(),
                    Op::Less => order.is_lt(),
                    Op::GreaterOrEqual => order.is_ge(),
                })
            }
        }
    }
}

/// Choices out of the data; where it ends, the first choice every time.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    /// Of few, so that rows meet them.
    fn uid(&mut self) -> Uuid {
        Uuid::from_u128(u128::MAX / 7 * self.below(7) as u128)
    }

    /// Near whole seconds, where mistakes are made, and anywhere in the range.
    fn time(&mut self) -> DateTime<Utc> {
        let seconds = match self.below(4) {
            0 => i64::from(self.byte()),
            1 => 253_402_300_799 - i64::from(self.byte()),
            2 => 1_750_000_000 + i64::from(self.byte() % 4),
            _ => (0..4).fold(0, |value, _| value << 8 | i64::from(self.byte())),
        };
        let micros = [0, 1, 500_000, 999_999][self.below(4)];
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds) + TimeDelta::microseconds(micros)
    }

    fn state(&mut self, kind: &SessionKind) -> &'static str {
        let states: Vec<&'static str> = kind.open.iter().chain(kind.finished).copied().collect();
        states[self.below(states.len())]
    }

    /// Lists are never empty, as those that the program makes; states and identities are compared for being equal.
    fn filter(&mut self, kind: &SessionKind, depth: u32) -> Filter {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => Filter::Compare(kind.query.uid, Op::Equal, Operand::Uid(self.uid())),
            1 => Filter::Compare("BackupServerUid", Op::Equal, Operand::Uid(self.uid())),
            2 => Filter::Compare("State", Op::Equal, Operand::Word(self.state(kind))),
            3 => {
                let op = [Op::Less, Op::GreaterOrEqual, Op::Equal][self.below(3)];
                let property = [kind.query.creation, kind.query.end][self.below(2)];
                Filter::Compare(property, op, Operand::Second(self.time()))
            }
            join => {
                let parts = (0..=self.below(4)).map(|_| self.filter(kind, depth - 1)).collect();
                if join == 4 { Filter::All(parts) } else { Filter::Any(parts) }
            }
        }
    }

    fn row(&mut self, kind: &SessionKind) -> Row {
        Row {
            uid: self.uid(),
            server: (self.below(4) > 0).then(|| self.uid()),
            creation: self.time(),
            end: (self.below(3) > 0).then(|| self.time()),
            state: self.state(kind),
        }
    }
}
