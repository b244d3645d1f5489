//! The environment variables that the program reads.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Command, CommandFactory as _};

use super::Cli;
use crate::config::nearest;

/// What the environment holds beside what flags name as `[env: …]` in their help.
const VARIABLES: &[(&str, &str)] = &[
    (
        "CREDENTIALS_DIRECTORY",
        "set by systemd: where password files that are named without a folder are looked for first",
    ),
    ("NO_COLOR", "no colours"),
    ("RUST_LOG", "what is logged, finer than --verbose: a filter such as info,vemsync=debug"),
    ("VEMSYNC_BASIC_AUTH_FILE", "as basic_auth_file in the section http of the settings file"),
    ("VEMSYNC_FAILOVER_ENABLED", "as enabled in the section failover of the settings file"),
    ("VEMSYNC_FAILOVER_PASSWORD_FILE", "as password_file in the section enterprise_manager.failover"),
    ("VEMSYNC_FAILOVER_USERNAME", "as username in the section enterprise_manager.failover"),
    ("VEMSYNC_KEEP", "as keep in the section retention of the settings file"),
    ("VEMSYNC_PASSWORD", "the password itself, in place of --password-file"),
    ("VEMSYNC_PUBLIC", "as public in the section http of the settings file"),
];

/// All variables, and what each stands for. The command has to be built.
pub(super) fn all(command: &Command) -> BTreeMap<String, String> {
    let mut all = named_by_flags(command);
    all.extend(VARIABLES.iter().map(|(name, meaning)| ((*name).to_owned(), (*meaning).to_owned())));
    all
}

const PREFIX: &str = "VEMSYNC_";

/// A word about each of these that is called almost as one that is read here: a slip of the pen would otherwise be found
/// months later. It may be meant for something else, and so is no reason not to start.
pub(super) fn misspelt(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let ours = names.filter_map(|name| Some(name.into_string().ok()?.strip_prefix(PREFIX)?.to_owned()));
    let mut ours: Vec<String> = ours.collect();
    if ours.is_empty() {
        return ours;
    }
    ours.sort_unstable();
    let mut command = Cli::command();
    command.build();
    let all = all(&command);
    let known: Vec<&str> = all.keys().filter_map(|name| name.strip_prefix(PREFIX)).collect();
    let said = |name: &String| {
        let near = nearest(name, known.iter().copied()).filter(|near| near != name)?;
        Some(format!("{PREFIX}{name}: there is no such setting; did you mean {PREFIX}{near}?"))
    };
    ours.iter().filter_map(said).collect()
}

/// The variables in the help of flags, and which flag each stands for.
fn named_by_flags(command: &Command) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for arg in command.get_subcommands().chain([command]).flat_map(Command::get_arguments) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, from)) = help.split_once("[env: ") else { continue };
        let text = from.split_once(']').map_or(from, |(text, _)| text);
        let is_name = |word: &&str| {
            word.contains('_') && word.chars().all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit())
        };
        for name in text.split([' ', ',', '\n']).filter(is_name) {
            found.insert(name.to_owned(), format!("as --{}", arg.get_long().unwrap_or_default()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_told_with_the_nearest_and_others_are_not() {
        let names = [
            "VEMSYNC_INTERVALL",
            "HOME",
            "VEMSYNC_INTERVAL",
            "VEMSYNC_KEEP",
            "VEMSYNC_PASSWORD_FILES",
            "VEMSYNC_TEST_POSTGRES",
        ];
        let said = misspelt(names.iter().map(OsString::from));
        assert_eq!(
            said,
            [
                "VEMSYNC_INTERVALL: there is no such setting; did you mean VEMSYNC_INTERVAL?",
                "VEMSYNC_PASSWORD_FILES: there is no such setting; did you mean VEMSYNC_PASSWORD_FILE?"
            ]
        );
    }
}
