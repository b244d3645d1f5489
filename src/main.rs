//! Parses the arguments, runs the command, prints an error once, and ends with the right status.

use std::process::ExitCode;

/// Gives memory back that a busy hour took, SQLite's too. With the C library's own, a daemon stays as large as it once was.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match vemsync::cli::Cli::from_args(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    vemsync::cli::main(cli).into()
}
