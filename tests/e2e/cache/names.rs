//! Names with every character that a reference may contain, and very many names.

use super::{done, objects, started};
use crate::kit::{IMAGE, SHARED, Site, inside, sif, tree};
use std::fs;
use std::os::unix::fs::FileExt;

#[test]
#[ignore = "needs a testbed: make test"]
fn every_legal_character() {
    let site = Site::new("");
    let words = "0123456789abcdefghijklmnopqrstuvwxyz";
    let tag = "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefghijklmnopqrstuvwxyz-_";
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let names = [
        format!("{words}/a.b_c__d-e---f:{tag}"),
        format!("registry.example.org:5000/{words}/x:{}", "t".repeat(128)),
        "[::1]:5000/o/i:1".to_owned(),
        "localhost/i:1".to_owned(),
        "Registry.Example.ORG/o/i:1".to_owned(),
        format!("o/i@{digest}"),
        format!("a/{}:1", vec!["b".repeat(50); 4].join("/")),
    ];
    for name in &names {
        done(&site, &["import", &inside(IMAGE), name]);
    }
    let root = site.at("ctl", SHARED);
    assert_eq!(tree::check(&root).len(), names.len());
    let output = done(&site, &["list", "--refs"]);
    let mut listed: Vec<&str> = output.stdout.lines().collect();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    for name in &names {
        started(&site, name).ran(IMAGE);
    }
    let verify = done(&site, &["verify"]);
    assert!(verify.stdout.contains("0 problems"), "{verify:#?}");
    // `add --from -` accepts the output of `list --refs`; all images are already there.
    let output = site.exec(&[], &["sifcache", "add", "--from", "-", "--json"], &output.stdout);
    assert_eq!(output.status, 0, "{output:#?}");
    assert!(objects(&output).iter().all(|one| one["status"] == "present"), "{output:#?}");
    for name in &names {
        done(&site, &["remove", "--yes", name]);
    }
    assert!(tree::check(&root).is_empty());
}

#[test]
#[ignore = "needs a testbed: make test"]
fn ten_thousand_images() {
    let site = Site::new("");
    let root = site.at("ctl", SHARED);
    let image = fs::read(sif(IMAGE)).unwrap();
    // Sparse files of the size that the header gives. They contain only the header, the
    // descriptors, and the superblock of the root file system.
    let superblock = image.windows(4).position(|bytes| bytes == b"hsqs").unwrap();
    let parts = [0..8192, superblock..superblock + 96];
    for group in 0..100 {
        fs::create_dir_all(root.join(format!("group{group}/team"))).unwrap();
        for number in 0..100 {
            let path = root.join(format!("group{group}/team/image{number}:1"));
            let file = fs::File::create(path).unwrap();
            file.set_len(image.len() as u64).unwrap();
            for part in &parts {
                file.write_all_at(&image[part.clone()], part.start as u64).unwrap();
            }
        }
    }
    let output = done(&site, &["list", "--json"]);
    let [object] = objects(&output).try_into().unwrap();
    assert_eq!(object["total"]["images"], 10_000);
    assert_eq!(object["images"].as_array().unwrap().len(), 10_000);
    let output = done(&site, &["list", "--repo", "group7/team/image3"]);
    assert!(output.stdout.contains("1 image, 1.08 MiB"), "{output:#?}");
    let output = done(&site, &["verify"]);
    assert!(output.stdout.contains("10000 files, 10000 images"), "{output:#?}");
}
