//! `vemsync man`: the manual page, one for the whole program, from the same definitions as `--help`.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::{Cli, variables};

const FILES: &[(&str, &str)] = &[
    ("./vemsync.toml", "the settings, unless --config names another file; vemsync init writes it"),
    ("~/.config/vemsync/vemsync.toml", "the settings, where the working directory has none"),
    ("/etc/vemsync/vemsync.toml", "the settings of the service"),
    ("/etc/vemsync/vemsync.password", "the password of the service's account in Enterprise Manager, closed to others"),
    ("/var/lib/vemsync/vemsync.db", "the database of the service, unless the settings name another"),
];

/// Writes the page in roff.
///
/// # Errors
/// When the output cannot be written.
pub fn write(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command().override_usage("vemsync [OPTIONS] COMMAND").disable_help_subcommand(true);
    command.build();
    // No date: a page that is made anew should be the same page. Left empty, the version would slip into its place.
    let man = Man::new(command.clone()).title("VEMSYNC").date("\"\"").manual("User Commands");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    let mut page = Roff::new();
    page.control("SH", ["DESCRIPTION"]);
    let end = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (titled, plain): (Vec<_>, Vec<_>) = end.split("\n\n").partition(|part| title(part).is_some());
    page.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default() + ".")]);
    for paragraph in plain {
        page.control("PP", []).text([roman(paragraph)]);
    }
    page.control("SH", ["COMMANDS"]);
    page.to_writer(out)?;
    for subcommand in command.get_subcommands() {
        write_command(subcommand, out)?;
    }
    // One section, with the headings of the help below it.
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    out.write_all(
        String::from_utf8_lossy(&options).replace("\n.SH ", "\n.SS ").replacen(".SS ", ".SH ", 1).as_bytes(),
    )?;

    let mut page = Roff::new();
    for part in titled {
        let (title, text) = title(part).expect("it was chosen by its title");
        page.control("SH", [title.to_uppercase().as_str()]);
        verbatim(&mut page, text);
    }
    page.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in variables::all(&command) {
        item(&mut page, [bold(name)], &meaning);
    }
    page.control("SH", ["FILES"]);
    for (file, meaning) in FILES {
        item(&mut page, [italic(*file)], meaning);
    }
    page.to_writer(out)
}

/// A command with its own arguments, then the commands below it.
fn write_command(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let own = command.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    let own = own.mut_args(|arg| if arg.get_id() == "help" { arg.hide(true) } else { arg });
    if !command.has_subcommands() {
        let mut page = Roff::new();
        page.control("SS", [command.get_bin_name().expect("the command was built")]);
        page.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default() + ".")]);
        page.to_writer(out)?;
        let mut arguments = Vec::new();
        Man::new(own).render_options_section(&mut arguments)?;
        let arguments = String::from_utf8_lossy(&arguments);
        for line in arguments.lines().filter(|line| !line.starts_with(".SH")) {
            writeln!(out, "{line}")?;
        }
        let mut page = Roff::new();
        if let Some(end) = command.get_after_help() {
            page.control("PP", []);
            verbatim(&mut page, &end.to_string());
        }
        page.to_writer(out)?;
    }
    command.get_subcommands().try_for_each(|command| write_command(command, out))
}

/// The title of a paragraph that begins with one, `Examples:` on a line of its own, and the rest.
fn title(paragraph: &str) -> Option<(&str, &str)> {
    let (first, rest) = paragraph.split_once('\n')?;
    Some((first.strip_suffix(':')?, rest))
}

fn verbatim(page: &mut Roff, text: &str) {
    page.control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

fn item(page: &mut Roff, term: impl Into<Vec<Inline>>, meaning: &str) {
    page.control("TP", []).text(term).text([roman(meaning)]);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// With hyphens and apostrophes as they are read.
    fn page() -> String {
        let mut page = Vec::new();
        write(&mut page).unwrap();
        String::from_utf8(page).unwrap().replace("\\-", "-").replace("\\*(Aq", "'")
    }

    #[test]
    fn the_page_has_every_command_and_every_flag() {
        fn look(command: &Command, page: &str) {
            for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(page.contains(&format!("--{flag}\\fR")), "{} --{flag}", command.get_name());
            }
            if !command.has_subcommands() {
                assert!(page.contains(&command.get_about().unwrap().to_string()), "{}", command.get_name());
            }
            command.get_subcommands().for_each(|below| look(below, page));
        }
        let page = page();
        look(&Cli::command(), &page);
        for command in ["vemsync sync", "vemsync failover start", "vemsync rejects show"] {
            assert!(page.contains(&format!(".SS \"{command}\"")), "{command}");
        }
    }

    #[test]
    fn the_page_has_the_sections_that_are_looked_for_each_once() {
        let page = page();
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let expected = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "COMMANDS",
            "OPTIONS",
            "EXAMPLES",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
        ];
        assert_eq!(sections, expected);
    }

    #[test]
    fn the_page_names_every_variable_that_is_read() {
        let page = page();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
        let mut seen = 0;
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let is_name = |text: &&str| text.starts_with("VEMSYNC_") && !text.contains(' ');
            for name in fs::read_to_string(&file).unwrap().split('"').filter(is_name) {
                assert!(page.contains(&format!("\\fB{name}\\fR")), "{name} of {}", file.display());
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
