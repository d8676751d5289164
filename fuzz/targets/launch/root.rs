//! Two small image roots, which are created once, and a list of the images in them, written by
//! hand.

use sif_fixture::Sif;
use sifcache_core::settings::{Pull, Settings, Syslog, Untrusted};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub(crate) static SITE: LazyLock<Site> = LazyLock::new(Site::new);

/// The images in each root. The root `near` comes before `far`.
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
        // The roots are in the directory of the fuzz target's program, wherever cargo's build
        // directory is.
        let program = std::env::current_exe().expect("the path of this program");
        let base = program.with_file_name("image-roots");
        let roots: Vec<PathBuf> = ["near", "far"].map(|name| make(&base, name)).into();
        let mut settings = Settings::with_roots(roots);
        settings.syslog = Syslog::Off;
        settings.lookup_timeout = None;
        // Only the shim answers pulls, and tasks are those of the plugin.
        settings.pull = Pull::Off;
        // Only root can create a trusted image root.
        let uid = fs::metadata(&base).expect("it is there").uid();
        settings.untrusted = if uid == 0 { Untrusted::Refuse } else { Untrusted::Accept };
        Self { settings }
    }

    /// The path of the first image among `names`, in lookup order.
    pub(crate) fn first_of(&self, names: &[String]) -> Option<PathBuf> {
        let roots = self.settings.image_roots.iter().zip([NEAR.as_slice(), &FAR]);
        roots.into_iter().find_map(|(root, images)| {
            let name = names.iter().find(|name| images.contains(&name.as_str()))?;
            Some(root.join(name))
        })
    }
}

/// Creates an image root. It has a temporary name until it is complete, because other processes may
/// create it at the same time.
fn make(base: &Path, name: &str) -> PathBuf {
    fs::create_dir_all(base).expect("a directory for the image roots");
    let base = base.canonicalize().expect("it is there");
    let (unfinished, root) = (base.join(format!("{name}-{}", std::process::id())), base.join(name));
    if !root.is_dir() {
        fs::create_dir(&unfinished).expect("an image root");
        fs::set_permissions(&unfinished, Permissions::from_mode(0o755)).expect("its mode");
        let (images, refused) =
            if name == "near" { (&NEAR[..], "o/i:2") } else { (&FAR[..], "o/i:3") };
        let sif = Sif::image_of(87);
        images.iter().for_each(|image| put(&unfinished, image, &sif.bytes()));
        // A truncated file, a file that is not a SIF file, a directory, and a dangling link.
        put(&unfinished, refused, &sif.clone().without_last(1).bytes());
        put(&unfinished, "ubuntu:18.04", b"no SIF file");
        fs::create_dir(unfinished.join("d")).expect("a directory");
        symlink("/nonexistent", unfinished.join("gone:1")).expect("a link");
        // If another process was faster, its image root is used.
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
        // Images behind a link to a file and a link to a directory.
        "link:1" => symlink("o/i:1.sif", path).expect("a link"),
        "linked/i:1" => {
            fs::remove_dir(root.join("linked")).expect("it is empty");
            symlink("o", root.join("linked")).expect("a link");
        }
        _ => fs::write(path, content).expect("a file"),
    }
}
