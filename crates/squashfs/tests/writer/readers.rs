//! The programs that read an image: unsquashfs, squashfuse, and Linux.

use crate::content::Content;
use crate::image::{Image, Written, metadata, options, scratch, xattrs};
use crate::walk::{Files, assert_same, walk};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Device, InodeId, Kind, Metadata, Tree};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Runs a program, which has to succeed, and returns its output.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}: `make unit` installs it"));
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && errors.is_empty(),
        "{program} {arguments:?}: {text}{errors}"
    );
    text.into_owned()
}

/// Extracts an image as root and describes all files.
pub(crate) fn extract(image: &Path) -> (TempDir, Files) {
    let directory = scratch();
    let to = directory.path().join("files");
    let arguments = ["-quiet", "-no-progress", "-strict-errors", "-processors", "1", "-dest"];
    run("unsquashfs", &[&arguments[..], &[to.to_str().unwrap(), image.to_str().unwrap()]].concat());
    let files = walk(&to);
    (directory, files)
}

/// A mounted image.
pub(crate) struct Mount {
    directory: TempDir,
    program: &'static str,
}

impl Mount {
    /// Mounts an image; `None` if the program is missing or fails.
    fn new(program: &'static str, image: &Path, offset: u64) -> Option<Self> {
        let directory = scratch();
        let options = match program {
            "mount" => format!("loop,ro,offset={offset}"),
            _ => format!("offset={offset}"),
        };
        let mut command = Command::new(program);
        let output =
            command.arg("-o").arg(options).arg(image).arg(directory.path()).output().ok()?;
        output.status.success().then_some(Self { directory, program })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn is_fuse(&self) -> bool {
        self.program == "squashfuse_ll"
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.directory.path()).status();
    }
}

/// Mounts an image at this offset in its file with Linux and with `squashfuse_ll`, as runtimes do. A reader that cannot
/// mount an image of mksquashfs on this machine is left out.
pub(crate) fn mounts(image: &Path, offset: u64, compression: &str) -> Vec<Mount> {
    let directory = scratch();
    let control = directory.path().join("control");
    let (source, to) = (env!("CARGO_MANIFEST_DIR"), control.to_str().unwrap());
    run("mksquashfs", &[source, to, "-comp", compression, "-quiet", "-no-progress"]);
    let works = |program: &&'static str| Mount::new(program, &control, 0).is_some();
    let programs = ["mount", "squashfuse_ll"].into_iter().filter(works);
    programs.map(|program| Mount::new(program, image, offset).expect(program)).collect()
}

/// An image with files of all types and of all places for contents.
pub(crate) fn everything(options: sifcache_squashfs::writer::Options) -> Written {
    let mut image = Image::new(options);
    let root = Tree::ROOT;
    let bin = image.directory(
        root,
        b"bin",
        Metadata { uid: 70_000, gid: 4_000_000_000, ..metadata(0o1777) },
    );
    let setuid = Metadata { uid: 0, gid: 5, mtime: u32::MAX / 2, ..metadata(0o6755) };
    image.file(bin, b"setuid", setuid, &Content::Text(1, 200).bytes());
    let shared =
        image.file(bin, b"first name", metadata(0o644), &Content::Text(2, 300_000).bytes());
    image.link(root, b"second name", shared);
    image.link(bin, &[b'n'; 255], shared);
    image.file(root, b"equal", metadata(0o600), &Content::Text(2, 300_000).bytes());
    image.file(root, b"empty", metadata(0o000), b"");
    image.file(root, b"zeros", metadata(0o644), &Content::Zeros(5000).bytes());
    image.file(root, b"more zeros", metadata(0o644), &Content::Zeros(400_000).bytes());
    image.file(root, b"block", metadata(0o644), &Content::Random(3, 131_072).bytes());
    image.file(root, b"mixed", metadata(0o644), &Content::Mixed(4, 1_000_000).bytes());
    image.file(root, b"large", metadata(0o644), &Content::Mixed(5, 9_000_000).bytes());
    special_files(&mut image, root);
    let mut deep = root;
    for _ in 0..100 {
        deep = image.directory(deep, b"deeper", metadata(0o755));
    }
    image.finish().unwrap()
}

fn special_files(image: &mut Image, root: InodeId) {
    let attributes =
        |name: &str, value: &[u8]| Metadata { xattrs: xattrs(&[(name, value)]), ..metadata(0o755) };
    let large = [b'v'; 2000];
    let set: [(&str, &[u8]); 3] =
        [("user.a", b""), ("trusted.overlay.opaque", b"y"), ("user.large", &large)];
    let many = Metadata { xattrs: xattrs(&set), ..metadata(0o755) };
    image.directory(root, b"attributes", many.clone());
    image.file(root, b"attributes of a file", many, b"content");
    // CAP_NET_RAW, as `setcap cap_net_raw=ep` stores it.
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    image.file(root, b"capability", attributes("security.capability", &capability), b"program");
    let link = Kind::Symlink((*b"bin/first name").into());
    image.add(root, b"link", attributes("trusted.link", b"1"), link.clone());
    image.add(root, b"plain link", metadata(0o777), link);
    let device = Device { major: 4095, minor: 0xf_ff01 };
    for (name, kind) in [
        ("block device", Kind::BlockDevice(device)),
        ("character device", Kind::CharDevice(Device { major: 1, minor: 3 })),
        ("fifo", Kind::Fifo),
        ("socket", Kind::Socket),
    ] {
        image.add(root, name.as_bytes(), metadata(0o640), kind.clone());
        let other = format!("{name} with attributes");
        let id = image.add(root, other.as_bytes(), attributes("trusted.x", b"y"), kind);
        image.link(root, format!("{name} linked").as_bytes(), id);
    }
}

#[test]
fn unsquashfs_extracts_all_of_it() {
    for compression in [Compression::GZIP, Compression::ZSTD] {
        let image = everything(options(compression));
        let (_directory, files) = extract(&image.path());
        assert_same(&files, &image.files);
    }
}

#[test]
fn linux_and_squashfuse_mount_it_at_an_offset() {
    for (compression, name) in [(Compression::GZIP, "gzip"), (Compression::ZSTD, "zstd")] {
        let image = everything(sifcache_squashfs::writer::Options {
            offset: 65536,
            ..options(compression)
        });
        for mount in mounts(&image.path(), 65536, name) {
            let (mut actual, mut expected) = (walk(&mount.path()), image.files.clone());
            if mount.is_fuse() {
                keep_what_squashfuse_reads(&mut actual);
                keep_what_squashfuse_reads(&mut expected);
            }
            assert_same(&actual, &expected);
        }
    }
}

/// squashfuse 0.1.105 exchanges the namespaces `trusted` and `security` and does not find empty
/// attributes, in images of mksquashfs too.
fn keep_what_squashfuse_reads(files: &mut Files) {
    for file in files.values_mut() {
        file.xattrs.retain(|(name, value)| name.starts_with(b"user.") && !value.is_empty());
    }
}

#[test]
fn unsquashfs_shows_the_superblock() {
    let image = everything(options(Compression::Zstd(7)));
    let text = run("unsquashfs", &["-s", image.path().to_str().unwrap()]);
    for line in [
        "Compression zstd",
        "compression-level 7",
        "Block size 131072",
        "Filesystem is exportable via NFS",
        "Duplicates are removed",
        &format!("Number of inodes {}", image.finished.counts.inodes),
        "Number of ids 4",
        "Number of xattr ids 4",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
