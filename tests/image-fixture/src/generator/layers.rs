//! Random layers. Each layer picks most of its paths among those of the layers before, so that it
//! replaces, removes and extends what they have.

use super::choices;
use super::model::{Model, Type};
use crate::archive::{Entry, Format, Kind, Sparse, SparseVersion};
use crate::random::Random;

/// Names in the root directory to which runtimes add files. No link may stand there: the runtime
/// would follow it.
const RESERVED: [&str; 7] = ["etc", "dev", "proc", "sys", "tmp", "var", "root"];

/// Files that runtimes treat specially.
const SPECIAL: [&str; 10] = [
    "etc/hosts",
    "etc/resolv.conf",
    "etc/passwd",
    "dev/inside",
    "dev/null",
    "proc/x",
    "sys/x",
    ".dockerenv",
    "tmp/x",
    "var/tmp/x",
];

/// The entries of one to five layers.
pub(super) fn layers(random: &mut Random) -> Vec<Vec<Entry>> {
    let strict = !random.one_in(10);
    let count = 1 + random.below(5);
    let mut maker = Maker { random, model: Model::default(), strict, layer: 0 };
    (0..count).map(|layer| maker.layer(layer)).collect()
}

struct Maker<'a> {
    random: &'a mut Random,
    model: Model,
    /// Whether to leave out what runtimes refuse, as far as the model knows.
    strict: bool,
    /// The number of the layer.
    layer: usize,
}

impl Maker<'_> {
    fn layer(&mut self, number: usize) -> Vec<Entry> {
        self.layer = number;
        let mut entries = Vec::new();
        if self.random.one_in(4) {
            let root = Entry::directory(*self.random.pick(&["./", "/", "."]).unwrap_or(&"./"));
            entries.push(self.metadata(root));
        }
        let most = if self.random.one_in(6) { 60 } else { 14 };
        for _ in 0..self.random.below(most) {
            let entry = self.entry();
            entries.push(entry);
        }
        if self.random.one_in(5) {
            entries.push(self.special());
        }
        entries
    }

    fn entry(&mut self) -> Entry {
        let weights = [30, 22, 12, 10, 9, 4, 2, 1, 1, 2];
        let entry = match self.random.weighted(&weights) {
            0 => self.file(),
            1 => Entry::directory(self.path()),
            2 => return self.symlink(),
            3 => self.hardlink(),
            4 => return self.whiteout(),
            5 => return self.opaque(),
            6 => Entry::new(self.path(), Kind::Fifo),
            7 => Entry::new(self.path(), Kind::CharDevice(1, 3)),
            8 => Entry::new(self.path(), Kind::BlockDevice(7, 300)),
            _ => self.sparse(),
        };
        let kind = match entry.kind {
            Kind::Directory => Type::Directory,
            Kind::File(_) | Kind::Sparse(_) | Kind::Hardlink(_) => Type::File,
            _ => Type::Other,
        };
        self.made(entry, kind)
    }

    fn made(&mut self, entry: Entry, kind: Type) -> Entry {
        self.model.put(&entry.path, kind, self.layer);
        let entry = self.metadata(entry);
        self.spelled(entry)
    }

    fn file(&mut self) -> Entry {
        let size = choices::size(self.random);
        let content = self.random.content(size);
        Entry::file(self.path(), content)
    }

    fn sparse(&mut self) -> Entry {
        let mut at = 0;
        let segments = (0..self.random.below(4)).map(|_| {
            let offset = at + 4096 * self.random.below(40) as u64;
            let length = 512 * (1 + self.random.below(20));
            at = offset + length as u64;
            (offset, self.random.content(length))
        });
        let segments = segments.collect();
        let version = if self.random.one_in(2) { SparseVersion::V0_1 } else { SparseVersion::V1_0 };
        let size = at + 1000 * self.random.below(100) as u64;
        Entry::new(self.path(), Kind::Sparse(Sparse { size, segments, version }))
    }

    /// A path of an earlier entry, a name below one, or a new one whose parents have no entries.
    fn path(&mut self) -> Vec<u8> {
        for _ in 0..20 {
            let path = match self.random.below(10) {
                0..3 => self.model.name(self.random),
                3..8 => self.child(),
                _ => None,
            };
            let path = path.unwrap_or_else(|| self.new_path());
            if !self.strict || self.model.resolve(&path).is_some() {
                return path;
            }
        }
        choices::top(self.random)
    }

    fn new_path(&mut self) -> Vec<u8> {
        let mut path = choices::top(self.random);
        for _ in 0..self.random.below(4) {
            path.push(b'/');
            path.extend(choices::name(self.random));
        }
        path
    }

    /// A name below a directory or below a link.
    fn child(&mut self) -> Option<Vec<u8>> {
        let parent = |kind: &Type| matches!(kind, Type::Directory | Type::Link(_));
        let mut path = self.model.existing(self.random, parent)?;
        path.push(b'/');
        path.extend(choices::name(self.random));
        Some(path)
    }

    /// The target may climb out of the root directory, as links of real images do. Runtimes write
    /// nothing through it outside.
    fn symlink(&mut self) -> Entry {
        let path = self.path();
        let known = match self.strict {
            true => self
                .model
                .existing(self.random, |kind| matches!(kind, Type::Directory | Type::File)),
            false => self.model.name(self.random),
        };
        let place = self.model.resolve(&path).unwrap_or_default();
        let known = known.filter(|known| !self.strict || !known.starts_with(&place));
        let Some(known) = known else {
            return self.made(Entry::symlink(path, "missing"), Type::Other);
        };
        let leads_to = match self.model.kind(&known) {
            Some(Type::Directory) => Type::Link(known.clone()),
            _ => Type::Other,
        };
        let (_, last) = split(&known);
        let (mut target, kind) = match self.random.below(8) {
            0..3 => ([b"/", known.as_slice()].concat(), leads_to),
            3 => ([b"/../../", known.as_slice()].concat(), leads_to),
            4 if !self.strict => (last.to_vec(), Type::Other),
            5 => ([b"../", known.as_slice()].concat(), Type::Other),
            6 => (choices::name(self.random), Type::Other),
            _ => (up(&place, &known), leads_to),
        };
        // The list that is compared does not escape line breaks of targets.
        target.retain(|byte| *byte != b'\n');
        self.made(Entry::symlink(path, target), kind)
    }

    fn hardlink(&mut self) -> Entry {
        let mut target = self.model.existing(self.random, |kind| *kind == Type::File);
        if !self.strict && self.random.one_in(2) {
            target = self.model.name(self.random);
        }
        let path = self.path();
        let place = self.model.resolve(&path).unwrap_or_default();
        match target {
            // Without the parents of the target, or with the target replaced by the link itself,
            // runtimes find no target.
            Some(target) if !self.strict || !is_below(&target, &place) => {
                Entry::new(path, Kind::Hardlink(target))
            }
            _ => Entry::file(path, "no link"),
        }
    }

    fn whiteout(&mut self) -> Entry {
        let path = self.path();
        self.model.remove(&path);
        let (parent, name) = split(&path);
        Entry::file([parent, b".wh.", name].concat(), "")
    }

    fn opaque(&mut self) -> Entry {
        let known = self
            .model
            .existing(self.random, |kind| matches!(kind, Type::Directory | Type::Link(_)));
        let directory = known.unwrap_or_else(|| choices::top(self.random));
        self.model.clear(&directory, self.layer);
        Entry::file([directory.as_slice(), b"/.wh..wh..opq"].concat(), "")
    }

    /// A file or directory at a path that the runtime treats specially.
    fn special(&mut self) -> Entry {
        if self.random.one_in(3) {
            let directory = *self.random.pick(&RESERVED).unwrap_or(&"etc");
            return self.metadata(Entry::directory(directory));
        }
        let path = *self.random.pick(&SPECIAL).unwrap_or(&"etc/hosts");
        let content = self.random.content(20);
        self.metadata(Entry::file(path, content))
    }

    /// Random permissions, owner, time, extended attributes and format.
    fn metadata(&mut self, entry: Entry) -> Entry {
        let random = &mut *self.random;
        let (mtime, nanoseconds) = choices::time(random);
        let formats = [Format::Pax, Format::Pax, Format::PaxAlways, Format::Gnu, Format::Old];
        let mut format = random.pick(&formats).copied().unwrap_or(Format::Pax);
        // Their sizes are in pax records, in front of which no GNU header may be.
        if matches!(entry.kind, Kind::Sparse(_)) {
            format = Format::Pax;
        }
        let xattrs = match entry.kind {
            Kind::File(_) | Kind::Directory => choices::xattrs(random),
            _ => Vec::new(),
        };
        Entry {
            mode: choices::mode(random, entry.mode),
            uid: choices::owner(random),
            gid: choices::owner(random),
            mtime,
            nanoseconds,
            xattrs,
            format,
            ..entry
        }
    }

    /// The entry with another spelling of the same path.
    fn spelled(&mut self, entry: Entry) -> Entry {
        let prefix: &[u8] = match self.random.below(12) {
            0 => b"./",
            1 => b"/",
            2 => b"a/../",
            3 => b".//",
            _ => return entry,
        };
        Entry { path: [prefix, entry.path.as_slice()].concat(), ..entry }
    }
}

/// A path as the part up to its last slash, and the rest.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    path.split_at(at)
}

/// The relative path from the directory of `path` to `known`.
fn up(path: &[u8], known: &[u8]) -> Vec<u8> {
    let depth = path.iter().filter(|byte| **byte == b'/').count();
    [b"../".repeat(depth), known.to_vec()].concat()
}

/// Whether a path is another one or below it.
fn is_below(path: &[u8], other: &[u8]) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
