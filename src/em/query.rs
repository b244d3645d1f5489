//! Query text. Pure, and closed: a filter is built from UIDs, whole seconds and words of this program's own, so that
//! no text from outside can get into it.

use chrono::{DateTime, Utc};
use url::Url;
use uuid::Uuid;

use super::Rejection;
use crate::decode::Paging;
use crate::timestamp;

/// Longest URL that is sent; what stands between here and Enterprise Manager may cut longer ones.
pub const MAX_URL: usize = 2000;

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `<`
    Less,
    /// `>=`
    GreaterOrEqual,
}

/// What a property is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// An identity, sent as a bare GUID.
    Uid(Uuid),
    /// A time, sent as its whole second.
    Second(DateTime<Utc>),
    /// A state or result out of the kind's own entry.
    Word(&'static str),
}

/// A condition on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// One comparison.
    Compare(&'static str, Op, Operand),
    /// All of these.
    All(Vec<Filter>),
    /// Any of these.
    Any(Vec<Filter>),
}

impl Filter {
    /// Rows with one of these states.
    #[must_use]
    pub fn states(states: &[&'static str]) -> Self {
        Self::Any(states.iter().map(|state| Self::Compare("State", Op::Equal, Operand::Word(state))).collect())
    }

    /// Rows with one of these identities.
    #[must_use]
    pub fn uids(property: &'static str, uids: &[Uuid]) -> Self {
        Self::Any(uids.iter().map(|uid| Self::Compare(property, Op::Equal, Operand::Uid(*uid))).collect())
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Compare(property, op, operand) => {
                out.push_str(property);
                out.push_str(match op {
                    Op::Equal => "==",
                    Op::Less => "<",
                    Op::GreaterOrEqual => ">=",
                });
                match operand {
                    Operand::Uid(uid) => {
                        out.push('"');
                        out.push_str(uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
                        out.push('"');
                    }
                    Operand::Second(time) => {
                        out.push('"');
                        out.push_str(&timestamp::format_second(*time));
                        out.push('"');
                    }
                    Operand::Word(word) => out.push_str(word),
                }
            }
            Self::All(parts) => join(parts, ';', out),
            Self::Any(parts) => join(parts, ',', out),
        }
    }
}

/// Parts that are themselves joined get brackets: no rule of precedence is written down for the API.
fn join(parts: &[Filter], separator: char, out: &mut String) {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(separator);
        }
        match part {
            Filter::Compare(..) => part.write(out),
            Filter::All(inner) | Filter::Any(inner) if inner.len() == 1 => part.write(out),
            Filter::All(_) | Filter::Any(_) => {
                out.push('(');
                part.write(out);
                out.push(')');
            }
        }
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

/// In which order rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Smallest first.
    Ascending(&'static str),
    /// Greatest first.
    Descending(&'static str),
}

/// How much of each row comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    Entities,
    /// What it is called, and no more.
    References,
}

/// One request to the query service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The type of the rows.
    pub kind: &'static str,
    /// How much of them.
    pub form: Form,
    /// Which of them.
    pub filter: Option<Filter>,
    /// In which order.
    pub sort: Option<Sort>,
    /// Rows a page.
    pub page_size: u32,
    /// The page, from 1.
    pub page: u32,
}

impl Query {
    /// Whether an answer is the page that was asked for, of the size that was asked for or a smaller one, with no more
    /// rows than that.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, paging: Paging, records: usize) -> Result<(), Rejection> {
        if paging.page != self.page && !(records == 0 && paging.pages == 0) || paging.size > self.page_size {
            return Err(Rejection::Page {
                page: paging.page,
                size: paging.size,
                asked: self.page,
                asked_size: self.page_size,
            });
        }
        let too_many = records > paging.size as usize || records > 0 && paging.pages == 0;
        // A page before the last cannot be empty.
        let too_few = paging.page < paging.pages && records == 0;
        if too_many || too_few {
            return Err(Rejection::Count { records, size: paging.size, pages: paging.pages });
        }
        Ok(())
    }

    /// The request's URL, everything in it percent-encoded.
    #[must_use]
    pub fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("query");
        }
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("type", self.kind);
            if self.form == Form::Entities {
                pairs.append_pair("format", "Entities");
            }
            if let Some(filter) = &self.filter {
                pairs.append_pair("filter", &filter.to_string());
            }
            match self.sort {
                Some(Sort::Ascending(by)) => drop(pairs.append_pair("sortAsc", by)),
                Some(Sort::Descending(by)) => drop(pairs.append_pair("sortDesc", by)),
                None => {}
            }
            pairs.append_pair("pageSize", &self.page_size.to_string()).append_pair("page", &self.page.to_string());
        }
        url
    }
}

/// For messages: what was asked, without the host.
impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "type={}", self.kind)?;
        if let Some(filter) = &self.filter {
            write!(f, " filter={filter}")?;
        }
        write!(f, " pageSize={} page={}", self.page_size, self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(text: &str) -> Operand {
        Operand::Second(timestamp::parse(text).expect("a time"))
    }

    #[test]
    fn filters_are_bracketed_and_whole_seconds() {
        let server = Uuid::from_u128(1);
        let filter = Filter::Any(vec![
            Filter::All(vec![
                Filter::Compare("BackupServerUid", Op::Equal, Operand::Uid(server)),
                Filter::Compare("CreationTime", Op::GreaterOrEqual, second("2025-08-14T12:31:30.999Z")),
            ]),
            Filter::All(vec![Filter::Compare("CreationTime", Op::Less, second("2025-08-15T00:00:00Z"))]),
        ]);
        assert_eq!(
            filter.to_string(),
            "(BackupServerUid==\"00000000-0000-0000-0000-000000000001\";CreationTime>=\"2025-08-14T12:31:30Z\"),\
             CreationTime<\"2025-08-15T00:00:00Z\""
        );
        assert_eq!(
            Filter::All(vec![
                Filter::states(&["InProgress", "Pending"]),
                Filter::Compare("CreationTime", Op::Less, second("2025-08-15"))
            ])
            .to_string(),
            "(State==InProgress,State==Pending);CreationTime<\"2025-08-15T00:00:00Z\""
        );
    }

    #[test]
    fn urls_are_encoded_and_thirty_uids_fit() {
        let base = Url::parse("https://em.example.org:9398/api/").expect("a URL");
        let uids: Vec<Uuid> = (0..30).map(Uuid::from_u128).collect();
        let query = Query {
            kind: "BackupTaskSession",
            form: Form::Entities,
            filter: Some(Filter::uids("UID", &uids)),
            sort: Some(Sort::Descending("CreationTime")),
            page_size: 500,
            page: 1,
        };
        let url = query.url(&base);
        assert!(url.as_str().starts_with("https://em.example.org:9398/api/query?type=BackupTaskSession&format=Entities&filter=UID%3D%3D%2200000000-"), "{url}");
        assert!(url.as_str().len() < MAX_URL, "{}", url.as_str().len());
        assert!(!url.as_str().contains(['"', ' ', '<', '>']));
    }
}
