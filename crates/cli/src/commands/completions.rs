//! Shell completions and man pages, generated from the definition of the command line.

use crate::cli::Cli;
use crate::error::Failure;
use crate::exit::Exit;
use clap::CommandFactory as _;
use std::io;
use std::path::Path;

/// `sifcache completions SHELL`
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    // Generated in memory first, because clap panics if it cannot write its output.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sifcache", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(Exit::OK)
}

/// `sifcache manpages DIRECTORY`
pub(crate) fn manpages(directory: &Path) -> Result<Exit, Failure> {
    clap_mangen::generate_to(Cli::command(), directory)
        .map_err(|error| Failure::Write { path: directory.to_owned(), error })?;
    Ok(Exit::OK)
}
