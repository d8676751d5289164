//! Applies the entries of layers to a tree.
//!
//! The result is what Apptainer 1.4.5 unpacks as root with umoci 0.4.7 or 0.6
//! (`UnpackEntry` in its `oci/layer/tar_extract.go`). [`Rules`](crate::rules::Rules) turn it into what an ordinary user
//! or another version gets.

use crate::archive::{Content, Entries, Entry, EntryKind};
use crate::error::{Error, Failure, Reason};
use crate::limits::Limits;
use crate::metadata::Interner;
use crate::nodes::Nodes;
use crate::path::{LONGEST_NAME, components};
use crate::resolve::{Place, Resolver};
use crate::sink::ContentSink;
use crate::whiteout::{self, Cleaner};
use sifcache_squashfs::tree::{ContentId, Inode, InodeId, Kind, Metadata, Names, Tree};
use std::collections::{HashMap, HashSet};
use std::io::Read;

/// The permissions of directories without an entry of their own. [`Rules`](crate::rules::Rules)
/// correct them.
const IMPLIED_MODE: u16 = 0o775;
/// The permissions of the root directory if no layer has an entry for it.
const ROOT_MODE: u16 = 0o755;
/// The longest target of a symbolic link in bytes that Linux accepts.
const LONGEST_TARGET: usize = 4095;

/// The layers of an image, merged into one tree.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The tree.
    pub tree: Tree,
    /// Directories without an entry of their own in any layer. The runtime creates them because a path
    /// below them has one.
    pub(crate) implied: HashSet<InodeId>,
    /// Directories whose time is that of a removal by a whiteout, because they have no later entry,
    /// with the time before. See [`Removals`](crate::rules::Removals).
    pub(crate) removed_from: HashMap<InodeId, u32>,
    /// Directories whose time is that of a removal or of a directory that was made in them, and
    /// that their owner may not change or not reach, with the time before. For an ordinary user,
    /// umoci makes them and the directories above them writable, and then restores their times and
    /// permissions (`pkg/unpriv`).
    pub(crate) unwritable: HashMap<InodeId, u32>,
    /// For directories that an earlier entry makes writable for their owner, and the last one does
    /// not: the last writable metadata. An ordinary user can neither set nor remove attributes of
    /// a directory without that permission, so those of the earlier entry stay.
    pub(crate) settable: HashMap<InodeId, Metadata>,
    /// An entry that an ordinary user cannot unpack, because its directory has attributes that the
    /// user may set but not read.
    pub(crate) hidden: Option<Reason>,
}

/// Merges layers, from the lowest to the highest.
#[derive(Debug)]
pub struct Merger {
    nodes: Nodes,
    resolver: Resolver,
    interner: Interner,
    /// The number of entries that the limits still allow.
    entries: u64,
    bytes: u64,
    limits: Limits,
    now: u32,
}

/// An entry with the directory that it is in.
struct Target<'a> {
    entry: &'a Entry,
    place: Place,
    name: &'a [u8],
    metadata: Metadata,
}

impl Merger {
    /// A merger without layers. `now` is the time of directories without an entry, in seconds since
    /// 1970.
    #[must_use]
    pub fn new(limits: Limits, now: u32) -> Self {
        let root = Metadata { mode: ROOT_MODE, mtime: now, ..Metadata::default() };
        Self {
            nodes: Nodes::new(root, limits.clone()),
            resolver: Resolver::default(),
            interner: Interner::new(limits.text),
            entries: limits.entries,
            bytes: limits.bytes,
            limits,
            now,
        }
    }

    /// Adds the next layer: an uncompressed tar archive. Reads `tar` in blocks of 512 bytes, up to the end
    /// mark of the archive; bytes after it are left to the caller.
    ///
    /// # Errors
    ///
    /// See [`Error`]. The merger must not be used after an error.
    pub fn layer<S: ContentSink>(
        &mut self,
        tar: impl Read,
        sink: &mut S,
    ) -> Result<(), Error<S::Error>> {
        self.nodes.begin_layer()?;
        let bytes = self.bytes;
        let mut entries = Entries::new(tar, Limits { bytes, ..self.limits.clone() });
        while let Some(entry) = entries.next_entry()? {
            self.entries = self
                .entries
                .checked_sub(1)
                .ok_or_else(|| Failure::limit(format_args!("{} entries", self.limits.entries)))?;
            self.entry(&entry, &mut entries, sink)?;
        }
        self.bytes = entries.allowance();
        Ok(())
    }

    /// The tree of all layers.
    #[must_use]
    pub fn finish(self) -> Merged {
        self.nodes.finish()
    }

    /// Applies one entry.
    fn entry<S: ContentSink>(
        &mut self,
        entry: &Entry,
        entries: &mut Entries<impl Read>,
        sink: &mut S,
    ) -> Result<(), Error<S::Error>> {
        let path = components(&entry.name);
        let Some((name, directory)) = path.split_last() else { return Ok(self.root(entry)?) };
        let longest = self.limits.path;
        let place = self.resolver.resolve(&self.nodes, directory, &entry.name, longest)?;
        if let Some(directory) = place.id() {
            self.nodes.has_child_entry(directory, &entry.name);
        }
        if name.starts_with(whiteout::PREFIX) {
            return Ok(self.whiteout(entry, &place, name, &mut |content| sink.forget(content))?);
        }
        if name.len() > LONGEST_NAME || place.join(name).len() > longest {
            return Err(Failure::unsupported(&entry.name, "its path or name is too long").into());
        }
        check_mode(entry)?;
        let metadata = self.interner.metadata(entry)?;
        let mut target = Target { entry, place, name, metadata };
        let directory = self.make_directories(&mut target)?;
        self.put(&target, directory, entries, sink)?;
        self.touch(directory, &target);
        Ok(())
    }

    /// Applies an entry for the root directory, which sets only its metadata.
    fn root(&mut self, entry: &Entry) -> Result<(), Failure> {
        if entry.kind != EntryKind::Directory {
            let what = "it changes the type of the root directory";
            return Err(Failure::invalid(&entry.name, what));
        }
        let metadata = self.interner.metadata(entry)?;
        self.nodes.set_metadata(Tree::ROOT, metadata);
        Ok(())
    }

    fn whiteout(
        &mut self,
        entry: &Entry,
        place: &Place,
        name: &[u8],
        forget: &mut dyn FnMut(ContentId),
    ) -> Result<(), Failure> {
        let hidden = name.strip_prefix(whiteout::PREFIX).unwrap_or_default();
        if hidden.is_empty() {
            // umoci 0.4.7 removes the directory, 0.6 what is in it.
            return Err(Failure::unsupported(&entry.name, "a whiteout without a name"));
        }
        if matches!(hidden, b"." | b"..") {
            return Err(Failure::invalid(&entry.name, "a whiteout of a directory on its own path"));
        }
        let Some(directory) = place.id() else { return Ok(()) };
        let above = (0..place.depth()).filter_map(|index| place.step(index)?.1);
        let reachable =
            [Tree::ROOT].into_iter().chain(above).all(|id| self.nodes.is_searchable(id));
        let mut cleaner = Cleaner { nodes: &mut self.nodes, now: self.now, reachable, forget };
        if name == whiteout::OPAQUE {
            cleaner.empty(directory);
        } else {
            cleaner.remove(directory, hidden);
        }
        Ok(())
    }

    /// Makes the missing directories on the way to an entry. Returns the directory of the entry.
    fn make_directories(&mut self, target: &mut Target<'_>) -> Result<InodeId, Failure> {
        let mut directory = Tree::ROOT;
        let mut reachable = true;
        for index in 0..target.place.depth() {
            let Some((name, id)) = target.place.step(index) else { break };
            if let Some(id) = id {
                reachable &= self.nodes.is_searchable(directory);
                directory = id;
                continue;
            }
            if !self.nodes.is_directory(directory) {
                break;
            }
            let inode =
                Inode { metadata: self.implied(directory), kind: Kind::Directory(Names::new()) };
            self.nodes.set_time_of_creation(directory, self.now, reachable);
            let id = self.nodes.create(directory, name, inode)?;
            self.nodes.is_implied(id);
            target.place.made(index, id);
            reachable &= self.nodes.is_searchable(directory);
            directory = id;
        }
        if self.nodes.is_directory(directory) {
            return Ok(directory);
        }
        // umoci 0.4.7 refuses this, 0.6 replaces the file by a directory.
        let what = "it is below a file that is not a directory";
        Err(Failure::unsupported(&target.entry.name, what))
    }

    /// The metadata of a directory that mkdir(2) makes: a setgid directory passes on its group and
    /// this bit.
    fn implied(&self, parent: InodeId) -> Metadata {
        let mut metadata = Metadata { mode: IMPLIED_MODE, mtime: self.now, ..Metadata::default() };
        let parent = self.nodes.tree.get(parent).map(|inode| &inode.metadata);
        if let Some(parent) = parent.filter(|parent| parent.mode & 0o2000 != 0) {
            metadata.mode |= 0o2000;
            metadata.gid = parent.gid;
        }
        metadata
    }

    /// Creates the file of an entry, or changes the metadata of a directory.
    fn put<S: ContentSink>(
        &mut self,
        target: &Target<'_>,
        directory: InodeId,
        entries: &mut Entries<impl Read>,
        sink: &mut S,
    ) -> Result<(), Error<S::Error>> {
        let entry = target.entry;
        let kind = match &entry.kind {
            EntryKind::Directory => return Ok(self.directory(target, directory, sink)?),
            EntryKind::HardLink(to) => return Ok(self.hard_link(target, directory, to, sink)?),
            EntryKind::File(size) => {
                let path = target.place.join(target.name);
                let content = store(&path, *size, entries.content(), sink)?;
                Kind::File { size: *size, content }
            }
            EntryKind::Symlink(to) if to.is_empty() || to.len() > LONGEST_TARGET => {
                let what = format_args!("a symbolic link with a target of {} bytes", to.len());
                return Err(Failure::unsupported(&entry.name, what).into());
            }
            EntryKind::Symlink(to) => Kind::Symlink(to.clone()),
            EntryKind::BlockDevice(device) => Kind::BlockDevice(*device),
            EntryKind::CharDevice(device) => Kind::CharDevice(*device),
            EntryKind::Fifo => Kind::Fifo,
            EntryKind::Other(flag) => {
                let what = format_args!("a tar entry of type {:?}", char::from(*flag));
                return Err(Failure::unsupported(&entry.name, what).into());
            }
        };
        let mut metadata = target.metadata.clone();
        if matches!(kind, Kind::Symlink(_)) {
            metadata.mode = 0o777;
        }
        self.nodes.remove(directory, target.name, &mut |content| sink.forget(content));
        self.nodes.create(directory, target.name, Inode { metadata, kind })?;
        Ok(())
    }

    /// An entry for a directory keeps what is in it. It replaces everything else, links too.
    fn directory<S: ContentSink>(
        &mut self,
        target: &Target<'_>,
        directory: InodeId,
        sink: &mut S,
    ) -> Result<(), Failure> {
        let metadata = target.metadata.clone();
        if let Some(id) = self.nodes.child(directory, target.name)
            && self.nodes.is_directory(id)
        {
            self.nodes.set_metadata(id, metadata);
            return Ok(());
        }
        self.nodes.remove(directory, target.name, &mut |content| sink.forget(content));
        let inode = Inode { metadata, kind: Kind::Directory(Names::new()) };
        self.nodes.create(directory, target.name, inode).map(drop)
    }

    /// A hard link shares everything with its target, whatever its entry says. Links in the
    /// directory of the target are followed, but not the target itself.
    fn hard_link<S: ContentSink>(
        &mut self,
        target: &Target<'_>,
        directory: InodeId,
        to: &[u8],
        sink: &mut S,
    ) -> Result<(), Failure> {
        let refuse = |what: &str| {
            Failure::unsupported(&target.entry.name, format_args!("{what}: {}", to.escape_ascii()))
        };
        let path = components(to);
        let Some((name, way)) = path.split_last() else {
            return Err(refuse("a hard link to a directory"));
        };
        // The runtime removes the old file first, so a link to itself has no target.
        self.nodes.remove(directory, target.name, &mut |content| sink.forget(content));
        let place = self.resolver.resolve(&self.nodes, way, to, self.limits.path)?;
        let id = place.id().and_then(|way| self.nodes.child(way, name));
        let id = id.ok_or_else(|| refuse("a hard link to a file that does not exist"))?;
        if self.nodes.is_directory(id) {
            return Err(refuse("a hard link to a directory"));
        }
        self.nodes.link(directory, target.name, id)
    }

    /// Notes that this layer has an entry here: later whiteouts of the layer spare it, and the
    /// directories on the way.
    fn touch(&mut self, directory: InodeId, target: &Target<'_>) {
        if let Some(id) = self.nodes.child(directory, target.name)
            && self.nodes.is_directory(id)
        {
            self.nodes.touch(id);
        }
        for index in (0..target.place.depth()).rev() {
            let id = target.place.step(index).and_then(|(_, id)| id);
            // If the directory is known, the ones above it are known too.
            if id.is_some_and(|id| !self.nodes.touch(id)) {
                break;
            }
        }
    }
}

/// Checks the mode of a special file. umoci passes all bits on to mknod(2), which refuses two
/// types in one mode.
fn check_mode(entry: &Entry) -> Result<(), Failure> {
    let own = match entry.kind {
        EntryKind::BlockDevice(_) => 0o060_000,
        EntryKind::CharDevice(_) => 0o020_000,
        EntryKind::Fifo => 0o010_000,
        _ => return Ok(()),
    };
    if entry.mode & 0o170_000 & !own == 0 {
        return Ok(());
    }
    let what = format_args!("a special file with mode {:o}", entry.mode);
    Err(Failure::unsupported(&entry.name, what))
}

/// Stores the content of a file.
fn store<S: ContentSink>(
    path: &[u8],
    size: u64,
    mut content: Content<'_, impl Read>,
    sink: &mut S,
) -> Result<Option<ContentId>, Error<S::Error>> {
    let stored = sink.store(path, size, &mut content);
    if let Some(failure) = content.finish() {
        return Err(failure.into());
    }
    stored.map_err(Error::Store)
}
