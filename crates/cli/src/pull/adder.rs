//! Adds a missing image to the cache: looks for it, locks its name, pulls it, and checks that jobs
//! find it.

use crate::cache::image_name;
use crate::cache::install;
use crate::cache::lookup;
use crate::cache::squashfs::{self, Damage};
use crate::cache::store::Store;
use crate::error::Failure;
use crate::pull::outcome::{Outcome, Status};
use crate::pull::puller::Puller;
use crate::pull::watch::Watch;
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Progress;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Adds images to one image root. Threads can share it.
pub(crate) struct Adder<'a> {
    settings: &'a Settings,
    store: &'a Store,
    progress: &'a Progress,
    /// Whether to pull images that are already in the cache.
    force: bool,
    set_up: &'a (dyn Fn() -> Result<Puller<'a>, Failure> + Sync),
    puller: OnceLock<Result<Puller<'a>, Arc<Failure>>>,
}

impl<'a> Adder<'a> {
    /// `set_up` is called once, by the first image that has to be pulled: images that are already
    /// in the cache need neither a runtime nor credentials.
    pub(crate) fn new(
        settings: &'a Settings,
        store: &'a Store,
        progress: &'a Progress,
        force: bool,
        set_up: &'a (dyn Fn() -> Result<Puller<'a>, Failure> + Sync),
    ) -> Self {
        Self { settings, store, progress, force, set_up, puller: OnceLock::new() }
    }

    /// Adds the image, unless it is in the cache.
    ///
    /// # Errors
    /// The image cannot be added, or a job would not use it.
    pub(crate) fn add(&self, reference: &Reference, watch: &Watch<'_>) -> Result<Outcome, Failure> {
        if let Some(path) = self.existing(reference)? {
            if reference.digest().is_some() {
                install::pin(self.store, reference, &path);
            }
            return Ok(Outcome::of(Status::Present, path));
        }
        let name = image_name::file(reference);
        self.store.can_hold(&name)?;
        let waiting =
            || self.progress.note(&format!("{name}: another command is working on it; waiting"));
        let _lock = self.store.lock_while(&name, &waiting, &|| watch.wait())?;
        if let Some(path) = self.existing(reference)? {
            return Ok(Outcome::of(Status::Present, path));
        }
        if !self.force {
            self.store.refuse_own_image(&name)?;
        }
        let pulled = self.puller()?.pull(reference, &name, watch)?;
        let path = self.store.path(&name);
        match lookup::find_for(self.settings, reference, self.store.architecture()) {
            Some(found) if found == path => {
                Ok(Outcome::pulled(Status::Added, path, pulled, reference))
            }
            found => Err(lookup::not_found_there(&path, found.as_deref())),
        }
    }

    /// The puller, which the first call sets up.
    ///
    /// # Errors
    /// It cannot be set up. Every call then fails.
    pub(crate) fn puller(&self) -> Result<&Puller<'a>, Failure> {
        let puller = self.puller.get_or_init(|| (self.set_up)().map_err(Arc::new)).as_ref();
        puller.map_err(|failure| Failure::Shared(Arc::clone(failure)))
    }

    /// The image that a job finds, or `None` if it has to be pulled.
    fn existing(&self, reference: &Reference) -> Result<Option<PathBuf>, Failure> {
        let found = lookup::find_for(self.settings, reference, self.store.architecture());
        let Some(path) = found.filter(|_| !self.force) else { return Ok(None) };
        let Err(damage) = squashfs::check(&path) else { return Ok(Some(path)) };
        let problem = damage.to_string();
        // Another pull would not help: jobs would still find this file first.
        if path != self.store.path(&image_name::file(reference)) {
            let advice = "remove it, or replace it there with --into";
            return Err(Failure::Damaged { path, problem, advice: advice.to_owned() });
        }
        if matches!(damage, Damage::Io(_)) {
            return Err(Failure::Unreadable { path, problem });
        }
        let path = escape_for_terminal(&path);
        self.progress.note(&format!("{path} is damaged: {problem}; pulling it again"));
        Ok(None)
    }
}
