//! Options that several subcommands share.

use crate::cache::store::architecture::{self, Architecture};
use crate::ui::format;
use clap::{Args, ValueEnum, ValueHint};
use jiff::SignedDuration;
use sifcache_squashfs::compression::Compression;
use std::ffi::OsString;
use std::path::PathBuf;

/// The hint of arguments that are references, or may be references. clap has no hint of its own for
/// them; no other argument is a URL. The completion scripts complete these arguments from the cache.
pub(crate) const REFERENCE: ValueHint = ValueHint::Url;

/// Where the site's settings come from.
#[derive(Debug, Args)]
pub(crate) struct Site {
    /// Use these image roots, with defaults for all other settings, instead of reading
    /// plugstack.conf; LAYOUT=DIR is a directory that another tool fills, with LAYOUT galaxy,
    /// nextflow, pulls or shpc
    #[arg(long, value_name = "DIR[:DIR...]")]
    pub(crate) root: Option<OsString>,
    /// Read the site's settings from this file instead of from Slurm's plugstack.conf
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) plugstack: Option<PathBuf>,
    /// With --root: whether to accept images that ordinary users could have written
    // clap does not check `requires` if an argument is given that conflicts with the required one, so
    // that one conflicts here too.
    #[arg(
        long,
        value_enum,
        default_value = "refuse",
        requires = "root",
        conflicts_with = "plugstack"
    )]
    pub(crate) untrusted: Untrusted,
}

/// Image root to change, and retention of replaced files.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Image root to change; by default the last one in the settings (the shared root, if
    /// node-local roots are listed before it)
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// How long to keep a replaced or removed file under .sifcache/kept for jobs that still run
    /// from it; 0d deletes it at once
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = format::parse_age)]
    pub(crate) keep: SignedDuration,
}

/// Options for pulls.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Number of parallel pulls
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
    /// Runtime to pull with; by default the first of the settings' runtimes in PATH
    #[arg(long, value_name = "FILE")]
    pub(crate) runtime: Option<PathBuf>,
    /// Prompt once for the registry's user name and password
    #[arg(long)]
    pub(crate) docker_login: bool,
    /// Read credentials from this file, as written by `apptainer registry login` or docker
    #[arg(long, value_name = "FILE", conflicts_with = "docker_login")]
    pub(crate) authfile: Option<PathBuf>,
    /// Architecture to pull for, by its Go name (arm64); by default the one that the image root is
    /// declared for (docs/cache.md), else this host's
    #[arg(long, value_name = "ARCH", value_parser = architecture::parse)]
    pub(crate) arch: Option<Architecture>,
    /// Use plain HTTP if the registry has no TLS; certificates are still verified
    #[arg(long)]
    pub(crate) no_https: bool,
    /// What converts the layers to a SIF file (docs/fill.md)
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) engine: Engine,
    /// Compression of new images, instead of the settings' `compression`: gzip or zstd, with or
    /// without a level (zstd:9). The runtime's own pull ignores it
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub(crate) compression: Option<Compression>,
    /// Print why the runtime pulled an image; when a pull fails, print the complete output of the
    /// runtime
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// `--engine`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// sifcache, if the result is known to be that of the runtime; otherwise the runtime
    Auto,
    /// sifcache; an image that only the runtime can convert is an error
    Native,
    /// The runtime's own pull
    Runtime,
}

/// `--untrusted`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Untrusted {
    Refuse,
    Accept,
}
