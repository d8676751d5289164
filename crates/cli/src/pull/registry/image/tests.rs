use super::{Content, Fallback, content};
use crate::pull::registry::manifest::{Document, ImageManifest, parse};
use serde_json::{Value, json};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG, "digest": digest('c'), "size": 7},
        "layers": [
            {"mediaType": LAYER, "digest": digest('1'), "size": 10},
            {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "digest": digest('2'), "size": 20},
        ],
    })
}

fn manifest(value: &Value) -> ImageManifest {
    match parse(value.to_string().as_bytes()).unwrap() {
        Document::Image(manifest) => manifest,
        other => panic!("{other:?}"),
    }
}

/// The result for the image after a change: of the value at a JSON pointer, or of a new key.
fn changed(pointer: &str, value: Value) -> Option<Fallback> {
    let mut image = image();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match image.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    content(&manifest(&image)).err()
}

#[test]
fn an_ordinary_image_is_accepted() {
    let Content { config, layers: blobs } = content(&manifest(&image())).unwrap();
    assert_eq!((config.digest, config.size), (digest('c'), 7));
    let blobs: Vec<(String, u64)> = blobs.into_iter().map(|one| (one.digest, one.size)).collect();
    assert_eq!(blobs, [(digest('1'), 10), (digest('2'), 20)]);
    for name in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
    ] {
        assert_eq!(changed("/layers/0/mediaType", json!(name)), None, "{name}");
    }
    assert_eq!(changed("/layers/0/urls", json!([])), None);
    assert_eq!(changed("/layers/0/urls", json!(null)), None);
    assert_eq!(changed("/artifactType", json!("")), None);
    assert_eq!(changed("/annotations", json!({"a": "b"})), None);
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(changed("/mediaType", json!(docker)), None);
}

#[test]
fn anything_unusual_is_left_to_the_runtime() {
    let (one, text) = (digest('1'), str::to_owned);
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let distributable = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    let sha512 = format!("sha512:{}", "a".repeat(128));
    let short = "sha256:ab";
    let table = [
        ("/mediaType", json!("x/y"), Fallback::ManifestType(text("x/y"))),
        ("/artifactType", json!("x/y"), Fallback::Artifact(text("x/y"))),
        ("/config/mediaType", json!("x/y"), Fallback::ConfigType(text("x/y"))),
        ("/config/size", json!(5 << 20), Fallback::ConfigSize(5 << 20)),
        ("/config/digest", json!(sha512), Fallback::Digest(sha512.clone())),
        ("/layers", json!([]), Fallback::Layers(0)),
        ("/layers/0/urls", json!(["https://x"]), Fallback::ForeignLayer(one.clone())),
        ("/layers/0/mediaType", json!(foreign), Fallback::ForeignLayer(one.clone())),
        ("/layers/0/mediaType", json!(distributable), Fallback::ForeignLayer(one.clone())),
        ("/layers/0/mediaType", json!(encrypted), Fallback::EncryptedLayer(one.clone())),
        ("/layers/0/mediaType", json!("x/y"), Fallback::LayerType(text("x/y"))),
        ("/layers/0/mediaType", json!(""), Fallback::LayerType(text(""))),
        ("/layers/0/digest", json!(short), Fallback::Digest(text(short))),
        ("/layers/0/size", json!(0), Fallback::Size(one.clone())),
        ("/layers/0/size", json!(-1), Fallback::Size(one.clone())),
        ("/layers/0", json!({"mediaType": LAYER, "digest": one}), Fallback::Size(one.clone())),
    ];
    for (pointer, value, expected) in table {
        assert_eq!(changed(pointer, value.clone()), Some(expected), "{pointer} {value}");
    }
}

#[test]
fn text_from_the_registry_is_quoted_and_cut() {
    let long = format!("\u{1b}[31m{}", "x".repeat(1000));
    let text = Fallback::LayerType(long).to_string();
    assert!(text.starts_with("it has a layer with the unknown media type \"\\u{1b}[31mxxx"));
    assert!(text.len() < 200, "{text}");
}
