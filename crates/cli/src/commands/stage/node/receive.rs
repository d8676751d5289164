//! Receives one image on this node: from the transfer directory to its final name.

use super::inventory;
use crate::cache::hash::{self, Content};
use crate::cache::image_name;
use crate::cache::install::NewImage;
use crate::cache::lookup;
use crate::cache::store::lock::Lock;
use crate::cache::store::retention::Retention;
use crate::cache::store::scratch::Scratch;
use crate::cache::store::{Store, cannot_write};
use crate::commands::stage;
use crate::commands::stage::message::Item;
use crate::error::Failure;
use crate::system::signals;
use crate::ui::progress::Progress;
use sifcache_core::settings::Settings;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Maximum number of progress reports per image, which is limited because many nodes report at the
/// same time.
const TIMES: u64 = 20;
/// How long a node waits for the lock on a name.
const PATIENCE: Duration = Duration::from_secs(2);

/// The directory for an incoming file, and the lock on its name. Dropping it removes the directory.
#[derive(Debug)]
pub(super) struct Incoming {
    store: Store,
    item: Item,
    scratch: Scratch,
    _lock: Lock,
    reported: u64,
}

impl Incoming {
    /// Creates the directory and locks the name. Returns `None` if the image is present, because
    /// another command has staged it since the node was queried.
    ///
    /// # Errors
    /// The directory cannot be created or exists already, or the name cannot be used or locked.
    pub(super) fn prepare(store: Store, item: &Item, place: &str) -> Result<Option<Self>, Failure> {
        let name = item.name()?;
        store.can_hold(&name)?;
        let parent = store.state().join("tmp");
        let scratch = Scratch::called(&parent, place).map_err(|e| cannot_write(&parent, e))?;
        let Some(scratch) = scratch else {
            return Err(Failure::SharedRoot(store.root().to_owned()));
        };
        // The lock is taken only after creating the directory. If the root is shared, another node
        // holds the lock until it receives its next request, so waiting for the lock would never
        // end.
        let lock = lock(&store, &name)?;
        if inventory::is_present(&store, item, &name)? {
            return Ok(None);
        }
        Ok(Some(Self { store, item: item.clone(), scratch, _lock: lock, reported: 0 }))
    }

    /// The reference of the incoming image.
    pub(super) fn reference(&self) -> &str {
        &self.item.reference
    }

    /// The number of bytes received so far, if it has increased enough since the last report.
    pub(super) fn received(&mut self) -> Option<u64> {
        let bytes = fs::metadata(self.scratch.path(stage::FILE)).ok()?.len();
        let is_news = bytes > self.reported.saturating_add(self.item.size / TIMES);
        is_news.then(|| {
            self.reported = bytes;
            bytes
        })
    }

    /// Checks the received file, and installs it under its names.
    ///
    /// # Errors
    /// The content is not what was sent, the file cannot be installed, or jobs would not find it.
    pub(super) fn commit(&self, settings: &Settings, retention: Retention) -> Result<(), Failure> {
        let file = self.scratch.path(stage::FILE);
        let progress = Progress::new(true);
        let content = self.same(&file, &progress)?;
        self.store.finish(&file)?;
        let (store, item) = (&self.store, &self.item);
        let reference = image_name::parse(&item.reference)?;
        let (name, digests) = (&*image_name::file(&reference), item.digests.as_slice());
        let new_image = NewImage {
            store,
            progress: &progress,
            retention,
            reference: &reference,
            name,
            digests,
        };
        new_image.commit(&file, item.source.clone(), item.runtime.clone(), content)?;
        let path = store.path(name);
        match lookup::find(settings, &reference) {
            Some(found) if found == path => Ok(()),
            found => Err(lookup::not_found_there(&path, found.as_deref())),
        }
    }

    /// The content of the file, if it is identical to what was sent.
    fn same(&self, file: &Path, progress: &Progress) -> Result<Content, Failure> {
        let content = read(file, progress)?;
        if content.size == self.item.size && content.sha256 == self.item.sha256 {
            return Ok(content);
        }
        let received = (content.size, short(&content.sha256));
        let sent = (self.item.size, short(&self.item.sha256));
        Err(Failure::Transfer { received, sent })
    }
}

/// Locks the name, if that is possible soon. Two commands that stage one image to the same nodes can
/// each hold the lock on a node that the other one waits for. Both then have to release their locks.
fn lock(store: &Store, name: &str) -> Result<Lock, Failure> {
    let begun = Instant::now();
    store.lock_while(name, &|| (), &|| {
        signals::check()?;
        match begun.elapsed() > PATIENCE {
            true => Err(Failure::NameInUse(name.to_owned())),
            false => Ok(()),
        }
    })
}

/// Reads a file to compute its SHA-256.
pub(super) fn read(path: &Path, progress: &Progress) -> Result<Content, Failure> {
    let task = progress.on_terminal("", 0);
    let failed = |error| Failure::read(path, error);
    let mut file = File::open(path).map_err(failed)?;
    hash::copy(&mut file, &mut io::sink(), &task).map_err(|error| match error {
        hash::Error::Read(error) | hash::Error::Write(error) => failed(error),
        hash::Error::Stopped(failure) => failure,
    })
}

/// The first 12 digits, which are enough for a comparison by eye.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Item};
    use crate::cache::hash;
    use crate::cache::store::metadata::{Record, modified};
    use crate::cache::store::retention::Retention;
    use crate::cache::store::tests::{sif, store};
    use crate::commands::stage;
    use crate::exit::Exit;
    use jiff::SignedDuration;
    use sif_fixture::SMALLEST;
    use sifcache_core::settings::{Settings, Untrusted};
    use std::fs;
    use std::path::Path;

    const NOT_KEPT: Retention = Retention::new(SignedDuration::ZERO);

    fn item(file: &Path) -> Item {
        let content = super::read(file, &crate::ui::progress::Progress::new(true)).unwrap();
        let hash::Content { sha256, size } = content;
        Item {
            reference: "o/i:1".to_owned(),
            size,
            sha256,
            digests: vec![format!("sha256:{}", "0f".repeat(32))],
            source: "docker://docker.io/o/i:1".to_owned(),
            runtime: None,
        }
    }

    #[test]
    fn received_files_are_checked_and_installed() {
        let (directory, store) = store();
        let root = directory.path().to_owned();
        let mut settings = Settings::with_roots(vec![root.clone()]);
        settings.untrusted = Untrusted::Accept;
        let elsewhere = tempfile::tempdir().unwrap();
        let (one, two) = (elsewhere.path().join("1"), elsewhere.path().join("2"));
        sif(&one, 1);
        sif(&two, 2);
        let mut incoming = Incoming::prepare(store, &item(&one), "stage.7.1").unwrap().unwrap();
        let place = root.join(".sifcache/tmp/stage.7.1").join(stage::FILE);
        // First a different file arrives, then half of the right file, then all of it.
        fs::copy(&two, &place).unwrap();
        assert_eq!(incoming.received(), Some(SMALLEST));
        assert_eq!(incoming.received(), None);
        let failure = incoming.commit(&settings, NOT_KEPT).unwrap_err();
        assert_eq!(failure.exit(), Exit::DATA);
        assert!(
            failure.to_string().starts_with("the received data differ from the sent data"),
            "{failure}"
        );
        fs::write(&place, &fs::read(&one).unwrap()[..64]).unwrap();
        assert_eq!(incoming.commit(&settings, NOT_KEPT).unwrap_err().exit(), Exit::DATA);
        assert!(!root.join("o").exists());
        fs::copy(&one, &place).unwrap();
        incoming.commit(&settings, NOT_KEPT).unwrap();
        let metadata = fs::metadata(root.join("o/i:1")).unwrap();
        let record = Record::load(&root, "o/i:1", SMALLEST, modified(&metadata).unwrap()).unwrap();
        assert_eq!(record.sha256, item(&one).sha256);
        assert!(root.join(format!("o/i@sha256:{}", "0f".repeat(32))).exists());
        drop(incoming);
        assert_eq!(fs::read_dir(root.join(".sifcache/tmp")).unwrap().count(), 0);
    }

    /// The other command may be waiting for a name that this one has locked on another node.
    #[test]
    fn a_name_that_is_in_use_is_not_waited_for_without_end() {
        let (directory, store) = store();
        let file = directory.path().join("sent.sif");
        sif(&file, 1);
        let held = store.lock("o/i:1", &|| ()).unwrap();
        let mut settings = Settings::with_roots(vec![store.root().to_owned()]);
        settings.untrusted = Untrusted::Accept;
        let open = || super::Store::open(directory.path(), &settings).unwrap();
        let failure = Incoming::prepare(open(), &item(&file), "stage.1.1").unwrap_err();
        assert_eq!(failure.exit(), Exit::TRY_AGAIN, "{failure}");
        assert_eq!(failure.to_string(), "another command is working on o/i:1");
        assert_eq!(fs::read_dir(store.state().join("tmp")).unwrap().count(), 0);
        drop(held);
        assert!(Incoming::prepare(open(), &item(&file), "stage.1.2").unwrap().is_some());
    }
}
