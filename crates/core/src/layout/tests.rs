use super::{Layout, Place};
use crate::image_uri::ImageUri;

fn names(layout: Layout, uri: &str) -> Vec<String> {
    let uri = ImageUri::parse(format!("docker://{uri}").as_bytes()).unwrap();
    layout.places(&uri).iter().map(|place| place.name().into_owned()).collect()
}

fn digest() -> String {
    format!("sha256:{}", "0f".repeat(32))
}

#[test]
fn galaxy_has_only_tags_of_biocontainers() {
    let one = |uri: &str| names(Layout::Galaxy, uri);
    let tag = "samtools:1.21--h50ea8bc_0";
    assert_eq!(one(&format!("quay.io/biocontainers/{tag}")), [tag]);
    let mulled = "mulled-v2-0a1b:e83f-0";
    assert_eq!(one(&format!("quay.io/biocontainers/{mulled}")), [mulled]);
    for other in [
        format!("biocontainers/{tag}"),
        format!("docker.io/biocontainers/{tag}"),
        format!("quay.io/other/{tag}"),
        format!("quay.io/biocontainers/a/{tag}"),
        format!("quay.io:443/biocontainers/{tag}"),
        format!("quay.io/biocontainers/samtools@{}", digest()),
        format!("quay.io/biocontainers/{tag}@{}", digest()),
        "samtools:1".to_owned(),
    ] {
        assert!(one(&other).is_empty(), "{other}");
    }
}

#[test]
fn nextflow_replaces_slashes_and_colons_of_the_typed_text() {
    let one = |uri: &str| names(Layout::Nextflow, uri);
    assert_eq!(one("o/i:1"), ["o-i-1.img"]);
    assert_eq!(one("docker.io/o/i:1"), ["docker.io-o-i-1.img"]);
    assert_eq!(one("quay.io/o/i:1"), ["quay.io-o-i-1.img"]);
    assert_eq!(one("ubuntu"), ["ubuntu.img"]);
    assert_eq!(one("ubuntu:latest"), ["ubuntu-latest.img"]);
    assert_eq!(one("localhost:5000/i:1"), ["localhost-5000-i-1.img"]);
    assert_eq!(one("o/i.sif:1"), ["o-i-1.sif"]);
    assert_eq!(one("o/i:1.sif"), ["o-i-1.sif"]);
    assert_eq!(one("o/i.sif:1.sif"), ["o-i-1.sif.sif"]);
    let hex = "0f".repeat(32);
    let name = format!("quay.io-o-i@sha256-{hex}.img");
    assert_eq!(one(&format!("quay.io/o/i@sha256:{hex}")), [name]);
}

#[test]
fn pulls_have_the_default_name_of_the_runtime() {
    let one = |uri: &str| names(Layout::Pulls, uri);
    for uri in ["alpine", "alpine:latest", "docker.io/library/alpine", "quay.io/o/alpine"] {
        assert_eq!(one(uri), ["alpine_latest.sif"], "{uri}");
    }
    assert_eq!(one("o/environments:cuda-11.3_x"), ["environments_cuda-11.3_x.sif"]);
    let hex = "0f".repeat(32);
    assert_eq!(one(&format!("o/i@sha256:{hex}")), [format!("i@sha256_{hex}.sif")]);
    assert!(one(&format!("o/i:1@sha256:{hex}")).is_empty());
}

#[test]
fn shpc_has_a_directory_for_each_tag() {
    let one = |uri: &str| names(Layout::Shpc, uri);
    assert_eq!(one("alpine:3.20"), ["alpine/3.20/alpine-3.20-*.sif"]);
    assert_eq!(one("docker.io/library/alpine:3.20"), ["alpine/3.20/alpine-3.20-*.sif"]);
    assert_eq!(
        one("quay.io/biocontainers/samtools:1"),
        ["quay.io/biocontainers/samtools/1/quay.io-biocontainers-samtools-1-*.sif"]
    );
    let digest = digest();
    assert_eq!(one(&format!("o/i:1@{digest}")), [format!("o/i/1/o-i-1-{digest}.sif")]);
    assert!(one(&format!("o/i@{digest}")).is_empty());
}

#[test]
fn only_the_name_of_an_shpc_image_has_a_digest() {
    let uri = ImageUri::parse(b"docker://o/i:1").unwrap();
    let [Place::ByDigest(by)] = &Layout::Shpc.places(&uri)[..] else { panic!("one place") };
    let digest = digest();
    assert_eq!(by.digest_in(&format!("o-i-1-{digest}.sif")), Some(digest.as_str()));
    for other in [
        "99-shpc.sh".to_owned(),
        format!("o-i-1-{digest}"),
        format!("o-i-1-{digest}.sif.old"),
        format!("o-i-2-{digest}.sif"),
        "o-i-1-sha256:0f.sif".to_owned(),
        format!("o-i-1-sha256:{}.sif", "0F".repeat(32)),
        format!("o-i-1-sha256:{}.sif", "../".repeat(22)),
    ] {
        assert_eq!(by.digest_in(&other), None, "{other}");
    }
}

/// Each further name would be another request to the file server on every miss.
#[test]
fn each_layout_has_at_most_one_place() {
    let digest = digest();
    for uri in
        ["ubuntu", "docker.io/o/i:1", "o/i.sif", &format!("quay.io/biocontainers/i:1@{digest}")]
    {
        for layout in Layout::ALL {
            assert!(names(*layout, uri).len() <= 1, "{layout}: {uri}");
        }
    }
}

#[test]
fn a_word_in_front_of_a_path_names_a_layout() {
    for layout in Layout::ALL {
        assert_eq!(Layout::split(&format!("{layout}=/a=b")), Some((*layout, "/a=b")));
    }
    for other in ["/a", "/galaxy=/a", "galaxi=/a", "=/a", ""] {
        assert_eq!(Layout::split(other), None, "{other}");
    }
}
