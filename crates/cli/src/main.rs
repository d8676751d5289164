//! The `sifcache` command, for administrators and interested users. Each subcommand has a file.
#![forbid(unsafe_code)]

mod cache;
mod cli;
mod commands;
mod error;
mod events;
mod exit;
mod options;
mod pull;
mod reference_list;
mod site;
mod system;
mod ui;

use clap::Parser as _;
use cli::{Cli, Command};
use error::Failure;
use exit::Exit;
use std::io;
use std::process::ExitCode;
use ui::escape::{escape_for_terminal, escape_lines_for_terminal};

/// Prints clap's error. Help and version are not errors; clap writes them to stdout. clap's
/// messages quote arguments unescaped, and an argument may be a file name that a shell expanded, so
/// control characters are escaped.
fn print_clap_error(error: &clap::Error) {
    let is_plain =
        |word: std::ffi::OsString| escape_for_terminal(word.as_ref()) == word.to_string_lossy();
    if std::env::args_os().all(is_plain) {
        let _ = error.print();
    } else {
        eprint!("{}", escape_lines_for_terminal(&error.render().to_string()));
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            print_clap_error(&error);
            return if error.use_stderr() { Exit::USAGE } else { Exit::OK }.into();
        }
    };
    let outcome = match cli.command {
        Command::Add(args) => commands::add::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::List(args) => commands::list::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Refresh(args) => commands::refresh::run(&args),
        Command::Remove(args) => commands::remove::run(&args),
        Command::Gc(args) => commands::gc::run(&args),
        Command::Stage(args) => commands::stage::run(&args),
        Command::StageNode(args) => commands::stage::node::run(&args),
        Command::Misses(args) => commands::misses::run(&args),
        Command::Hits(args) => commands::hits::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Completions { shell } => commands::completions::completions(shell),
        Command::Manpages { directory } => commands::completions::manpages(&directory),
    };
    match outcome {
        Ok(exit) => exit.into(),
        // The reader of our output closed the pipe: not an error.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OK.into(),
        Err(failure) => {
            anstream::eprintln!("sifcache: {}", escape_lines_for_terminal(&failure.to_string()));
            failure.exit().into()
        }
    }
}
