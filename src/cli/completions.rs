//! `vemsync completions`: what a shell needs to complete commands and flags.

use std::io::{self, Write};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Arguments of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Writes the script.
///
/// # Errors
/// When the output cannot be written.
pub fn write(args: &CompletionsArgs, out: &mut dyn Write) -> io::Result<()> {
    // The generator writes to a buffer, since it panics where a reader went away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vemsync", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_every_command_and_its_flags() {
        for &shell in Shell::value_variants() {
            let mut script = Vec::new();
            write(&CompletionsArgs { shell }, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
                for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                    assert!(script.contains(flag), "{shell}: {} --{flag}", command.get_name());
                }
            }
        }
    }
}
