//! Random images. `make fill-check` converts many.

use super::convert::{Fills, User, Verdict};
use crate::kit::{Site, thorough};
use image_fixture::generator;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How many images are converted in one run of the command.
const AT_A_TIME: u64 = 50;

/// The seeds of the images that root converts. A seed is one OCI image with one to five layers and
/// its own configuration. A conversion by both engines costs 0.2 seconds of processor time.
fn seeds() -> Range<u64> {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse().expect(name));
    let first = variable("SIFCACHE_FIRST_SEED").unwrap_or(1);
    let count = variable("SIFCACHE_SEEDS").unwrap_or(if thorough() { 1000 } else { 140 });
    first..first + count
}

/// How often each verdict was seen.
#[derive(Debug, Default)]
struct Count {
    same: usize,
    refused: usize,
    left: usize,
    different: Vec<String>,
}

impl Count {
    fn add(&mut self, user: User, name: &str, verdict: Verdict) {
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::Refused => self.refused += 1,
            Verdict::LeftToTheRuntime(_) => self.left += 1,
            Verdict::Different(lines) => {
                let shown = lines.get(..5).unwrap_or(&lines).join("\n    ");
                let all = lines.len();
                self.different.push(format!("{name} as {user:?}: {all} differences\n    {shown}"));
            }
        }
    }

    #[track_caller]
    fn check(&self) {
        let Self { same, refused, left, different } = self;
        println!("{same} the same, {refused} refused by both, {left} left to the runtime");
        assert!(
            different.is_empty(),
            "{} images differ; `cargo run -p image-fixture --example images show SEED` shows one:\n{}",
            different.len(),
            different.get(..10).unwrap_or(different).join("\n")
        );
        // A conversion that leaves most images to the runtime would pass otherwise.
        assert!(*same >= (same + refused + left) * 6 / 10, "{self:?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn random_images_are_those_of_the_runtime() {
    let site = Site::new("");
    let mut count = Count::default();
    let all = seeds();
    let mut first = all.start;
    while first < all.end {
        // The registry has a limited run time.
        let fills = Fills::new(&site);
        let batch = first..all.end.min(first + AT_A_TIME);
        let names: Vec<String> = batch.clone().map(|seed| format!("s{seed}")).collect();
        for (seed, name) in batch.zip(&names) {
            let (blobs, named) = generator::image(seed).blobs("amd64").unwrap();
            fills.serve(name, &blobs, &named);
        }
        // Every second image as an ordinary user, for whom runtimes have other rules.
        let alice: Vec<String> = names.iter().step_by(2).cloned().collect();
        for (user, names) in [(User::Root, &names), (User::Alice, &alice)] {
            for (name, verdict) in fills.compare(user, names) {
                count.add(user, &name, verdict);
            }
        }
        first += AT_A_TIME;
    }
    for layout in layouts() {
        let fills = Fills::new(&site);
        let name = layout.file_name().unwrap().to_str().unwrap().to_owned();
        copy(&layout, &fills.layout(&name));
        for user in [User::Root, User::Alice] {
            for (name, verdict) in fills.compare(user, std::slice::from_ref(&name)) {
                println!("{name} as {user:?}: {verdict:?}");
                count.add(user, &name, verdict);
            }
        }
    }
    count.check();
}

/// Layouts of other images to convert.
fn layouts() -> Vec<PathBuf> {
    let list = std::env::var_os("SIFCACHE_LAYOUTS").unwrap_or_default();
    std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("blobs/sha256")).unwrap();
    fs::copy(from.join("index.json"), to.join("index.json")).unwrap();
    for blob in fs::read_dir(from.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        fs::copy(blob.path(), to.join("blobs/sha256").join(blob.file_name())).unwrap();
    }
}
