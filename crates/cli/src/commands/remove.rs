//! `sifcache remove`: removes images from the cache.

use crate::cache::removal::Removal;
use crate::cache::removal::all::Manner;
use crate::cache::select;
use crate::cache::store;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{Change, REFERENCE, Site};
use crate::site;
use clap::Args;

/// Remove images from the cache
///
/// Launches no longer find a removed image. Its file is kept for the time given with --keep, for
/// jobs that still run from it; the space is freed only after that. The names with the image's
/// digest that `add` created are also removed, but not a digest that was added explicitly.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Remove {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    manner: Manner,
    /// A reference, or the path of a file in the image root
    #[arg(value_hint = REFERENCE, value_name = "REF", required = true)]
    references: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
      sifcache remove determinedai/environments:cpu
  A file whose name matches no reference:
      sifcache remove /shared/sif/Ubuntu.sif
  Immediately and irrevocably, if no job can be running from it:
      sifcache remove --yes --keep 0d ubuntu:22.04
  Restore an image: move it from the kept directory to its old path:
      mv /shared/sif/.sifcache/kept/20261224T030000Z.ctl.17.0/ubuntu:22.04 /shared/sif/

Exit status:
   0  done
   1  a reference is not in this image root, or the removal was not confirmed, so nothing has
      changed; another command has just replaced an image, which then stays; or a view is not
      current
  64  wrong usage, or --yes is missing and there is no terminal to confirm on
  73  something cannot be written
  77  not permitted
  78  the site's settings are invalid or missing, or the image root does not exist

The JSON object is described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Remove) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    let inventory = select::inventory(&settings, &root)?;
    let mut removals: Vec<Removal> = Vec::new();
    for word in &args.references {
        let names = select::names(&settings, &root, word)?;
        if names.is_empty() {
            store::require(&root)?;
            return Err(Failure::NotInRoot { word: word.clone(), root, advice: "" });
        }
        removals.extend(Removal::of_names(&inventory, &names));
    }
    args.manner.remove(&settings, &root, removals, args.change.keep)
}
