//! The memory that a conversion needs depends on the number of paths alone: 256 MB and 400 bytes for
//! each path.

use super::convert::{Fills, reference};
use crate::kit::{Site, thorough};
use image_fixture::archive::Entry;
use image_fixture::compression::Compression;
use image_fixture::image::{Blobs, Layer};
use serde_json::{Value, json};

const ROOT: &str = "/local/fills/native";
const FIXED: u64 = 256 << 20;
const PER_PATH: u64 = 400;
/// The number of files in one directory.
const IN_DIRECTORY: usize = 1000;

/// `make test-all` converts a million files.
#[test]
#[ignore = "needs a testbed: make test"]
fn memory_for_many_paths() {
    let site = Site::new("");
    let fills = Fills::new(&site);
    let count = if thorough() { 1_000_000 } else { 20_000 };
    let path = |number: usize| format!("d{}/f{number}", number / IN_DIRECTORY);
    let entries = (0..count).map(|number| Entry::file(path(number), "")).collect();
    let layer = Layer::new(entries, Compression::Plain).archive();
    let layer = Compression::Zstd { frames: 1, skippable: false }.apply(&layer).unwrap();
    let mut blobs = Blobs::default();
    let layer = blobs.add("application/vnd.oci.image.layer.v1.tar+zstd", layer);
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": []}});
    let bytes = config.to_string().into_bytes();
    let config = blobs.add("application/vnd.oci.image.config.v1+json", bytes);
    let named = blobs.manifest(&config, &[layer]);
    fills.serve("paths", &blobs, &named);
    let image = reference("paths");
    let add = ["/usr/bin/time", "-f", "peak %M", "sifcache", "add", "--engine", "native"];
    let into = ["--root", ROOT, "--into", ROOT, "--json", &image];
    let output = site.exec(&[], &[&add[..], &into[..]].concat(), "");
    fills.withdraw("paths");
    assert_eq!(output.status, 0, "{output:#?}");
    let peak = output.stderr.lines().filter_map(|line| line.strip_prefix("peak ")).next_back();
    let peak = peak.unwrap().parse::<u64>().unwrap() << 10;
    let most = FIXED + PER_PATH * count as u64;
    println!("{count} paths: {peak} of {most} bytes");
    assert!(peak < most, "{peak} of {most} bytes");
    let object: Value = serde_json::from_str(output.stdout.trim()).unwrap();
    let image = object["path"].as_str().unwrap().to_owned();
    fills.list([&image].into_iter());
    let listing = fills.listing(&image);
    let in_directory = |path: &&Vec<u8>| path.windows(2).any(|pair| pair == b"/f");
    assert_eq!(listing.keys().filter(in_directory).count(), count);
}
