//! A template: a small SIF file that the site's own runtime builds with the config of the image.
//!
//! The result of a pull depends on the runtime's version, on its configuration and on the user who
//! runs it. Instead of imitating all of that, this command lets the runtime convert a tiny image,
//! which takes a fraction of a second. The image has the real config and one layer of
//! [probes]. The template then shows
//!
//! - everything that the runtime adds: `.singularity.d`, links, directories, the SIF file's
//!   descriptors;
//! - what the runtime does with owners, devices, permissions and extended attributes.
//!
//! Only its texts need a correction, because they name another source: see [`texts`].

mod config;
mod go_json;
mod layout;
mod probes;
mod texts;

use crate::cache::sif_metadata;
use crate::cache::store::architecture::Architecture;
use crate::pull::runtime::{self, BuildOptions, Runtime};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::path::Path;
pub(crate) use texts::{Source, Texts};

/// The name of the template in its directory.
const FILE: &str = "template.sif";

/// What a template is made for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The site's runtime.
    pub(crate) runtime: &'a Runtime,
    /// What the runtime prints as its version: `apptainer version 1.4.5`.
    pub(crate) version: &'a str,
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
}

impl Template {
    /// Lets the runtime build the template.
    ///
    /// # Errors
    /// If the runtime fails, or if the result differs from what known runtimes write.
    pub(crate) fn build(request: &Request<'_>) -> Result<Self, Error> {
        let layout = layout_name(request.config);
        layout::write(&request.directory.join(&layout), request.config, &probes::tar()?)?;
        let path = request.directory.join(FILE);
        let options = BuildOptions {
            directory: request.directory,
            lock: request.lock,
            architecture: request.architecture,
        };
        // Without a tag, because not every runtime separates it from the directory.
        request.runtime.build(&format!("oci:{layout}"), &path, &options)?;
        let file = File::open(path)?;
        let metadata = sif_metadata::inspect_metadata(&file)
            .ok_or(Error::UnknownText("no metadata for `inspect`"))?;
        let texts = Texts::new(&layout, request.source, &metadata, request.version)?;
        Ok(Self { file, texts })
    }

    /// The SIF file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The corrections of the template's texts: of the files in `.singularity.d` and of the SIF
    /// file's objects.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }
}

/// The name of the layout's directory, which the template's texts mention. It contains a digest of
/// the config, so it cannot be part of the config.
fn layout_name(config: &[u8]) -> String {
    format!("sifcache-{:x}", Sha256::digest(config))
}

#[cfg(test)]
mod tests;
