//! Parses the arguments, runs the command, prints an error once, and ends with the right status.

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match vemsync::cli::Cli::from_args(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    vemsync::cli::main(cli).into()
}
