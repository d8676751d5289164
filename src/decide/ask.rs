//! `filler=`: passes a miss on to the listener of `sifcache fill`, for sites without central logs.
//!
//! The plugin has no network code. It starts the installed command, `sifcache request --send-only`,
//! as the user of the task, and a launch does not wait for it. The command has an empty environment,
//! inherits no files of the task, and ends after at most two seconds ([`LIMIT`] is a bit longer). The
//! plugin finds it by the link that `make install` and the packages create next to the shim.
//!
//! Of a user's processes on a node that miss the same image at the same time, one sends the request.
//! It has a socket with an abstract name, which the kernel removes when the command ends.
//!
//! If the launch waits for the image, this socket is also the command's standard input. The command
//! then stays, and sends the listener's news to the processes that connect to the socket.

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
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;
use std::time::Duration;

/// The longest time that the plugin spends on a request.
const LIMIT: Duration = Duration::from_millis(2500);

/// The descriptor of the standard input.
const STDIN: RawFd = 0;

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

/// What a process does after its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It ends, and with it perhaps its job, so it waits until the request was sent.
    End,
    /// It starts the runtime.
    Launch,
    /// It waits for the image, and for news about it.
    Wait,
}

/// Requests the image of `decision`, a miss, if the site has a listener. Errors have no effect on
/// the launch. Returns the abstract name of the socket that may have news about the image.
pub(crate) fn listener(
    job: &dyn Job,
    decision: &Decision,
    settings: &Settings,
    next: Next,
) -> Option<String> {
    let (filler, reference) = (settings.filler.as_ref()?, decision.reference()?);
    let step = job.step();
    let request = Request {
        program: installed(COMMAND),
        filler,
        reference: reference.to_string(),
        uid: step.uid,
    };
    if step.is_reporter() {
        fault::point("ask");
        request.send_and_log(next);
    }
    Some(request.name())
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
    fn send_and_log(&self, next: Next) {
        let Self { program, filler, reference, .. } = self;
        match self.send(next) {
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

    /// Starts the command, and with [`Next::End`] also waits until it has ended. `None` if that took
    /// too long, or no process could be started.
    fn send(&self, next: Next) -> Option<Outcome> {
        let parent = process::id();
        // The helper process has closed all files of the task.
        let (outcomes, _) = within(LIMIT, &|report| {
            // In this process, the command would inherit files of the task.
            if process::id() == parent {
                return;
            }
            match self.start(next) {
                Ok(Some(program)) if next == Next::End => {
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
    fn start(&self, next: Next) -> io::Result<Option<Program>> {
        let Some(claim) = self.claim()? else { return Ok(None) };
        let to = format!("--to={}", self.filler);
        // This process has closed all files, so the socket is its first one.
        let is_input = claim.as_ref().is_some_and(|socket| socket.as_raw_fd() == STDIN);
        let news = (next == Next::Wait && is_input).then_some("--news");
        let words = [NAME, "request", "--send-only"].into_iter().chain(news);
        let words = words.chain([to.as_str(), "--", self.reference.as_str()]);
        let words: Result<Vec<CString>, _> = words.map(CString::new).collect();
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
