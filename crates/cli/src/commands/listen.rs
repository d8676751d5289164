//! `sifcache listen`: prints the requests that arrive at a listener. This hidden subcommand serves
//! tests and network troubleshooting; the listener of a site is `sifcache fill --listen`.

use crate::demand::listen::Listener;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::output;
use crate::ui::stderr;
use clap::Args;
use sifcache_core::settings::Filler;
use std::time::Duration;

/// Print the requests that arrive at a listener, and add nothing
#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// The address to listen on
    #[arg(value_name = "ADDRESS[:PORT]")]
    address: Filler,
    /// End after this many requests
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Listen) -> Result<Exit, Failure> {
    let mut listener = Listener::bind(&args.address)?;
    stderr::message(&format!("listening on {}", args.address));
    while args.count.is_none_or(|count| listener.counters().accepted < count) {
        for request in listener.next(Duration::from_secs(1)) {
            let uid = request.asker.map_or_else(|| "?".to_owned(), |uid| uid.to_string());
            output::print(&format!("{} {uid} {}\n", request.host, request.reference))?;
        }
    }
    Ok(Exit::OK)
}
