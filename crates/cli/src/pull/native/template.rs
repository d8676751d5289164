//! A template: a small SIF file that the site's own runtime builds with the config of the image.
//!
//! The result of a pull depends on the runtime's version, on its configuration and on the user who
//! runs it. Instead of imitating all of that, this command lets the runtime convert a tiny image,
//! which takes a fraction of a second. The image has the real config and layers of
//! [probes]. The template then shows
//!
//! - everything that the runtime adds: `.singularity.d`, links, directories, the SIF file's
//!   descriptors;
//! - what the runtime does with owners, devices, permissions and extended attributes.
//!
//! Only its texts need a correction, because they name another source: see [`texts`].

mod additions;
mod compare;
mod config;
mod deduce;
mod go_json;
mod layout;
pub(crate) mod overlay;
mod probes;
mod texts;

use crate::cache::sif_metadata;
use crate::cache::store::architecture::Architecture;
use crate::pull::runtime::{self, BuildOptions, Runtime, Version};
use additions::Additions;
use overlay::Overlay;
use sha2::{Digest as _, Sha256};
use sifcache_core::image;
use sifcache_core::sif::descriptors;
use sifcache_layers::rules::Rules;
use sifcache_layers::{ContentSink, Limits, Merged, Merger};
use sifcache_squashfs::reader::{Damage, Reader};
use sifcache_squashfs::tree::{Inode, Kind, Tree};
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
pub(crate) use texts::{Source, Texts};

/// The largest file that the runtime adds, in bytes. The largest of the known runtimes have a few
/// kilobytes.
const LARGEST_FILE: u64 = 16 << 20;

/// The name of the template in its directory.
const FILE: &str = "template.sif";

/// What a template is made for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The site's runtime.
    pub(crate) runtime: &'a Runtime,
    /// The runtime's version.
    pub(crate) version: &'a Version,
    /// The config of the image, as the registry sent it.
    pub(crate) config: &'a [u8],
    /// The source of the image, as a pull records it.
    pub(crate) source: &'a Source,
    /// An empty directory, in the directory where the runtime would unpack a pull: what it does
    /// with extended attributes depends on the file system.
    pub(crate) directory: &'a Path,
    /// See [`BuildOptions::lock`].
    pub(crate) lock: &'a File,
    /// The architecture of the image, if it is not this host's.
    pub(crate) architecture: Option<Architecture>,
}

/// A small SIF file with everything that the runtime adds to an image.
#[derive(Debug)]
pub(crate) struct Template {
    file: File,
    texts: Texts,
    additions: Additions,
    rules: Rules,
}

/// Why there is no template. In all cases except a signal, the runtime's own pull may work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The runtime did not build the template, or a signal asks the command to end.
    #[error("the runtime built no template: {0}")]
    Runtime(#[from] runtime::Error),
    /// A file in the temporary directory cannot be written or read.
    #[error("cannot use the temporary directory: {0}")]
    Io(#[from] io::Error),
    /// The config is not a JSON object, or parsers may understand it differently.
    #[error("the image's config is not unambiguous JSON")]
    UnclearConfig,
    /// A text of the template differs from what the known runtimes write.
    #[error("the runtime's template has an unknown text: {0}")]
    UnknownText(&'static str),
    /// The template's root file system cannot be read.
    #[error("the runtime's template cannot be read: {0}")]
    Unreadable(#[from] Damage),
    /// The template has no root file system, or holds a file of an unknown kind.
    #[error("the runtime's template is unusual: {0}")]
    Unusual(&'static str),
    /// The probes cannot be merged.
    #[error("the probes of the template: {0}")]
    Probes(String),
    /// No known rules turn the probes into the files of the template.
    #[error("the runtime changes files by unknown rules: {}", .0.escape_ascii())]
    UnknownRules(Vec<u8>),
}

impl Template {
    /// Lets the runtime build the template.
    ///
    /// # Errors
    /// The runtime fails, or the result differs from what known runtimes write.
    pub(crate) fn build(request: &Request<'_>) -> Result<Self, Error> {
        let probes = probes::layers()?;
        let layout = layout_name(request.config);
        layout::write(&request.directory.join(&layout), request.config, &probes)?;
        let path = request.directory.join(FILE);
        let options = BuildOptions {
            directory: request.directory,
            lock: request.lock,
            architecture: request.architecture,
        };
        // Without a tag, because not every runtime separates it from the directory.
        request.runtime.build(&format!("oci:{layout}"), &path, &options)?;
        Self::read(File::open(path)?, &layout, request.source, request.version.text(), &probes)
    }

    /// Reads a template that was built from `oci:LAYOUT` with the layers `probes`.
    fn read(
        file: File,
        layout: &str,
        source: &Source,
        version: &str,
        probes: &[Vec<u8>],
    ) -> Result<Self, Error> {
        let metadata = sif_metadata::inspect_metadata(&file)
            .ok_or(Error::UnknownText("no metadata for `inspect`"))?;
        let texts = Texts::new(layout, source, &metadata, version)?;
        let layers = merge(probes)?;
        let (tree, mut additions) = root_file_system(&file, &layers.tree)?;
        let rules = deduce::rules(&layers, &additions, &tree).map_err(Error::UnknownRules)?;
        let rules = rules.first().copied().ok_or(Error::UnknownRules(Vec::new()))?;
        for addition in additions.files.values_mut() {
            addition.content = texts.correct(&addition.content)?;
        }
        Ok(Self { file, texts, additions, rules })
    }

    /// The SIF file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The corrections of the texts of the SIF file's objects.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// What the runtime does with owners, devices, permissions and extended attributes.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether the runtime may read and write all files of an image.
    pub(crate) fn is_privileged(&self) -> bool {
        deduce::is_privileged(&self.rules)
    }

    /// Adds everything that the runtime adds to an image: after [`Rules::unpacked`] and before
    /// [`Rules::packed`]. `now` is the time of new files, in seconds since 1970.
    ///
    /// # Errors
    /// Only the runtime itself can add its files to this image, or the sink fails. The tree
    /// may have changed.
    pub(crate) fn lay_over<S: ContentSink>(
        &self,
        tree: &mut Tree,
        now: u32,
        sink: &mut S,
    ) -> Result<(), overlay::Error<S::Error>> {
        Overlay { tree, sink, now, privileged: self.is_privileged() }.add(&self.additions)
    }
}

/// The tree of the probes, as root unpacks it.
fn merge(probes: &[Vec<u8>]) -> Result<Merged, Error> {
    let mut merger = Merger::new(Limits::default(), deduce::NOW);
    for layer in probes {
        let merged = merger.layer(&**layer, &mut deduce::Discard);
        merged.map_err(|error: sifcache_layers::Error<Infallible>| {
            Error::Probes(error.to_string())
        })?;
    }
    Ok(merger.finish())
}

/// Reads the root file system of the template, and finds what the runtime added to `layers`.
fn root_file_system(file: &File, layers: &Tree) -> Result<(Tree, Additions), Error> {
    let no_root = Error::Unusual("no root file system");
    let table = image::descriptor_table(file).map_err(|_| no_root)?;
    let root = descriptors::root_file_system(&table)
        .map_err(|_| Error::Unusual("no root file system that it can start"))?;
    let reader = Reader::open(file.try_clone()?, root.offset, root.size)?;
    let (tree, contents) = reader.tree()?;
    let mut read = |inode: &Inode| match inode.kind {
        Kind::File { size, content: Some(content) } if size <= LARGEST_FILE => {
            let mut text = Vec::new();
            reader.content(&contents, content)?.read_to_end(&mut text)?;
            Ok(text)
        }
        Kind::File { content: None, .. } => Ok(Vec::new()),
        _ => Err(Error::Unusual("a large file")),
    };
    let additions = Additions::find(&tree, layers, &mut read)?;
    Ok((tree, additions.ok_or(Error::Unusual("a device or pipe"))?))
}

/// The name of the layout's directory, which the template's texts mention. It contains a digest of
/// the config, so it cannot be part of the config.
fn layout_name(config: &[u8]) -> String {
    format!("sifcache-{:x}", Sha256::digest(config))
}

#[cfg(test)]
mod tests;
