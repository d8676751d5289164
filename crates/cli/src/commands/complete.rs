//! `sifcache complete-references`: the shell completion scripts call it when a user presses Tab.
//!
//! The command prints nothing but references, one per line, and always ends soon with status 0: the
//! user's prompt waits for it. Names with further components end with `/`.

mod position;
mod search;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::options::{Site, Untrusted};
use crate::site;
use crate::system::helper;
use crate::ui::output;
use clap::{Args, CommandFactory as _};
use position::Position;
use std::ffi::OsString;
use std::time::Duration;

/// How long the search may take. It prints what it has found by then.
const SEARCH: Duration = Duration::from_millis(700);
/// How long the caller waits for the search, which runs in a helper process, including its start.
const LIMIT: Duration = Duration::from_millis(1000);
/// The maximum number of printed references.
const MOST: usize = 500;

/// Print the references in the cache that begin like the last word; called by shell completions
#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// Search in this process
    #[arg(long)]
    search: bool,
    /// The words of the command line after `sifcache`, up to the cursor
    #[arg(last = true, value_name = "WORD")]
    words: Vec<OsString>,
}

/// Runs the subcommand. Errors are not reported, because messages would disturb the user's prompt.
pub(crate) fn run(args: &Complete) -> Exit {
    let words: Option<Vec<&str>> = args.words.iter().map(|word| word.to_str()).collect();
    let Some(position) = Position::of(&Cli::command(), &words.unwrap_or_default()) else {
        return Exit::OK;
    };
    if args.search {
        let found = search(&position);
        helper::answer(&search::sample(&found, MOST).collect::<Vec<_>>());
        return Exit::OK;
    }
    let start = ["complete-references", "--search", "--"].map(OsString::from);
    let found = helper::lines(&[&start[..], &args.words].concat(), LIMIT).unwrap_or_default();
    let _ = output::lines(found.iter().map(String::as_str));
    Exit::OK
}

/// The sorted references that continue the word; none if the settings are unusable.
fn search(position: &Position) -> Vec<String> {
    let site = Site {
        root: position.root.clone().map(Into::into),
        plugstack: position.plugstack.clone().map(Into::into),
        untrusted: Untrusted::Refuse,
    };
    let Ok(settings) = site::settings(&site) else { return Vec::new() };
    let found = search::search(&settings, &position.typed, SEARCH).into_iter();
    found.filter(|name| !position.is_uri || name.contains("://")).collect()
}
