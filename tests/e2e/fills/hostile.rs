//! Damaged and hostile images: each is refused with a clear message, in bounded time and memory, and
//! leaves nothing behind. The runtime never sees them.

use super::convert::{Fills, User, reference};
use crate::kit::{Site, tree};
use image_fixture::archive::{self, Entry, Kind};
use image_fixture::compression::Compression;
use image_fixture::image::{Blobs, Layer};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

const ROOT: &str = "/local/fills/native";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The most memory that the command may use, in KiB.
const MEMORY: u64 = 300 << 10;
/// The most seconds that the command may take. It takes less than one; a machine under load may
/// need more.
const SECONDS: &str = "60";

/// An image that is refused: its name, its blobs, and a part of the message.
struct Hostile {
    name: &'static str,
    blobs: Blobs,
    named: Value,
    message: &'static str,
    /// Changes the blobs after they were written.
    damage: Option<Damage>,
}

type Damage = Box<dyn Fn(&Path)>;

/// An image with this stored layer.
fn stored(name: &'static str, message: &'static str, layer: Vec<u8>) -> Hostile {
    let mut blobs = Blobs::default();
    let layer = blobs.add(GZIP, layer);
    of_descriptors(name, message, blobs, &[layer])
}

fn of_descriptors(
    name: &'static str,
    message: &'static str,
    mut blobs: Blobs,
    layers: &[Value],
) -> Hostile {
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": []}});
    let bytes = config.to_string().into_bytes();
    let config = blobs.add("application/vnd.oci.image.config.v1+json", bytes);
    let named = blobs.manifest(&config, layers);
    Hostile { name, blobs, named, message, damage: None }
}

/// An image with this archive as its layer.
fn of_archive(name: &'static str, message: &'static str, archive: &[u8]) -> Hostile {
    stored(name, message, compressed(archive))
}

fn of_entries(name: &'static str, message: &'static str, entries: Vec<Entry>) -> Hostile {
    of_archive(name, message, &Layer::new(entries, Compression::Plain).archive())
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    Compression::Gzip { members: 1 }.apply(bytes).unwrap()
}

fn valid() -> Vec<u8> {
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    Layer::new(vec![Entry::file("a", content)], Compression::Plain).archive()
}

/// Blobs that are not what their descriptors say.
fn blobs() -> Vec<Hostile> {
    let layer = compressed(&valid());
    let length = layer.len();
    let damaged = |name, message, change: fn(&Path, u64)| {
        let mut blobs = Blobs::default();
        let descriptor = blobs.add(GZIP, layer.clone());
        let digest = descriptor["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
        let mut hostile = of_descriptors(name, message, blobs, &[descriptor]);
        let length = length as u64;
        hostile.damage = Some(Box::new(move |layout| change(&layout.join(&digest), length)));
        hostile
    };
    let sized = |name, message, size: usize| {
        let mut blobs = Blobs::default();
        let mut descriptor = blobs.add(GZIP, layer.clone());
        descriptor["size"] = json!(size);
        of_descriptors(name, message, blobs, &[descriptor])
    };
    vec![
        // The time in the header of gzip, which no decompressor uses.
        damaged("wrong-digest", "digest", |path, _| {
            open_to_write(path).write_all_at(b"time", 4).unwrap();
        }),
        damaged("wrong-content", "damaged", |path, length| {
            open_to_write(path).write_all_at(b"x", length / 2).unwrap();
        }),
        damaged("short-blob", "bytes", |path, length| {
            open_to_write(path).set_len(length - 1).unwrap();
        }),
        damaged("long-blob", "bytes", |path, length| {
            open_to_write(path).set_len(length + 1).unwrap();
        }),
        damaged("endless-blob", "bytes", |path, _| {
            open_to_write(path).set_len(1 << 42).unwrap();
        }),
        damaged("missing-blob", "has no blob", |path, _| fs::remove_file(path).unwrap()),
        sized("size-too-small", "bytes", length - 1),
        sized("size-too-large", "bytes", length + 1),
        sized("size-negative", "invalid manifest", usize::MAX),
    ]
}

fn open_to_write(path: &Path) -> fs::File {
    fs::File::options().write(true).open(path).unwrap()
}

/// Layers that cannot be decompressed, or are no archives.
fn streams() -> Vec<Hostile> {
    let archive = valid();
    let gzip = compressed(&archive);
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let mut checksum = archive.clone();
    checksum[100] ^= 1;
    vec![
        stored("cut-gzip", "damaged", half(&gzip)),
        stored(
            "text",
            "neither a tar archive",
            b"this is not an archive, although it is long enough".repeat(20),
        ),
        of_archive("cut-archive", "it ends in", &half(&archive)),
        of_archive("checksum", "checksum", &checksum),
        stored("wide-window", "memory", frame(21, 1)),
        stored("bomb-after-the-archive", "more than", after_the_archive()),
        stored("bomb-in-a-file", "more than", in_a_file()),
    ]
}

/// A zstd frame of blocks of 128 KiB of zeros, with a window of 2^(10 + `exponent`) bytes.
fn frame(exponent: u8, blocks: usize) -> Vec<u8> {
    // Magic number, descriptor without a content size, window descriptor.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3];
    for number in 1..=blocks {
        // One byte, repeated.
        let block: u32 = u32::from(number == blocks) | (1 << 1) | (0x2_0000 << 3);
        frame.extend(&block.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// A valid archive, and 16 GiB of zeros.
fn after_the_archive() -> Vec<u8> {
    let archive = Compression::Zstd { frames: 1, skippable: false }.apply(&valid()).unwrap();
    [archive, frame(7, 1 << 17)].concat()
}

/// An archive with a file of 16 GiB of zeros.
fn in_a_file() -> Vec<u8> {
    let header = claim(b'0', 16 << 30);
    let header = Compression::Zstd { frames: 1, skippable: false }.apply(&header).unwrap();
    [header, frame(7, 1 << 17)].concat()
}

/// Archives with sizes, names or numbers of entries beyond any image.
fn archives() -> Vec<Hostile> {
    let path = |count: usize| vec!["d"; count].join("/");
    let entry = |name: String| Entry::file(name, "x");
    let header = |name, kind| Entry::new(name, Kind::Other(kind, vec![b'a'; 1 << 20]));
    vec![
        of_archive("file-of-8-tib", "invalid", &huge(b'0')),
        of_archive("name-of-8-tib", "8796093022208 bytes", &huge(b'L')),
        of_archive("records-of-8-tib", "8796093022208 bytes", &huge(b'x')),
        of_entries("name-of-1-mib", "too long", vec![header("a", b'L'), entry("b".to_owned())]),
        of_entries(
            "records-of-1-mib",
            "pax header",
            vec![header("a", b'x'), entry("b".to_owned())],
        ),
        of_entries("deep", "too long", vec![entry(path(100_000))]),
        of_entries(
            "loop",
            "symbolic links",
            vec![Entry::symlink("a", "b"), Entry::symlink("b", "a"), entry("a/x".to_owned())],
        ),
        of_entries(
            "link-to-itself",
            "does not exist",
            vec![Entry::new("a", Kind::Hardlink(b"a".to_vec()))],
        ),
        of_entries("root-is-a-link", "root directory", vec![Entry::symlink("./", "/etc")]),
        of_entries("type", "type", vec![Entry::new("a", Kind::Other(b'Z', Vec::new()))]),
    ]
}

/// The header of an entry that claims to have `size` bytes.
fn claim(kind: u8, size: u64) -> Vec<u8> {
    let mut header = Vec::new();
    Entry::new("a", Kind::Other(kind, Vec::new())).write(&mut header);
    let base_256 = [&[0x80, 0, 0, 0], size.to_be_bytes().as_slice()].concat();
    header[124..136].copy_from_slice(&base_256);
    header[148..156].fill(b' ');
    let sum: u64 = header[..512].iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// An archive whose only entry claims to have 8 TiB.
fn huge(kind: u8) -> Vec<u8> {
    let mut archive = claim(kind, 8 << 40);
    archive.resize(archive.len() + 65_536, 0);
    archive::end(&mut archive);
    archive
}

/// Manifests and configurations.
fn documents() -> Vec<Hostile> {
    let layer = |blobs: &mut Blobs| blobs.add(GZIP, compressed(&valid()));
    let mut blobs = Blobs::default();
    let one = layer(&mut blobs);
    let many = of_descriptors("layers", "layers", blobs, &vec![one; 20_000]);
    let mut blobs = Blobs::default();
    let one = layer(&mut blobs);
    let config = vec![b' '; 64 << 20];
    let config = blobs.add("application/vnd.oci.image.config.v1+json", config);
    let named = blobs.manifest(&config, &[one]);
    let config = Hostile { name: "config", blobs, named, message: "config", damage: None };
    vec![many, config]
}

/// Paths that climb above the root directory stay in it, as a runtime unpacks them. The files of
/// the host are not touched, because nothing is unpacked.
#[test]
#[ignore = "needs a testbed: make test"]
fn climbing_paths_stay_in_the_image() {
    let site = Site::new("");
    let fills = Fills::new(&site);
    let entries = vec![
        Entry::file("../../../../climbed", ""),
        Entry::symlink("link", "../../../../etc"),
        Entry::file("link/through-a-link", ""),
        Entry::new("/../linked", Kind::Hardlink(b"../../climbed".to_vec())),
    ];
    let hostile = of_entries("climbing", "", entries);
    fills.serve(hostile.name, &hostile.blobs, &hostile.named);
    let converted = fills.convert(User::Root, "native", &[hostile.name.to_owned()]);
    let image = converted[hostile.name].as_ref().unwrap();
    fills.list([image].into_iter());
    let listing = fills.listing(image);
    for path in ["climbed", "etc/through-a-link", "linked"] {
        assert!(listing.contains_key(path.as_bytes()), "{path}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn hostile_images_are_refused() {
    let site = Site::new("");
    let fills = Fills::new(&site);
    let all = [blobs(), streams(), archives(), documents()];
    let mut wrong = Vec::new();
    for hostile in all.into_iter().flatten() {
        fills.serve(hostile.name, &hostile.blobs, &hostile.named);
        if let Some(damage) = &hostile.damage {
            damage(&fills.layout(hostile.name));
        }
        if let Err(what) = refused(&site, hostile.name, hostile.message) {
            wrong.push(format!("{}: {what}", hostile.name));
        }
        fills.withdraw(hostile.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let root = site.at("ctl", ROOT);
    assert_eq!(tree::check(&root), [""; 0]);
    tree::is_clean(&root);
}

/// Whether the native engine refuses an image with this message, in bounded time and memory. The
/// error is what it did instead.
fn refused(site: &Site, name: &str, message: &str) -> Result<(), String> {
    let image = reference(name);
    let time = ["timeout", SECONDS, "/usr/bin/time", "-f", "peak %M"];
    let add = ["sifcache", "add", "--json", "--engine", "native"];
    let into = ["--root", ROOT, "--into", ROOT, &image];
    let output = site.exec(&[], &[&time[..], &add[..], &into[..]].concat(), "");
    if output.status == 0 || output.status == 124 {
        return Err(format!("status {}: {}", output.status, output.stdout));
    }
    let object: Value = serde_json::from_str(output.stdout.trim()).map_err(|e| e.to_string())?;
    let error = object["error"].as_str().unwrap_or_default();
    println!("{name}: {error}");
    if error.is_empty() || !error.contains(message) {
        return Err(format!("no {message:?} in {error:?}"));
    }
    let peak = output.stderr.lines().filter_map(|line| line.strip_prefix("peak ")).next_back();
    match peak.and_then(|peak| peak.parse::<u64>().ok()) {
        Some(peak) if peak < MEMORY => Ok(()),
        peak => Err(format!("{peak:?} KiB of memory")),
    }
}
