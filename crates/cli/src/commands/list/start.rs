//! What a user types to start an image.

use crate::cache::image_name;
use crate::cache::lookup;
use crate::ui::shell_quote;
use sifcache_core::image_uri::Transport;
use sifcache_core::settings::Settings;
use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

/// The runtime that users of this host have: the first of the settings' runtimes in `PATH`, else
/// the first one.
#[derive(Debug)]
pub(super) struct Runtime(String);

impl Runtime {
    pub(super) fn new(settings: &Settings) -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = settings.runtimes.iter().find(|name| is_in(name, &path));
        Self(found.or(settings.runtimes.first()).cloned().unwrap_or_default())
    }

    /// The command line that starts the image of this reference, as users type it.
    pub(super) fn command(&self, typed: &str) -> String {
        shell_quote::quoted(&["srun", &self.0, "run", &Transport::uri_of(typed)])
    }
}

fn is_in(name: &str, path: &OsStr) -> bool {
    env::split_paths(path)
        .any(|directory| directory.is_absolute() && directory.join(name).is_file())
}

/// The image that a job of the caller would use for a reference, as users type it.
pub(super) fn found(settings: &Settings, typed: &str) -> Option<PathBuf> {
    lookup::find(settings, &image_name::parse(typed).ok()?)
}
