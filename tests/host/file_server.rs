//! The requests of a lookup to a file server, counted on a file system that caches nothing, and the
//! table of `docs/evidence/file-server.md`.

mod launch;
mod rules;
mod table;

use faultfs::{Counts, Requests};
use sif_fixture::Sif;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Image roots on file systems that count requests.
struct Served {
    requests: Requests,
    roots: Vec<PathBuf>,
    // Unmounted before the directory is removed.
    _mounts: Vec<fuser::BackgroundSession>,
    directory: TempDir,
}

impl Served {
    /// `count` roots, each of them a mount point. `fill` makes the content of the root with this
    /// index, which starts at 0. `None` if this user cannot mount file systems.
    fn mount_points(count: usize, fill: &dyn Fn(usize, &Path)) -> Option<Self> {
        Self::new(count, fill, true)
    }

    /// The same, with all roots as directories of one mounted file system.
    fn below_a_mount_point(count: usize, fill: &dyn Fn(usize, &Path)) -> Option<Self> {
        Self::new(count, fill, false)
    }

    fn new(count: usize, fill: &dyn Fn(usize, &Path), is_mounted: bool) -> Option<Self> {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |name: &str| directory.path().join(name);
        for number in 0..count {
            for name in ["tree", "mnt"] {
                fs::create_dir_all(at(&format!("{name}/{number}"))).unwrap();
            }
            fill(number, &at(&format!("tree/{number}")));
        }
        if std::os::unix::fs::MetadataExt::uid(&fs::metadata(directory.path()).unwrap()) != 0 {
            assert!(std::env::var_os("CI").is_none(), "these tests need root");
            eprintln!("skipped: needs root, to mount file systems");
            return None;
        }
        let requests = Requests::counting();
        let mount = |name: String| {
            let (source, target) = (at(&format!("tree{name}")), at(&format!("mnt{name}")));
            faultfs::mount(&source, &target, requests.clone()).expect("needs /dev/fuse")
        };
        let mounts = match is_mounted {
            true => (0..count).map(|number| mount(format!("/{number}"))).collect(),
            false => vec![mount(String::new())],
        };
        let roots = (0..count).map(|number| at(&format!("mnt/{number}"))).collect();
        Some(Self { requests, roots, _mounts: mounts, directory })
    }

    /// The value of `image_root=`.
    fn search_path(&self) -> String {
        let roots = self.roots.iter().map(|root| root.to_str().unwrap());
        roots.collect::<Vec<_>>().join(":")
    }

    /// The requests of `work`. The kernel releases files in the background, so this waits until
    /// all are released.
    fn count<T>(&self, work: impl FnOnce() -> T) -> (T, Counts) {
        let _ = self.requests.take();
        let result = work();
        let (mut counts, limit) = (self.requests.take(), Instant::now() + Duration::from_secs(60));
        while of(&counts, "open") > of(&counts, "release") {
            assert!(Instant::now() < limit, "a file was not released: {counts:?}");
            std::thread::sleep(Duration::from_millis(1));
            for (name, count) in self.requests.take() {
                *counts.entry(name).or_default() += count;
            }
        }
        (result, counts)
    }
}

fn image(root: &Path, name: &str) {
    Sif::image().write(root.join(name)).unwrap();
}

fn of(counts: &Counts, name: &str) -> usize {
    counts.get(name).copied().unwrap_or_default()
}

/// The number of requests that a file server has to answer before the launch goes on, except reads
/// of data. The kernel releases a file without waiting for an answer.
fn metadata(counts: &Counts) -> usize {
    counts.iter().filter(|(name, _)| !["read", "release"].contains(name)).map(|(_, n)| n).sum()
}
