//! `sifcache request`: asks the filler for images, and waits for them.

mod relay;
mod report;
mod send_only;
mod waiting;

use crate::cache::image_name;
use crate::cache::lookup;
use crate::demand::ask::Route;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{REFERENCE, Site};
use crate::reference_list;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::progress::Progress;
use clap::Args;
use jiff::SignedDuration;
use report::{Report, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sifcache_core::settings::Filler;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// Ask for images that are not in the cache, and wait for them
///
/// Needs no privileges. The request goes to the filler (`sifcache fill`), which runs as the owner of
/// the image root. It adds the image if the site's policy allows it, once for all users. Meanwhile,
/// this command shows its progress; it ends when the image has its name, so that the next job finds
/// it.
///
/// The request is a line in the log of this host, like the line of a job that misses the image. If
/// the site has set `filler=HOST` in plugstack.conf, or with --to, it is a message to the filler's
/// listener instead, signed by munge (docs/on-demand.md).
///
/// Interrupting this command does not withdraw the request.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Request {
    #[command(flatten)]
    site: Site,
    /// Ask for the images in this file: one reference per line, # starts a comment; - is standard
    /// input
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Send the requests to the listener of `sifcache fill --listen` on this host; the default port
    /// is 7433
    #[arg(long, value_name = "HOST[:PORT]")]
    to: Option<Filler>,
    /// Wait until all images are there, refused or failed; the default. With TIME, no longer than
    /// this: 10m, 2h
    #[arg(
        long, value_name = "TIME", num_args = 0..=1, require_equals = true,
        value_parser = format::parse_age
    )]
    wait: Option<Option<SignedDuration>>,
    /// Only send the requests
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Send the requests within 2 seconds for each, and print nothing; problems go to syslog. The
    /// plugin and the shim use this
    #[arg(long, hide = true, conflicts_with_all = ["wait", "no_wait", "json"])]
    send_only: bool,
    /// Pass the listener's news about the image on to the processes that connect to standard input, a
    /// listening local socket
    #[arg(long, hide = true, requires = "send_only", requires = "to")]
    #[arg(conflicts_with_all = ["wait", "no_wait", "json"])]
    news: bool,
    /// Print one JSON object per reference
    #[arg(long)]
    json: bool,
    /// References: ubuntu:22.04, docker://quay.io/o/i:1, o/i@sha256:..., or URIs of oras, library,
    /// https and http
    #[arg(value_hint = REFERENCE, value_name = "REF", required_unless_present = "from")]
    references: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  One image, before the first job that uses it:
      sifcache request pytorch/pytorch:2.4.0-cuda12.1-cudnn9-runtime
  In a job script, for at most half an hour; the job goes on in any case:
      sifcache request --wait=30m quay.io/o/i:1
  The images of a workflow, without waiting:
      sifcache request --no-wait --from images.txt
  See what the filler does:
      sifcache queue

Exit status:
   0  all images are in the cache now; with --no-wait, all requests were sent
   1  the policy refuses an image, or an image could not be added
  64  wrong usage, or an invalid image reference
  65  a line of a list is not a valid image reference
  69  no filler answers, or the request cannot be sent
  74  reading or writing failed
  75  the time is up, or the filler is busy: try again later
  78  the site's settings are invalid or missing, or no directory of --root exists
 130  interrupted; the requests remain

The JSON objects are described in docs/json.md.";

/// The number of images for which the command follows the listener's news. The listener keeps a limited
/// number of connections for each host and user, which jobs need as well.
const NEWS: usize = 8;
/// Time between two reads of the queue entry. Each of them is a metadata operation on the file server,
/// except for images with news.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often a pause is interrupted to check for signals.
const TICK: Duration = Duration::from_millis(50);

/// Runs the subcommand.
pub(crate) fn run(args: &Request) -> Result<Exit, Failure> {
    if args.send_only {
        let to = (args.to.as_ref(), args.news);
        return Ok(send_only::run(&args.site, to, &args.references, &args.from));
    }
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, None)?;
    site::require_given(&args.site, &settings)?;
    let references = reference_list::gather(&args.references, &args.from)?;
    let progress = Progress::new(args.json);
    let mut report = Report::new(&progress, args.json);
    let mut missing = Vec::new();
    for reference in &references {
        match lookup::find(&settings, reference) {
            Some(path) => report.one(reference, &Status::Present(path), None)?,
            None => missing.push(reference),
        }
    }
    if missing.is_empty() {
        return Ok(report.exit());
    }
    let route = Route::new(args.to.as_ref(), &settings)?;
    let now = Instant::now();
    let mut pending = Vec::new();
    for (number, reference) in missing.into_iter().enumerate() {
        let mut one = Waiting::new(&root, &settings, reference, number < NEWS, now);
        match one.send(&route, !args.no_wait)? {
            Some(status) => report.one(reference, &status, None)?,
            None if args.no_wait => report.one(reference, &Status::Asked, None)?,
            None => pending.push(one),
        }
    }
    signals::watch()?;
    let limit = args.wait.flatten().map(|limit| now + limit.unsigned_abs());
    wait(&mut pending, &route, limit, &progress, &mut report)?;
    Ok(report.exit())
}

/// Waits until each image is there, refused or failed.
fn wait(
    pending: &mut Vec<Waiting<'_>>,
    route: &Route,
    limit: Option<Instant>,
    progress: &Progress,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    for one in pending.iter_mut() {
        one.show(progress);
    }
    let mut next = Instant::now();
    while !pending.is_empty() {
        let now = Instant::now();
        let is_over = limit.is_some_and(|limit| now >= limit);
        let are_all_due = now >= next || is_over;
        let mut left = Vec::with_capacity(pending.len());
        for mut one in std::mem::take(pending) {
            let is_due = are_all_due || one.stream().is_some_and(is_readable);
            let status = match is_due.then(|| one.look(route, now)).transpose()?.flatten() {
                None if is_over => Some(Status::TimeUp),
                status => status,
            };
            match status {
                Some(status) => report.one(one.reference(), &status, Some(one.finish(now)))?,
                None => left.push(one),
            }
        }
        *pending = left;
        if are_all_due {
            next = limit.map_or(now + INTERVAL, |limit| limit.min(now + INTERVAL));
        }
        pause(pending, next)?;
    }
    Ok(())
}

/// Waits until `until`, or until news has arrived.
fn pause(pending: &[Waiting<'_>], until: Instant) -> Result<(), Failure> {
    while !pending.is_empty() && Instant::now() < until {
        signals::check()?;
        let mut streams: Vec<_> = pending
            .iter()
            .filter_map(Waiting::stream)
            .map(|one| PollFd::new(one, PollFlags::IN))
            .collect();
        let tick = until.saturating_duration_since(Instant::now()).min(TICK);
        if poll(&mut streams, Timespec::try_from(tick).ok().as_ref()).is_ok_and(|count| count > 0) {
            break;
        }
    }
    Ok(())
}

/// Whether a connection has news, or has ended.
fn is_readable(stream: &TcpStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&now)).is_ok_and(|count| count > 0)
}

/// The name of an image in messages.
fn name(reference: &sifcache_core::reference::Reference) -> String {
    image_name::short(reference)
}
