//! What is wrong with a configuration, said so that it can be mended: where it stands, what it is, what to do.
//!
//! Problems are collected, never thrown at the first one: someone who writes a file should need one attempt, not one
//! attempt a mistake. No text here ever holds a secret; whoever makes a problem leaves the value out where it might.

use std::fmt;
use std::sync::Arc;

use crate::escape;

/// Where a setting was given. The order is the one in which problems are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of the configuration file, counted from 1.
    File {
        /// The file as the user named it.
        file: Arc<str>,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(&'static str),
    /// A flag or an argument of the command.
    Flag(&'static str),
    /// The settings as a whole: something is missing that could have been given in several places.
    Settings,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: 0 } => f.write_str(&escape::control(file)),
            Self::File { file, line } => write!(f, "{}:{line}", escape::control(file)),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::Settings => f.write_str("settings"),
        }
    }
}

/// One thing that is wrong. Its text is one line: `vemsync.toml:12: page_size is 0; give a number from 1 to 10000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

impl Problem {
    /// A problem at a place.
    #[must_use]
    pub fn new(place: Place, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { place, what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, escape::control(&self.what), escape::control(&self.mend))
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong, one problem a line. Exit status 2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds one from its parts.
    pub fn add(&mut self, place: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.push(Problem::new(place.clone(), what, mend));
    }

    /// The problems: those of the file by line, then those of the environment, then those of flags.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// The value, unless there is a problem.
    ///
    /// # Errors
    /// The problems, sorted by place, if there is any.
    pub fn unless_any<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by(|a, b| a.place.cmp(&b.place));
        Err(self)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known name that is most like what was written, if any is like it at all.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = squashed(written);
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written, &squashed(name)), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        // The first of equals wins, so that the offer does not depend on the order of comparison.
        .fold(None, |best: Option<(f64, &str)>, it| if best.is_some_and(|b| b.0 >= it.0) { best } else { Some(it) })
        .map(|(_, name)| name)
}

/// `page-size`, `PageSize` and `page_size` are the same mistake.
fn squashed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_nonsense_gets_none() {
        let known = ["page_size", "backfill", "interval", "overlap"];
        for (written, offered) in [
            ("pagesize", Some("page_size")),
            ("Page-Size", Some("page_size")),
            ("intervall", Some("interval")),
            ("backfil", Some("backfill")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), offered, "{written}");
        }
    }

    #[test]
    fn a_problem_is_one_line_whatever_it_quotes() {
        let place = Place::File { file: "a\nb.toml".into(), line: 3 };
        let problem = Problem::new(place, "x is \"\u{1b}[2J\n\"", "mend it");
        assert_eq!(problem.to_string(), "a\\nb.toml:3: x is \"\\u{1b}[2J\\n\"; mend it");
    }

    #[test]
    fn problems_are_listed_by_place() {
        let mut problems = Problems::default();
        problems.add(&Place::Flag("--page-size"), "c", "d");
        problems.add(&Place::File { file: "f".into(), line: 9 }, "b", "d");
        problems.add(&Place::File { file: "f".into(), line: 2 }, "a", "d");
        let sorted = problems.unless_any(()).unwrap_err();
        assert_eq!(sorted.to_string(), "f:2: a; d\nf:9: b; d\n--page-size: c; d");
    }
}
