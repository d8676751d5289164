//! Describes all files below a directory, to compare two trees.

use rustix::fs::{lgetxattr, llistxattr, major, minor};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// A file: its type, mode, owner, time and content, its attributes, and its inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) text: String,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) inode: u64,
}

pub(crate) type Files = BTreeMap<PathBuf, Described>;

/// Fails with the first differences, if there are any. Inode numbers have to differ or be equal
/// alike: hard links.
pub(crate) fn assert_same(actual: &Files, expected: &Files) {
    let mut numbers = BTreeMap::new();
    let mut back = BTreeMap::new();
    for path in actual.keys().chain(expected.keys()) {
        let (Some(a), Some(b)) = (actual.get(path), expected.get(path)) else {
            panic!("{path:?}: {:?} instead of {:?}", actual.get(path), expected.get(path));
        };
        assert_eq!((&a.text, &a.xattrs), (&b.text, &b.xattrs), "{path:?}");
        assert_eq!(*numbers.entry(a.inode).or_insert(b.inode), b.inode, "{path:?}: links");
        assert_eq!(*back.entry(b.inode).or_insert(a.inode), a.inode, "{path:?}: links");
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// All files below a directory, and the directory itself with the empty path.
pub(crate) fn walk(root: &Path) -> Files {
    let mut files = Files::new();
    add(root, Path::new(""), &mut files);
    files
}

fn add(root: &Path, path: &Path, files: &mut Files) {
    let full = if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) };
    let status = fs::symlink_metadata(&full).unwrap();
    let kind = status.file_type();
    let device = || format!("{}:{}", major(status.rdev()), minor(status.rdev()));
    let (letter, what) = if kind.is_dir() {
        for entry in fs::read_dir(&full).unwrap() {
            add(root, &path.join(entry.unwrap().file_name()), files);
        }
        ('d', String::new())
    } else if kind.is_symlink() {
        ('l', fs::read_link(&full).unwrap().to_string_lossy().into_owned())
    } else if kind.is_file() {
        ('f', format!("{} {}", status.len(), digest(&fs::read(&full).unwrap())))
    } else if kind.is_block_device() {
        ('b', device())
    } else if kind.is_char_device() {
        ('c', device())
    } else {
        (if kind.is_fifo() { 'p' } else { 's' }, String::new())
    };
    let (mode, owner) = (status.mode() & 0o7777, (status.uid(), status.gid()));
    let text = format!("{letter} {mode:o} {}:{} {} {what}", owner.0, owner.1, status.mtime());
    files.insert(path.to_owned(), Described { text, xattrs: xattrs(&full), inode: status.ino() });
}

fn xattrs(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0; 65536];
    let length = llistxattr(path, names.as_mut_slice()).unwrap();
    let mut list = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65536];
        let length = match lgetxattr(path, name, value.as_mut_slice()) {
            Ok(length) => length,
            // squashfuse lists attributes that it does not find.
            Err(Errno::NODATA) => continue,
            Err(error) => panic!("{path:?}: {error}"),
        };
        value.truncate(length);
        // Linux itself adds this one where SELinux is enabled.
        if name != b"security.selinux" {
            list.push((name.to_vec(), value));
        }
    }
    list.sort();
    list
}
