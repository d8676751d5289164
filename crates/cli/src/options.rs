//! Options that several subcommands share.

use crate::cache::store::architecture::{self, Architecture};
use crate::ui::format;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the site's settings come from.
#[derive(Debug, Args)]
pub(crate) struct Site {
    /// Use these image roots, with defaults for all else, instead of reading plugstack.conf
    #[arg(long, value_name = "DIR[:DIR...]")]
    pub(crate) root: Option<OsString>,
    /// Read the site's settings from this file instead of where Slurm looks for it
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) plugstack: Option<PathBuf>,
    /// With --root: count images that ordinary users could have written, or not
    #[arg(long, value_enum, default_value = "refuse", requires = "root")]
    pub(crate) untrusted: Untrusted,
}

/// Where and how the cache is changed.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Work in this image root; without it, in the last one of the settings (the shared one,
    /// where node-local ones stand before it)
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// How long a file that was replaced or removed is kept under .sifcache/kept, for the jobs
    /// that still run from it; 0d does not keep it
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = format::parse_age)]
    pub(crate) keep: SignedDuration,
}

/// How images are pulled.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Pull so many images at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
    /// Pull with this program instead of the first of the settings' runtimes in PATH
    #[arg(long, value_name = "FILE")]
    pub(crate) runtime: Option<PathBuf>,
    /// Ask for user name and password of the registry, once
    #[arg(long)]
    pub(crate) docker_login: bool,
    /// Take the credentials from this file, which `apptainer registry login` or docker wrote
    #[arg(long, value_name = "FILE", conflicts_with = "docker_login")]
    pub(crate) authfile: Option<PathBuf>,
    /// Pull for this architecture, by Go's name for it (arm64); without it, for what the image
    /// root is declared to be for (docs/cache.md), else for this host's
    #[arg(long, value_name = "ARCH", value_parser = architecture::parse)]
    pub(crate) arch: Option<Architecture>,
    /// Talk to the registry without TLS if it has none; a certificate is verified all the same
    #[arg(long)]
    pub(crate) no_https: bool,
    /// When a pull fails, print all that the runtime said
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// `--untrusted`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Untrusted {
    Refuse,
    Accept,
}
