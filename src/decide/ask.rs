//! `filler=`: passes a miss on to the listener of `sifcache fill`, for sites without central logs.
//!
//! The plugin has no network code. It starts the installed command, `sifcache request --send-only`,
//! as the user of the task, and a launch does not wait for it. The command has an empty environment,
//! inherits no files of the task, and ends after at most two seconds ([`LIMIT`] is a bit longer). The
//! plugin finds it by the link that `make install` and the packages create next to the shim.
//!
//! Of a user's processes on a node that miss the same image at the same time, one sends the request.
//! It has a socket with an abstract name, which the kernel removes when the command ends.

use crate::NAME;
use crate::fault;
use crate::job::Job;
use crate::spank::{Program, connect, inherit, peer_uid, within};
use sifcache_core::decision::Decision;
use sifcache_core::nested::{COMMAND, installed};
use sifcache_core::queue;
use sifcache_core::settings::{Filler, Settings};
use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;
use std::time::Duration;

/// The longest time that the plugin spends on a request.
const LIMIT: Duration = Duration::from_millis(2500);

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The command was started.
    Started,
    /// The command has ended with this status.
    Ended(Option<i32>),
    /// Another process of this user sends the same request.
    Shared,
    /// The command cannot be started.
    Failed(ErrorKind),
}

/// Requests the image of `decision`, a miss, if the site has a listener. Errors have no effect on
/// the launch. With `is_last`, this process is about to end, and with it perhaps its job, so it
/// waits until the request was sent.
pub(crate) fn listener(job: &dyn Job, decision: &Decision, settings: &Settings, is_last: bool) {
    let (Some(filler), Some(reference)) = (&settings.filler, decision.reference()) else { return };
    let step = job.step();
    if !step.is_reporter() {
        return;
    }
    fault::point("ask");
    let request = Request {
        program: installed(COMMAND),
        filler,
        reference: reference.to_string(),
        uid: step.uid,
    };
    let (program, reference) = (&request.program, &request.reference);
    match request.send(is_last) {
        Some(Outcome::Failed(error)) => {
            log::warn!("{reference} cannot be requested from {filler}: {program}: {error}");
        }
        Some(Outcome::Ended(status)) if status != Some(0) => {
            log::debug!("{program} could not request {reference} from {filler}: {status:?}");
        }
        Some(Outcome::Started | Outcome::Ended(_)) => {
            log::debug!("{program} requests {reference} from {filler}");
        }
        Some(Outcome::Shared) => {
            log::debug!("another process requests {reference} from {filler}");
        }
        None => log::warn!("{reference} cannot be requested from {filler}: no process"),
    }
}

/// A socket, or nothing if its name belongs to another user.
type Claim = Option<OwnedFd>;

struct Request<'a> {
    program: String,
    filler: &'a Filler,
    /// The printed reference.
    reference: String,
    uid: u32,
}

impl Request<'_> {
    /// Starts the command, and with `is_last` also waits for its end. `None` if that took too long,
    /// or no process could be started.
    fn send(&self, is_last: bool) -> Option<Outcome> {
        let parent = process::id();
        // The helper process has closed all files of the task.
        let (outcomes, _) = within(LIMIT, &|report| {
            // In this process, the command would inherit files of the task.
            if process::id() == parent {
                return;
            }
            match self.start() {
                Ok(Some(program)) if is_last => {
                    report(Outcome::Started);
                    report(Outcome::Ended(program.status()));
                }
                Ok(Some(_)) => report(Outcome::Started),
                Ok(None) => report(Outcome::Shared),
                Err(error) => report(Outcome::Failed(error.kind())),
            }
        });
        outcomes.into_iter().next_back()
    }

    /// Starts the command; `None` if another process has done that.
    fn start(&self) -> io::Result<Option<Program>> {
        let Some(_claim) = self.claim()? else { return Ok(None) };
        let to = format!("--to={}", self.filler);
        let words = [NAME, "request", "--send-only", &to, "--", &self.reference];
        let words: Result<Vec<CString>, _> = words.into_iter().map(CString::new).collect();
        Program::start(&CString::new(self.program.as_str())?, &words?).map(Some)
    }

    /// The socket that shows other processes that this request is being sent: the command inherits
    /// it. `None` if another process of this user has it. A process of another user is not believed.
    fn claim(&self) -> io::Result<Option<Claim>> {
        match UnixListener::bind_addr(&self.address()?) {
            Ok(listener) => {
                let listener = OwnedFd::from(listener);
                inherit(&listener);
                return Ok(Some(Some(listener)));
            }
            Err(error) if error.kind() != ErrorKind::AddrInUse => return Err(error),
            Err(_) => {}
        }
        let owner = connect(self.name().as_bytes()).ok().and_then(|stream| peer_uid(&stream));
        Ok((owner != Some(self.uid)).then_some(None))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(self.name())
    }

    fn name(&self) -> String {
        let Self { filler, reference, uid, .. } = self;
        let key = queue::hash(format!("{filler} {reference}").as_bytes());
        format!("sifcache-request/{uid}/{key}")
    }
}

#[cfg(test)]
mod tests;
