//! The requested images according to `sifcache fill`: from its saved state, and from its queue.

use crate::cache::image_name;
use crate::demand::schedule::Stage;
use crate::demand::state;
use crate::report::data::usage::Reason;
use jiff::Timestamp;
use sifcache_core::queue;
use sifcache_core::settings::Settings;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that a filler changes as long as it runs as a service, at least every 10 seconds.
const BEAT: &str = "beat";

/// The filler of the first image root that has one.
#[derive(Debug)]
pub(super) struct Filler {
    pub(super) root: PathBuf,
    /// The requested images that are not in the cache, by the short form of their references.
    pub(super) items: BTreeMap<String, Known>,
    /// When the filler last showed that it runs as a service.
    pub(super) beat: Option<Timestamp>,
    /// Why its state cannot be read.
    pub(super) error: Option<String>,
}

/// What is known about an image.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) reason: Reason,
    /// The number of identified users who asked.
    pub(super) users: usize,
}

impl Filler {
    /// Reads the state. Returns `None` if no image root has ever had a filler.
    pub(super) fn read(
        settings: &Settings,
        dead: &dyn Fn(&Path) -> Option<String>,
    ) -> Option<Self> {
        let roots = settings.image_roots.iter().filter(|root| dead(root).is_none());
        let has_one = |root: &&PathBuf| root.join(queue::DIRECTORY).is_dir();
        roots.clone().find(has_one).map(|root| Self::of(root))
    }

    fn of(root: &Path) -> Self {
        let beat = changed(&root.join(queue::DIRECTORY).join(BEAT));
        let (items, error) = match state::peek(root) {
            Ok(saved) => {
                let item = |item: &crate::demand::schedule::Item| {
                    let known = Known { reason: reason(&item.last_known()), users: item.users() };
                    (image_name::short(item.reference()), known)
                };
                (saved.schedule.items().map(item).collect(), None)
            }
            Err(error) => (BTreeMap::new(), Some(error.to_string())),
        };
        Self { root: root.to_owned(), items, beat, error }
    }
}

fn reason(stage: &Stage) -> Reason {
    let (kind, why) = match stage {
        Stage::Pulling => ("pulling", ""),
        Stage::Queued(why) => ("queued", why.as_deref().unwrap_or_default()),
        Stage::NotYet(why) => ("not-yet", why.as_str()),
        Stage::Refused(why) => ("refused-by-policy", why.as_str()),
        Stage::Failed(why) => ("failed", why.as_str()),
    };
    Reason { kind, path: None, why: why.to_owned() }
}

/// When a file was last changed.
fn changed(file: &Path) -> Option<Timestamp> {
    let modified: io::Result<_> = fs::metadata(file).and_then(|metadata| metadata.modified());
    Timestamp::try_from(modified.ok()?).ok()
}
