//! The mounted directory tree: the implementation of the FUSE calls.

use crate::fault::{Fault, Faults};
use crate::requests::Requests;
use fuser::consts::FOPEN_DIRECT_IO;
use fuser::{
    FileAttr, FileType, Filesystem, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use std::any::Any;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long the kernel may cache a reply: never, so that this file system receives every call.
const KEEP: Duration = Duration::ZERO;

/// `FOPEN_NOFLUSH`: the kernel sends no `flush` when a file is closed. A file server has no such
/// call.
const NO_FLUSH: u32 = 1 << 5;

pub(crate) struct Tree {
    /// The path of each inode. Inode numbers start at 1.
    paths: Vec<PathBuf>,
    faults: Faults,
    requests: Requests,
}

/// A reply that can return an error.
trait Refusal: Any + Send {
    fn refuse(self, errno: i32);
}

macro_rules! refusals {
    ($($reply:ty),*) => {
        $(impl Refusal for $reply {
            fn refuse(self, errno: i32) {
                self.error(errno);
            }
        })*
    };
}
refusals!(ReplyEntry, ReplyAttr, ReplyOpen, ReplyData, ReplyDirectory);

impl Tree {
    pub(crate) fn new(source: &Path, faults: Faults, requests: Requests) -> Self {
        Self { paths: vec![source.to_owned()], faults, requests }
    }

    fn path(&self, inode: u64) -> io::Result<&Path> {
        let index = usize::try_from(inode).ok().and_then(|inode| inode.checked_sub(1));
        let path = index.and_then(|index| self.paths.get(index));
        path.map(PathBuf::as_path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn inode(&mut self, path: PathBuf) -> u64 {
        let known = self.paths.iter().position(|one| *one == path);
        let index = known.unwrap_or_else(|| {
            self.paths.push(path);
            self.paths.len() - 1
        });
        index as u64 + 1
    }

    /// Counts a call, and replies with its fault, if any, or else with the result of `work`.
    fn answer<R: Refusal, T>(
        &mut self,
        call: &'static str,
        reply: R,
        work: impl FnOnce(&mut Self) -> io::Result<T>,
        give: impl FnOnce(R, T),
    ) {
        self.requests.count(call);
        // For faults, reading a link is a part of the lookup, and reading a directory is a read.
        let call = match call {
            "readlink" => "lookup",
            "readdir" => "read",
            call => call,
        };
        match self.faults.of(call) {
            Fault::Hang => self.faults.hang(reply),
            Fault::Eio => reply.refuse(libc::EIO),
            Fault::None => match work(self) {
                Ok(answer) => give(reply, answer),
                Err(error) => reply.refuse(error.raw_os_error().unwrap_or(libc::ENOENT)),
            },
        }
    }
}

fn attributes(inode: u64, metadata: &Metadata) -> FileAttr {
    let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    FileAttr {
        ino: inode,
        size: metadata.size(),
        blocks: metadata.blocks(),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: kind(metadata),
        perm: u16::try_from(metadata.mode() & 0o7777).unwrap_or_default(),
        nlink: 1,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn kind(metadata: &Metadata) -> FileType {
    match () {
        () if metadata.is_dir() => FileType::Directory,
        () if metadata.is_symlink() => FileType::Symlink,
        () => FileType::RegularFile,
    }
}

impl Filesystem for Tree {
    fn lookup(&mut self, _: &Request<'_>, parent: u64, name: &OsStr, reply: ReplyEntry) {
        let find = |tree: &mut Self| {
            let path = tree.path(parent)?.join(name);
            let metadata = fs::symlink_metadata(&path)?;
            Ok(attributes(tree.inode(path), &metadata))
        };
        self.answer("lookup", reply, find, |reply, found| reply.entry(&KEEP, &found, 0));
    }

    fn getattr(&mut self, _: &Request<'_>, inode: u64, _: Option<u64>, reply: ReplyAttr) {
        let look =
            |tree: &mut Self| Ok(attributes(inode, &fs::symlink_metadata(tree.path(inode)?)?));
        self.answer("getattr", reply, look, |reply, found| reply.attr(&KEEP, &found));
    }

    fn readlink(&mut self, _: &Request<'_>, inode: u64, reply: ReplyData) {
        let read = |tree: &mut Self| fs::read_link(tree.path(inode)?);
        self.answer("readlink", reply, read, |reply, target| {
            reply.data(target.as_os_str().as_bytes());
        });
    }

    fn open(&mut self, _: &Request<'_>, inode: u64, _: i32, reply: ReplyOpen) {
        let open = |tree: &mut Self| File::open(tree.path(inode)?).map(drop);
        // The kernel then caches no data, and reads as much as the program.
        let flags = if self.requests.is_counting() { FOPEN_DIRECT_IO | NO_FLUSH } else { 0 };
        self.answer("open", reply, open, |reply, ()| reply.opened(0, flags));
    }

    fn read(
        &mut self,
        _: &Request<'_>,
        inode: u64,
        _: u64,
        offset: i64,
        size: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyData,
    ) {
        let read = |tree: &mut Self| {
            let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
            let offset = u64::try_from(offset).unwrap_or_default();
            let count = File::open(tree.path(inode)?)?.read_at(&mut bytes, offset)?;
            bytes.truncate(count);
            Ok(bytes)
        };
        self.answer("read", reply, read, |reply, bytes| reply.data(&bytes));
    }

    fn readdir(&mut self, _: &Request<'_>, inode: u64, _: u64, offset: i64, reply: ReplyDirectory) {
        let list = |tree: &mut Self| {
            let mut entries: Vec<_> = fs::read_dir(tree.path(inode)?)?.flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            let entries = entries.into_iter().map(|entry| {
                let metadata = entry.metadata()?;
                Ok((tree.inode(entry.path()), kind(&metadata), entry.file_name()))
            });
            entries.collect::<io::Result<Vec<_>>>()
        };
        let skip = usize::try_from(offset).unwrap_or_default();
        self.answer("readdir", reply, list, |mut reply, entries| {
            for (index, (inode, kind, name)) in entries.iter().enumerate().skip(skip) {
                let next = i64::try_from(index + 1).unwrap_or(i64::MAX);
                if reply.add(*inode, next, *kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    // The other calls have no fault. These are the replies of a file system without them.

    fn opendir(&mut self, _: &Request<'_>, _: u64, _: i32, reply: ReplyOpen) {
        self.requests.count("opendir");
        reply.opened(0, 0);
    }

    fn release(
        &mut self,
        _: &Request<'_>,
        _: u64,
        _: u64,
        _: i32,
        _: Option<u64>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.requests.count("release");
        reply.ok();
    }

    fn releasedir(&mut self, _: &Request<'_>, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        self.requests.count("releasedir");
        reply.ok();
    }

    fn flush(&mut self, _: &Request<'_>, _: u64, _: u64, _: u64, reply: ReplyEmpty) {
        self.requests.count("flush");
        reply.error(libc::ENOSYS);
    }

    fn getxattr(&mut self, _: &Request<'_>, _: u64, _: &OsStr, _: u32, reply: ReplyXattr) {
        self.requests.count("getxattr");
        reply.error(libc::ENOSYS);
    }

    fn access(&mut self, _: &Request<'_>, _: u64, _: i32, reply: ReplyEmpty) {
        self.requests.count("access");
        reply.error(libc::ENOSYS);
    }

    fn statfs(&mut self, _: &Request<'_>, _: u64, reply: ReplyStatfs) {
        self.requests.count("statfs");
        reply.statfs(0, 0, 0, 0, 0, 512, 255, 0);
    }
}
