//! The filter language of the query service.
//!
//! `Name op value` with `==`, `!=`, `<`, `<=`, `>`, `>=`; `;` is and, `,` is or, `;` binds closer; parentheses group.
//! A value stands bare or in double quotes, in which a quote is doubled; spaces outside quotes do not count.

use std::cmp::Ordering;

use uuid::Uuid;

use super::ticks::Ticks;
use super::types::{Field, Kind, QueryType, Shape};

/// The results in the order in which they compare. Where None stands is not documented.
const RESULTS: [&str; 4] = ["None", "Success", "Warning", "Failed"];

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 60;

/// A filter that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Test(Field, Op, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
}

/// A value of a row or of a filter. Values of one field are always of one variant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Text(String),
    Rank(usize),
    Time(Ticks),
    Int(i64),
    Bool(bool),
    Uid(Uuid),
}

impl Op {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Op::Eq => order == Ordering::Equal,
            Op::Ne => order != Ordering::Equal,
            Op::Gt => order == Ordering::Greater,
            Op::Lt => order == Ordering::Less,
            Op::Ge => order != Ordering::Less,
            Op::Le => order != Ordering::Greater,
        }
    }
}

impl Expr {
    /// Whether the row passes. `value` gives the row's values; a missing one passes no test, not even `!=`.
    pub(super) fn matches(&self, value: &dyn Fn(Field) -> Option<Value>) -> bool {
        match self {
            Expr::And(all) => all.iter().all(|expr| expr.matches(value)),
            Expr::Or(any) => any.iter().any(|expr| expr.matches(value)),
            Expr::Test(field, op, wanted) => value(*field).is_some_and(|value| op.holds(value.cmp(wanted))),
        }
    }
}

/// The position of a state among those of the type.
pub(super) fn state_rank(kind: Kind, state: &str) -> Option<usize> {
    kind.states().iter().position(|known| known.eq_ignore_ascii_case(state))
}

/// The position of a result.
pub(super) fn result_rank(result: &str) -> Option<usize> {
    RESULTS.iter().position(|known| known.eq_ignore_ascii_case(result))
}

/// Reads a filter on that type; the error is what the server would say.
pub(super) fn parse(of: QueryType, text: &str) -> Result<Expr, String> {
    let mut parser = Parser { of, rest: text, depth: 0 };
    let expr = parser.any()?;
    if parser.peek().is_some() {
        return Err(format!("Filter is not valid at [{}]", parser.rest));
    }
    Ok(expr)
}

/// Whether a row passes a filter, as the query service reads both. The row's values stand under the names of query
/// parameters and are spelt as a filter spells them; what is left out is missing.
///
/// # Errors
/// What the server would say of a filter, or of a value, that it does not understand.
pub fn passes(kind: Kind, filter: &str, row: &[(&str, &str)]) -> Result<bool, String> {
    let of = QueryType::Session(kind);
    let values = row.iter().map(|(name, text)| {
        let field =
            of.field(name).ok_or_else(|| format!("Property [{name}] is not defined for type [{}]", of.name()))?;
        Ok((field, literal(of, field, text)?))
    });
    let values: Vec<(Field, Value)> = values.collect::<Result<_, String>>()?;
    let value = |field| values.iter().find(|(known, _)| *known == field).map(|(_, value)| value.clone());
    Ok(parse(of, filter)?.matches(&value))
}

struct Parser<'a> {
    of: QueryType,
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn any(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.all()?];
        while self.take(',') {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn all(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.one()?];
        while self.take(';') {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn one(&mut self) -> Result<Expr, String> {
        if self.take('(') {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("Filter is too deep".to_owned());
            }
            let inner = self.any()?;
            self.depth -= 1;
            return if self.take(')') { Ok(inner) } else { Err("A parenthesis is missing".to_owned()) };
        }
        self.peek();
        let length = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let name = &self.rest[..length];
        let field = self
            .of
            .field(name)
            .ok_or_else(|| format!("Property [{name}] is not defined for type [{}]", self.of.name()))?;
        self.rest = &self.rest[length..];
        let op = self.operator()?;
        let text = self.value()?;
        Ok(Expr::Test(field, op, literal(self.of, field, &text)?))
    }

    fn operator(&mut self) -> Result<Op, String> {
        self.peek();
        const OPS: [(&str, Op); 6] =
            [("==", Op::Eq), ("!=", Op::Ne), (">=", Op::Ge), ("<=", Op::Le), (">", Op::Gt), ("<", Op::Lt)];
        let (text, op) = OPS
            .into_iter()
            .find(|(text, _)| self.rest.starts_with(text))
            .ok_or_else(|| format!("An operator is missing at [{}]", self.rest))?;
        self.rest = &self.rest[text.len()..];
        Ok(op)
    }

    fn value(&mut self) -> Result<String, String> {
        if self.take('"') {
            let mut value = String::new();
            loop {
                let Some(end) = self.rest.find('"') else { return Err("A quote is missing".to_owned()) };
                value.push_str(&self.rest[..end]);
                self.rest = &self.rest[end + 1..];
                match self.rest.strip_prefix('"') {
                    Some(rest) => {
                        value.push('"');
                        self.rest = rest;
                    }
                    None => return Ok(value),
                }
            }
        }
        let end = self.rest.find([';', ',', '(', ')', '"', '=', '<', '>', '!']).unwrap_or(self.rest.len());
        let value: String = self.rest[..end].chars().filter(|c| !c.is_whitespace()).collect();
        self.rest = &self.rest[end..];
        if value.is_empty() { Err("A value is missing".to_owned()) } else { Ok(value) }
    }
}

fn literal(of: QueryType, field: Field, text: &str) -> Result<Value, String> {
    let value = match field.shape() {
        Shape::Text => Some(Value::Text(text.to_owned())),
        Shape::Word => Some(Value::Text(text.to_ascii_lowercase())),
        Shape::Rank => match (field, of) {
            (Field::State, QueryType::Session(kind)) => state_rank(kind, text).map(Value::Rank),
            _ => result_rank(text).map(Value::Rank),
        },
        Shape::Time => Ticks::parse(text).map(Value::Time),
        Shape::Int => text.parse().ok().map(Value::Int),
        Shape::Bool => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
        Shape::Uid => Uuid::parse_str(text.rsplit(':').next().unwrap_or(text)).ok().map(Value::Uid),
    };
    value.ok_or_else(|| format!("Value [{text}] is not valid for property [{field:?}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: QueryType = QueryType::Session(Kind::BackupTaskSession);

    fn test(field: Field, op: Op, value: Value) -> Expr {
        Expr::Test(field, op, value)
    }

    fn name(value: &str) -> Expr {
        test(Field::Name, Op::Eq, Value::Text(value.to_owned()))
    }

    #[test]
    fn filters_are_read() {
        let size = |op, n| test(Field::TotalSize, op, Value::Int(n));
        for (text, wanted) in [
            ("name==abc", name("abc")),
            (" Name == \"a \"\"b\"\"; (c)\" ", name("a \"b\"; (c)")),
            ("Name==a b", name("ab")),
            ("Result==failed", test(Field::Result, Op::Eq, Value::Rank(3))),
            ("Result>=Warning", test(Field::Result, Op::Ge, Value::Rank(2))),
            ("state!=\"completed\"", test(Field::State, Op::Ne, Value::Rank(2))),
            (
                "CreationTime>=2026-02-03T04:05:06",
                test(Field::Creation, Op::Ge, Value::Time(Ticks::parse("2026-02-03T04:05:06Z").unwrap())),
            ),
            (
                "EndTime<\"2026-02-03\"",
                test(Field::End, Op::Lt, Value::Time(Ticks::parse("2026-02-03T00:00:00Z").unwrap())),
            ),
            (
                "UID==urn:veeam:BackupTaskSession:0000000A-0000-0000-0000-00000000000b",
                test(Field::Uid, Op::Eq, Value::Uid(Uuid::from_u128(0xA << 96 | 0xB))),
            ),
            (
                "TotalSize>1;TotalSize<=2,Name==x",
                Expr::Or(vec![Expr::And(vec![size(Op::Gt, 1), size(Op::Le, 2)]), name("x")]),
            ),
            (
                "(Name==x,TotalSize==1);TotalSize<2",
                Expr::And(vec![Expr::Or(vec![name("x"), size(Op::Eq, 1)]), size(Op::Lt, 2)]),
            ),
        ] {
            assert_eq!(parse(TASK, text).as_ref(), Ok(&wanted), "{text}");
        }
    }

    #[test]
    fn what_the_type_does_not_know_is_refused() {
        for text in [
            "",
            "Name",
            "Name=x",
            "Name==",
            "Name==\"x",
            "(Name==x",
            "Name==x)",
            "Name==\"\"x\"\"",
            "CreationTimeUTC>=2026-01-01",
            "Progress==1",
            "CreationTime>=soon",
            "UID==12",
            "State==Working",
            "Result==Odd",
            "TotalSize==many",
        ] {
            assert!(parse(TASK, text).is_err(), "{text}");
        }
        let cdp_task = QueryType::Session(Kind::CdpReplicaTaskSession);
        assert!(parse(cdp_task, "Result==Success").is_err());
        assert!(parse(cdp_task, "UID==0000000a-0000-0000-0000-00000000000b").is_err());
        assert!(parse(cdp_task, "Id==0000000a-0000-0000-0000-00000000000b;CreationTimeUTC>2026-01-01").is_ok());
        assert!(parse(QueryType::Session(Kind::RestoreSession), "Type==restorevm;State==working").is_ok());
        assert!(parse(TASK, &"(".repeat(5000)).is_err());
    }

    #[test]
    fn a_missing_value_passes_no_test() {
        let nothing = |_: Field| None;
        assert!(!parse(TASK, "Reason!=x").unwrap().matches(&nothing));
        assert!(!parse(TASK, "EndTime<2026-01-01,EndTime>=2026-01-01").unwrap().matches(&nothing));
    }
}
