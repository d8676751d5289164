//! Two small image roots, made once, and what is found in them, written down by hand.

use sifcache_core::settings::{Settings, Syslog, Untrusted};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub(crate) static SITE: LazyLock<Site> = LazyLock::new(Site::new);

/// Images, by root: `near` before `far`.
const NEAR: [&str; 3] = ["ubuntu:22.04", "o/i:1.sif", "link:1"];
const FAR: [&str; 7] = [
    "ubuntu",
    "o/i:1",
    "docker.io/library/debian:latest",
    "quay.io/o/i:2.sif",
    "localhost:5000/a/b-c__d/e:v1.2_3-rc",
    "linked/i:1",
    "x@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
];

pub(crate) struct Site {
    pub(crate) settings: Settings,
}

impl Site {
    fn new() -> Self {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz-roots");
        let roots: Vec<PathBuf> = ["near", "far"].map(|name| make(&base, name)).into();
        let mut settings = Settings::with_roots(roots);
        settings.syslog = Syslog::Off;
        settings.lookup_timeout = None;
        // Only root can make a root that is trusted.
        let uid = fs::metadata(&base).expect("it is there").uid();
        settings.untrusted = if uid == 0 { Untrusted::Refuse } else { Untrusted::Accept };
        Self { settings }
    }

    /// Where the first of these is.
    pub(crate) fn first_of(&self, names: &[String]) -> Option<PathBuf> {
        let roots = self.settings.image_roots.iter().zip([NEAR.as_slice(), &FAR]);
        roots.into_iter().find_map(|(root, images)| {
            let name = names.iter().find(|name| images.contains(&name.as_str()))?;
            Some(root.join(name))
        })
    }
}

/// Under a name of its own until it is complete: others may be starting too.
fn make(base: &Path, name: &str) -> PathBuf {
    fs::create_dir_all(base).expect("a directory for the image roots");
    let base = base.canonicalize().expect("it is there");
    let (unfinished, root) = (base.join(format!("{name}-{}", std::process::id())), base.join(name));
    if !root.is_dir() {
        fs::create_dir(&unfinished).expect("an image root");
        fs::set_permissions(&unfinished, Permissions::from_mode(0o755)).expect("its mode");
        let (images, refused) =
            if name == "near" { (&NEAR[..], "o/i:2") } else { (&FAR[..], "o/i:3") };
        images.iter().for_each(|image| put(&unfinished, image, &sif(800)));
        // Cut short, no SIF file, a directory, a link to nowhere.
        put(&unfinished, refused, &sif(799));
        put(&unfinished, "ubuntu:18.04", b"no SIF file");
        fs::create_dir(unfinished.join("d")).expect("a directory");
        symlink("/nonexistent", unfinished.join("gone:1")).expect("a link");
        // If somebody else was faster, theirs is as good.
        if fs::rename(&unfinished, &root).is_err() {
            fs::remove_dir_all(&unfinished).expect("it is not needed");
        }
    }
    root
}

fn put(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("it has one")).expect("its directory");
    match name {
        // Images that are reached through links, of a file and of a directory.
        "link:1" => symlink("o/i:1.sif", path).expect("a link"),
        "linked/i:1" => {
            fs::remove_dir(root.join("linked")).expect("it is empty");
            symlink("o", root.join("linked")).expect("a link");
        }
        _ => fs::write(path, content).expect("a file"),
    }
}

/// A file that passes for an image if it has all of its 800 bytes.
fn sif(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes[32..44].copy_from_slice(b"SIF_MAGIC\x0001");
    bytes[45..47].copy_from_slice(if cfg!(target_arch = "aarch64") { b"04" } else { b"02" });
    // One descriptor, of a primary system partition with ext3, which nobody reads here.
    (bytes[88], bytes[96]) = (1, 128);
    bytes[104..106].copy_from_slice(&585_u16.to_le_bytes());
    bytes[128..130].copy_from_slice(&0x4004_u16.to_le_bytes());
    (bytes[132], bytes[153], bytes[329], bytes[333]) = (1, 1, 2, 2);
    bytes[112..120].copy_from_slice(&713_u64.to_le_bytes());
    bytes[120..128].copy_from_slice(&87_u64.to_le_bytes());
    bytes
}
