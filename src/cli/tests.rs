use std::ffi::{OsStr, OsString};

use super::*;

fn parsed(args: &[&str]) -> Cli {
    Cli::try_parse_from([&["vemsync"], args].concat()).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn shared_flags_stand_before_or_after_the_command() {
    for args in [
        &["--page-size", "100", "--kind", "RestoreSession", "-v", "sync"][..],
        &["sync", "--page-size", "100", "--kind", "RestoreSession", "-v"],
        &["--page-size", "100", "sync", "-v", "--kind", "RestoreSession"],
    ] {
        let overrides = parsed(args).overrides();
        assert_eq!(overrides.page_size.as_deref(), Some("100"), "{args:?}");
        assert_eq!(overrides.kinds, ["RestoreSession"], "{args:?}");
        assert_eq!(overrides.verbose, 1, "{args:?}");
    }
}

#[test]
fn every_command_of_the_contract_parses() {
    for args in [
        &["demo"][..],
        &["demo", "--database", "sqlite:x.db"],
        &["init", "--force"],
        &["check"],
        &["sync"],
        &["run", "--listen", "0.0.0.0:9399"],
        &["backfill", "--since", "2026-01-01"],
        &["backfill", "--since", "2026-01-01", "--until", "2026-02-01T00:00:00Z", "--again", "--dry-run"],
        &["status", "--json"],
        &["report"],
        &["report", "overview"],
        &["report", "job", "Nightly", "--format", "csv", "--table", "runs", "--since", "7d", "--until", "2026-03-01"],
        &["report", "monthly", "--time-zone", "Europe/Berlin", "-o", "monthly.html"],
        &["rejects", "list"],
        &["rejects", "show", "17"],
        &["rejects", "replay"],
        &["copy", "--from", "sqlite:a.db", "--to", "postgres://v@db/v", "--to-password-file", "password"],
        &["copy", "--from", "sqlite:a.db", "--to", "sqlite:b.db", "--verify"],
        &["migrate", "--check"],
        &["schema"],
        &["schema", "BackupJobSession"],
        &["simulate"],
    ] {
        parsed(args);
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for args in [
        &["vemsync"][..],
        &["vemsync", "sink"],
        &["vemsync", "sync", "--pagesize", "5"],
        &["vemsync", "backfill"],
        &["vemsync", "backfill", "--since", "yesterday"],
    ] {
        let error = Cli::try_parse_from(args).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{args:?}");
    }
}

#[test]
fn a_value_that_is_wrong_is_left_to_the_configuration_to_report() {
    let overrides = parsed(&["sync", "--page-size", "-5", "--kind", "Nothing", "--interval", "0"]).overrides();
    assert_eq!(overrides.page_size.as_deref(), Some("-5"));
}

#[test]
fn no_debug_output_holds_a_secret() {
    let cli = parsed(&["--database", "postgres://v:hunter2@db/v", "sync", "--url", "https://u:hunter2@em.example"]);
    assert!(!format!("{cli:?}{:?}", cli.overrides()).contains("hunter2"));
}

#[test]
fn the_help_names_every_variable_and_has_examples() {
    let help = Cli::command().term_width(400).render_long_help().to_string();
    for variable in [
        "VEMSYNC_CONFIG",
        "VEMSYNC_DATABASE_URL",
        "VEMSYNC_URL",
        "VEMSYNC_USERNAME",
        "VEMSYNC_PASSWORD_FILE",
        "VEMSYNC_PASSWORD",
        "VEMSYNC_CA_FILE",
        "VEMSYNC_CERTIFICATE_SHA256",
        "VEMSYNC_INSECURE",
        "VEMSYNC_PAGE_SIZE",
        "VEMSYNC_BACKFILL",
        "VEMSYNC_INTERVAL",
        "VEMSYNC_OVERLAP",
        "VEMSYNC_LOG_FORMAT",
        "RUST_LOG",
        "Examples:",
        "Exit status:",
    ] {
        assert!(help.contains(variable), "{variable}");
    }
}

#[test]
fn flags_of_the_contract_have_these_names() {
    let command = Cli::command();
    let names: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
    let expected = [
        "config",
        "database",
        "log-format",
        "verbose",
        "url",
        "username",
        "password-file",
        "ca-file",
        "certificate-sha256",
        "insecure",
        "kind",
        "page-size",
        "backfill",
        "interval",
        "overlap",
    ];
    assert_eq!(names, expected);
}

#[test]
fn clap_reads_no_variable_itself() {
    let command = Cli::command();
    let from_env: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_env).map(OsStr::to_owned).collect();
    assert!(from_env.is_empty());
}

#[test]
fn a_broken_pipe_ends_quietly_and_a_full_disk_does_not() {
    assert!(quiet_end(Err(ErrorKind::BrokenPipe.into())).is_ok());
    assert!(quiet_end(Err(ErrorKind::StorageFull.into())).is_err());
}

#[test]
fn a_repeatable_flag_on_both_sides_of_the_command_is_refused_not_half_used() {
    let from = |args: &[&str]| Cli::from_args(args.iter().map(OsString::from));
    let cli = from(&["vemsync", "sync", "--kind", "A", "--kind=B"]).unwrap();
    assert_eq!(cli.overrides().kinds, ["A", "B"]);
    let error = from(&["vemsync", "--kind", "A", "sync", "--kind=B"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--kind stands before and after the command"), "{error}");
}
