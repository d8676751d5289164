use super::server::{Deed, Response, Server};
use super::{anonymous, answer, digest_of, reference};
use crate::pull::registry::Manifest;
use serde_json::{Value, json};
use sifcache_core::sif::host_architecture;

fn image_of(sizes: &[i64]) -> Value {
    let descriptor = |size: i64| json!({"mediaType": "x", "digest": digest_of("x"), "size": size});
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor(7),
        "layers": sizes.iter().map(|size| descriptor(*size)).collect::<Vec<_>>(),
    })
}

/// Serves each body under its tag or digest.
fn manifests(table: Vec<(String, String)>) -> Server {
    Server::new(move |request| {
        let name = request.line.rsplit('/').next().unwrap();
        let found = table.iter().find(|(known, _)| known == name);
        found.map_or(answer(404, ""), |(_, body)| answer(200, body))
    })
}

#[test]
fn a_manifest_has_the_size_of_its_layers() {
    let image = image_of(&[100, 20, 3]).to_string();
    let server = manifests(vec![("1".into(), image.clone())]);
    let expected = Manifest { digests: vec![digest_of(&image)], compressed: 123 };
    assert_eq!(
        anonymous().image(&reference(&server, "o/i:1"), host_architecture()).unwrap().manifest,
        expected
    );
}

fn index_of(entries: &[(&str, &str)]) -> String {
    let entry = |(architecture, digest): &(&str, &str)| {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
            "digest": digest, "platform": {"os": "linux", "architecture": architecture}})
    };
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries.iter().map(entry).collect::<Vec<_>>()})
    .to_string()
}

#[test]
fn an_index_is_resolved_for_this_host() {
    let (own, other) = (image_of(&[5]).to_string(), image_of(&[6]).to_string());
    let (own_digest, other_digest) = (digest_of(&own), digest_of(&other));
    let index = index_of(&[("sparc64", &other_digest), (host_architecture(), &own_digest)]);
    let table = vec![
        ("1".into(), index.clone()),
        (own_digest.clone(), own),
        (other_digest.clone(), other.clone()),
        ("2".into(), index_of(&[("sparc64", &other_digest), ("mips", &other_digest)])),
    ];
    let server = manifests(table);
    let registry = anonymous();
    let expected = Manifest { digests: vec![digest_of(&index), own_digest], compressed: 5 };
    assert_eq!(
        registry.image(&reference(&server, "o/i:1"), host_architecture()).unwrap().manifest,
        expected
    );
    let error = registry.image(&reference(&server, "o/i:2"), host_architecture()).unwrap_err();
    assert!(error.no_platform() && !error.not_found(), "{error:?}");
    assert!(error.to_string().ends_with("only for mips, sparc64"), "{error}");
}

#[test]
fn an_invalid_manifest_is_an_error() {
    for body in ["<html>", r#"{"schemaVersion": 2}"#] {
        let server = manifests(vec![("1".into(), body.to_owned())]);
        let error =
            anonymous().image(&reference(&server, "o/i:1"), host_architecture()).unwrap_err();
        assert!(!error.not_found() && !error.is_unreachable(), "{error:?}");
        assert!(error.to_string().contains("with an invalid manifest"), "{error}");
    }
}

#[test]
fn a_wrong_digest_is_an_error() {
    let image = image_of(&[1]).to_string();
    let other = digest_of("other");
    let header = other.clone();
    let body = image.clone();
    let server = Server::new(move |_| {
        Deed::Answer(Response::new(200, &body).with("Docker-Content-Digest", &header))
    });
    let pinned = manifests(vec![(other.clone(), image.clone())]);
    for (server, rest) in [(&server, "o/i:1".to_owned()), (&pinned, format!("o/i@{other}"))] {
        let error = anonymous().image(&reference(server, &rest), host_architecture());
        let text = error.unwrap_err().to_string();
        assert!(text.ends_with(&format!("{} instead of {other}", digest_of(&image))), "{text}");
    }
}
