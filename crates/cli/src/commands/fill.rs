//! `sifcache fill`: adds the images that jobs ask for.

use crate::cache::image_name;
use crate::cache::runs::{Begun, Command};
use crate::cache::store::Store;
use crate::demand::check;
use crate::demand::filler::{self, Input, Site as Filler};
use crate::demand::listen::Listener;
use crate::demand::news::Publisher;
use crate::demand::plan;
use crate::demand::policy;
use crate::demand::policy::identity::System;
use crate::demand::policy::reload::Reloader;
use crate::demand::report::Report;
use crate::demand::source::Source;
use crate::demand::state::{self, Saved, State};
use crate::demand::worker::Workshop;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{Change, Engine, Pull, Site};
use crate::pull::adder::Adder;
use crate::pull::credentials::Credentials;
use crate::pull::puller::Puller;
use crate::site;
use crate::system::service;
use crate::system::signals;
use crate::ui::format;
use crate::ui::progress::Progress;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::settings::{Filler as Address, Settings};
use sifcache_squashfs::compression::Compression;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Add the images that jobs ask for
///
/// Reads the lines that the plugin and the shim write to syslog when an image is missing, checks
/// the policy (/etc/sifcache/fill.toml), and adds the image for everybody, as `add` does. Run it as
/// the owner of the image root on one host that receives the logs of all nodes: with --follow as a
/// service, or with --once from a timer.
///
/// An image is added once, however often it is requested. Failed images are tried again after a
/// pause that doubles each time. Requests and the positions in the logs are saved under
/// .sifcache/fill, so that a restart neither loses nor repeats requests. Images become visible only
/// when they are complete, even if this command is killed. The progress of each image is in
/// .sifcache/queue, for jobs that wait; users can only read it.
///
/// The policy is read again when its file changes. docs/on-demand.md has the details.
#[derive(Debug, Args)]
// clap does not check `requires` if what is required conflicts with another argument that was given,
// as `once`, `follow` and `check` do.
#[command(after_long_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("mode").required(true))]
pub(crate) struct Fill {
    #[command(flatten)]
    site: Site,
    /// Process the requests that are in the logs now, and exit
    #[arg(long, group = "mode")]
    once: bool,
    /// Process requests until a signal arrives
    #[arg(long, group = "mode")]
    follow: bool,
    /// Print how the policy answers a request for this image, and why; change nothing
    #[arg(long, value_name = "REF", group = "mode")]
    check: Option<String>,
    /// With --check: answer as if this user had asked; by default, as if as many users had asked as
    /// the policy requires
    #[arg(long, value_name = "USER", requires = "check", conflicts_with_all = ["once", "follow"])]
    user: Option<String>,
    /// Read this log; - is standard input. By default, the journal of this host, else
    /// /var/log/syslog or /var/log/messages
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    log: Vec<PathBuf>,
    /// With --follow: accept requests on this address, signed by munge. Logs are then only read if
    /// --log names them
    #[arg(long, value_name = "ADDRESS[:PORT]", requires = "follow", conflicts_with_all = ["once", "check"])]
    listen: Option<Address>,
    /// How far back the first run reads: 2h, 7d
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = format::parse_age)]
    since: SignedDuration,
    /// The policy
    #[arg(long, value_name = "FILE", default_value = policy::FILE)]
    policy: PathBuf,
    /// Number of parallel pulls, instead of the policy's `parallel`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: Option<u32>,
    /// Runtime to pull with; by default the first of the settings' runtimes in PATH
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Read credentials from this file, as written by `apptainer registry login` or docker
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Use plain HTTP if the registry has no TLS; certificates are still verified
    #[arg(long)]
    no_https: bool,
    /// What converts the layers to a SIF file (docs/fill.md)
    #[arg(long, value_enum, default_value = "auto")]
    engine: Engine,
    /// Compression of new images, instead of the settings' `compression`
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    compression: Option<Compression>,
    /// With --once: show what would be pulled, and in which order
    #[arg(long, requires = "once", conflicts_with_all = ["follow", "check"])]
    dry_run: bool,
    /// Print one JSON object per event
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  What would be added, from the logs of all nodes:
      sifcache fill --once --dry-run --log /var/log/central/slurm-nodes.log
  The same images, added; every five minutes from a timer:
      sifcache fill --once --log /var/log/central/slurm-nodes.log
  As a service, from the journal of this host:
      sifcache fill --follow
  As a service for a site without central logs:
      sifcache fill --follow --listen admin-node
  Would the policy allow this image, and why?
      sifcache fill --check quay.io/biocontainers/samtools:1.21 --user alice

Exit status:
   0  every image that the policy allows now is in the cache; with --check, it allows the image
   1  some images could not be added; with --check, the policy does not allow the image
  64  wrong usage, or an invalid image reference
  65  with --once: none of the files is a log
  69  another filler runs for this image root, no runtime is installed, this host has no log, or
      --listen cannot use its address
  73  something cannot be written
  74  a log or the policy cannot be read
  77  not permitted
  78  the policy or the site's settings are invalid or missing, or jobs would not trust the image
      root
 130  interrupted (143 after SIGTERM); nothing incomplete is left behind

The JSON objects are described in docs/json.md.";

/// How long the file of a damaged image is kept after a new pull, for jobs that run from it.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Runs the subcommand.
pub(crate) fn run(args: &Fill) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, None)?;
    let mut policy = Reloader::open(&args.policy)?;
    if let Some(text) = &args.check {
        let reference = image_name::parse(text)?;
        let user = args.user.as_deref();
        return check::check(policy.current().0, &root, &reference, user, args.json);
    }
    signals::watch()?;
    if args.dry_run {
        return dry_run(args, &settings, &root, &mut policy);
    }
    let store = Store::open(&root, &settings)?;
    Begun::now(&root, Command::Fill).end(fill(args, &settings, &store, policy))
}

fn dry_run(
    args: &Fill,
    settings: &Settings,
    root: &Path,
    policy: &mut Reloader,
) -> Result<Exit, Failure> {
    let report = Report { json: args.json };
    let saved = state::peek(root).unwrap_or_else(|error| {
        report.note(&format!("the saved state cannot be read: {error}"));
        Saved::default()
    });
    let source = source(args, &saved)?;
    let policy = policy.current().0;
    plan::print(settings, policy, &System::new(), saved.schedule, source, report)?;
    Ok(Exit::OK)
}

fn fill(
    args: &Fill,
    settings: &Settings,
    store: &Store,
    policy: Reloader,
) -> Result<Exit, Failure> {
    let report = Report { json: args.json };
    let waiting = |holder: &str| {
        report.note(&format!("{holder} fills this image root; waiting"));
        // The service manager must not wait until the other filler ends.
        service::ready();
    };
    let waiting: Option<&dyn Fn(&str)> = if args.follow { Some(&waiting) } else { None };
    let state = State::lock(store, waiting)?;
    if !state.is_exclusive() {
        let root = store.root().display();
        report.note(&format!("{root} is on a file system without locks: run only one filler"));
    }
    let saved = state.load().unwrap_or_else(|message| {
        report.note(&message);
        Saved::default()
    });
    let (inputs, news) = inputs(args, &saved)?;
    // A service has no terminal for progress.
    let progress = Progress::new(true);
    let set_up = || puller(args, settings, store, &progress);
    let adder = Adder::new(settings, store, &progress, false, &set_up);
    if args.follow {
        // A service that cannot pull ends at once.
        adder.puller()?;
    }
    let workshop = Workshop { adder: &adder, settings, root: store.root(), room: Mutex::default() };
    let (parallel, follow) = (args.jobs, args.follow);
    let site = Filler { store, workshop: &workshop, policy, parallel, follow, report, news };
    filler::run(site, state, saved, inputs)
}

fn inputs(args: &Fill, saved: &Saved) -> Result<(Vec<Input>, Option<Publisher>), Failure> {
    let (mut inputs, mut news) = (Vec::new(), None);
    if let Some(address) = &args.listen {
        let listener = Listener::bind(address)?;
        news = Some(listener.publisher());
        inputs.push(filler::listener(listener));
    }
    if args.listen.is_none() || !args.log.is_empty() {
        inputs.push(filler::logs(source(args, saved)?));
    }
    Ok((inputs, news))
}

fn source(args: &Fill, saved: &Saved) -> Result<Source, Failure> {
    let since = Timestamp::now().saturating_sub(args.since).unwrap_or(Timestamp::MIN);
    Source::open(&args.log, saved.cursor.as_ref(), since, args.follow)
}

fn puller<'a>(
    args: &Fill,
    settings: &Settings,
    store: &'a Store,
    progress: &'a Progress,
) -> Result<Puller<'a>, Failure> {
    let change = Change { into: None, keep: KEEP };
    let pull = Pull {
        jobs: 1,
        runtime: args.runtime.clone(),
        docker_login: false,
        authfile: args.authfile.clone(),
        arch: None,
        no_https: args.no_https,
        engine: args.engine,
        compression: args.compression,
        verbose: false,
    };
    let credentials = Credentials::find(false, args.authfile.as_deref())?;
    Puller::new(store, settings, &change, &pull, credentials, progress)
}
