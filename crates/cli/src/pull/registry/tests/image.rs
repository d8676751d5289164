use crate::pull::registry::test_double::{
    FaultyServer, Reply, client, descriptor, digest_of, noise,
};
use crate::pull::registry::{Cancel, Fallback};
use serde_json::{Value, json};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn config() -> String {
    json!({"architecture": "amd64", "os": "linux", "config": {}}).to_string()
}

fn manifest_of(config: &str, blob: &[u8]) -> String {
    let config_type = "application/vnd.oci.image.config.v1+json";
    let layer = json!({"mediaType": LAYER, "digest": digest_of(blob), "size": blob.len()});
    json!({
        "schemaVersion": 2,
        "config": {"mediaType": config_type, "digest": digest_of(config.as_bytes()),
            "size": config.len()},
        "layers": [layer],
    })
    .to_string()
}

fn index_of(entries: &[Value]) -> String {
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries})
    .to_string()
}

/// Serves `tag` as the tag `1`, and everything under its digest.
fn serving(tag: &str, others: &[&str]) -> FaultyServer {
    let (tag, all) = (tag.to_owned(), [others, &[tag]].concat());
    let all: Vec<Vec<u8>> = all.iter().map(|text| text.as_bytes().to_vec()).collect();
    FaultyServer::new(move |request| {
        let name = request.line.rsplit('/').next().unwrap();
        let found = all.iter().find(|blob| digest_of(blob) == name);
        match (name, found) {
            ("1", _) => Reply::new(200, tag.as_bytes()),
            (_, Some(blob)) => Reply::new(200, blob),
            (_, None) => Reply::new(404, b""),
        }
    })
}

#[test]
fn an_image_has_its_config_and_its_layers() {
    let blob = noise(100, 1);
    let config = config();
    let manifest = manifest_of(&config, &blob);
    let entry = json!({"digest": digest_of(manifest.as_bytes()), "size": 1,
        "platform": {"os": "linux", "architecture": "amd64"}});
    let index = index_of(&[entry]);
    let server = serving(&index, &[&manifest, &config]);
    let (client, reference) = (client(), server.reference());
    let image = client.image(&reference, "amd64").unwrap();
    let digests = [digest_of(index.as_bytes()), digest_of(manifest.as_bytes())];
    assert_eq!(image.manifest.digests, digests);
    assert_eq!(image.manifest.compressed, 100);
    let content = image.content.unwrap();
    assert_eq!(content.config.digest, digest_of(config.as_bytes()));
    assert_eq!(content.layers, [descriptor(&blob)]);
    let lines = || server.requests().into_iter().map(|one| one.line).collect::<Vec<String>>();
    let blobs = || lines().iter().filter(|line| line.contains("/blobs/")).count();
    // The content may be in the cache already, so nothing is downloaded yet.
    assert_eq!(blobs(), 0, "{:?}", lines());
    let read = client.config(&reference, &content, &Cancel::default()).unwrap();
    assert_eq!(read, config.clone().into_bytes());
    assert_eq!(blobs(), 1, "{:?}", lines());
}

#[test]
fn another_config_is_left_to_the_runtime() {
    let blob = noise(100, 1);
    let config = config();
    let wrong = manifest_of(&config.replace("amd64", "arm64"), &blob);
    let server = FaultyServer::new(move |request| match request.line.contains("/blobs/") {
        true => Reply::new(200, config.as_bytes()),
        false => Reply::new(200, wrong.as_bytes()),
    });
    let (client, reference) = (client(), server.reference());
    let content = client.image(&reference, "amd64").unwrap().content.unwrap();
    let error = client.config(&reference, &content, &Cancel::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("127.0.0.1"), "{text}");
    assert!(text.contains("its digest is sha256:"), "{text}");
}

#[test]
fn unsupported_manifests_are_reported_with_their_digests() {
    let blob = noise(100, 1);
    let odd = manifest_of("{}", &blob).replace(LAYER, "x/y");
    let image = client().image(&serving(&odd, &[]).reference(), "amd64").unwrap();
    assert_eq!(image.content, Err(Fallback::LayerType("x/y".to_owned())));
    assert_eq!(image.manifest.digests, [digest_of(odd.as_bytes())]);
    assert_eq!(image.manifest.compressed, 100);
    let old = json!({"schemaVersion": 1, "fsLayers": []}).to_string();
    let image = client().image(&serving(&old, &[]).reference(), "amd64").unwrap();
    assert_eq!(image.content, Err(Fallback::Schema(1)));
    assert_eq!(image.manifest.digests, [] as [String; 0]);
    let good = manifest_of(&config(), &blob);
    let entry = json!({"digest": digest_of(good.as_bytes()), "size": 1,
        "platform": {"os": "linux", "architecture": "arm", "variant": "v6"}});
    let index = index_of(&[entry]);
    let image = client().image(&serving(&index, &[&good, &config()]).reference(), "arm").unwrap();
    assert_eq!(image.content, Err(Fallback::ArmVariant));
    let inner = index_of(&[]);
    let outer = index_of(&[json!({"digest": digest_of(inner.as_bytes()), "size": 1})]);
    let image = client().image(&serving(&outer, &[&inner]).reference(), "amd64").unwrap();
    assert_eq!(image.content, Err(Fallback::NestedIndex));
    assert_eq!(image.manifest.digests, [digest_of(outer.as_bytes())]);
}
