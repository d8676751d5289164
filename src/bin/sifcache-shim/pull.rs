//! Answers a pull with the image of the cache: with a copy of it, or with a link to it.
//!
//! The file appears as the runtime makes it from its own cache: the same name, mode, messages and
//! exit status. A pull that this module does not answer goes to the runtime unchanged, and so does
//! every pull that the runtime refuses without a registry, such as one into an existing file.

mod copy;
mod failure;
mod link;
mod messages;
mod progress;
mod singularity;
mod temporary;

use crate::environment::Environment;
use crate::process::signals::Deferred;
use copy::{Failure, Source};
use messages::Messages;
use sifcache_core::command_line::Verbosity;
use sifcache_core::image;
use sifcache_core::image_uri::{ImageUri, Transport};
use sifcache_core::pull;
use sifcache_core::pull::link::NotLinked;
use sifcache_core::pull::plan::{self, OnlyRuntime, Plan};
use sifcache_core::settings::{self, Settings};
use sifcache_core::sif::unsigned::Unsigned;
use spank_sifcache::decide::lookup_timeout::WithTimeout;
use spank_sifcache::job::Link;
use std::cell::OnceCell;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::Path;

/// The exit status of a runtime that cannot pull.
const FAILED: i32 = 255;

/// A pull that can be answered.
#[derive(Debug)]
pub(crate) struct Pull {
    plan: Plan,
    verbosity: Verbosity,
    messages: OnceCell<Messages>,
    uri: ImageUri,
    settings: Settings,
    /// The program that would run the pull.
    runtime: CString,
    /// See [`singularity::release`].
    release: OnceCell<Option<u32>>,
}

/// The result of a pull that was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The exit status.
    pub(crate) status: i32,
    /// The link; `None` with `pull=copy`, and if the pull failed.
    pub(crate) link: Link,
}

impl Pull {
    /// How to answer the command, which `runtime` would run otherwise. `None` if it is not a pull
    /// that can be answered.
    pub(crate) fn new(
        command: &[&[u8]],
        runtime: &CString,
        settings: &Settings,
        environment: &Environment,
    ) -> Option<Self> {
        let variable = |name: &str| environment.get(name);
        let pull = pull::find(command, &settings.runtimes, &variable).ok()?;
        let uri = ImageUri::parse(command.get(pull.image_index)?).ok()?;
        let plan = plan::plan(&pull, &uri, command.first()?, &variable).ok()?;
        let (verbosity, messages, release) = (pull.verbosity, OnceCell::new(), OnceCell::new());
        let (settings, runtime) = (settings.clone(), runtime.clone());
        Some(Self { plan, verbosity, messages, uri, settings, runtime, release })
    }

    /// Writes the target, and prints the messages of the runtime.
    ///
    /// # Errors
    /// The image cannot be read. Nothing was written or printed.
    pub(crate) fn answer(&self, image: &Path) -> io::Result<Answer> {
        let file = File::open(image)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // This lookup may use a helper process, so signals are not deferred yet.
        let link = self.link_target(image);
        let signals = Deferred::new();
        self.announce_variables();
        self.announce();
        let copy = || {
            let has_progress = self.messages().has_progress();
            let source = Source { path: image, file: &file, length: metadata.len() };
            copy::copy(&source, &self.plan.target, has_progress, &signals)
        };
        let written = match link {
            None => copy().map(|()| None),
            Some(Err(why)) => copy().map(|()| Some(Err(why))),
            Some(Ok(path)) => match link::link(&path, &self.plan.target) {
                Ok(true) => Ok(Some(Ok(path))),
                Ok(false) => copy().map(|()| Some(Err(NotLinked::NoSymbolicLinks))),
                Err(failure) => Err(failure),
            },
        };
        Ok(match written {
            Ok(link) => {
                self.warn_of_verification(&file);
                Answer { status: 0, link }
            }
            Err(failure) => {
                // A signal ends the process when it is no longer deferred.
                if let Failure::Failed(reason) = failure {
                    let files = (image, self.plan.target.path.as_path());
                    let transport = self.uri.transport();
                    let text = failure::message(transport, &|| self.release(), files, &reason);
                    self.messages().fatal(&text);
                }
                Answer { status: FAILED, link: None }
            }
        })
    }

    /// Why only the runtime can handle the pull, if that depends on which runtime it is: Apptainer
    /// would print messages that are not known. It prints some of them before it reads `-q` and `-s`.
    pub(crate) fn only_runtime(&self) -> Option<OnlyRuntime> {
        let is_unknown = self.plan.about_variables.is_none();
        (is_unknown && self.release().is_none()).then_some(OnlyRuntime::Variables)
    }

    /// Singularity ignores the variables that suppress messages or colors.
    fn messages(&self) -> &Messages {
        self.messages.get_or_init(|| {
            let (all, by_flags) = (self.verbosity, self.verbosity.without_variables());
            let ignores = all != by_flags && self.release().is_some();
            Messages::new(if ignores { by_flags } else { all })
        })
    }

    fn release(&self) -> Option<u32> {
        *self.release.get_or_init(|| singularity::release(&self.runtime))
    }

    /// The path for a link, or the reason for a copy; `None` with `pull=copy`.
    fn link_target(&self, image: &Path) -> Link {
        let prober = WithTimeout::new(self.settings.lookup_timeout);
        let (file, reference) = (&self.plan.target.path, self.uri.reference());
        let find = || pull::link::target(image, file, reference, &self.settings, &prober);
        (self.settings.pull == settings::Pull::Link).then(find)
    }

    /// Prints the messages of Apptainer about variables.
    fn announce_variables(&self) {
        let lines = self.plan.about_variables.as_deref().unwrap_or_default();
        if !lines.is_empty() && self.messages().has_variables() && self.release().is_none() {
            lines.iter().for_each(|line| self.messages().about_variable(line));
        }
    }

    /// Prints the messages of the runtime about an image in its own cache. For oras, recent
    /// releases add the digest, which only the registry has.
    fn announce(&self) {
        match self.uri.transport() {
            Transport::Docker | Transport::Oras => self.messages().info("Using cached SIF image"),
            Transport::Library => self.messages().info("Using cached image"),
            Transport::Https | Transport::Http => {}
        }
    }

    /// Prints the warnings of the runtime about an image from a library that it cannot verify. This
    /// program has no keys, so it cannot verify a signature either.
    fn warn_of_verification(&self, image: &File) {
        if self.uri.transport() != Transport::Library {
            return;
        }
        let table = image::descriptor_table(image);
        if let Some(problem) = table.ok().and_then(|table| Unsigned::of(&table)) {
            self.messages().warning(&problem.to_string());
        }
        self.messages().warning("Skipping container verification");
    }
}
