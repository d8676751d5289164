//! The `sifcache` command, for admins and curious users. One file per subcommand.
#![forbid(unsafe_code)]

mod args;
mod command_line;
mod completions;
mod explain;
mod failure;
mod human;
mod output;
mod site;
mod spelling;
mod stop;
mod store;

use args::{Cli, Command};
use clap::Parser as _;
use failure::{Exit, Failure};
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap writes them to stdout.
            let _ = error.print();
            return if error.use_stderr() { Exit::USAGE } else { Exit::OK }.into();
        }
    };
    let outcome = match cli.command {
        Command::Explain(args) => explain::run(&args),
        Command::Completions { shell } => completions::completions(shell),
        Command::Manpages { directory } => completions::manpages(&directory),
    };
    match outcome {
        Ok(exit) => exit.into(),
        // Whoever read our output has enough of it.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OK.into(),
        Err(failure) => {
            anstream::eprintln!("sifcache: {failure}");
            failure.exit().into()
        }
    }
}
