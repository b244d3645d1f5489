//! The same setting from several places: the file, the environment, a flag.
//!
//! Every place is read and checked, the strongest one wins. A mistake in a weaker place is reported as well: it would
//! come to light on the day the flag is left out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::file::File;
use super::problem::{Place, Problems};
use super::value::Parsed;
use super::{Overrides, Surroundings, secret};

/// A value as it was written, and where. It may be a secret, hence no `Debug`.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Given {
    pub(super) fn flag(name: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), place: Place::Flag(name) }
    }
}

/// All places where settings may stand, and what was found wrong so far.
pub(super) struct Layers<'a> {
    pub(super) overrides: &'a Overrides,
    pub(super) around: &'a Surroundings<'a>,
    pub(super) file: File,
    pub(super) problems: Problems,
}

impl Layers<'_> {
    /// A flag's value.
    pub(super) fn flag(name: &'static str, text: Option<&String>) -> Option<Given> {
        text.map(|text| Given::flag(name, text))
    }

    /// A variable's value. An empty one counts as absent: compose files set variables to nothing to unset them.
    pub(super) fn variable(&mut self, name: &'static str) -> Option<Given> {
        let value = (self.around.env)(name)?;
        let Ok(text) = value.into_string() else {
            self.problems.add(&Place::Variable(name), "the value is not UTF-8", "set it again, as UTF-8");
            return None;
        };
        (!text.is_empty()).then_some(Given { text, place: Place::Variable(name) })
    }

    /// The strongest of the candidates, which come strongest first.
    pub(super) fn pick<T>(
        &mut self,
        candidates: impl IntoIterator<Item = Option<Given>>,
        parse: impl Fn(&str) -> Parsed<T>,
    ) -> Option<(T, Place)> {
        let mut strongest = None;
        for given in candidates.into_iter().flatten() {
            match parse(&given.text) {
                Ok(value) => strongest = strongest.or(Some((value, given.place))),
                Err((what, mend)) => self.problems.add(&given.place, what, mend),
            }
        }
        strongest
    }

    /// A setting with a flag, a variable and a key in the file.
    pub(super) fn setting<T>(
        &mut self,
        (flag, typed): (&'static str, Option<&String>),
        variable: &'static str,
        (section, key): (&str, &str),
        parse: impl Fn(&str) -> Parsed<T>,
    ) -> Option<T> {
        let candidates = [Self::flag(flag, typed), self.variable(variable), self.file.one(section, key)];
        self.pick(candidates, parse).map(|(value, _)| value)
    }

    /// A path that was given, made absolute: in the file from the file's folder, elsewhere from the working directory.
    pub(super) fn path(&self, given: &Given) -> PathBuf {
        self.folder(&given.place).join(&given.text)
    }

    /// The password in a file that was given. A name without a folder is first looked for among the credentials that
    /// systemd hands to a service, so that the same settings hold inside the service and at a shell.
    pub(super) fn password(&self, given: &Given) -> Parsed<SecretString> {
        let credentials = (self.around.env)("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let is_name = Path::new(&given.text).file_name() == Some(OsStr::new(&given.text));
        let credential = credentials.as_ref().filter(|_| is_name).map(|folder| folder.join(&given.text));
        let path = credential.filter(|path| path.exists()).unwrap_or_else(|| self.path(given));
        secret::read(&path, credentials.as_deref())
    }

    /// Where relative paths begin that were given there.
    pub(super) fn folder(&self, place: &Place) -> PathBuf {
        match place {
            Place::File { .. } => self.file.folder.clone(),
            Place::Variable(_) | Place::Flag(_) | Place::Settings => self.around.cwd.clone(),
        }
    }
}
