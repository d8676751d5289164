//! The workflow engines that a view serves, and the directories and names that each looks up.
//!
//! Each engine computes a file name from the reference as the user typed it, and pulls the image
//! only if that file does not exist. `docs/views.md` names the releases that the functions were
//! compared with.

mod cwltool;
mod cwltool_old;
mod miniwdl;
mod nextflow;
mod shpc;
mod snakemake;

use crate::system::file_name;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A workflow engine, or a program that pulls images in the same way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// Nextflow
    Nextflow,
    /// cwltool, and Toil for CWL
    Cwltool,
    /// miniwdl and miniwdl-slurm
    Miniwdl,
    /// Snakemake with --sdm apptainer
    Snakemake,
    /// Singularity Registry HPC
    Shpc,
}

impl Engine {
    /// The directories of this engine.
    pub(crate) fn layouts(self) -> impl Iterator<Item = Layout> {
        Layout::ALL.into_iter().filter(move |layout| layout.engine() == self)
    }
}

/// One directory of a view: the names that one engine, or one generation of it, looks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Layout {
    Nextflow,
    Cwltool,
    /// Releases of cwltool before September 2026. Their directory must not be below that of the
    /// current releases, which search their whole tree for the old names too, and then try to
    /// create a hard link in it, which fails.
    CwltoolOld,
    Miniwdl,
    Snakemake,
    Shpc,
}

impl Layout {
    /// All layouts.
    pub(crate) const ALL: [Self; 6] = [
        Self::Nextflow,
        Self::Cwltool,
        Self::CwltoolOld,
        Self::Miniwdl,
        Self::Snakemake,
        Self::Shpc,
    ];

    /// The engine that looks up these names.
    pub(crate) fn engine(self) -> Engine {
        match self {
            Self::Nextflow => Engine::Nextflow,
            Self::Cwltool | Self::CwltoolOld => Engine::Cwltool,
            Self::Miniwdl => Engine::Miniwdl,
            Self::Snakemake => Engine::Snakemake,
            Self::Shpc => Engine::Shpc,
        }
    }

    /// The name of the directory in the view.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::Nextflow => "nextflow",
            Self::Cwltool => "cwltool",
            Self::CwltoolOld => "cwltool-old",
            Self::Miniwdl => "miniwdl",
            Self::Snakemake => "snakemake",
            Self::Shpc => "shpc",
        }
    }

    /// The variables, options or settings of the engine that take the directory as their value.
    pub(crate) fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Nextflow => &["NXF_APPTAINER_LIBRARYDIR", "NXF_SINGULARITY_LIBRARYDIR"],
            Self::Cwltool | Self::CwltoolOld => &["CWL_SINGULARITY_CACHE"],
            Self::Miniwdl => &["MINIWDL__SINGULARITY__IMAGE_CACHE"],
            Self::Snakemake => &["--apptainer-prefix"],
            Self::Shpc => &["container_base"],
        }
    }

    /// Whether the names contain directories.
    pub(crate) fn is_nested(self) -> bool {
        self == Self::Shpc
    }

    /// The names, relative to the directory, that the engine computes for a reference as typed,
    /// without a transport. `digests` are the digests that a tag is known to point to; only
    /// [`Layout::Shpc`] uses them. Names that no file system can hold are omitted.
    pub(crate) fn names(self, typed: &str, digests: &[String]) -> Vec<String> {
        let mut names = match self {
            Self::Nextflow => vec![nextflow::name(typed)],
            Self::Cwltool => vec![cwltool::name(typed)],
            Self::CwltoolOld => vec![cwltool_old::name(typed)],
            Self::Miniwdl => vec![miniwdl::name(typed)],
            Self::Snakemake => vec![snakemake::name(typed)],
            Self::Shpc => digests.iter().filter_map(|one| shpc::name(typed, one)).collect(),
        };
        names.retain(|name| file_name::too_long(name).is_none());
        names
    }

    /// The digest in one of this layout's names, if the layout has it there.
    pub(crate) fn digest_in(self, name: &str) -> Option<String> {
        (self == Self::Shpc).then(|| shpc::digest_in(name)).flatten()
    }
}

/// References as typed, for the tables of names in the tests of the engines.
#[cfg(test)]
mod typed {
    pub(super) const DIGEST: &str =
        "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
    pub(super) const PINNED: &str =
        "alpine@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
    pub(super) const BIOCONTAINER: &str = "quay.io/biocontainers/samtools:1.20--h50ea8bc_0";
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn names_that_are_too_long_are_omitted() {
        let long = format!("o/{}:1", "a".repeat(252));
        for layout in Layout::ALL {
            let expected = usize::from(layout == Layout::Snakemake);
            assert_eq!(layout.names(&long, &[]).len(), expected, "{layout:?}");
        }
    }
}
