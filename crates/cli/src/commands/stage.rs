//! `sifcache stage`: copies images to the nodes' local disks with Slurm's own commands.
//!
//! ```text
//! login node                          n1 … n9, one job
//!   salloc ─────────────────────────▶ the nodes
//!   srun ───────────────────────────▶ stage-node: lists images, checks free space
//!   srun ───────────────────────────▶ stage-node: creates .sifcache/tmp/PLACE, locks the name
//!   sbcast ── Slurm's tree, slurmd ──▶ .sifcache/tmp/PLACE/image.sif
//!                                      stage-node: SHA-256, checks, sync, rename, record
//! ```

mod allocation;
mod broadcast;
mod failure_attribution;
mod listing;
mod local;
mod message;
pub(crate) mod node;
pub(crate) mod nodes;
mod outcome;
mod progress_lines;
mod source;
mod step;
mod transfer;

use crate::cache::image_name;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{REFERENCE, Site};
use crate::reference_list;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::progress::Progress;
use allocation::{Allocation, Request};
use clap::Args;
use listing::{Failed, Listing};
use nodes::Chosen;
use outcome::Outcomes;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use source::Source;
use std::path::{Path, PathBuf};
use step::Terms;
use transfer::Transfer;

/// Name of an image file during the transfer, in its own directory under [`PLACES`].
const FILE: &str = "image.sif";
/// Directory for transfers, relative to an image root.
const PLACES: &str = ".sifcache/tmp";

/// Copy images to the nodes' local disks
///
/// Copies images from the other image roots, as this host sees them, to the first image root of
/// each node, which is the node-local one. It requests a small job on these nodes, queries which
/// images they have, and sends the missing images with sbcast, Slurm's broadcast tree. Each node
/// checks a received file before it moves the file to its final name. Nodes that are down are
/// reported and skipped. Run it as the owner of the node-local image root, on a host where salloc
/// and srun work. This command must also be installed on the nodes, at the same path.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Stage {
    #[command(flatten)]
    site: Site,
    /// Image root on the nodes; by default the first image root in the settings
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Nodes to stage to, as a Slurm node list: n[1-9],g1
    #[arg(long, short = 'w', value_name = "NODELIST", required_unless_present = "partition")]
    nodes: Option<String>,
    /// All nodes of this partition; with --nodes, the partition that contains the listed nodes
    #[arg(long, short, value_name = "PARTITION")]
    partition: Option<String>,
    /// Stage the images in this file: one reference per line, # starts a comment; - is standard
    /// input
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Time limit of the job, in Slurm's format
    #[arg(long, value_name = "TIME", default_value = "1:00:00")]
    time: String,
    /// How long to keep a replaced file on the node; on a local file system, jobs that run from it
    /// do not need this
    #[arg(long, value_name = "TIME", default_value = "0d")]
    keep: String,
    /// Show what would be staged
    #[arg(long)]
    dry_run: bool,
    /// List which node has which image, and exit
    #[arg(long, conflicts_with = "dry_run")]
    list: bool,
    /// Print JSON: one object per image and node; with --list, one object for all
    #[arg(long)]
    json: bool,
    /// References to stage: ubuntu:22.04, docker://quay.io/o/i:1, o/i@sha256:..., or URIs of oras,
    /// library, https and http
    #[arg(value_hint = REFERENCE, value_name = "REF", required_unless_present_any = ["from", "list"])]
    references: Vec<String>,
    /// More options for salloc
    #[arg(last = true, value_name = "SALLOC OPTION")]
    options: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  One image to all nodes of a partition:
      sifcache stage --partition gpu determinedai/environments:cpu
  All images of a list, to some nodes:
      sifcache stage --nodes 'n[1-16]' --from images.txt
  Before a maintenance ends, within its reservation:
      sifcache stage --partition gpu --from images.txt -- --reservation=maint
  Now or not at all, without waiting in the queue:
      sifcache stage --nodes 'n[1-16]' o/i:1 -- --immediate=60
  List the images of each node:
      sifcache stage --list --partition gpu
  Remove an image from the nodes:
      srun --nodelist='n[1-16]' --ntasks-per-node=1 \\
          sifcache remove --root /local/sif --keep 0d --yes o/i:1

Exit status:
   0  all nodes now have all images
   1  some do not; standard error lists them, with the reasons
  64  wrong usage: no reference, no such node, no node-local image root
  65  a list contains an invalid reference, or a node received bytes that differ from those sent
  69  Slurm rejects the job, nodes do not respond, or the image is not in the cache
  73  no node has enough space
  77  not permitted
  78  the site's settings are invalid or missing, or jobs would not trust the image root
 130  interrupted: the job is ended, and nothing is left behind
A status above 1 is used if all failures have that status.

The JSON objects are described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Stage) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    format::parse_age(&args.keep).map_err(Failure::Retention)?;
    let references = reference_list::gather(&args.references, &args.from)?;
    let root = destination(&settings, args.into.as_deref())?;
    if !args.list {
        local::may_stage(settings.untrusted)?;
    }
    let progress = Progress::new(args.json);
    signals::watch()?;
    let staging = Staging { args, settings: &settings, root: &root, progress: &progress };
    match args.list {
        true => staging.list(&references),
        false => staging.stage(&references),
    }
}

/// The node-local image root: `--into`, else the first image root.
///
/// # Errors
/// `--into` is not an image root, or there is no other root to copy images from.
fn destination(settings: &Settings, into: Option<&Path>) -> Result<PathBuf, Failure> {
    let first = || site::own(settings, settings.image_roots.first());
    let root = into.map_or_else(first, |into| site::target(settings, Some(into)))?;
    if settings.search_path().any(|(other, _)| *other != root) {
        return Ok(root);
    }
    Err(Failure::OnlyRoot(root))
}

/// One run of the command.
struct Staging<'a> {
    args: &'a Stage,
    settings: &'a Settings,
    root: &'a Path,
    progress: &'a Progress,
}

impl Staging<'_> {
    fn stage(&self, references: &[Reference]) -> Result<Exit, Failure> {
        // Invalid node names are reported before any image is read.
        let chosen = self.choose()?;
        let mut outcomes = Outcomes::new(self.progress, self.args.json, self.root);
        let sources = self.sources(references, &mut outcomes)?;
        if sources.is_empty() {
            return Ok(outcomes.exit());
        }
        let (chosen, job) = self.job(chosen)?;
        for (node, why) in &chosen.left_out {
            outcomes.failed(Some(node), None, Exit::UNAVAILABLE, why)?;
        }
        if let Some(job) = job {
            Transfer::new(self.terms(&job), &sources, self.progress, &mut outcomes)
                .run(&chosen.nodes, self.args.dry_run)?;
        }
        Ok(outcomes.exit())
    }

    fn sources(
        &self,
        references: &[Reference],
        outcomes: &mut Outcomes<'_>,
    ) -> Result<Vec<Source>, Failure> {
        let others = source::others(self.settings, self.root);
        let mut sources = Vec::new();
        for reference in references {
            match source::find(&others, reference, self.progress) {
                Ok(source) => sources.push(source),
                Err(failure @ Failure::Stopped(_)) => return Err(failure),
                Err(failure) => {
                    let (short, exit) = (image_name::short(reference), failure.exit());
                    outcomes.failed(None, Some(&short), exit, &failure.to_string())?;
                }
            }
        }
        Ok(sources)
    }

    fn list(&self, references: &[Reference]) -> Result<Exit, Failure> {
        let (chosen, job) = self.job(self.choose()?)?;
        let mut listing = Listing::default();
        if let Some(job) = job {
            listing = Listing::gather(self.terms(&job), &chosen.nodes, self.progress)?;
        }
        let left_out = chosen.left_out.into_iter();
        listing.failed.extend(left_out.map(|(node, error)| Failed { node, error }));
        let exit = if listing.failed.is_empty() { Exit::OK } else { Exit::PROBLEMS };
        let others = source::others(self.settings, self.root);
        listing.print(self.root, &others, references, self.args.json, self.progress)?;
        Ok(exit)
    }

    fn choose(&self) -> Result<Chosen, Failure> {
        nodes::choose(self.args.nodes.as_deref(), self.args.partition.as_deref())
    }

    /// Requests the job on the nodes that can run one. If a node goes down while the job is
    /// pending, the job would wait for that node, so a new job is requested without it.
    fn job(&self, mut chosen: Chosen) -> Result<(Chosen, Option<Allocation>), Failure> {
        while !chosen.nodes.is_empty() {
            let request = Request {
                partition: &chosen.partition,
                nodes: &chosen.nodes,
                time: &self.args.time,
                options: &self.args.options,
            };
            // If the controller is restarting, the job keeps its place in the queue.
            let still = || self.choose().map_or(true, |now| chosen.nodes.is_subset(&now.nodes));
            if let Some(job) = Allocation::request(&request, self.progress, &still)? {
                return Ok((chosen, Some(job)));
            }
            chosen = self.choose()?;
        }
        Ok((chosen, None))
    }

    fn terms<'a>(&'a self, job: &'a Allocation) -> Terms<'a> {
        let (root, untrusted) = (self.root, self.settings.untrusted);
        Terms { job: job.id(), root, untrusted, keep: &self.args.keep }
    }
}
