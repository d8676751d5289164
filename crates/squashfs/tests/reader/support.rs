//! Source trees, and mksquashfs.

use sha2::{Digest as _, Sha256};
use sifcache_squashfs::listing::Line;
use sifcache_squashfs::reader::{Damage, Reader};
use sifcache_squashfs::tree::{Metadata, Xattrs};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, FileType, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A tree on disk.
pub(crate) struct Source {
    directory: TempDir,
    /// Extended attributes that were set, by inode.
    xattrs: HashMap<u64, Xattrs>,
}

/// A squashfs in a temporary directory.
pub(crate) struct Packed {
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

/// Packs a tree with the given options of mksquashfs.
pub(crate) fn pack(source: &Source, options: &[&str]) -> Packed {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packed");
    let mut command = Command::new("mksquashfs");
    command.arg(source.root()).arg(&path);
    command.args(["-noappend", "-quiet", "-no-progress", "-processors", "1", "-mem", "64M"]);
    let output = command.args(options).output().expect("mksquashfs (Debian: squashfs-tools)");
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    Packed { path, _directory: directory }
}

/// Bytes that do not compress well.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

impl Source {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        Self { directory, xattrs: HashMap::new() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn file(&self, path: &str, content: &[u8]) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn xattr(&mut self, path: &str, name: &str, value: &[u8]) {
        let hex = value.iter().fold("0x".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        run("setfattr", &["-h", "-n", name, "-v", &hex, self.at(path).to_str().unwrap()]);
        let inode = fs::symlink_metadata(self.at(path)).unwrap().ino();
        let xattrs = self.xattrs.entry(inode).or_default();
        xattrs.insert(name.as_bytes().into(), value.into());
    }

    /// All types of inodes, files of all shapes, and unusual modes, owners, times and names.
    /// Devices, foreign owners and some attributes need root.
    pub(crate) fn everything() -> Self {
        let mut source = Self::new();
        source.files();
        std::os::unix::fs::symlink("/no/where", source.at("link")).unwrap();
        std::os::unix::fs::symlink("t".repeat(4000), source.at("long-link")).unwrap();
        run("mkfifo", &[source.at("fifo").to_str().unwrap()]);
        UnixListener::bind(source.at("socket")).unwrap();
        fs::create_dir_all(source.at("deep/er/and/deeper/empty")).unwrap();
        source.xattr("text", "user.short", b"value");
        source.xattr("text", "user.empty", b"");
        // The same long value twice: mksquashfs stores it once, out of line.
        for name in ["text", "noise", "deep"] {
            source.xattr(name, "user.long", &[b'v'; 1000]);
        }
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            source.of_root();
        }
        fs::hard_link(source.at("noise"), source.at("deep/again")).unwrap();
        fs::hard_link(source.at("fifo"), source.at("deep/fifo-again")).unwrap();
        for (path, mode) in
            [("text", 0o4755), ("deep", 0o1777), ("deep/er", 0o2711), ("noise", 0o6400)]
        {
            fs::set_permissions(source.at(path), Permissions::from_mode(mode)).unwrap();
        }
        for (path, time) in [("text", 0), ("deep/er", 4_000_000_000)] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
            File::open(source.at(path)).unwrap().set_modified(time).unwrap();
        }
        source
    }

    /// What only root can create.
    fn of_root(&mut self) {
        self.xattr("link", "trusted.on-a-link", b"1");
        self.xattr(
            "noise",
            "security.capability",
            b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        );
        for (name, kind, numbers) in [("null", "c", ["1", "3"]), ("disk", "b", ["259", "70000"])] {
            run("mknod", &[self.at(name).to_str().unwrap(), kind, numbers[0], numbers[1]]);
        }
        self.xattr("null", "trusted.on-a-device", b"2");
        std::os::unix::fs::lchown(self.at("text"), Some(4_000_000_000), Some(12)).unwrap();
        std::os::unix::fs::lchown(self.at("link"), Some(33), Some(33)).unwrap();
    }

    fn files(&self) {
        self.file("empty", b"");
        self.file("text", "some text\n".repeat(5000).as_bytes());
        self.file("noise", &noise(1, 300_000));
        self.file("blocks", &noise(2, 1 << 18));
        // Equal contents, which share their blocks.
        self.file("deep/blocks", &noise(2, 1 << 18));
        for length in [1, 4095, 4096, 4097, 131_071, 131_072, 131_073] {
            self.file(&format!("sizes/{length}"), &noise(length, length as usize));
        }
        let name = |bytes| self.at("sizes").join(OsStr::from_bytes(bytes));
        fs::write(name(b"\xff\n'\" "), b"odd").unwrap();
        fs::write(name(&[b'n'; 255]), b"long").unwrap();
        let sparse = File::create(self.at("sparse")).unwrap();
        sparse.write_all_at(b"one", 1 << 20).unwrap();
        sparse.write_all_at(b"two", 3 << 20).unwrap();
        sparse.set_len((5 << 20) + 100).unwrap();
        File::create(self.at("zeros")).unwrap().set_len(1 << 20).unwrap();
    }

    /// Few files: two blocks of 4 KiB with an end, two small files, and an extended attribute.
    pub(crate) fn small() -> Self {
        let mut source = Self::new();
        source.file("blocks", &noise(3, 8192 + 100));
        source.file("text", &b"some text\n".repeat(50));
        source.file("a/b", b"b");
        std::os::unix::fs::symlink("b", source.at("a/link")).unwrap();
        source.xattr("text", "user.name", b"value");
        source
    }

    /// A directory with 3000 names, and a hundred directories in one.
    pub(crate) fn many() -> Self {
        let source = Self::new();
        for number in 0..3000 {
            let name = format!("large/a-name-that-is-rather-long-{:x}", number * 7919);
            source.file(&name, format!("{number}").as_bytes());
        }
        for number in 0..100 {
            source.file(&format!("nested/{number}/{number}/file"), &noise(number, 2000));
        }
        source
    }

    /// Packs the tree with sqfstar, from an archive.
    pub(crate) fn sqfstar(&self, options: &[&str]) -> Packed {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("packed");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(self.root()).args(["-c", "."]).stdout(Stdio::piped());
        let mut tar = tar.spawn().unwrap();
        let mut command = Command::new("sqfstar");
        command.args(["-quiet", "-no-progress"]).args(options).arg(&path);
        let output = command.stdin(tar.stdout.take().unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(tar.wait().unwrap().success());
        Packed { path, _directory: directory }
    }

    /// What a listing of this tree has to be.
    pub(crate) fn listing(&self) -> Vec<Line> {
        let (mut lines, mut seen) = (Vec::new(), HashMap::new());
        self.list(&self.root(), &mut lines, &mut seen);
        lines
    }

    fn list(&self, path: &Path, lines: &mut Vec<Line>, seen: &mut HashMap<u64, Box<[u8]>>) {
        let metadata = fs::symlink_metadata(path).unwrap();
        let kind = metadata.file_type();
        let inside = path.strip_prefix(self.root()).unwrap();
        let name: Box<[u8]> = Path::new("/").join(inside).as_os_str().as_bytes().into();
        let link = (metadata.nlink() > 1 && !kind.is_dir())
            .then(|| seen.entry(metadata.ino()).or_insert(name.clone()).clone());
        lines.push(Line {
            path: name.clone(),
            kind: letter(kind),
            metadata: Metadata {
                mode: (metadata.mode() & 0o7777) as u16,
                uid: metadata.uid(),
                gid: metadata.gid(),
                mtime: metadata.mtime() as u32,
                xattrs: self.xattrs.get(&metadata.ino()).cloned().map(Arc::new),
            },
            size: if kind.is_file() || kind.is_symlink() { metadata.size() } else { 0 },
            link,
            content: content(path, &metadata).into(),
        });
        if kind.is_dir() {
            let mut names: Vec<_> =
                fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            names
                .sort_by(|one, other| one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes()));
            names.iter().for_each(|name| self.list(name, lines, seen));
        }
    }
}

fn letter(kind: FileType) -> char {
    match () {
        () if kind.is_dir() => 'd',
        () if kind.is_symlink() => 'l',
        () if kind.is_block_device() => 'b',
        () if kind.is_char_device() => 'c',
        () if kind.is_fifo() => 'p',
        () if kind.is_socket() => 's',
        () => '-',
    }
}

fn content(path: &Path, metadata: &fs::Metadata) -> Vec<u8> {
    match letter(metadata.file_type()) {
        '-' => sum(&fs::read(path).unwrap()).into_bytes(),
        'l' => fs::read_link(path).unwrap().as_os_str().as_bytes().into(),
        'b' | 'c' => {
            let number = metadata.rdev();
            let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
            format!("{major}:{minor}").into_bytes()
        }
        _ => Vec::new(),
    }
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn run(program: &str, words: &[&str]) {
    let status = Command::new(program).args(words).status();
    assert!(status.expect(program).success(), "{program} {words:?}");
}

/// The squashfs in a whole file.
pub(crate) fn open(path: &Path) -> Reader {
    reader(File::open(path).unwrap()).unwrap()
}

/// The squashfs with these bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Reader, Damage> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    reader(file)
}

fn reader(file: File) -> Result<Reader, Damage> {
    let size = file.metadata().unwrap().len();
    Reader::open(file, 0, size)
}
