//! The tree that is being built, with the state of the merge for each inode.

use crate::error::{Failure, Reason};
use crate::limits::Limits;
use crate::merge::Merged;
use sifcache_squashfs::tree::{ContentId, Inode, InodeId, Kind, Metadata, Names, Tree};
use std::collections::{HashMap, HashSet};

/// Permission of the owner to read.
const READ: u16 = 0o400;
/// Permission of the owner to write.
const WRITE: u16 = 0o200;
/// Permission of the owner to reach what is in a directory.
const SEARCH: u16 = 0o100;
/// Permissions of the owner that are needed to make or remove a file in a directory.
const CHANGE: u16 = 0o300;

/// Called with each content that an inode has lost.
pub(crate) type Forget<'a> = &'a mut dyn FnMut(ContentId);

/// The state of the merge for an inode.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// The layer that made the inode, or that has an entry for or below this directory.
    layer: u16,
    /// The layer whose whiteouts removed all lower names from this directory.
    emptied: u16,
    /// The number of names. 0 if the inode can be used again.
    links: u32,
}

/// The tree, and the state of the merge for its inodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) tree: Tree,
    marks: Vec<Mark>,
    /// Directories without an entry of their own.
    implied: HashSet<InodeId>,
    /// See [`Merged`].
    removed_from: HashMap<InodeId, u32>,
    /// See [`Merged`].
    unwritable: HashMap<InodeId, u32>,
    /// The last entry of a directory with attributes that a user could set, if a later one takes
    /// away the permission to write.
    settable: HashMap<InodeId, Metadata>,
    /// The first entry in a directory that its owner may not read.
    hidden: Option<Reason>,
    /// Names that this layer gave to inodes of lower layers.
    linked: HashSet<(InodeId, Box<[u8]>)>,
    /// Inodes without a name.
    free: Vec<InodeId>,
    /// The current layer, counted from 1.
    layer: u16,
    names: u64,
    text: u64,
    limits: Limits,
}

impl Nodes {
    /// A tree with an empty root directory.
    pub(crate) fn new(root: Metadata, limits: Limits) -> Self {
        Self {
            tree: Tree::new(root),
            marks: vec![Mark { links: 1, ..Mark::default() }],
            implied: HashSet::from([Tree::ROOT]),
            removed_from: HashMap::new(),
            unwritable: HashMap::new(),
            settable: HashMap::new(),
            hidden: None,
            linked: HashSet::new(),
            free: Vec::new(),
            layer: 0,
            names: 0,
            text: 0,
            limits,
        }
    }

    /// Starts the next layer.
    pub(crate) fn begin_layer(&mut self) -> Result<(), Failure> {
        if self.layer >= self.limits.layers {
            return Err(Failure::limit(format_args!("{} layers", self.limits.layers)));
        }
        self.layer = self.layer.saturating_add(1);
        self.linked.clear();
        Ok(())
    }

    /// The result.
    pub(crate) fn finish(self) -> Merged {
        let Self { tree, implied, removed_from, unwritable, settable, hidden, .. } = self;
        Merged { tree, implied, removed_from, unwritable, settable, hidden }
    }

    /// The inode with this name.
    pub(crate) fn child(&self, directory: InodeId, name: &[u8]) -> Option<InodeId> {
        self.tree.names(directory)?.get(name).copied()
    }

    pub(crate) fn is_directory(&self, id: InodeId) -> bool {
        self.tree.names(id).is_some()
    }

    /// Whether this layer has an entry for the name, or for something below it.
    pub(crate) fn is_upper(&self, directory: InodeId, name: &[u8], id: InodeId) -> bool {
        let in_layer = self.mark(id).layer == self.layer;
        in_layer || (!self.linked.is_empty() && self.linked.contains(&(directory, name.into())))
    }

    /// Notes that this layer has an entry below the directory. `false` if that was known.
    pub(crate) fn touch(&mut self, id: InodeId) -> bool {
        let layer = self.layer;
        self.marks
            .get_mut(id.index())
            .is_some_and(|mark| std::mem::replace(&mut mark.layer, layer) != layer)
    }

    /// Notes that the directory holds no more names of lower layers. `false` if that was known.
    pub(crate) fn mark_emptied(&mut self, id: InodeId) -> bool {
        let layer = self.layer;
        self.marks
            .get_mut(id.index())
            .is_some_and(|mark| std::mem::replace(&mut mark.emptied, layer) != layer)
    }

    /// Sets the metadata of a directory from an entry.
    pub(crate) fn set_metadata(&mut self, id: InodeId, metadata: Metadata) {
        self.implied.remove(&id);
        self.removed_from.remove(&id);
        self.unwritable.remove(&id);
        let can_write = metadata.mode & WRITE != 0;
        let Some(inode) = self.tree.get_mut(id) else { return };
        let old = std::mem::replace(&mut inode.metadata, metadata);
        if can_write {
            self.settable.remove(&id);
        } else if old.mode & WRITE != 0 && has_attributes(&old) {
            self.settable.insert(id, old);
        }
    }

    /// Whether the owner can reach what is in the directory.
    pub(crate) fn is_searchable(&self, id: InodeId) -> bool {
        self.tree.get(id).is_none_or(|inode| inode.metadata.mode & SEARCH != 0)
    }

    /// Sets the time of a directory from which a whiteout removed something. `reachable`: all
    /// directories above it are searchable.
    pub(crate) fn set_time_of_removal(&mut self, id: InodeId, time: u32, reachable: bool) {
        self.set_time(id, time, reachable, true);
    }

    /// Sets the time of a directory in which a directory without an entry was made. `reachable`:
    /// all directories above it are searchable.
    pub(crate) fn set_time_of_creation(&mut self, id: InodeId, time: u32, reachable: bool) {
        self.set_time(id, time, reachable, false);
    }

    fn set_time(&mut self, id: InodeId, time: u32, reachable: bool, removal: bool) {
        let Some(inode) = self.tree.get_mut(id) else { return };
        let before = std::mem::replace(&mut inode.metadata.mtime, time);
        if !reachable || inode.metadata.mode & CHANGE != CHANGE {
            self.unwritable.entry(id).or_insert(before);
            return;
        }
        self.unwritable.remove(&id);
        if removal {
            self.removed_from.entry(id).or_insert(before);
        } else {
            self.removed_from.remove(&id);
        }
    }

    /// Notes that an entry is in this directory. As an ordinary user, umoci fails if it cannot read
    /// the attributes of the directory, which it has set before.
    pub(crate) fn has_child_entry(&mut self, id: InodeId, path: &[u8]) {
        let Some(metadata) = self.tree.get(id).map(|inode| &inode.metadata) else { return };
        let settable =
            if metadata.mode & WRITE != 0 { Some(metadata) } else { self.settable.get(&id) };
        let hides = metadata.mode & READ == 0 && settable.is_some_and(has_attributes);
        if hides && self.hidden.is_none() {
            let what = "its directory has attributes, but its owner may not read it";
            self.hidden = Some(Reason::at(path, what));
        }
    }

    /// Notes that the directory has no entry of its own.
    pub(crate) fn is_implied(&mut self, id: InodeId) {
        self.implied.insert(id);
    }

    /// Adds an inode with its first name. The name must be free.
    pub(crate) fn create(
        &mut self,
        directory: InodeId,
        name: &[u8],
        inode: Inode,
    ) -> Result<InodeId, Failure> {
        // A directory counts as touched only with all directories above it: see `touch`.
        let is_directory = matches!(inode.kind, Kind::Directory(_));
        let layer = if is_directory { 0 } else { self.layer };
        let mark = Mark { layer, emptied: self.layer, links: 1 };
        self.count(name, text_of(&inode))?;
        let id = if let Some(id) = self.free.pop() {
            if let (Some(slot), Some(old)) = (self.tree.get_mut(id), self.marks.get_mut(id.index()))
            {
                *slot = inode;
                *old = mark;
            }
            id
        } else {
            let full = || Failure::limit(format_args!("{} files", u32::MAX));
            let id = self.tree.add(inode).ok_or_else(full)?;
            self.marks.push(mark);
            id
        };
        self.insert(directory, name, id);
        Ok(id)
    }

    /// Gives an inode that is not a directory one more name. The name must be free.
    pub(crate) fn link(
        &mut self,
        directory: InodeId,
        name: &[u8],
        id: InodeId,
    ) -> Result<(), Failure> {
        self.count(name, 0)?;
        let layer = self.layer;
        let mark = self.marks.get_mut(id.index());
        if let Some(mark) = mark {
            mark.links = mark.links.saturating_add(1);
            if mark.layer != layer {
                self.linked.insert((directory, name.into()));
            }
        }
        self.insert(directory, name, id);
        Ok(())
    }

    /// Removes a name and everything below it. Does nothing if there is no such name.
    pub(crate) fn remove(&mut self, directory: InodeId, name: &[u8], forget: Forget<'_>) {
        let Some((name, id)) =
            self.tree.names_mut(directory).and_then(|names| names.remove_entry(name))
        else {
            return;
        };
        // Not recursive, because a path can have thousands of components.
        let mut removed = vec![(directory, name, id)];
        while let Some((directory, name, id)) = removed.pop() {
            for (name, child) in self.drop_name(directory, name, id, forget) {
                removed.push((id, name, child));
            }
        }
    }

    /// Drops one name of an inode. Returns the names in it if it was the last one.
    fn drop_name(
        &mut self,
        directory: InodeId,
        name: Box<[u8]>,
        id: InodeId,
        forget: Forget<'_>,
    ) -> Names {
        self.names = self.names.saturating_sub(1);
        self.text = self.text.saturating_sub(name.len() as u64);
        if !self.linked.is_empty() {
            self.linked.remove(&(directory, name));
        }
        let Some(mark) = self.marks.get_mut(id.index()) else { return Names::new() };
        mark.links = mark.links.saturating_sub(1);
        if mark.links > 0 {
            return Names::new();
        }
        self.free.push(id);
        self.implied.remove(&id);
        self.removed_from.remove(&id);
        self.unwritable.remove(&id);
        self.settable.remove(&id);
        let Some(inode) = self.tree.get_mut(id) else { return Names::new() };
        self.text = self.text.saturating_sub(text_of(inode));
        inode.metadata.xattrs = None;
        match std::mem::replace(&mut inode.kind, Kind::Fifo) {
            Kind::Directory(names) => names,
            Kind::File { content: Some(content), .. } => {
                forget(content);
                Names::new()
            }
            _ => Names::new(),
        }
    }

    fn insert(&mut self, directory: InodeId, name: &[u8], id: InodeId) {
        if let Some(names) = self.tree.names_mut(directory) {
            names.insert(name.into(), id);
        }
    }

    fn mark(&self, id: InodeId) -> Mark {
        self.marks.get(id.index()).copied().unwrap_or_default()
    }

    /// Counts a new name towards the limits.
    fn count(&mut self, name: &[u8], text: u64) -> Result<(), Failure> {
        self.names = self.names.saturating_add(1);
        self.text = self.text.saturating_add(text).saturating_add(name.len() as u64);
        if self.names > self.limits.names {
            return Err(Failure::limit(format_args!("{} files", self.limits.names)));
        }
        if self.text > self.limits.text {
            let what = format_args!("{} bytes of names and links", self.limits.text);
            return Err(Failure::limit(what));
        }
        Ok(())
    }
}

/// Whether umoci, run by an ordinary user, sets attributes for this metadata: those of the layer or
/// the record of the owner.
fn has_attributes(metadata: &Metadata) -> bool {
    let mut names = metadata.xattrs.iter().flat_map(|xattrs| xattrs.keys());
    (metadata.uid, metadata.gid) != (0, 0) || names.any(|name| name.starts_with(b"user."))
}

/// The bytes of text that an inode holds in memory.
fn text_of(inode: &Inode) -> u64 {
    match &inode.kind {
        Kind::Symlink(target) => target.len() as u64,
        _ => 0,
    }
}
