//! `sifcache stage-node`: runs in a step of `sifcache stage` on each node.
//!
//! It reads requests from standard input, and writes the results to standard output. When its input
//! ends, unfinished work is removed.

mod inventory;
mod receive;

use super::message::{Answer, Order, Said};
use crate::cache::access::{Access, Doors};
use crate::cache::store::Store;
use crate::cache::store::kept::Keep;
use crate::error::{Exit, Failure};
use crate::options::Site;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::output;
use crate::ui::output::plain;
use clap::Args;
use jiff::SignedDuration;
use receive::Arriving;
use sifcache_core::settings::{Settings, Untrusted};
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Interval for checking the progress of a transfer, and for signals.
const PATIENCE: Duration = Duration::from_millis(250);

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
        keep: Keep::new(args.keep),
        arriving: None,
    };
    let step = std::env::var("SLURM_STEP_ID").unwrap_or_default();
    node.say(Said::Ready { version: env!("CARGO_PKG_VERSION").to_owned(), step })?;
    let orders = orders();
    loop {
        signals::check()?;
        match orders.recv_timeout(PATIENCE) {
            Ok(order) => node.obey(&order?)?,
            Err(RecvTimeoutError::Timeout) => node.say_what_came()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::OK),
        }
    }
}

/// Fails if the root is in a directory that only the caller can access. Slurm can create such a
/// directory for each job, and a copy there would be deleted with this job. From inside the job's
/// namespaces, nothing else indicates such a directory.
fn refuse_private(root: &Path) -> Result<(), Failure> {
    let Access::Closed(path, _) = Doors::default().directory(root) else { return Ok(()) };
    let message = format!(
        "image root {}: users may not read {}, so no job would find a copy: chmod a+rx; where Slurm \
         gives each job a directory of its own there, stage into another image root",
        plain(root),
        plain(&path)
    );
    Err(Failure::new(Exit::CONFIG, message))
}

/// Slurm's name of this node.
fn name() -> String {
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| host())
}

/// Reads requests in a separate thread, because a blocking read would not notice a signal.
fn orders() -> Receiver<Result<Order, Failure>> {
    let (sender, orders) = channel();
    thread::spawn(move || {
        for (index, line) in io::stdin().lock().lines().map_while(Result::ok).enumerate() {
            let order = serde_json::from_str(&line);
            if sender.send(order.map_err(|error| Failure::Input(index + 1, error))).is_err() {
                return;
            }
        }
    });
    orders
}

struct Node<'a> {
    name: String,
    root: PathBuf,
    settings: &'a Settings,
    keep: Keep,
    arriving: Option<Arriving>,
}

impl Node<'_> {
    fn say(&self, said: Said) -> Result<(), Failure> {
        output::json(&Answer { node: self.name.clone(), said })
    }

    fn obey(&mut self, order: &Order) -> Result<(), Failure> {
        let done = match order {
            Order::Look { items } => self.store().and_then(|store| {
                let mut room = store.free();
                for item in items {
                    let said = inventory::look(&store, item, &mut room);
                    let failed = |failure| Said::failed(Some(&item.reference), &failure);
                    self.say(said.unwrap_or_else(failed))?;
                }
                Ok(())
            }),
            Order::Prepare { item, place } => self.store().and_then(|store| {
                self.arriving = None;
                self.arriving = Some(Arriving::prepare(store, item, place)?);
                self.say(Said::Prepared)
            }),
            Order::Settle => self.settle(),
            Order::List => inventory::list(&self.root, &mut |copy| self.say(Said::Has(copy)))
                .and_then(|()| self.say(Said::Listed)),
        };
        match done {
            // The login node no longer reads replies, or a signal asked the command to stop.
            Err(failure @ (Failure::Io(_) | Failure::Stopped(_))) => Err(failure),
            Err(failure) => self.say(Said::failed(None, &failure)),
            Ok(()) => Ok(()),
        }
    }

    fn store(&self) -> Result<Store, Failure> {
        let store = Store::open(&self.root, self.settings)?;
        if self.settings.untrusted == Untrusted::Refuse {
            refuse_private(&self.root)?;
        }
        Ok(store)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let Some(arriving) = self.arriving.take() else { return Ok(()) };
        match arriving.settle(self.settings, self.keep) {
            Err(failure @ Failure::Stopped(_)) => Err(failure),
            Err(failure) => self.say(Said::failed(Some(arriving.reference()), &failure)),
            Ok(()) => self.say(Said::Staged),
        }
    }

    fn say_what_came(&mut self) -> Result<(), Failure> {
        match self.arriving.as_mut().and_then(Arriving::came) {
            Some(bytes) => self.say(Said::Came { bytes }),
            None => Ok(()),
        }
    }
}
