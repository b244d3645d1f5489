//! Where in the indexes the rows of a filter can be.

use std::collections::HashSet;
use std::ops::Range;

use crate::simulator::filter::{Expr, Op, Value};
use crate::simulator::ticks::Ticks;
use crate::simulator::types::{Field, Kind};
use crate::simulator::world::{Moment, Table};

/// The limits that comparisons set on one time.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Bounds {
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
    pub(super) fn take_all(&mut self, expr: &Expr, wanted: Field) -> bool {
        match expr {
            Expr::And(all) => {
                let mut only = true;
                for expr in all {
                    only &= self.take_all(expr, wanted);
                }
                only
            }
            Expr::Test(field, op, Value::Time(time)) if *field == wanted => self.take(*op, *time),
            Expr::Or(_) | Expr::Test(..) => false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    pub(super) fn span(&self, index: &[u32], time: impl Fn(u32) -> Ticks) -> Range<usize> {
        let start = self.from.map_or(0, |from| index.partition_point(|id| time(*id) < from));
        let end = self.to.map_or(index.len(), |to| index.partition_point(|id| time(*id) < to));
        start..end.max(start)
    }
}

/// A piece of an index.
#[derive(Debug)]
pub(super) enum Span {
    Creation(Range<usize>),
    End(Range<usize>),
    Row(u32),
}

/// Rows that could match: none outside them does.
#[derive(Debug)]
pub(super) struct Spans(pub(super) Vec<Span>);

impl Spans {
    fn cost(&self) -> usize {
        let cost = |span: &Span| match span {
            Span::Creation(range) | Span::End(range) => range.len(),
            Span::Row(_) => 1,
        };
        self.0.iter().map(cost).sum()
    }

    /// Ranges of one index that touch become one, so that an OR over servers does not read its overlap again.
    fn merged(self) -> Spans {
        let (mut creation, mut end, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for span in self.0 {
            match span {
                Span::Creation(range) => creation.push(range),
                Span::End(range) => end.push(range),
                Span::Row(_) => spans.push(span),
            }
        }
        spans.extend(merge(creation).into_iter().map(Span::Creation));
        spans.extend(merge(end).into_iter().map(Span::End));
        Spans(spans)
    }

    pub(super) fn visit(self, table: &Table, visit: &mut dyn FnMut(u32)) {
        let spans = self.merged();
        // What is left of one index has no row twice; rows of both, or named ones, may come again.
        let plain = spans.0.iter().all(|span| matches!(span, Span::Creation(_)))
            || spans.0.iter().all(|span| matches!(span, Span::End(_)));
        let mut seen = (!plain).then(|| HashSet::with_capacity(spans.cost()));
        let mut once = |id: u32| {
            if seen.as_mut().is_none_or(|seen| seen.insert(id)) {
                visit(id);
            }
        };
        for span in &spans.0 {
            match span {
                Span::Creation(range) => table.by_creation[range.clone()].iter().copied().for_each(&mut once),
                Span::End(range) => table.by_end[range.clone()].iter().copied().for_each(&mut once),
                Span::Row(id) => once(*id),
            }
        }
    }
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Where to look for the rows that match, or `None` for everywhere.
pub(super) fn candidates(table: &Table, moment: &Moment, kind: Kind, expr: &Expr) -> Option<Spans> {
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
