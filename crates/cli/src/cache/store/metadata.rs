//! The record of an image: facts that the file itself does not contain. If a record is lost, only
//! these facts are lost.

use super::file::Directory;
use super::names::split;
use super::{STATE, Store, directory, scratch};
use crate::system::file_name::companion;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The maximum size of a record in bytes.
const MAX_RECORD_SIZE: usize = 8192;
/// The maximum number of bytes that are read from any other file in the hidden directory.
const MAX_FILE_SIZE: u64 = 64 << 20;

/// The record of one image: `.sifcache/metadata/NAME.json`, where a long NAME is shortened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The reference in normal form.
    pub(crate) reference: String,
    /// The source of the file: the URI of a pull, a file's path, or `-` for a pipe.
    pub(crate) source: String,
    /// The digests that the reference pointed to: the manifest or index, then the manifest for
    /// the platform of the image.
    pub(crate) digests: Vec<String>,
    /// When the image was added.
    pub(crate) added: Timestamp,
    /// The runtime that created the file, if a runtime did.
    pub(crate) runtime: Option<String>,
    /// SHA-256 of the file, hexadecimal.
    pub(crate) sha256: String,
    /// Size of the file, in bytes.
    pub(crate) size: u64,
    /// The Go name of the architecture, which was checked when the image was added. Empty in
    /// records of older versions.
    #[serde(default)]
    pub(crate) architecture: String,
    /// The modification time of the file. Together with the size it shows whether the record
    /// still describes this file.
    pub(crate) modified: Timestamp,
}

impl Record {
    /// The record of the file called `name`, if the record still describes that file.
    pub(crate) fn load(root: &Path, name: &str, size: u64, modified: Timestamp) -> Option<Self> {
        Self::read(open(&path(root, name)).ok()?, size, modified)
    }

    /// Like [`Self::load`], for many files: `records` is below the directory of the records.
    pub(crate) fn load_below(
        records: &mut Directory,
        name: &str,
        size: u64,
        modified: Timestamp,
    ) -> Option<Self> {
        let (above, last) = split(name);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(records.at(above)?, file_name(last), flags, Mode::empty()).ok()?;
        Self::read(file.into(), size, modified)
    }

    fn read(mut file: File, size: u64, modified: Timestamp) -> Option<Self> {
        // All records are small, so one read suffices; `fs::read` would need three.
        let mut buffer = [0; MAX_RECORD_SIZE];
        let length = file.read(&mut buffer).ok()?;
        let record: Self = serde_json::from_slice(buffer.get(..length)?).ok()?;
        (record.size == size && record.modified == modified).then_some(record)
    }

    /// Writes the record of the file called `name`.
    ///
    /// # Errors
    /// The record cannot be written.
    pub(crate) fn save(&self, store: &Store, name: &str) -> io::Result<()> {
        let path = path(store.root(), name);
        write(store, &path, &serde_json::to_vec_pretty(self)?)
    }
}

/// The path of the record of `name`.
pub(crate) fn path(root: &Path, name: &str) -> PathBuf {
    let (above, last) = split(name);
    root.join(STATE).join("metadata").join(above).join(file_name(last))
}

/// The file name of the record of an image with this file name.
pub(crate) fn file_name(image: &str) -> OsString {
    companion("", OsStr::new(image), ".json")
}

/// Removes the record of `name`.
pub(crate) fn forget(store: &Store, name: &str) {
    let path = path(store.root(), name);
    if fs::remove_file(&path).is_ok() {
        directory::tidy(&store.state().join("metadata"), &path);
    }
}

/// The modification time of a file, if the file system reports one that can be represented.
pub(crate) fn modified(metadata: &Metadata) -> Option<Timestamp> {
    metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok())
}

/// Reads a file under the hidden directory. Anyone who may write there could have replaced it
/// with a FIFO or a device, on which a read could block or never end.
///
/// # Errors
/// The file cannot be read or is not a regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // One more than the size, so that the end is found without more memory.
    let size = metadata.len().min(MAX_FILE_SIZE) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(MAX_FILE_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Writes a small file under the hidden directory atomically: the file is complete or absent. Its
/// directory is created if necessary.
///
/// # Errors
/// The file cannot be written or renamed.
pub(crate) fn write(store: &Store, path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_below(store.root(), path, bytes)
}

/// Like [`write()`], for a caller that has not opened the image root for writing.
///
/// # Errors
/// The file cannot be written or renamed.
pub(crate) fn write_below(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let scratch = scratch::Scratch::new(&root.join(STATE).join("tmp"))?;
    let temporary = scratch.path("record");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    super::place::open_to_all(root, &temporary)?;
    let mut tries = 0;
    loop {
        tries += 1;
        match fs::rename(&temporary, path) {
            // The directory does not exist yet, or another command found it empty and removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < directory::TRIES => {
                directory::make(root, path.parent().unwrap_or(root))?;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, modified};
    use crate::cache::store::file::Directory;
    use crate::cache::store::tests::store;
    use jiff::Timestamp;
    use sifcache_core::sif;
    use std::fs;

    #[test]
    fn a_record_is_loaded_only_for_its_file() {
        let (_directory, store) = store();
        let file = store.path("i:1");
        fs::write(&file, "image").unwrap();
        let metadata = fs::metadata(&file).unwrap();
        let record = Record {
            reference: "docker.io/library/i:1".into(),
            source: "docker://i:1".into(),
            digests: Vec::new(),
            added: Timestamp::now(),
            runtime: None,
            sha256: String::new(),
            size: 5,
            architecture: sif::host_architecture().into(),
            modified: modified(&metadata).unwrap(),
        };
        record.save(&store, "i:1").unwrap();
        record.save(&store, "o/i:1").unwrap();
        let mut records = Directory::below(store.state().join("metadata"));
        for name in ["i:1", "o/i:1", "i:1"] {
            let loaded = Record::load_below(&mut records, name, 5, record.modified);
            assert_eq!(loaded.as_ref(), Some(&record), "{name}");
        }
        assert_eq!(Record::load_below(&mut records, "p/i:1", 5, record.modified), None);
        let load = |size, modified| Record::load(store.root(), "i:1", size, modified);
        let time = record.modified;
        assert_eq!(load(5, time), Some(record));
        assert_eq!(load(6, time), None);
        assert_eq!(load(5, Timestamp::UNIX_EPOCH), None);
        fs::write(super::path(store.root(), "i:1"), "{").unwrap();
        assert_eq!(load(5, time), None);
    }

    #[test]
    fn a_directory_that_another_command_removes_at_the_same_time() {
        let (_directory, store) = store();
        let time = Timestamp::now();
        let record = Record {
            reference: "docker.io/o/i:1".into(),
            source: "-".into(),
            digests: Vec::new(),
            added: time,
            runtime: None,
            sha256: String::new(),
            size: 1,
            architecture: String::new(),
            modified: time,
        };
        let parent = store.state().join("metadata/a");
        std::thread::scope(|scope| {
            let saves = scope.spawn(|| {
                let save =
                    |_| record.save(&store, "a/b/i:1").map(|()| super::forget(&store, "a/b/i:1"));
                (0..100).map(save).filter_map(Result::err).collect::<Vec<_>>()
            });
            while !saves.is_finished() {
                let _ = fs::remove_dir(parent.join("b"));
                let _ = fs::remove_dir(&parent);
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let errors = saves.join().unwrap();
            assert!(errors.is_empty(), "{errors:?}");
        });
    }
}
