use super::{sample, search};
use crate::commands::complete::SEARCH;
use sifcache_core::settings::Settings;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn root() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let pinned = format!("o/i@sha256:{}", "0f".repeat(32));
    for name in [
        "o/i:1",
        "o/i:2.sif",
        "o/README.md",
        &pinned,
        "ubuntu:22.04",
        "docker.io/library/alpine:3",
        "docker.io/o/k:1",
        "deep/only/one/i:1",
        "quay.io/o/a:1",
        "_oras/ghcr.io/o/i:1",
        "_https/h.io/d/i.sif",
        ".sifcache/metadata/o/x:1",
        "bad/$(id):1",
        "bad/i:1",
    ] {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    symlink("o", directory.path().join("linked")).unwrap();
    directory
}

fn of(settings: &Settings, typed: &str) -> String {
    search(settings, typed, SEARCH).into_iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn names_are_completed_one_component_at_a_time() {
    let root = root();
    let settings = Settings::with_roots(vec![root.path().to_owned()]);
    let pinned = format!("o/i@sha256:{}", "0f".repeat(32));
    for (typed, expected) in [
        ("", "alpine:3 bad/ deep/ docker.io/ https:// linked/ o/ oras:// quay.io/ ubuntu:22.04"),
        ("o", "o/ oras://"),
        ("o/", "o/i:1 o/i:2 o/k:1"),
        ("o/i:", "o/i:1 o/i:2"),
        ("o/i:2", "o/i:2"),
        ("o/i@", &pinned),
        ("o/none", ""),
        ("ubuntu", "ubuntu:22.04"),
        ("alp", "alpine:3"),
        ("linked/i:", "linked/i:1 linked/i:2"),
        ("deep/", "deep/only/one/i:1"),
        ("de", "deep/only/one/i:1"),
        ("bad/", "bad/i:1"),
        ("docker://o/i:", "docker://o/i:1 docker://o/i:2"),
        ("docker://ub", "docker://ubuntu:22.04"),
        ("docker:", "docker://"),
        ("docker.io/library/u", "docker.io/library/ubuntu:22.04"),
        ("docker.io/o/", "docker.io/o/i:1 docker.io/o/i:2 docker.io/o/k:1"),
        (
            "docker://docker.io/library/",
            "docker://docker.io/library/alpine:3 docker://docker.io/library/ubuntu:22.04",
        ),
        ("oras://", "oras://ghcr.io/o/i:1"),
        ("https://h", "https://h.io/d/i.sif"),
        ("_oras", ""),
        (".sif", ""),
        ("../", ""),
    ] {
        assert_eq!(of(&settings, typed), expected, "{typed}");
    }
}

#[test]
fn several_roots_and_those_of_galaxy() {
    let (one, two, depot) = (root(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |directory: &Path, name: &str| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    };
    write(two.path(), "o/z:1");
    write(depot.path(), "samtools:1.17--h0");
    write(depot.path(), "bwa:0.7");
    let [first, second, third] = [&one, &two, &depot].map(|one| one.path().display().to_string());
    let galaxy = format!("image_root={first}:{second}:galaxy={third}");
    let settings = Settings::parse(&[galaxy]).unwrap();
    for (typed, expected) in [
        ("o/", "o/i:1 o/i:2 o/k:1 o/z:1"),
        ("quay.io/", "quay.io/biocontainers/ quay.io/o/"),
        ("quay.io/b", "quay.io/biocontainers/bwa:0.7 quay.io/biocontainers/samtools:1.17--h0"),
        ("docker://quay.io/biocontainers/s", "docker://quay.io/biocontainers/samtools:1.17--h0"),
    ] {
        assert_eq!(of(&settings, typed), expected, "{typed}");
    }
}

/// A file belongs to the innermost root only, as for all other subcommands.
#[test]
fn names_of_nested_roots() {
    let (outer, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |directory: &Path, name: &str| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    };
    let at = |name: &str| outer.path().join(name);
    for name in ["o/i:1", "nest/o/n:1", "nest/o/m:1", "near/x:1", "docker.io/nest/y:1"] {
        write(outer.path(), name);
    }
    write(far.path(), "o/f:1");
    symlink(far.path(), at("linked")).unwrap();
    symlink(far.path().join("o"), at("behind")).unwrap();
    symlink(at("o"), at("own")).unwrap();
    fs::create_dir(at("inner")).unwrap();
    let link = far.path().join("link");
    symlink(at("inner"), &link).unwrap();
    let mut roots = vec![outer.path().to_owned(), at("nest"), far.path().to_owned(), link];
    roots.push(at("absent"));
    let settings = Settings::with_roots(roots);
    for (typed, expected) in [
        ("", "docker.io/ near/ o/ own/"),
        ("ne", "near/x:1"),
        ("nest/", "nest/y:1"),
        ("nest/o/", ""),
        ("linked/", ""),
        ("behind/", ""),
        ("own/", "own/i:1"),
        ("o/", "o/f:1 o/i:1 o/m:1 o/n:1"),
    ] {
        assert_eq!(of(&settings, typed), expected, "{typed}");
    }
}

#[test]
fn a_sample_has_the_same_common_beginning() {
    let names: Vec<String> = (0..1234).map(|number| format!("{number:04}")).collect();
    for most in [2, 3, 10, 500] {
        let few: Vec<&String> = sample(&names, most).collect();
        assert!(few.len() <= most, "{most}: {}", few.len());
        assert_eq!((few.first(), few.last()), (Some(&&names[0]), Some(&&names[1233])));
    }
    assert_eq!(sample(&names, 1234).count(), 1234);
    assert_eq!(sample(&[], 500).count(), 0);
}
