//! The `sifcache` command, for administrators and interested users. See `commands.rs`.
#![forbid(unsafe_code)]

mod cache;
mod cli;
mod commands;
mod demand;
mod error;
mod events;
mod exit;
mod inspect;
mod metrics;
mod options;
mod pull;
mod reference_list;
mod report;
mod site;
mod system;
mod ui;

use clap::Parser as _;
use cli::Cli;
use error::Failure;
use exit::Exit;
use std::io;
use std::process::ExitCode;
use ui::escape::{escape_for_terminal, escape_lines_for_terminal};
use ui::stderr;

/// Prints clap's error. Help and version are not errors; clap writes them to stdout. clap's
/// messages quote arguments unescaped, and an argument may be a file name that a shell expanded, so
/// control characters are escaped.
fn print_clap_error(error: &clap::Error) {
    let is_plain =
        |word: std::ffi::OsString| escape_for_terminal(word.as_ref()) == word.to_string_lossy();
    if std::env::args_os().all(is_plain) {
        let _ = error.print();
    } else {
        stderr::print(&escape_lines_for_terminal(&error.render().to_string()));
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
    match cli.command.run() {
        Ok(exit) => exit.into(),
        // The reader of our output closed the pipe, which is not an error.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OK.into(),
        Err(failure) => {
            stderr::message(&failure.to_string());
            failure.exit().into()
        }
    }
}
