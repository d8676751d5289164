//! Answers a pull with the image of the cache.
//!
//! The file appears as the runtime makes it from its own cache: the same name, mode, messages and
//! exit status. A pull that this module does not answer goes to the runtime unchanged, and so does
//! every pull that the runtime refuses without a registry, such as one into an existing file.

mod copy;
mod messages;
mod progress;
mod target;
mod variables;

use crate::environment::Environment;
use crate::process::signals::Deferred;
use copy::Failure;
use messages::Messages;
use sifcache_core::image_uri::{ImageUri, Transport};
use sifcache_core::pull;
use sifcache_core::settings::{self, Settings};
use std::fs::File;
use std::io;
use std::path::Path;
use target::Target;

/// The exit status of a runtime that cannot pull.
const FAILED: i32 = 255;

/// A pull that can be answered.
#[derive(Debug)]
pub(crate) struct Pull {
    transport: Transport,
    target: Target,
    messages: Messages,
    /// What the runtime says about the job's variables.
    about_variables: Vec<String>,
}

/// What the shim does with a command before it is decided on.
#[derive(Debug)]
pub(crate) enum Request {
    /// The command is not a pull of an image that can be looked up.
    NotPull,
    /// The runtime handles the pull, without a lookup.
    OfRuntime,
    /// The pull is answered if the image is in the cache.
    Pull(Pull),
}

impl Request {
    /// Determines what the command is.
    pub(crate) fn new(command: &[&[u8]], settings: &Settings, environment: &Environment) -> Self {
        if settings.pull == settings::Pull::Off {
            return Self::NotPull;
        }
        let variable = |name: &str| environment.get(name);
        let Ok(pull) = pull::find(command, &settings.runtimes, &variable) else {
            return Self::NotPull;
        };
        let uri = command.get(pull.image_index).map(|word| ImageUri::parse(word));
        let Some(Ok(uri)) = uri else { return Self::NotPull };
        let target = Target::new(&uri, pull.file.as_deref(), pull.dir.as_deref());
        let program = command.first().copied().unwrap_or_default();
        let about_variables = variables::messages(program, environment);
        let (Some(target), Some(messages), Some(about_variables)) =
            (target, Messages::new(pull.verbosity), about_variables)
        else {
            return Self::OfRuntime;
        };
        // The runtime refuses an existing file before it does anything else.
        if !pull.force && target.exists() {
            return Self::OfRuntime;
        }
        Self::Pull(Pull { transport: uri.transport(), target, messages, about_variables })
    }
}

impl Pull {
    /// Copies the image to the target. Returns the exit status.
    ///
    /// # Errors
    /// The image cannot be read. Nothing was written or printed.
    pub(crate) fn answer(&self, image: &Path) -> io::Result<i32> {
        let source = File::open(image)?;
        let metadata = source.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let signals = Deferred::new();
        self.about_variables.iter().for_each(|line| self.messages.info(line));
        self.announce();
        let has_progress = self.messages.has_progress();
        match copy::copy(&source, metadata.len(), &self.target, has_progress, &signals) {
            Ok(()) => Ok(0),
            // The signal ends the process when it is no longer deferred.
            Err(Failure::Signal) => Ok(FAILED),
            Err(Failure::Failed(reason)) => {
                self.messages.fatal(&format!(
                    "{}: error copying image out of cache: {reason}",
                    work(self.transport)
                ));
                Ok(FAILED)
            }
        }
    }

    /// What the runtime says about an image in its own cache. For oras, recent releases add the
    /// digest, which only the registry has.
    fn announce(&self) {
        match self.transport {
            Transport::Docker | Transport::Oras => self.messages.info("Using cached SIF image"),
            Transport::Library => {
                self.messages.info("Using cached image");
                // The runtime would verify the signature, which needs its key server.
                self.messages.warning("Skipping container verification");
            }
            Transport::Https | Transport::Http => {}
        }
    }
}

/// How the runtime names its work in the message about a failure.
fn work(transport: Transport) -> &'static str {
    match transport {
        Transport::Docker => "While making image from oci registry",
        Transport::Oras => "While pulling image from oci registry",
        Transport::Library => "While pulling library image",
        Transport::Https | Transport::Http => "While pulling from image from http(s)",
    }
}
