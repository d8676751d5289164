//! Lookups in image roots that other tools fill.

use super::super::{Candidate, Inline, roots, search};
use super::assert_ways_agree;
use crate::image::State::{self, Absent, Image, NoOrigin, SeveralFiles, Untrusted};
use crate::image::tests::{TestRoot, sif, sif_from};
use crate::image_uri::ImageUri;
use crate::settings::{self, Settings};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn look(value: &str, uri: &str) -> Vec<Candidate> {
    let settings = Settings::parse(&[format!("image_root={value}")]).unwrap();
    let uri = ImageUri::parse(format!("docker://{uri}").as_bytes()).unwrap();
    let (roots, untrusted) = (roots(&settings, &uri), settings::Untrusted::Refuse);
    let found = search(&roots, untrusted, &Inline);
    assert_ways_agree(&roots, untrusted);
    found
}

fn states(root: &TestRoot, layout: &str, uri: &str) -> Vec<State> {
    let value = format!("{layout}={}", root.path().display());
    look(&value, uri).into_iter().map(|candidate| candidate.state).collect()
}

fn other(reference: &str) -> State {
    State::OtherOrigin(reference.to_owned())
}

#[test]
fn a_depot_is_searched_only_for_its_images() {
    let Some(root) = TestRoot::new() else { return };
    root.file("samtools:1", &sif());
    assert_eq!(states(&root, "galaxy", "quay.io/biocontainers/samtools:1"), [Image]);
    assert_eq!(states(&root, "galaxy", "quay.io/biocontainers/samtools:2"), [Absent]);
    assert!(states(&root, "galaxy", "samtools:1").is_empty());
    assert!(look("galaxy=/nowhere", "samtools:1").is_empty(), "the root is not accessed");
    // In its own layout, the same file is another image.
    let own = look(&root.path().display().to_string(), "samtools:1");
    assert_eq!(own[0].state, Image);
}

/// `o/a-b:1` and `o-a/b:1` have one name in a cache of Nextflow.
#[test]
fn a_shared_name_is_an_image_only_of_the_recorded_reference() {
    let Some(root) = TestRoot::new() else { return };
    let nextflow = |uri: &str| states(&root, "nextflow", uri);
    root.file("o-a-b-1.img", &sif_from("bootstrap: docker\nfrom: o/a-b:1\n"));
    assert_eq!(nextflow("o/a-b:1"), [Image]);
    assert_eq!(nextflow("o-a/b:1"), [other("docker.io/o/a-b:1")]);
    // Nextflow has another file for another spelling, which records the same reference.
    assert_eq!(nextflow("docker.io/o/a-b:1"), [Absent]);
    root.file("docker.io-o-a-b-1.img", &sif_from("bootstrap: docker\nfrom: docker.io/o/a-b:1\n"));
    assert_eq!(nextflow("docker.io/o/a-b:1"), [Image]);
    for text in [
        "bootstrap: library\nfrom: o/a-b:1",
        "bootstrap: docker\nfrom: o/a-b:1\n%post\n apk add x",
        "bootstrap: localimage\nfrom: o-a-b-1.img",
        "",
    ] {
        root.file("o-a-b-1.img", &sif_from(text));
        assert_eq!(nextflow("o/a-b:1"), [NoOrigin], "{text}");
    }
    root.file("o-a-b-1.img", &sif());
    assert_eq!(nextflow("o/a-b:1"), [NoOrigin], "no definition");
    let long = format!("bootstrap: docker\nfrom: o/a-b:1\n#{}", "x".repeat(5000));
    root.file("o-a-b-1.img", &sif_from(&long));
    assert_eq!(nextflow("o/a-b:1"), [NoOrigin], "a long definition");
    root.file("o-a-b-1.img", b"");
    assert_eq!(nextflow("o/a-b:1"), [State::Empty]);
}

#[test]
fn a_pull_under_its_default_name() {
    let Some(root) = TestRoot::new() else { return };
    let pulls = |uri: &str| states(&root, "pulls", uri);
    root.file("i_1.sif", &sif_from("bootstrap: docker\nfrom: quay.io/o/i:1\n"));
    assert_eq!(pulls("quay.io/o/i:1"), [Image]);
    for wanted in ["o/i:1", "i:1", "quay.io/p/i:1"] {
        assert_eq!(pulls(wanted), [other("quay.io/o/i:1")], "{wanted}");
    }
    let hex = "0f".repeat(32);
    let from = |digest: &str| format!("bootstrap: docker\nfrom: o/i@sha256:{digest}");
    root.file(&format!("i@sha256_{hex}.sif"), &sif_from(&from(&hex)));
    assert_eq!(pulls(&format!("o/i@sha256:{hex}")), [Image]);
    // A file that was renamed.
    root.file(&format!("i@sha256_{hex}.sif"), &sif_from(&from(&"00".repeat(32))));
    let theirs = format!("docker.io/o/i@sha256:{}", "00".repeat(32));
    assert_eq!(pulls(&format!("o/i@sha256:{hex}")), [other(&theirs)]);
    root.file("i_1.sif", &sif_from(&from(&hex)));
    assert_eq!(pulls("o/i:1"), [other(&format!("docker.io/o/i@sha256:{hex}"))]);
}

#[test]
fn an_shpc_directory_has_one_image() {
    let Some(root) = TestRoot::new() else { return };
    let shpc = |uri: &str| states(&root, "shpc", uri);
    let (one, two) = ("0f".repeat(32), "f0".repeat(32));
    let from = |repository: &str, hex: &str| {
        sif_from(&format!("bootstrap: docker\nfrom: {repository}@sha256:{hex}"))
    };
    let name = |hex: &str| format!("o/i/1/o-i-1-sha256:{hex}.sif");
    assert_eq!(shpc("o/i:1"), [Absent]);
    root.file("o/i/1/99-shpc.sh", b"");
    assert_eq!(shpc("o/i:1"), [Absent]);
    let path = root.file(&name(&one), &from("o/i", &one));
    assert_eq!(shpc("o/i:1"), [Image]);
    let found = look(&format!("shpc={}", root.path().display()), "o/i:1");
    assert_eq!(found[0].path, path);
    assert_eq!(shpc(&format!("o/i:1@sha256:{one}")), [Image]);
    assert_eq!(shpc(&format!("o/i:1@sha256:{two}")), [Absent]);
    root.file(&name(&one), &from("p/i", &one));
    assert_eq!(shpc("o/i:1"), [other(&format!("docker.io/p/i@sha256:{one}"))]);
    root.file(&name(&one), &from("o/i", &two));
    assert_eq!(shpc("o/i:1"), [other(&format!("docker.io/o/i@sha256:{two}"))]);
    // The runtime has taken the image from its own cache.
    root.file(&name(&one), &sif_from("bootstrap: docker\nfrom: o/i:1"));
    assert_eq!(shpc("o/i:1"), [Image]);
    assert_eq!(shpc(&format!("o/i:1@sha256:{one}")), [other("docker.io/o/i:1")]);
    root.file(&name(&one), &sif_from("bootstrap: docker\nfrom: o/i:2"));
    assert_eq!(shpc("o/i:1"), [other("docker.io/o/i:2")]);
    root.file(&name(&one), &from("o/i", &one));
    root.file(&name(&two), &from("o/i", &two));
    assert_eq!(shpc("o/i:1"), [SeveralFiles]);
    assert_eq!(shpc(&format!("o/i:1@sha256:{two}")), [Image]);
    for number in 0..100 {
        root.file(&format!("o/j/1/{number}"), b"");
    }
    assert_eq!(shpc("o/j:1"), [SeveralFiles]);
    root.file("o/k/1", &sif());
    assert_eq!(shpc("o/k:1"), [Absent]);
}

#[test]
fn the_trust_rules_are_those_of_other_roots() {
    let Some(root) = TestRoot::new() else { return };
    let hex = "0f".repeat(32);
    let from = format!("bootstrap: docker\nfrom: o/i@sha256:{hex}");
    root.file("i_1.sif", &sif_from("bootstrap: docker\nfrom: o/i:1"));
    root.file(&format!("o/i/1/o-i-1-sha256:{hex}.sif"), &sif_from(&from));
    for layout in ["pulls", "shpc"] {
        assert_eq!(states(&root, layout, "o/i:1"), [Image], "{layout}");
    }
    fs::set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
    for layout in ["pulls", "shpc"] {
        let states = states(&root, layout, "o/i:1");
        assert!(matches!(states[..], [Untrusted(_)]), "{layout}: {states:?}");
    }
}

#[test]
fn roots_are_searched_in_the_order_of_the_setting() {
    let (Some(first), Some(second)) = (TestRoot::new(), TestRoot::new()) else { return };
    first.file("i_1.sif", &sif_from("bootstrap: docker\nfrom: o/i:1"));
    second.file("o/i:1", &sif());
    let [first, second] = [&first, &second].map(|root| root.path().display().to_string());
    let hit = |value: &str| {
        let found = look(value, "o/i:1").into_iter().find(|one| one.state == Image).unwrap();
        found.path.display().to_string()
    };
    assert_eq!(hit(&format!("pulls={first}:{second}")), format!("{first}/i_1.sif"));
    assert_eq!(hit(&format!("{second}:pulls={first}")), format!("{second}/o/i:1"));
    let missing = look(&format!("pulls=/nowhere:{second}"), "o/i:1");
    assert_eq!((missing[0].state.clone(), missing[1].state.clone()), (State::NoRoot, Image));
}
