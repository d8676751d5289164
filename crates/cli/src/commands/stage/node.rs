//! `sifcache stage-node`: runs in a step of `sifcache stage` on each node.
//!
//! It reads requests from standard input, and writes the results to standard output. When its input
//! ends, unfinished work is removed.

mod inventory;
mod receive;

use super::message::{NodeReply, Reply, Request};
use crate::cache::access::{Access, DirectoryAccess};
use crate::cache::store::Store;
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::retention::Retention;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::output;
use clap::Args;
use jiff::SignedDuration;
use receive::Incoming;
use sifcache_core::settings::{Settings, Untrusted};
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Interval for checking the progress of a transfer, and for signals.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Receive images from `sifcache stage`; not meant to be run by hand
#[derive(Debug, Args)]
pub(crate) struct StageNode {
    #[command(flatten)]
    site: Site,
    /// How long to keep a replaced file
    #[arg(long, value_name = "TIME", default_value = "0d", value_parser = format::parse_age)]
    keep: SignedDuration,
}

/// Runs the subcommand.
pub(crate) fn run(args: &StageNode) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, None)?;
    signals::watch()?;
    let mut node = Node {
        name: name(),
        root,
        settings: &settings,
        retention: Retention::new(args.keep),
        incoming: None,
    };
    let step = std::env::var("SLURM_STEP_ID").unwrap_or_default();
    node.send(Reply::Ready { version: env!("CARGO_PKG_VERSION").to_owned(), step })?;
    let requests = requests();
    loop {
        signals::check()?;
        match requests.recv_timeout(POLL_INTERVAL) {
            Ok(request) => node.handle(&request?)?,
            Err(RecvTimeoutError::Timeout) => node.report_progress()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::OK),
        }
    }
}

/// Fails if the root is in a directory that only the caller can access. Slurm can create such a
/// directory for each job, and a copy in it would be deleted at the end of the job. From inside the
/// job's namespaces, its permissions are the only sign of such a directory.
fn refuse_private(root: &Path) -> Result<(), Failure> {
    let Access::Closed(path, _) = DirectoryAccess::default().directory(root) else { return Ok(()) };
    Err(Failure::Private { root: root.to_owned(), directory: path })
}

/// Slurm's name for this node.
fn name() -> String {
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| host())
}

/// Reads requests in a separate thread, so that a blocking read does not delay the reaction to a
/// signal.
fn requests() -> Receiver<Result<Request, Failure>> {
    let (sender, requests) = channel();
    thread::spawn(move || {
        for (index, line) in io::stdin().lock().lines().map_while(Result::ok).enumerate() {
            let request = serde_json::from_str(&line);
            if sender.send(request.map_err(|error| Failure::Input(index + 1, error))).is_err() {
                return;
            }
        }
    });
    requests
}

struct Node<'a> {
    name: String,
    root: PathBuf,
    settings: &'a Settings,
    retention: Retention,
    incoming: Option<Incoming>,
}

impl Node<'_> {
    fn send(&self, reply: Reply) -> Result<(), Failure> {
        output::json(&NodeReply { node: self.name.clone(), reply })
    }

    fn handle(&mut self, request: &Request) -> Result<(), Failure> {
        let done = match request {
            Request::Query { items } => self.store().and_then(|store| {
                let mut room = store.free();
                for item in items {
                    let reply = inventory::query(&store, item, &mut room);
                    let failed = |failure| Reply::failed(Some(&item.reference), &failure);
                    self.send(reply.unwrap_or_else(failed))?;
                }
                Ok(())
            }),
            Request::Prepare { item, place } => self.store().and_then(|store| {
                self.incoming = None;
                self.incoming = Incoming::prepare(store, item, place)?;
                let present = || Reply::Present { reference: item.reference.clone() };
                self.send(self.incoming.as_ref().map_or_else(present, |_| Reply::Prepared))
            }),
            Request::Commit => self.commit(),
            Request::List => self.list().and_then(|()| self.send(Reply::Listed)),
        };
        match done {
            // The login node no longer reads replies, or a signal asked the command to stop.
            Err(failure @ (Failure::Io(_) | Failure::Stopped(_))) => Err(failure),
            Err(failure) => self.send(Reply::failed(None, &failure)),
            Ok(()) => Ok(()),
        }
    }

    fn list(&self) -> Result<(), Failure> {
        let others = OtherRoots::of(self.settings, &self.root);
        inventory::list(&self.root, &others, &mut |copy| self.send(Reply::Has(copy)))
    }

    fn store(&self) -> Result<Store, Failure> {
        let store = Store::open(&self.root, self.settings)?;
        if self.settings.untrusted == Untrusted::Refuse {
            refuse_private(&self.root)?;
        }
        Ok(store)
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let Some(incoming) = self.incoming.take() else { return Ok(()) };
        match incoming.commit(self.settings, self.retention) {
            Err(failure @ Failure::Stopped(_)) => Err(failure),
            Err(failure) => self.send(Reply::failed(Some(incoming.reference()), &failure)),
            Ok(()) => self.send(Reply::Staged),
        }
    }

    fn report_progress(&mut self) -> Result<(), Failure> {
        match self.incoming.as_mut().and_then(Incoming::received) {
            Some(bytes) => self.send(Reply::Received { bytes }),
            None => Ok(()),
        }
    }
}
