//! The files of one log: the log itself and the files that logrotate has made of it.
//!
//! | logrotate's settings | names for `/var/log/syslog` | names for `/var/log/slurm.log` |
//! | --- | --- | --- |
//! | none | `syslog.1`, `syslog.2.gz` | `slurm.log.1`, `slurm.log.2.gz` |
//! | `dateext` | `syslog-20261124`, `syslog-20261123.gz` | `slurm.log-20261124` |
//! | `extension .log` | | `slurm.1.log`, `slurm-20261124.log.gz` |

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The device and inode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Id {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// One file of a log.
#[derive(Debug, Clone)]
pub(super) struct Generation {
    pub(super) path: PathBuf,
    pub(super) id: Id,
    pub(super) modified: SystemTime,
    /// Whether this is the file into which the daemon writes.
    pub(super) is_current: bool,
}

/// The files of a log, oldest first, the log itself last. A rotated file that exists both with and
/// without compression, because logrotate is compressing it now, is listed once.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn list(log: &Path) -> io::Result<Vec<Generation>> {
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = log.parent().filter(|directory| !directory.as_os_str().is_empty());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory.unwrap_or(Path::new(".")))? {
        let other = entry?.file_name();
        if other.to_str().is_some_and(|other| is_rotated(other, &name)) {
            names.insert(other);
        }
    }
    let packed = names.iter().filter(|name| {
        let base = Path::new(name).file_stem().unwrap_or_default();
        Path::new(name).extension().is_some_and(is_letters) && names.contains(base)
    });
    let packed: BTreeSet<_> = packed.cloned().collect();
    let rotated = names.difference(&packed).map(|name| log.with_file_name(name));
    let mut all = Vec::new();
    for path in rotated {
        all.extend(generation(path, false)?);
    }
    all.sort_by_key(|generation| generation.modified);
    all.extend(generation(log.to_owned(), true)?);
    Ok(all)
}

/// A regular file; `None` if there is none with this name.
fn generation(path: PathBuf, is_current: bool) -> io::Result<Option<Generation>> {
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Generation {
            id: Id::of(&metadata),
            modified: metadata.modified()?,
            path,
            is_current,
        })),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file of a log without waiting, in case it is a pipe.
///
/// # Errors
/// It cannot be opened, or it is not a regular file.
pub(super) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file; use `-` to read from a pipe"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Whether logrotate gives such a name to a rotated file of this log.
pub(super) fn is_rotated(name: &str, log: &str) -> bool {
    let name = match name.rsplit_once('.') {
        // The suffix of a compression program.
        Some((base, suffix)) if is_letters(suffix.as_ref()) && is_rotated_plain(base, log) => base,
        _ => name,
    };
    is_rotated_plain(name, log)
}

fn is_rotated_plain(name: &str, log: &str) -> bool {
    let is_number = |part: &str| {
        let number = part.strip_prefix(['.', '-']).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let inside = || {
        let (stem, extension) = log.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())?;
        name.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')
    };
    name.strip_prefix(log).is_some_and(is_number) || inside().is_some_and(is_number)
}

/// Whether this is the suffix of a compression program, such as `gz` or `bz2`, and not a number.
fn is_letters(suffix: &std::ffi::OsStr) -> bool {
    let suffix = suffix.as_encoded_bytes();
    suffix.first().is_some_and(u8::is_ascii_alphabetic)
        && suffix.len() <= 4
        && suffix.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::{is_rotated, list};
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    #[test]
    fn names_of_logrotate_are_recognized() {
        for name in [
            "s.log.1",
            "s.log.2.gz",
            "s.log-20261124",
            "s.log-20261124.zst",
            "s.log-2026-11-24-1795489395.bz2",
            "s.1.log",
            "s.2.log.gz",
            "s-20261124.log",
        ] {
            assert!(is_rotated(name, "s.log"), "{name}");
        }
        for name in
            ["s.log", "s.log.bak", "s.log.gz", "s.log-old.gz", "ss.1.log", "s.1", "s.log.1.gz.tmp"]
        {
            assert!(!is_rotated(name, "s.log"), "{name}");
        }
        assert!(is_rotated("syslog.1", "syslog") && !is_rotated("syslogger.1", "syslog"));
        assert!(!is_rotated(".1.log", ".log"));
    }

    #[test]
    fn the_files_of_a_log_are_listed_from_old_to_new() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("syslog");
        let files = ["syslog.3.gz", "syslog.2.gz", "syslog.2", "syslog.1", "other", "syslog"];
        for (hour, name) in (0..).zip(files) {
            fs::write(log.with_file_name(name), name).unwrap();
            let file = File::options().append(true).open(log.with_file_name(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * hour)).unwrap();
        }
        fs::create_dir(log.with_file_name("syslog.9")).unwrap();
        let names = |all: Vec<super::Generation>| {
            let names = all.iter().map(|one| one.path.file_name().unwrap().to_str().unwrap());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let all = list(&log).unwrap();
        assert_eq!(names(all.clone()), ["syslog.3.gz", "syslog.2", "syslog.1", "syslog"]);
        assert!(all.iter().all(|one| one.is_current == one.path.ends_with("syslog")));
        fs::remove_file(&log).unwrap();
        assert_eq!(names(list(&log).unwrap()), ["syslog.3.gz", "syslog.2", "syslog.1"]);
    }
}
