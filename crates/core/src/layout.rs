//! Image roots that another tool fills: where that tool stores the image of a reference.
//!
//! ```text
//! image_root=/local/sif:galaxy=/cvmfs/singularity.galaxyproject.org/all:nextflow=/shared/nxf
//!
//! galaxy     NAME:TAG                            of quay.io/biocontainers/NAME:TAG
//! nextflow   REFERENCE.img                       as typed, each `/` and `:` of it is a `-`
//! pulls      NAME_TAG.sif                        the default name of `apptainer pull`
//! shpc       REPOSITORY/TAG/FLAT-TAG-DIGEST.sif  FLAT is the repository, each `/` a `-`
//! ```
//!
//! The names of `nextflow` and `pulls` are ambiguous: `o/a-b:1` and `o-a/b:1` are both
//! `o-a-b-1.img`, and `o/i:1` and `p/i:1` are both `i_1.sif`. A file of these layouts, and of
//! `shpc`, where an admin chooses the directory, is therefore an image of a reference only if the
//! runtime has recorded in the file that it pulled it from that reference.
//!
//! Sources: `SingularityCache.groovy` of Nextflow, `container/singularity.py` of shpc, and
//! `build.sh` of the project singularity-build-bot, which fills the depot of Galaxy.

use crate::image_uri::{ImageUri, Transport};
use crate::listed::listed;
use crate::reference::Reference;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

listed! {
    /// The layout of an image root that another tool fills.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Layout {
        /// The depot of the Galaxy project, as it is published in CVMFS.
        Galaxy,
        /// A cache or library directory of Nextflow.
        Nextflow,
        /// A directory in which `apptainer pull` or `singularity pull` has stored images under
        /// their default names.
        Pulls,
        /// The container directory of Singularity Registry HPC.
        Shpc,
    }
}

/// An image root that another tool fills. sifcache only reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRoot {
    /// The directory, an absolute path.
    pub path: PathBuf,
    /// The layout of its files.
    pub layout: Layout,
    /// The number of image roots of sifcache's own layout that are searched before this one.
    pub own_before: usize,
}

/// Where an image root may store the image of a reference, relative to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// A file whose name determines the reference.
    File(String),
    /// A file whose name several references share.
    Recorded(String, &'a Reference),
    /// The only file in a directory whose name ends in a digest.
    ByDigest(ByDigest<'a>),
}

/// A directory that has the image of a tag under a name that contains the digest of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByDigest<'a> {
    /// The directory, relative to the root.
    pub directory: String,
    /// The start of the file's name, up to the digest.
    pub prefix: String,
    /// The reference.
    pub reference: &'a Reference,
}

const GALAXY_REGISTRY: &str = "quay.io";
const GALAXY_ORGANIZATION: &str = "biocontainers/";

impl Layout {
    /// The word in front of the path in `image_root=`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Galaxy => "galaxy",
            Self::Nextflow => "nextflow",
            Self::Pulls => "pulls",
            Self::Shpc => "shpc",
        }
    }

    /// Splits `LAYOUT=PATH`; `None` if the text does not start with the word of a layout.
    #[must_use]
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let (word, path) = text.split_once('=')?;
        let layout = Self::ALL.iter().find(|layout| layout.word() == word)?;
        Some((*layout, path))
    }

    /// The place of the image: at most one, so that a lookup in a tree on a file server needs one
    /// name. There is none for an image that the tool cannot have stored.
    #[must_use]
    pub fn places(self, uri: &ImageUri) -> Vec<Place<'_>> {
        let reference = match uri.transport() {
            Transport::Docker => uri.reference(),
            // The tools store images of registries only.
            _ => return Vec::new(),
        };
        match self {
            Self::Galaxy => galaxy(reference).map(Place::File).into_iter().collect(),
            Self::Nextflow => recorded(Some(nextflow_name(reference.typed())), reference),
            Self::Pulls => recorded(pulls(reference), reference),
            Self::Shpc => shpc(reference).into_iter().collect(),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn recorded(name: Option<String>, reference: &Reference) -> Vec<Place<'_>> {
    name.map(|name| Place::Recorded(name, reference)).into_iter().collect()
}

fn galaxy(reference: &Reference) -> Option<String> {
    if reference.registry() != GALAXY_REGISTRY || reference.digest().is_some() {
        return None;
    }
    let name = reference.repository().strip_prefix(GALAXY_ORGANIZATION)?;
    (!name.contains('/')).then(|| format!("{name}:{}", reference.tag().unwrap_or_default()))
}

/// The reference whose image has this file name in a depot of Galaxy.
#[must_use]
pub fn galaxy_reference(name: &str) -> Option<Reference> {
    let text = format!("{GALAXY_REGISTRY}/{GALAXY_ORGANIZATION}{name}");
    let reference = Reference::parse(text.as_bytes()).ok()?;
    // A file has to have the name that a lookup of the reference uses.
    (galaxy(&reference).as_deref() == Some(name)).then_some(reference)
}

/// The file name that Nextflow computes for a reference as typed, without a transport: `simpleName`
/// in `SingularityCache.groovy`. Nextflow writes and reads no other name for this text, and adds
/// neither a registry nor a tag here, so other spellings of the reference are not looked up.
#[must_use]
pub fn nextflow_name(typed: &str) -> String {
    let (stem, suffix) = match typed.strip_suffix(".sif") {
        _ if typed.contains(".sif:") => (typed.replace(".sif:", "-"), ".sif"),
        Some(stem) => (stem.to_owned(), ".sif"),
        None => (typed.to_owned(), ".img"),
    };
    stem.replace([':', '/'], "-") + suffix
}

/// The default name of a pull. The runtimes refuse a tag with a digest.
fn pulls(reference: &Reference) -> Option<String> {
    let name = reference.repository().rsplit('/').next()?;
    match (reference.tag(), reference.digest()) {
        (Some(tag), None) => Some(format!("{name}_{tag}.sif")),
        (None, Some(digest)) => Some(format!("{name}@{}.sif", digest.replace(':', "_"))),
        _ => None,
    }
}

/// The name of the directory contains the tag, so a digest without a tag has no place.
fn shpc(reference: &Reference) -> Option<Place<'_>> {
    let tag = reference.tag()?;
    let repository = reference.short_repository();
    Some(Place::ByDigest(ByDigest {
        directory: format!("{repository}/{tag}"),
        prefix: format!("{}-{tag}-", repository.replace('/', "-")),
        reference,
    }))
}

impl Place<'_> {
    /// The path relative to the root, with a `*` for the digest that only the directory shows.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::File(name) | Self::Recorded(name, _) => Cow::Borrowed(name),
            Self::ByDigest(by) => {
                Cow::Owned(format!("{}/{}{}.sif", by.directory, by.prefix, by.digest()))
            }
        }
    }
}

impl ByDigest<'_> {
    /// The digest in the name, or `*` if the reference has only a tag.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.reference.digest().unwrap_or("*")
    }

    /// The digest in the name of a file in the directory; `None` for a name of another form.
    #[must_use]
    pub fn digest_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let digest = name.strip_prefix(&self.prefix)?.strip_suffix(".sif")?;
        let hex = digest.strip_prefix("sha256:")?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (hex.len() == 64 && hex.bytes().all(is_hex)).then_some(digest)
    }
}

#[cfg(test)]
mod tests;
