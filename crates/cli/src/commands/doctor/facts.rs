//! The site's configuration as far as it can be read. Unlike other subcommands, `doctor` continues
//! without valid settings.

use crate::error::Failure;
use crate::options::Site;
use crate::site;
use sifcache_core::settings::{self, Settings};
use sifcache_plugstack::{self as plugstack, Entry};
use std::path::PathBuf;

/// plugstack.conf and the settings derived from it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The file that Slurm reads; `None` with `--root`.
    pub(crate) plugstack: Option<Result<PathBuf, plugstack::Error>>,
    /// Its lines, or the error that prevents reading them.
    pub(crate) entries: Result<Vec<Entry>, plugstack::Error>,
    /// The error in the settings on sifcache's line, if they are invalid.
    pub(crate) wrong: Option<settings::Error>,
    /// The settings, if they are valid.
    pub(crate) settings: Option<Settings>,
}

impl Facts {
    /// Reads the configuration.
    ///
    /// # Errors
    /// The value of `--root` is invalid.
    pub(crate) fn read(site: &Site) -> Result<Self, Failure> {
        if site.root.is_some() {
            let settings = Some(site::settings(site)?);
            return Ok(Self { plugstack: None, entries: Ok(Vec::new()), wrong: None, settings });
        }
        let path = site.plugstack.clone().map_or_else(plugstack::locate, Ok);
        Ok(Self::from_plugstack(path))
    }

    /// Derives all facts from this plugstack.conf.
    pub(crate) fn from_plugstack(path: Result<PathBuf, plugstack::Error>) -> Self {
        let entries = path.as_ref().map_or_else(|_| Ok(Vec::new()), |p| plugstack::all(p));
        let mut facts = Self { plugstack: Some(path), entries, wrong: None, settings: None };
        match facts.ours().map(|entry| Settings::parse(&entry.arguments)) {
            Some(Ok(settings)) => facts.settings = Some(settings),
            Some(Err(error)) => facts.wrong = Some(error),
            None => {}
        }
        facts
    }

    /// The line that configures sifcache, if there is one.
    pub(crate) fn ours(&self) -> Option<&Entry> {
        plugstack::ours(self.entries.as_ref().ok()?)
    }

    /// The configured runtimes, or the default runtimes if there are no valid settings.
    pub(crate) fn runtimes(&self) -> Vec<String> {
        let usual = || Settings::with_roots(Vec::new()).runtimes;
        self.settings.as_ref().map_or_else(usual, |settings| settings.runtimes.clone())
    }
}
