//! Windows of time and how they are cut. Pure.
//!
//! A window is read as one page or not at all, so what matters is to cut it where a page's worth of rows ends. All
//! bounds are whole seconds: databases behind the API keep different fractions, and only seconds compare alike in all.

use chrono::{DateTime, TimeDelta, Utc};

use crate::timestamp::{floor_second, format_second};

/// The part of a page that a window aims to fill, in percent: rows keep coming, and an overflow costs a request.
pub(super) const AIM: u32 = 85;

/// A stretch of time, from its first second up to, but without, its last; open at the end where `to` is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The first second.
    pub from: DateTime<Utc>,
    /// The second after the last.
    pub to: Option<DateTime<Utc>>,
}

impl Window {
    /// From this second on.
    #[must_use]
    pub(super) fn since(from: DateTime<Utc>) -> Self {
        Self { from: floor_second(from), to: None }
    }

    /// Whether the time is inside.
    #[must_use]
    pub(super) fn contains(&self, time: DateTime<Utc>) -> bool {
        time >= self.from && self.to.is_none_or(|to| time < to)
    }

    /// Whether it cannot be cut any more.
    #[must_use]
    pub(super) fn is_one_second(&self) -> bool {
        self.to.is_some_and(|to| to - self.from <= SECOND)
    }

    /// Cuts it in two, the newer part first, where the answer to it shows that the newer part fits a page: below the
    /// oldest row of a page that came newest first. Without that, in the middle; beyond now, in doubling steps.
    #[must_use]
    pub(super) fn cut(self, oldest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> (Self, Self) {
        let at = oldest
            .map(floor_second)
            .into_iter()
            .flat_map(|oldest| [oldest + SECOND, oldest])
            .find(|at| *at > self.from && self.to.is_none_or(|to| *at < to))
            .unwrap_or_else(|| self.middle(now));
        (Self { from: at, to: self.to }, Self { from: self.from, to: Some(at) })
    }

    fn middle(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = floor_second(now);
        let middle = match self.to {
            Some(to) => self.from + (to - self.from) / 2,
            None if self.from + SECOND < now => self.from + (now - self.from) / 2,
            None => {
                let step = TimeDelta::hours(1).max((self.from - now) * 2);
                self.from.checked_add_signed(step).unwrap_or(DateTime::<Utc>::MAX_UTC)
            }
        };
        floor_second(middle).max(self.from + SECOND)
    }

    /// Cuts a piece of this width off its newer end; what is left, if anything, comes second.
    #[must_use]
    pub(super) fn newest(self, width: Option<TimeDelta>, now: DateTime<Utc>) -> (Self, Option<Self>) {
        let end = self.to.unwrap_or(floor_second(now));
        match width.map(|width| floor_second(end - width)) {
            Some(at) if at > self.from => {
                (Self { from: at, to: self.to }, Some(Self { from: self.from, to: Some(at) }))
            }
            _ => (self, None),
        }
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from {}", format_second(self.from))?;
        self.to.map_or(Ok(()), |to| write!(f, " to {}", format_second(to)))
    }
}

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// The width of the next window, from how full the last one was.
#[must_use]
pub(super) fn next_width(last: TimeDelta, rows: usize, page: u32) -> TimeDelta {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let aim = i64::from((page * AIM / 100).max(1));
    let seconds = last.num_seconds().max(1);
    let next = if rows == 0 {
        seconds.saturating_mul(16)
    } else {
        // Density changes from night to day: never more than four times as wide as what was just seen to fit.
        (seconds.saturating_mul(aim) / rows).clamp(seconds / 4, seconds.saturating_mul(4))
    };
    TimeDelta::seconds(next.clamp(1, 400 * 366 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::parse;

    fn at(text: &str) -> DateTime<Utc> {
        parse(text).expect("a time")
    }

    #[test]
    fn a_cut_leaves_no_gap_and_makes_progress() {
        let now = at("2025-06-01T12:00:00Z");
        for (from, to, oldest) in [
            ("2025-06-01T10:00:00Z", None, Some("2025-06-01T11:00:00.5Z")),
            ("2025-06-01T10:00:00Z", None, Some("2025-06-01T10:00:00.5Z")),
            ("2025-06-01T10:00:00Z", None, None),
            ("2025-06-01T12:00:00Z", None, None),
            ("2025-06-01T18:00:00Z", None, None),
            ("2025-06-01T10:00:00Z", Some("2025-06-01T10:00:02Z"), Some("2025-06-01T10:00:01.9Z")),
            ("2025-06-01T10:00:00Z", Some("2025-06-01T10:00:02Z"), Some("2025-06-01T10:00:00Z")),
            ("2025-06-01T10:00:00Z", Some("2025-06-01T11:00:00Z"), Some("2024-01-01T00:00:00Z")),
            ("1970-01-01T00:00:00Z", None, None),
        ] {
            let window = Window { from: at(from), to: to.map(at) };
            let (newer, older) = window.cut(oldest.map(at), now);
            assert_eq!(Some(newer.from), older.to);
            assert_eq!((newer.to, older.from), (window.to, window.from));
            assert!(
                older.from < newer.from && newer.to.is_none_or(|to| newer.from < to),
                "{window}: {newer} / {older}"
            );
        }
    }

    #[test]
    fn a_page_that_came_newest_first_says_where_to_cut() {
        let window = Window::since(at("2025-06-01T10:00:00.7Z"));
        assert_eq!(window.from, at("2025-06-01T10:00:00Z"));
        let (newer, _) = window.cut(Some(at("2025-06-01T11:00:00.5Z")), at("2025-06-01T12:00:00Z"));
        assert_eq!(newer.from, at("2025-06-01T11:00:01Z"));
    }

    #[test]
    fn pieces_cover_the_window() {
        let now = at("2025-06-01T12:00:00Z");
        let window = Window::since(at("2025-06-01T00:00:00Z"));
        assert_eq!(window.newest(None, now), (window, None));
        assert_eq!(window.newest(Some(TimeDelta::days(2)), now), (window, None));
        let (piece, rest) = window.newest(Some(TimeDelta::hours(1)), now);
        assert_eq!(piece, Window::since(at("2025-06-01T11:00:00Z")));
        assert_eq!(rest, Some(Window { from: window.from, to: Some(piece.from) }));
    }

    #[test]
    fn widths_follow_the_density() {
        let hour = TimeDelta::hours(1);
        assert_eq!(next_width(hour, 500, 500), TimeDelta::minutes(51));
        assert_eq!(next_width(hour, 0, 500), TimeDelta::hours(16));
        assert_eq!(next_width(hour, 1, 500), TimeDelta::hours(4));
        assert_eq!(next_width(TimeDelta::zero(), 1_000_000, 100), TimeDelta::seconds(1));
    }
}
