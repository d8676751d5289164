//! The layers of a template: files that show what a runtime does with owners, devices, permissions,
//! extended attributes, missing parents and whiteouts.

use std::io;
use tar::{Builder, EntryType, Header};

/// The directory of the probes, in the root directory of the template.
pub(super) const DIRECTORY: &str = ".sifcache-probes";
/// The probe of a parent directory without an entry of its own.
pub(super) const IMPLIED: &str = "implied";

/// The modification time of most probes, in seconds since 1970.
const TIME: u64 = 1_000_000_000;
/// Some text, because the content of unreadable files may be lost.
const TEXT: &[u8] = b"probe\n";

/// One entry of a layer.
struct Probe {
    path: &'static str,
    kind: EntryType,
    mode: u32,
    owner: (u64, u64),
    time: u64,
    content: &'static [u8],
    /// The target of a link.
    target: &'static str,
    device: (u32, u32),
    xattrs: &'static [(&'static str, &'static [u8])],
}

/// A file of root. The other probes differ in a few fields.
const FILE: Probe = Probe {
    path: "file",
    kind: EntryType::Regular,
    mode: 0o644,
    owner: (0, 0),
    time: TIME,
    content: TEXT,
    target: "",
    device: (0, 0),
    xattrs: &[],
};

const fn directory(path: &'static str, mode: u32) -> Probe {
    Probe { path, kind: EntryType::Directory, mode, content: &[], ..FILE }
}

const fn file(path: &'static str, mode: u32) -> Probe {
    Probe { path, mode, ..FILE }
}

const fn link(path: &'static str, kind: EntryType, target: &'static str) -> Probe {
    Probe { path, kind, target, content: &[], ..FILE }
}

const fn device(path: &'static str, kind: EntryType, device: (u32, u32)) -> Probe {
    Probe { path, kind, device, content: &[], mode: 0o660, ..FILE }
}

/// A file capability: version 2, `cap_net_bind_service` permitted. Other values are refused by the
/// kernel.
const CAPABILITY: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The probes of the lower layer, in the order of the layer. Paths that do not begin with `./` are below
/// [`DIRECTORY`].
static LOWER: &[Probe] = &[
    Probe { owner: (7, 8), ..directory("./", 0o555) },
    Probe { owner: (7, 8), content: b"127.0.0.1 probe\n", ..file("./etc/hosts", 0o600) },
    Probe { owner: (1, 2), ..directory("", 0o755) },
    // Owners and special permissions.
    Probe { owner: (1234, 4321), time: 1, ..file("owned", 0o644) },
    Probe { owner: (0, 5), ..file("group", 0o640) },
    Probe { owner: (70_000, 2_000_000), ..file("large-ids", 0o644) },
    Probe { owner: (3, 4), ..link("symlink", EntryType::Symlink, "owned") },
    Probe { mode: 0o600, ..link("hard-link", EntryType::Link, ".sifcache-probes/owned") },
    Probe { owner: (9, 9), ..file("setuid", 0o4755) },
    file("setgid", 0o2755),
    directory("sticky", 0o1777),
    Probe { owner: (0, 50), ..directory("setgid-directory", 0o2775) },
    // Devices and pipes.
    device("character-device", EntryType::Char, (1, 3)),
    Probe { owner: (0, 6), ..device("block-device", EntryType::Block, (7, 0)) },
    Probe { owner: (6, 0), ..device("pipe", EntryType::Fifo, (0, 0)) },
    // Permissions that hinder the owner.
    file("secret", 0o000),
    file("write-only", 0o200),
    Probe { owner: (3, 3), ..file("others-only", 0o044) },
    directory("closed", 0o000),
    file("closed/file", 0o644),
    directory("search-only", 0o311),
    file("search-only/file", 0o644),
    directory("list-only", 0o644),
    file("list-only/file", 0o644),
    directory("read-only", 0o555),
    file("read-only/file", 0o444),
    // Extended attributes of each namespace.
    Probe { xattrs: &[("user.probe", b"file")], ..file("user-xattr", 0o644) },
    Probe { xattrs: &[("user.probe", b"directory")], ..directory("user-xattr-directory", 0o755) },
    Probe { xattrs: &[("security.capability", CAPABILITY)], ..file("capability", 0o755) },
    Probe { xattrs: &[("trusted.probe", b"1")], ..file("trusted-xattr", 0o644) },
    Probe { xattrs: &[("security.selinux", b"probe")], ..file("label", 0o644) },
    Probe { owner: (5, 5), xattrs: &[("user.probe", b"both")], ..file("owner-and-xattr", 0o644) },
    // A parent directory without an entry.
    file("implied/file", 0o644),
    // A directory from which the upper layer removes a file.
    directory("removal", 0o755),
    directory("removal/inner", 0o755),
    file("removal/inner/old", 0o644),
];

/// The probes of the upper layer: the whiteout removes only files of the lower layer.
static UPPER: &[Probe] =
    &[file("removal/inner/new", 0o644), Probe { content: &[], ..file(".wh.removal", 0o644) }];

/// The layers as tar archives, the lower one first.
///
/// # Errors
/// None in practice, because they are written to memory.
pub(super) fn layers() -> io::Result<Vec<Vec<u8>>> {
    [LOWER, UPPER].into_iter().map(tar).collect()
}

fn tar(probes: &[Probe]) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    probes.iter().try_for_each(|probe| probe.append(&mut tar))?;
    tar.into_inner()
}

impl Probe {
    fn append(&self, tar: &mut Builder<Vec<u8>>) -> io::Result<()> {
        if !self.xattrs.is_empty() {
            let names: Vec<(String, &[u8])> = self
                .xattrs
                .iter()
                .map(|(name, value)| (format!("SCHILY.xattr.{name}"), *value))
                .collect();
            tar.append_pax_extensions(names.iter().map(|(name, value)| (&**name, *value)))?;
        }
        let mut header = Header::new_ustar();
        header.set_path(self.full_path())?;
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(self.owner.0);
        header.set_gid(self.owner.1);
        header.set_mtime(self.time);
        header.set_size(self.content.len() as u64);
        if !self.target.is_empty() {
            header.set_link_name(self.target)?;
        }
        header.set_device_major(self.device.0)?;
        header.set_device_minor(self.device.1)?;
        header.set_cksum();
        tar.append(&header, self.content)
    }

    fn full_path(&self) -> String {
        match self.path {
            path if path.starts_with("./") => path.to_owned(),
            path => format!("{DIRECTORY}/{path}"),
        }
    }
}
