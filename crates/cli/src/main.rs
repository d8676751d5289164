//! The `sifcache` command, for admins and curious users. One file per subcommand.
#![forbid(unsafe_code)]

mod add;
mod architecture;
mod args;
mod arrival;
mod cluster;
mod command_line;
mod completions;
mod content;
mod credentials;
mod doctor;
mod event;
mod explain;
mod failure;
mod gc;
mod group;
mod hits;
mod human;
mod import;
mod list;
mod list_of_references;
mod logs;
mod lookup;
mod misses;
mod output;
mod process;
mod progress;
mod pull;
mod question;
mod refresh;
mod registry;
mod removal;
mod remove;
mod report;
mod runtime;
mod select;
mod served;
mod sif_metadata;
mod site;
mod space;
mod spelling;
mod squashfs;
mod stage;
mod stop;
mod store;
mod tally;
mod tmpdir;
mod verify;
mod workers;

use args::{Cli, Command};
use clap::Parser as _;
use failure::{Exit, Failure};
use output::{plain, plain_lines};
use std::io;
use std::process::ExitCode;

/// Help and version are no errors; clap writes them to stdout. What it says of an argument
/// holds that as it came, and a shell may have made it of the name of a file.
fn say(error: &clap::Error) {
    let is_plain = |word: std::ffi::OsString| plain(word.as_ref()) == word.to_string_lossy();
    if std::env::args_os().all(is_plain) {
        let _ = error.print();
    } else {
        eprint!("{}", plain_lines(&error.render().to_string()));
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            say(&error);
            return if error.use_stderr() { Exit::USAGE } else { Exit::OK }.into();
        }
    };
    let outcome = match cli.command {
        Command::Add(args) => add::run(&args),
        Command::Import(args) => import::run(&args),
        Command::List(args) => list::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Refresh(args) => refresh::run(&args),
        Command::Remove(args) => remove::run(&args),
        Command::Gc(args) => gc::run(&args),
        Command::Stage(args) => stage::run(&args),
        Command::StageNode(args) => stage::node::run(&args),
        Command::Misses(args) => misses::run(&args),
        Command::Hits(args) => hits::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => completions::completions(shell),
        Command::Manpages { directory } => completions::manpages(&directory),
    };
    match outcome {
        Ok(exit) => exit.into(),
        // Whoever read our output has enough of it.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OK.into(),
        Err(failure) => {
            anstream::eprintln!("sifcache: {}", plain_lines(&failure.to_string()));
            failure.exit().into()
        }
    }
}
