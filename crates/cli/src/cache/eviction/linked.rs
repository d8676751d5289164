//! Images to which files of users link: `pull=link`.
//!
//! A link breaks when its image is removed, and nothing in the image root shows which links exist.
//! So `gc` keeps an image for `--link-grace` after the last pull in the logs that linked to it.

use crate::cache::image_name;
use crate::cache::select::Inventory;
use crate::cache::store::scan::Image;
use crate::ui::escape::escape_for_terminal;
use crate::ui::stderr;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::settings::{Pull, Settings};
use std::path::Path;

/// The grace period of links.
#[derive(Debug)]
pub(crate) struct Grace<'a> {
    inventory: &'a Inventory,
    /// The start of the period; `None` if there is none.
    pub(crate) since: Option<Timestamp>,
    kept: Vec<&'a Image>,
}

impl<'a> Grace<'a> {
    pub(crate) fn new(inventory: &'a Inventory, grace: SignedDuration, now: Timestamp) -> Self {
        let since = (!grace.is_zero()).then(|| now.checked_sub(grace).unwrap_or(Timestamp::MIN));
        Self { inventory, since, kept: Vec::new() }
    }

    /// Whether a pull linked to the image within the period, so that the image stays.
    pub(crate) fn keeps(&mut self, image: &'a Image) -> bool {
        let last = self.inventory.last_link(image);
        let keeps = self.since.is_some_and(|since| last.is_some_and(|last| last >= since));
        if keeps {
            self.kept.push(image);
        }
        keeps
    }

    /// Prints how many images stay.
    pub(crate) fn report(&self) {
        let Some(first) = self.kept.first() else { return };
        let title = escape_for_terminal(first.title().as_ref());
        let others = match self.kept.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        stderr::message(&format!(
            "not removed, because files of users link to it: {title}{others} (--link-grace)"
        ));
    }
}

/// Whether a pull can link to the image: only with `pull=link`, in the last image root, and to a name
/// with a digest.
pub(crate) fn can_be_linked(settings: &Settings, root: &Path, image: &Image) -> bool {
    if settings.pull != Pull::Link || settings.image_roots.last().is_none_or(|last| last != root) {
        return false;
    }
    let has_digest = |name: &String| image_name::reference(name)?.digest().map(drop);
    image.names.iter().any(|name| has_digest(name).is_some())
}
