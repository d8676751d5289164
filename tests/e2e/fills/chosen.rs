//! Images with one unusual property each, and what both engines make of them.

use super::convert::{Fills, User, Verdict};
use crate::kit::Site;
use image_fixture::archive::{Entry, Kind};
use image_fixture::compression::Compression;
use image_fixture::image::{Blobs, Dialect, Layer, with_platform};
use serde_json::{Value, json};

const GZIP: Compression = Compression::Gzip { members: 1 };

/// An image, and whether the native engine converts it.
struct Chosen {
    name: &'static str,
    blobs: Blobs,
    named: Value,
    expected: fn(&Verdict) -> bool,
}

fn same(verdict: &Verdict) -> bool {
    *verdict == Verdict::Same
}

fn refused(verdict: &Verdict) -> bool {
    *verdict == Verdict::Refused
}

/// The runtime converts it, and the native engine may leave it to the runtime.
fn same_or_left(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Same | Verdict::LeftToTheRuntime(_))
}

fn file(name: &str) -> Layer {
    Layer::new(vec![Entry::file(name, name)], GZIP)
}

/// An image of these layers.
fn image(name: &'static str, expected: fn(&Verdict) -> bool, layers: &[Layer]) -> Chosen {
    let mut blobs = Blobs::default();
    let named = blobs.image(layers, &json!({"Cmd": ["sh"]}), "amd64").unwrap();
    Chosen { name, blobs, named, expected }
}

/// An index of images of one file each, which has the name of the image. `null` is no platform.
fn index(
    name: &'static str,
    expected: fn(&Verdict) -> bool,
    platforms: &[(&str, Value)],
) -> Chosen {
    let mut blobs = Blobs::new(Dialect::Oci);
    let manifests: Vec<Value> = platforms
        .iter()
        .map(|(file_name, platform)| {
            let manifest = blobs.image(&[file(file_name)], &json!({}), "amd64").unwrap();
            with_platform(&manifest, platform)
        })
        .collect();
    let named = blobs.index(&manifests);
    Chosen { name, blobs, named, expected }
}

fn platform(architecture: &str, variant: Option<&str>) -> Value {
    match variant {
        Some(variant) => json!({"os": "linux", "architecture": architecture, "variant": variant}),
        None => json!({"os": "linux", "architecture": architecture}),
    }
}

fn indexes() -> Vec<Chosen> {
    let amd64 = || platform("amd64", None);
    let v3 = || platform("amd64", Some("v3"));
    let unknown = || json!({"os": "unknown", "architecture": "unknown"});
    vec![
        index("variant-first", same, &[("v3", v3()), ("plain", amd64())]),
        index("variant-last", same, &[("plain", amd64()), ("v3", v3())]),
        index("no-platform-first", same, &[("none", Value::Null), ("plain", amd64())]),
        index("no-platform-last", same, &[("arm", platform("arm64", None)), ("none", Value::Null)]),
        index("attestation-first", same, &[("unknown", unknown()), ("plain", amd64())]),
        index("twice", same, &[("first", amd64()), ("second", amd64())]),
        index("no-such-platform", refused, &[("arm", platform("arm64", Some("v8")))]),
        index("empty", refused, &[]),
    ]
}

/// An image of one file, with another layer of this media type on top.
fn with_layer(name: &'static str, expected: fn(&Verdict) -> bool, media_type: &str) -> Chosen {
    let mut top = file("top");
    top.media_type = media_type.to_owned();
    image(name, expected, &[file("bottom"), top])
}

fn media_types() -> Vec<Chosen> {
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let mut artifact = file("a");
    artifact.media_type = "application/vnd.example.data".to_owned();
    vec![
        with_layer("foreign", same_or_left, foreign),
        with_layer("unknown-type", same_or_left, "application/vnd.example.data"),
        with_layer("gzip-named-zstd", same, "application/vnd.oci.image.layer.v1.tar+zstd"),
        with_layer("gzip-named-plain", same, "application/vnd.oci.image.layer.v1.tar"),
        image("artifact", refused, &[artifact]),
    ]
}

fn archives() -> Vec<Chosen> {
    let entries = |name, expected: fn(&Verdict) -> bool, entries: Vec<Entry>| {
        image(name, expected, &[Layer::new(entries, GZIP)])
    };
    let old_sparse = Entry::new("sparse", Kind::Other(b'S', Vec::new()));
    // The runtime overwrites the file and makes it readable, which shows the recorded owner.
    let unreadable = Entry { uid: 65_534, ..Entry::file("etc/hosts", "x") };
    vec![
        entries("write-only-hosts", same, vec![unreadable.clone().mode(0o200)]),
        entries("read-only-hosts", same, vec![unreadable.clone().mode(0o400)]),
        entries("closed-hosts", same, vec![unreadable.mode(0)]),
        image("no-layers", refused, &[]),
        entries("empty-layer", same, Vec::new()),
        entries("twice-in-a-layer", same, vec![Entry::file("a", "1"), Entry::file("a", "22")]),
        entries(
            "write-only-resolv-conf",
            same,
            vec![Entry { gid: 7, ..Entry::file("etc/resolv.conf", "x") }.mode(0o200)],
        ),
        entries("root-entry", same, vec![Entry::directory("./").mode(0o700)]),
        entries("gnu-sparse", refused, vec![old_sparse]),
        image(
            "through-a-link",
            same,
            &[
                Layer::new(
                    vec![Entry::directory("usr/bin"), Entry::symlink("bin", "usr/bin")],
                    GZIP,
                ),
                Layer::new(vec![Entry::file("bin/a", "a"), Entry::file("bin/.wh.b", "")], GZIP),
            ],
        ),
    ]
}

/// umoci cannot reach `c/d` as an ordinary user until it has changed the permissions of `c`, and then
/// restores the times of all directories on the way.
fn closed_directories() -> Vec<Chosen> {
    let closed = || Entry::directory("c").mode(0o600);
    let open = || Entry::directory("c").mode(0o755);
    let root = |mode| Entry::directory("./").mode(mode);
    let inside = || Entry::directory("c/d").mode(0o755);
    let below = |name: &str| Entry::file(name, "x");
    let lower = || vec![inside(), below("c/d/e"), below("c/d/s/e")];
    let images: [(_, Vec<Vec<Entry>>); 5] = [
        ("closed-above", vec![vec![inside(), closed(), below("c/d/e/f"), open()]]),
        ("closed-root", vec![vec![inside(), root(0o640), below("c/d/e/f"), root(0o755)]]),
        (
            "closed-and-open",
            vec![vec![inside(), closed(), below("c/d/e/f"), open(), below("c/d/g/f")]],
        ),
        (
            "removed-below-closed",
            vec![
                lower(),
                vec![closed(), below("c/d/f"), below("c/d/s/f"), below("c/.wh.d"), open()],
            ],
        ),
        (
            "emptied-below-closed",
            vec![lower(), vec![closed(), below("c/d/s/f"), below("c/.wh..wh..opq"), open()]],
        ),
    ];
    let layers = |layers: Vec<Vec<Entry>>| -> Vec<Layer> {
        layers.into_iter().map(|entries| Layer::new(entries, GZIP)).collect()
    };
    images.into_iter().map(|(name, entries)| image(name, same, &layers(entries))).collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn chosen_images_are_those_of_the_runtime() {
    let site = Site::new("");
    let fills = Fills::new(&site);
    let all = [indexes(), media_types(), archives(), closed_directories()];
    let all: Vec<Chosen> = all.into_iter().flatten().collect();
    let names: Vec<String> = all.iter().map(|chosen| chosen.name.to_owned()).collect();
    for chosen in &all {
        fills.serve(chosen.name, &chosen.blobs, &chosen.named);
    }
    for user in [User::Root, User::Alice] {
        let verdicts = fills.compare(user, &names);
        let wrong: Vec<_> = all
            .iter()
            .filter(|chosen| !(chosen.expected)(&verdicts[chosen.name]))
            .map(|chosen| (chosen.name, &verdicts[chosen.name]))
            .collect();
        assert!(wrong.is_empty(), "{user:?}: {wrong:#?}");
    }
}
