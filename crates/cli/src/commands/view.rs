//! `sifcache view`: maintains directories of links under the file names that workflow engines look
//! up.

mod listing;
mod report;

use crate::cache::store::Store;
use crate::cache::view::engine::Engine;
use crate::cache::view::{View, registration, sync};
use crate::error::Failure;
use crate::exit::Exit;
use crate::options;
use crate::site;
use crate::system::signals;
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Progress;
use clap::Args;
use report::{Done, Report};
use sifcache_core::settings::Settings;
use std::path::{Path, PathBuf};

/// Maintain a directory of links under the file names that workflow engines look up
///
/// Nextflow, cwltool, Toil, miniwdl, Snakemake and shpc pull each image into a file with a name of
/// their own, and skip the pull if that file exists. A view contains these names as symbolic links
/// to the images of the cache, so that the engines find them without pulling, even where sifcache
/// is not active. There is a link for each way in which users type a reference.
///
/// `add`, `import`, `refresh`, `remove` and `gc` update all views of the image root that they
/// change; files that are copied into an image root need another run of `sifcache view`. A name
/// that two references share is reported and gets no link. Files and links that this command did
/// not create are never changed. docs/views.md has the settings of each engine.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ViewCommand {
    #[command(flatten)]
    site: options::Site,
    /// Create the view DIR, or change the engines and image roots of an existing one. Its image
    /// roots are those of the settings at this time
    #[arg(long = "for", value_name = "ENGINE[,ENGINE...]", value_delimiter = ',', value_enum)]
    #[arg(requires = "directory")]
    engines: Vec<Engine>,
    /// List the names with the reference and the image of each
    #[arg(long, conflicts_with_all = ["engines", "remove", "dry_run"])]
    list: bool,
    /// Remove all links from the view DIR, and no longer update it
    #[arg(long, requires = "directory", conflicts_with = "engines")]
    remove: bool,
    /// Show what would be changed
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The view; by default all views
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  A view for all jobs that run Nextflow or Snakemake:
      sifcache view /shared/views --for nextflow,snakemake
  For the environment of all users (examples/views/ has complete files):
      export NXF_APPTAINER_LIBRARYDIR=/shared/views/nextflow
      export NXF_SINGULARITY_LIBRARYDIR=/shared/views/nextflow
  Update all views after files were copied into the image root:
      sifcache view
  Which file does an engine find for a reference?
      sifcache view --list | grep ubuntu:22.04

Exit status:
   0  the views are current now, even if some names are shared
   1  something else has the name of a link
  64  wrong usage, or the directory is not a view
  65  the list of views in the image root is damaged
  73  something cannot be written
  74  reading failed
  77  not permitted
  78  the settings are invalid or missing, no image root exists, or other users could write to the
      view
 130  interrupted; the next run completes the view

The JSON object is described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &ViewCommand) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    site::require_roots(&args.site, &settings)?;
    let registered = registration::all(&settings.image_roots)?;
    let directory = args.directory.as_deref().map(absolute).transpose()?;
    if args.list {
        return listing::list(&chosen(registered, directory.as_deref())?, args.json);
    }
    let views = match &directory {
        Some(directory) if !args.engines.is_empty() => vec![new(args, &settings, directory)?],
        _ => chosen(registered.clone(), directory.as_deref())?,
    };
    let mut done = Vec::new();
    for view in &views {
        signals::check()?;
        let before = registered.iter().find(|one| one.directory == view.directory);
        done.push(one(args, &settings, view, before)?);
    }
    let report = Report { done: &done, dry_run: args.dry_run, removed: args.remove };
    match args.json {
        true => report.json()?,
        false => report.text()?,
    }
    let is_occupied = done.iter().any(|done| done.status.occupied().next().is_some());
    Ok(if is_occupied { Exit::PROBLEMS } else { Exit::OK })
}

/// The absolute path, without `.` components and trailing slashes.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?.components().collect())
}

/// The registered views, or the one in this directory.
fn chosen(registered: Vec<View>, directory: Option<&Path>) -> Result<Vec<View>, Failure> {
    let Some(directory) = directory else { return Ok(registered) };
    let views: Vec<View> =
        registered.into_iter().filter(|view| view.directory == directory).collect();
    match views.is_empty() {
        true => Err(Failure::NoView(directory.to_owned())),
        false => Ok(views),
    }
}

fn new(args: &ViewCommand, settings: &Settings, directory: &Path) -> Result<View, Failure> {
    // A view is registered in an image root, which has to be one of sifcache's own layout.
    site::own(settings, settings.image_roots.last())?;
    let view = View {
        directory: directory.to_owned(),
        engines: args.engines.iter().copied().collect(),
        roots: settings.image_roots.clone(),
    };
    view.refuse_nesting(settings)?;
    Ok(view)
}

/// Updates, creates or removes one view. `before` is the registered view.
fn one(
    args: &ViewCommand,
    settings: &Settings,
    view: &View,
    before: Option<&View>,
) -> Result<Done, Failure> {
    let untrusted = settings.untrusted;
    // Links into the image roots that the view showed before are ours as well.
    let old = before.filter(|before| before.roots != view.roots);
    if args.dry_run {
        let view = if args.remove { sync::without_engines(view) } else { view.clone() };
        let status = sync::compare(&view, untrusted, &|| ())?;
        return Ok(Done { view, status });
    }
    let progress = Progress::new(args.json);
    let shown = escape_for_terminal(&view.directory);
    let _task = progress.spinner(&format!("updating {shown}"));
    let waiting = || progress.note(&format!("{shown}: another command is changing it; waiting"));
    signals::watch()?;
    let store = Store::open(view.home(), settings)?;
    if args.remove {
        let status = sync::clear(view, untrusted, &waiting)?;
        registration::remove(&store, &view.directory)?;
        return Ok(Done { view: view.clone(), status });
    }
    if let Some(old) = old {
        sync::clear(old, untrusted, &waiting)?;
        let store = Store::open(old.home(), settings)?;
        registration::remove(&store, &old.directory)?;
    }
    // A view that is registered before it is complete is completed by the next command.
    registration::add(&store, view)?;
    let status = sync::apply(view, untrusted, &waiting)?;
    Ok(Done { view: view.clone(), status })
}
