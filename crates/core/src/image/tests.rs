mod by_descriptor;
mod trust;

use super::by_descriptor::SystemCalls;
use super::cached::{Cached, CachedCalls, Entered};
use super::visit::Visit;
use super::{Root, State};
use crate::attributes::Attributes;
use crate::settings::Untrusted;
use crate::sif::descriptors::tests::{descriptor, partition};
use crate::sif::descriptors::{DEFINITION, DESCRIPTOR};
use crate::sif::tests::{file, header};
use crate::trust::{UntrustedReason, Writer};
use std::ffi::{CStr, c_int};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A separate image root for one test. Only root can create a trusted image root, so these tests
/// are skipped with a message if an ordinary user runs them.
pub(crate) struct TestRoot(TempDir);

impl TestRoot {
    pub(crate) fn new() -> Option<Self> {
        if cfg!(miri) {
            eprintln!("skipped: Miri has no file system with owners");
            return None;
        }
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().join("probe");
        fs::write(&file, "").unwrap();
        let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&file).unwrap());
        fs::remove_file(&file).unwrap();
        if uid != 0 {
            assert!(std::env::var_os("CI").is_none(), "these tests need root");
            eprintln!("skipped: needs root, to make files that root owns");
            return None;
        }
        Some(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn check(&self, name: &str) -> State {
        check(self.path(), Untrusted::Refuse, name)
    }
}

/// System calls without foreign functions.
pub(crate) const CALLS: SystemCalls = SystemCalls {
    open_at,
    known_attributes: |file| file.metadata().map(|metadata| Attributes::from(&metadata)),
};

/// Calls as if everything was cached, on a disk of this node.
pub(crate) const CACHED: CachedCalls = CachedCalls {
    open: |path, flags| open(path.to_str().unwrap(), flags),
    relative: CALLS,
    local_attributes: CALLS.known_attributes,
    read_start: |file, buffer| file.read_at(buffer, 0),
};

fn open(path: &str, flags: c_int) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// openat(2), by a path through `/proc`.
fn open_at(directory: &File, name: &CStr, flags: c_int) -> io::Result<File> {
    open(&format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), name.to_str().unwrap()), flags)
}

/// The state of a candidate. The checks by path, by descriptors and from the kernel's caches agree,
/// and the latter finds every image.
pub(crate) fn check(root: &Path, untrusted: Untrusted, name: &str) -> State {
    let state = Root::enter(root, untrusted).check(name);
    for calls in [None, Some(CALLS)] {
        let mut visit = Visit::new(root, untrusted, calls);
        assert_eq!(visit.check(name, None), state, "{name} {untrusted:?}");
        // Again, in the directory that was just searched.
        assert_eq!(visit.check(name, None), state, "{name} {untrusted:?}");
    }
    if let Some(Entered::Root(mut cached)) = Cached::enter(root, untrusted, CACHED) {
        for _ in 0..2 {
            let found = cached.check(name);
            assert!(found.is_none_or(|found| found == state), "{name} {untrusted:?}");
        }
    }
    state
}

/// The code of this host's architecture, for headers.
fn host() -> [u8; 2] {
    match std::env::consts::ARCH {
        "x86_64" => *b"02",
        "aarch64" => *b"04",
        other => panic!("no code for {other} in this test"),
    }
}

/// A small valid image: a header, a descriptor and 72 bytes of data.
pub(crate) fn sif() -> Vec<u8> {
    file(&host(), &root_partition(1), &[0; 72])
}

/// An image with this definition.
pub(crate) fn sif_from(definition: &str) -> Vec<u8> {
    let start = (128 + 2 * DESCRIPTOR) as i64;
    let root = partition((1, 2), &host(), (start, 72));
    let table = [root, descriptor(DEFINITION, start + 72, definition.len() as i64)].concat();
    file(&host(), &table, &[&[0; 72], definition.as_bytes()].concat())
}

/// The descriptor of a root file system with this code, whose data follow the descriptor directly.
fn root_partition(file_system: i32) -> Vec<u8> {
    partition((file_system, 2), &host(), (713, 72))
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_image() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    assert_eq!(root.check("o/i:1"), State::Image);
    root.file("longer:1", &[sif(), vec![0; 10]].concat());
    assert_eq!(root.check("longer:1"), State::Image);
}

#[test]
fn what_is_not_there() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    for name in ["x", "o/x", "o/i:1/x", "x/y/z", &"n".repeat(300)] {
        assert_eq!(root.check(name), State::Absent, "{name}");
    }
    let nowhere = root.path().join("nowhere");
    assert_eq!(check(&nowhere, Untrusted::Refuse, "x"), State::Absent);
    assert_eq!(check(&nowhere, Untrusted::Accept, "x"), State::Absent);
}

#[test]
fn files_that_are_not_a_valid_sif() {
    let Some(root) = TestRoot::new() else { return };
    root.file("empty", b"");
    root.file("text", b"hello\n");
    root.file("long", &[b'x'; 500]);
    root.file("short", &sif()[..127]);
    root.file("cut", &sif()[..784]);
    root.file("arm", &header(if host() == *b"02" { b"04" } else { b"02" }, 128, 0));
    let mut version = sif();
    version[43] = b'9';
    root.file("version", &version);
    assert_eq!(root.check("empty"), State::Empty);
    assert_eq!(root.check("text"), State::NotSif);
    assert_eq!(root.check("long"), State::NotSif);
    assert_eq!(root.check("short"), State::NotSif);
    assert_eq!(root.check("cut"), State::Truncated { size: 784, needed: 785 });
    let other = if host() == *b"02" { "arm64" } else { "amd64" };
    assert_eq!(root.check("arm"), State::WrongArchitecture(other));
    assert_eq!(root.check("version"), State::UnknownVersion);
}

fn number(sif: &mut [u8], at: usize, value: u64) {
    sif[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn what_has_no_root_file_system_to_start() {
    let Some(root) = TestRoot::new() else { return };
    let overlay = partition((2, 4), &host(), (713, 72));
    for (name, descriptors, state) in [
        ("dm-crypt", root_partition(5), State::Encrypted),
        ("gocryptfs", root_partition(6), State::Encrypted),
        ("data", descriptor(0x4007, 713, 72), State::NoRootFileSystem),
        ("overlay", overlay.clone(), State::NoRootFileSystem),
        ("none", Vec::new(), State::NoRootFileSystem),
        ("oci", descriptor(0x400a, 713, 72), State::OciSif),
        ("raw", root_partition(4), State::UnknownFileSystem(4)),
        ("ext3", root_partition(2), State::Image),
        ("nowhere", partition((1, 2), &host(), (-1, 72)), State::BadTable),
        (
            "beyond",
            partition((1, 2), &host(), (713, 73)),
            State::Truncated { size: 785, needed: 786 },
        ),
        ("embedded", [root_partition(1), overlay].concat(), State::Image),
    ] {
        root.file(name, &file(&host(), &descriptors, &[0; 72]));
        assert_eq!(root.check(name), state, "{name}");
    }
}

/// `sif new` without a partition and OCI mode write no architecture into the header. The runtimes
/// use the architecture of the partition.
#[test]
fn architectures_of_header_and_partition() {
    let Some(root) = TestRoot::new() else { return };
    let (other, name) = if host() == *b"02" { (b"04", "arm64") } else { (b"02", "amd64") };
    let of = |header: &[u8; 2], partition_is: &[u8; 2]| {
        root.file("i", &file(header, &partition((1, 2), partition_is, (713, 72)), &[0; 72]));
        root.check("i")
    };
    assert_eq!(of(&host(), &host()), State::Image);
    assert_eq!(of(b"00", &host()), State::Image);
    assert_eq!(of(&host(), &[0, 0]), State::Image);
    assert_eq!(of(b"00", &[0, 0]), State::WrongArchitecture("unknown"));
    for (header, partition) in [(other, &host()), (&host(), other), (b"00", other), (other, b"00")]
    {
        assert_eq!(of(header, partition), State::WrongArchitecture(name), "{header:?}");
    }
    root.file("oci", &file(b"00", &descriptor(0x400a, 713, 72), &[0; 72]));
    assert_eq!(root.check("oci"), State::OciSif);
}

#[test]
fn for_nodes_of_another_architecture() {
    let Some(root) = TestRoot::new() else { return };
    let read = |content: &[u8], architecture: Option<&str>| {
        let mut file = fs::File::open(root.file("i", content)).unwrap();
        let size = content.len() as u64;
        let content = match architecture {
            Some(architecture) => super::inspect_for(&mut file, size, architecture),
            None => super::inspect(&mut file, size),
        };
        content.map(|content| content.architecture)
    };
    let image = |header: &[u8; 2], partition_is: &[u8; 2]| {
        file(header, &partition((1, 2), partition_is, (713, 72)), &[0; 72])
    };
    let foreign = image(b"11", b"11");
    assert_eq!(read(&foreign, None), Ok("s390x"));
    assert_eq!(read(&foreign, Some("s390x")), Ok("s390x"));
    assert_eq!(read(&foreign, Some("riscv64")), Err(State::WrongArchitecture("s390x")));
    assert_eq!(read(&image(b"00", b"11"), Some("s390x")), Ok("s390x"));
    let mixed = image(b"11", b"12");
    assert_eq!(read(&mixed, Some("s390x")), Err(State::WrongArchitecture("riscv64")));
    let encrypted = file(b"11", &partition((6, 2), b"11", (713, 72)), &[0; 72]);
    for architecture in [None, Some("s390x")] {
        assert_eq!(read(&encrypted, architecture), Err(State::Encrypted));
    }
}

#[test]
fn the_table_alone() {
    let Some(root) = TestRoot::new() else { return };
    let table =
        |content: &[u8]| super::descriptor_table(&fs::File::open(root.file("i", content)).unwrap());
    let whole = file(b"11", &[root_partition(1), descriptor(0x4005, 785, 0)].concat(), &[0; 72]);
    let expected = whole[128..128 + 2 * DESCRIPTOR].to_vec();
    assert_eq!(table(&whole), Ok(expected.clone()));
    assert_eq!(table(&whole[..128 + 2 * DESCRIPTOR]), Ok(expected), "with any type of data");
    assert_eq!(table(&whole[..200]), Err(State::Failed(libc::EIO)), "cut");
    assert_eq!(table(&[0; 128]), Err(State::NotSif));
    let mut hostile = whole;
    number(&mut hostile, 88, 1025);
    assert_eq!(table(&hostile), Err(State::BadTable));
}

#[test]
fn tables_elsewhere() {
    let Some(root) = TestRoot::new() else { return };
    let mut usual = file(&host(), &vec![0; 48 * DESCRIPTOR], &[0; 5000]);
    number(&mut usual, 96, 4096);
    number(&mut usual, 112, 0);
    let place = (33_000, 72);
    let last = 4096 + 47 * DESCRIPTOR;
    usual[last..last + DESCRIPTOR].copy_from_slice(&partition((1, 2), &host(), place));
    root.file("usual", &usual);
    assert_eq!(root.check("usual"), State::Image, "the last of 48 descriptors");

    let mut behind = usual.clone();
    number(&mut behind, 88, 1000);
    number(&mut behind, 104, 1000 * DESCRIPTOR as u64);
    number(&mut behind, 96, usual.len() as u64);
    behind.resize(usual.len() + 1000 * DESCRIPTOR, 0);
    root.file("empty", &behind);
    assert_eq!(root.check("empty"), State::NoRootFileSystem);
    let at = behind.len() - DESCRIPTOR;
    behind[at..].copy_from_slice(&partition((1, 2), &host(), place));
    root.file("behind", &behind);
    assert_eq!(root.check("behind"), State::Image, "the last of 1000 at the end of the file");
    let (size, needed) = (behind.len() as u64 - 1, behind.len() as u64);
    root.file("cut", &behind[..behind.len() - 1]);
    assert_eq!(root.check("cut"), State::Truncated { size, needed });
    number(&mut behind, 88, 1025);
    number(&mut behind, 104, u64::MAX >> 1);
    root.file("long", &behind);
    assert_eq!(root.check("long"), State::BadTable);
}

/// Only the start of a table is read if it has as many descriptors as the header counts.
#[test]
fn tables_with_free_places() {
    let Some(root) = TestRoot::new() else { return };
    let mut whole = file(&host(), &vec![0; 48 * DESCRIPTOR], &[0; 5000]);
    number(&mut whole, 96, 4096);
    number(&mut whole, 112, 0);
    let check = |whole: &[u8], free: u64| {
        let mut whole = whole.to_vec();
        number(&mut whole, 80, free);
        root.file("image", &whole);
        root.check("image")
    };
    let mut put = |at: usize| {
        let at = 4096 + at * DESCRIPTOR;
        whole[at..at + DESCRIPTOR].copy_from_slice(&partition((1, 2), &host(), (33_000, 72)));
        whole.clone()
    };
    let last = put(47);
    for free in [47, 0, 48, 49, u64::MAX] {
        assert_eq!(check(&last, free), State::Image, "the last place, {free} free");
    }
    let second = put(1);
    assert_eq!(check(&second, 46), State::NoRootFileSystem, "both are read");
    assert_eq!(check(&second, 47), State::Image, "the header is believed");
}

#[test]
fn entries_that_are_not_regular_files() {
    let Some(root) = TestRoot::new() else { return };
    fs::create_dir(root.path().join("directory")).unwrap();
    let fifo = root.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        let check = |name: &str| check(root.path(), untrusted, name);
        assert_eq!(check("directory"), State::NotAFile("directory"));
        assert_eq!(check("fifo"), State::NotAFile("fifo"));
    }
}

/// A file may be replaced by something else between the check of its type and its opening.
#[test]
fn a_file_that_was_replaced_after_the_type_check() {
    let Some(root) = TestRoot::new() else { return };
    let fifo = root.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert_eq!(super::check_content(&fifo, None), Err(State::NotAFile("fifo")));
    assert_eq!(super::check_content(root.path(), None), Err(State::NotAFile("directory")));
    let mut unreadable = fs::File::open(root.path()).unwrap();
    assert_eq!(super::inspect(&mut unreadable, 1), Err(State::Failed(libc::EISDIR)));
}

/// Scripts rely on these words.
/// A walk in two steps has the same results as one walk.
#[test]
fn names_below_a_directory() {
    let Some(root) = TestRoot::new() else { return };
    for directory in ["a", "a/b", "open", "open/c"] {
        root.file(&format!("{directory}/i:1"), &sif());
        root.file(&format!("{directory}/cut:1"), &sif()[..130]);
        symlink("i:1", root.path().join(directory).join("link:1")).unwrap();
        symlink("nowhere", root.path().join(directory).join("dangling:1")).unwrap();
    }
    symlink("a/b", root.path().join("linked")).unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    mode(&root.path().join("open"), 0o777);
    mode(&root.path().join("a/cut:1"), 0o666);
    let directories = ["a", "a/b", "open", "open/c", "linked", "dangling", "absent", "a/i:1"];
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        let root = Root::enter(root.path(), untrusted);
        for directory in directories {
            let below = root.below(directory);
            for name in ["i:1", "cut:1", "link:1", "dangling:1", "absent:1", "b", "c"] {
                let whole = format!("{directory}/{name}");
                assert_eq!(below.check(name), root.check(&whole), "{whole}");
                assert_eq!(below.join(name), root.join(&whole));
                let size = |found: Result<Metadata, State>| found.map(|found| found.len());
                assert_eq!(size(below.locate(name)), size(root.locate(&whole)), "{whole}");
            }
        }
    }
}

#[test]
fn states_have_stable_tokens() {
    let somewhere = UntrustedReason { path: PathBuf::from("/x"), by: Writer::Others };
    for (state, word) in [
        (State::Image, "image"),
        (State::NotTried, "not-tried"),
        (State::Absent, "absent"),
        (State::NoRoot, "no-root"),
        (State::NoAnswer, "no-answer"),
        (State::DanglingLink, "dangling-link"),
        (State::NotAFile("fifo"), "not-a-file"),
        (State::Unreadable, "unreadable"),
        (State::Untrusted(somewhere), "untrusted"),
        (State::Empty, "empty"),
        (State::NotSif, "not-a-sif"),
        (State::UnknownVersion, "unknown-sif-version"),
        (State::WrongArchitecture("arm64"), "wrong-architecture"),
        (State::BadTable, "bad-descriptors"),
        (State::NoRootFileSystem, "no-root-file-system"),
        (State::OciSif, "oci-sif"),
        (State::Encrypted, "encrypted"),
        (State::UnknownFileSystem(4), "unknown-file-system"),
        (State::Truncated { size: 1, needed: 2 }, "truncated"),
        (State::NoOrigin, "no-origin"),
        (State::OtherOrigin("o/i:1".to_owned()), "other-origin"),
        (State::SeveralFiles, "several-files"),
        (State::Failed(5), "io-error"),
    ] {
        assert_eq!(state.token(), word);
    }
}
