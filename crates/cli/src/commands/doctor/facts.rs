//! What the site has set, as far as that can be read: unlike other subcommands, this one
//! goes on without.

use crate::error::Failure;
use crate::options::Site;
use crate::site;
use sifcache_core::settings::{self, Settings};
use sifcache_plugstack::{self as plugstack, Entry};
use std::path::PathBuf;

/// plugstack.conf, and what follows from it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The file that Slurm reads; none with `--root`.
    pub(crate) plugstack: Option<Result<PathBuf, plugstack::Error>>,
    /// Its lines, or why they cannot be read.
    pub(crate) entries: Result<Vec<Entry>, plugstack::Error>,
    /// What is wrong with our line.
    pub(crate) wrong: Option<settings::Error>,
    /// The settings, if there are valid ones.
    pub(crate) settings: Option<Settings>,
}

impl Facts {
    /// Reads what there is.
    ///
    /// # Errors
    /// A wrong `--root` alone.
    pub(crate) fn read(site: &Site) -> Result<Self, Failure> {
        if site.root.is_some() {
            let settings = Some(site::settings(site)?);
            return Ok(Self { plugstack: None, entries: Ok(Vec::new()), wrong: None, settings });
        }
        let path = site.plugstack.clone().map_or_else(plugstack::locate, Ok);
        Ok(Self::from_plugstack(path))
    }

    /// What follows from this plugstack.conf.
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

    /// Our line that counts.
    pub(crate) fn ours(&self) -> Option<&Entry> {
        plugstack::ours(self.entries.as_ref().ok()?)
    }

    /// The runtimes that count, the usual ones where nothing says which.
    pub(crate) fn runtimes(&self) -> Vec<String> {
        let usual = || Settings::with_roots(Vec::new()).runtimes;
        self.settings.as_ref().map_or_else(usual, |settings| settings.runtimes.clone())
    }
}
