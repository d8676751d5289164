//! `filler=`: sends a miss to the listener of `sifcache fill`, for sites without central logs.
//!
//! The plugin has no network code. It starts the installed command, `sifcache request --send-only`,
//! as the user of the task, and a launch does not wait for it. This request process has an empty
//! environment and inherits no files of the task. It ends after at most 2.2 seconds, slightly before
//! [`LIMIT`]. The plugin finds the command through the link that `make install` and the packages
//! create next to the shim.
//!
//! If several processes of a user on a node miss the same image at the same time, one of them sends
//! the request. Its request process holds a socket with an abstract name, which the kernel removes
//! when that process ends.
//!
//! If the launch waits for the image, this socket is also the standard input of the request process.
//! The request process then becomes a relay: it stays, and passes the listener's news on to the
//! processes that connect to the socket.

use crate::NAME;
use crate::fault;
use crate::job::Job;
use crate::spank::{Program, connect, inherit, listen, peer_uid, process_id, within};
use sifcache_core::decision::Decision;
use sifcache_core::nested::{COMMAND, installed};
use sifcache_core::queue;
use sifcache_core::settings::{Filler, Settings};
use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// The longest time that the plugin spends on a request.
const LIMIT: Duration = Duration::from_millis(2500);

/// The descriptor of the standard input.
const STDIN: RawFd = 0;

/// The result of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The request process was started.
    Started,
    /// The request process has ended with this exit status; `None` if a signal ended it.
    Ended(Option<i32>),
    /// Another process of this user sends the same request.
    Shared,
    /// The request process cannot be started.
    Failed(ErrorKind),
}

/// What the calling process does after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It ends, and its job may end with it, so it waits until the request was sent.
    End,
    /// It starts the runtime.
    Launch,
    /// It waits for the image, and for news about it.
    Wait,
}

/// Requests the image of `decision`, a miss, if the site has a listener. Errors have no effect on
/// the launch. Returns the abstract name of the socket of a relay, which may have news about the
/// image; `None` without a listener.
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

/// The socket for the request process; `None` if a process of another user has taken its name.
type Claim = Option<UnixListener>;

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

    /// Starts the request process, and with [`Next::End`] also waits for its exit. `None` if this
    /// took too long, or if no helper process could be started.
    fn send(&self, next: Next) -> Option<Outcome> {
        let parent = process_id();
        // The helper process has closed all files of the task.
        let (outcomes, _) = within(LIMIT, &|report| {
            // A request process that is started here would inherit files of the task.
            if process_id() == parent {
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

    /// Starts the request process; `None` if another process has started one.
    fn start(&self, next: Next) -> io::Result<Option<Program>> {
        let Some(claim) = self.claim()? else { return Ok(None) };
        let to = format!("--to={}", self.filler);
        // This process has closed all files, so the socket has the lowest descriptor: 0.
        let is_input = claim.as_ref().is_some_and(|socket| socket.as_raw_fd() == STDIN);
        let news = (next == Next::Wait && is_input).then_some("--news");
        let words = [NAME, "request", "--send-only"].into_iter().chain(news);
        let words = words.chain([to.as_str(), "--", self.reference.as_str()]);
        let words: Result<Vec<CString>, _> = words.map(CString::new).collect();
        Program::start(&CString::new(self.program.as_str())?, &words?).map(Some)
    }

    /// The socket by which other processes recognize that this request is being sent; the request
    /// process inherits it. `None` if another process of this user holds it. If a process of another
    /// user holds it, the request is sent without a socket.
    fn claim(&self) -> io::Result<Option<Claim>> {
        match listen(self.name().as_bytes()) {
            Ok(listener) => {
                inherit(&listener);
                return Ok(Some(Some(listener)));
            }
            Err(error) if error.kind() != ErrorKind::AddrInUse => return Err(error),
            Err(_) => {}
        }
        let owner = connect(self.name().as_bytes()).ok().and_then(|stream| peer_uid(&stream));
        Ok((owner != Some(self.uid)).then_some(None))
    }

    fn name(&self) -> String {
        let Self { filler, reference, uid, .. } = self;
        let key = queue::hash(format!("{filler} {reference}").as_bytes());
        format!("sifcache-request/{uid}/{key}")
    }
}

#[cfg(test)]
mod tests;
