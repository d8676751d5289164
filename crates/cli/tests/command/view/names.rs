//! The links of a new view.

use super::site::{ALL, Site};
use crate::tree::mode_of;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

#[test]
fn each_engine_has_its_names() {
    let Some(site) = Site::new() else { return };
    // The engines have no names for images of other transports.
    site.tree.image("root/_oras/h.io/o/i:1", 2);
    let output = site.create(ALL);
    let expected = [
        "cwltool/docker.io_s_o_s_good:1.sif",
        "cwltool/o_s_good:1.sif",
        "cwltool-old/docker.io_o_good:1.sif",
        "cwltool-old/o_good:1.sif",
        "miniwdl/docker___docker.io_o_good_1.sif",
        "miniwdl/docker___o_good_1.sif",
        "nextflow/docker.io-o-good-1.img",
        "nextflow/o-good-1.img",
        // The MD5 of docker://o/good:1 and of docker://docker.io/o/good:1.
        "snakemake/21ec5456c251c67d89148e1ff7f57e72.simg",
        "snakemake/d97c83cd95e1c48507ab42281f2bef7e.simg",
    ];
    let entries = site.entries();
    assert_eq!(entries, expected, "{output:?}");
    for name in entries {
        assert_eq!(site.target(&name), "root/o/good:1", "{name}");
        // One symbolic link has all names.
        assert_eq!(fs::symlink_metadata(site.entry(&name)).unwrap().nlink(), 10, "{name}");
    }
    let row = format!("{}  ", site.tree.text("view/nextflow"));
    let row = output.stdout.lines().find(|line| line.starts_with(&row)).unwrap();
    assert!(row.ends_with("  NXF_APPTAINER_LIBRARYDIR, NXF_SINGULARITY_LIBRARYDIR"), "{row}");
    assert_eq!(row.split_whitespace().skip(1).take(4).collect::<Vec<_>>(), ["2", "2", "0", "0"]);
    assert!(output.stdout.ends_with("view: 1 reference\n"), "{}", output.stdout);
}

#[test]
fn latest_may_be_omitted_and_so_may_the_hub() {
    let Some(site) = Site::with_view("nextflow,cwltool") else { return };
    site.tree.image("root/alpine:latest", 2);
    site.good(&["view"]);
    let mut entries = site.entries();
    entries.retain(|name| name.contains("alpine") && !name.starts_with("cwltool-old"));
    let expected = [
        "cwltool/alpine:latest.sif",
        "cwltool/docker.io_s_alpine:latest.sif",
        "cwltool/docker.io_s_library_s_alpine:latest.sif",
        "cwltool/library_s_alpine:latest.sif",
        "nextflow/alpine-latest.img",
        "nextflow/alpine.img",
        "nextflow/docker.io-alpine-latest.img",
        "nextflow/docker.io-alpine.img",
        "nextflow/docker.io-library-alpine-latest.img",
        "nextflow/docker.io-library-alpine.img",
        "nextflow/library-alpine-latest.img",
        "nextflow/library-alpine.img",
    ];
    assert_eq!(entries, expected);
    assert!(expected.iter().all(|name| site.target(name) == "root/alpine:latest"));
    // A lookup finds a file without a tag only for a reference without a tag.
    site.tree.image("root/o/bare", 3);
    site.good(&["view"]);
    let mut entries = site.entries();
    entries.retain(|name| name.contains("bare") && !name.starts_with("cwltool-old"));
    assert_eq!(entries, ["cwltool/o_s_bare:latest.sif", "nextflow/o-bare.img"]);
}

#[test]
fn shpc_needs_the_digest() {
    let Some(site) = Site::with_view("shpc") else { return };
    assert!(site.entries().is_empty());
    let file = site.tree.image("two.sif", 2);
    site.good(&["import", "--digest", DIGEST, file.to_str().unwrap(), "quay.io/o/i:2"]);
    let name = format!("shpc/quay.io/o/i/2/quay.io-o-i-2-{DIGEST}.sif");
    assert_eq!(site.entries(), [name.as_str()]);
    assert_eq!(site.target(&name), "root/quay.io/o/i:2");
    assert_eq!(mode_of(&site.entry("shpc/quay.io/o/i/2")), 0o755);
    site.good(&["remove", "--yes", "quay.io/o/i:2"]);
    assert!(site.entries().is_empty() && !site.entry("shpc/quay.io").exists());
    assert!(site.entry("shpc").is_dir());
}

#[test]
fn a_reference_with_a_digest_has_names() {
    let Some(site) = Site::with_view("nextflow") else { return };
    let file = site.tree.image("two.sif", 2);
    site.good(&["import", "--digest", DIGEST, file.to_str().unwrap(), "o/i:2"]);
    let hex = DIGEST.strip_prefix("sha256:").unwrap();
    let name = format!("nextflow/o-i@sha256-{hex}.img");
    assert_eq!(site.target(&name), format!("root/o/i@{DIGEST}"));
}

#[test]
fn directories_are_readable_by_all_and_belong_to_the_owner_of_the_root() {
    let Some(site) = Site::new() else { return };
    std::os::unix::fs::chown(site.tree.path("root"), Some(999), Some(998)).unwrap();
    site.create("nextflow");
    for name in ["", "nextflow"] {
        let metadata = fs::metadata(site.entry(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (999, 998));
        assert_eq!(mode_of(&site.entry(name)), 0o755);
    }
}

#[test]
fn the_list_has_names_references_and_images() {
    let Some(site) = Site::with_view("nextflow,snakemake") else { return };
    let object = site.json(&["view", "--list"]);
    let names = object["names"].as_array().unwrap();
    assert_eq!(names.len(), 4, "{object:#}");
    for name in names {
        assert_eq!(name["reference"], "o/good:1");
        assert_eq!(name["image"], site.tree.text("root/o/good:1"));
    }
    assert_eq!(names[1]["path"], site.tree.text("view/nextflow/o-good-1.img"));
    assert_eq!(names[1]["engine"], "nextflow");
    let text = site.good(&["view", "--list", &site.tree.text("view")]).stdout;
    assert!(text.contains(&site.tree.text("view/nextflow/o-good-1.img")), "{text}");
    let elsewhere = site.run(&["view", "--list", &site.tree.text("elsewhere")]);
    assert_eq!(elsewhere.status, Some(64));
}
