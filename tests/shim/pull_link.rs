//! Pulls with `pull=link`: a link to the image's name by digest, or a copy.

use crate::call::{Call, Outcome};
use crate::kit::Site;
use sif_fixture::Sif;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const CACHED: &str = "INFO:    Using cached SIF image\n";

fn pinned() -> String {
    format!("o/i@sha256:{}", "0f".repeat(32))
}

/// A site with an empty directory `work`, and a name by digest of the image.
fn site() -> Site {
    let site = Site::new();
    fs::create_dir(site.path("work")).unwrap();
    fs::hard_link(site.image(), site.path("roots").join(pinned())).unwrap();
    site
}

/// `apptainer ARGUMENTS` in the directory `work`.
fn call<'a>(site: &'a Site, arguments: &str) -> Call<'a> {
    let command = format!("apptainer {arguments}");
    let words: Vec<&str> = command.split(' ').collect();
    let settings = format!("{} pull=link", site.settings());
    site.call(&words).settings(Some(&settings)).set_up("directory", &site.text("work"))
}

/// Asserts that the pull succeeded without the runtime. Returns the target of the link, or `None`
/// if the file is a copy.
#[track_caller]
fn link(site: &Site, outcome: &Outcome, name: &str) -> Option<PathBuf> {
    assert!(outcome.report.is_none() && outcome.status == Some(0), "{outcome:#?}");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", CACHED));
    let path = site.path("work").join(name);
    assert_eq!(fs::read(&path).unwrap(), fs::read(site.image()).unwrap());
    let names = fs::read_dir(site.path("work")).unwrap();
    for entry in names {
        assert!(!entry.unwrap().file_name().to_str().unwrap().starts_with("tmp-copy-"));
    }
    fs::read_link(path).ok()
}

#[test]
fn a_hit_is_linked_to_the_name_by_digest() {
    let site = site();
    let to = site.path("roots").join(pinned());
    for (arguments, name) in [
        ("pull docker://o/i:1", "i_1.sif"),
        ("pull --dir ../work x docker://docker.io/o/i:1", "x"),
        (&format!("pull y docker://{}", pinned()), "y"),
    ] {
        assert_eq!(link(&site, &call(&site, arguments).run(), name), Some(to.clone()));
    }
    // The tag moves; the links do not.
    fs::remove_file(site.image()).unwrap();
    fs::write(site.image(), "another").unwrap();
    let kept = fs::read(to).unwrap();
    assert_eq!(fs::read(site.path("work/i_1.sif")).unwrap(), kept);
}

#[test]
fn existing_files_are_handled_as_with_a_copy() {
    let site = site();
    fs::write(site.path("work/file"), "old").unwrap();
    fs::create_dir(site.path("work/directory")).unwrap();
    symlink("file", site.path("work/link")).unwrap();
    symlink("nowhere", site.path("work/dangling")).unwrap();
    for name in ["file", "directory", "link"] {
        call(&site, &format!("pull {name} docker://o/i:1")).is_bare();
    }
    for arguments in ["pull dangling docker://o/i:1", "pull -F link docker://o/i:1"] {
        let name = arguments.split(' ').rev().nth(1).unwrap();
        assert!(link(&site, &call(&site, arguments).run(), name).is_some());
    }
    assert_eq!(fs::read(site.path("work/file")).unwrap(), b"old");
    assert!(link(&site, &call(&site, "pull -F file docker://o/i:1").run(), "file").is_some());
    let copying =
        "FATAL:   While making image from oci registry: error copying image out of cache: ";
    call(&site, "pull -F directory docker://o/i:1")
        .run()
        .ended(255, &format!("{CACHED}{copying}could not rename temporary file in copy: rename "));
    call(&site, "-q pull nowhere/x docker://o/i:1").run().ended(
        255,
        &format!("{copying}could not open temporary file for copy: failed to create temporary"),
    );
    assert_eq!(fs::read_dir(site.path("work")).unwrap().count(), 4);
}

/// A rename would replace the only file of the image with a link to itself.
#[test]
fn a_pull_onto_the_image_itself() {
    let site = site();
    let image = fs::read(site.image()).unwrap();
    fs::remove_file(site.image()).unwrap();
    let file = site.path("roots").join(pinned());
    let arguments = format!("pull --force {} docker://{}", file.display(), pinned());
    let outcome = call(&site, &arguments).run();
    assert!(outcome.report.is_none() && outcome.status == Some(0), "{outcome:#?}");
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    assert_eq!(fs::read(&file).unwrap(), image);
}

#[test]
fn an_image_without_a_name_by_digest_is_copied() {
    let site = site();
    fs::remove_file(site.path("roots").join(pinned())).unwrap();
    assert_eq!(link(&site, &call(&site, "pull x docker://o/i:1").run(), "x"), None);
    Sif::image().write(site.path("roots").join(pinned())).unwrap();
    assert_eq!(link(&site, &call(&site, "pull y docker://o/i:1").run(), "y"), None);
    let verbose = call(&site, "pull z docker://o/i:1").variable("SRUN_DEBUG=4").run();
    verbose.ended(0, "sifcache: the file is a copy, not a link: the image has no name by digest\n");
}

/// The roots before the last one may be on the disk of this node.
#[test]
fn the_link_leads_to_the_last_root() {
    let site = site();
    let settings =
        format!("image_root={}:{} untrusted=accept", site.text("roots"), site.text("shared"));
    fs::create_dir_all(site.path("shared/o")).unwrap();
    let run = |name: &str| {
        let call = call(&site, &format!("pull {name} docker://o/i:1"));
        call.settings(Some(&format!("{settings} syslog=off pull=link"))).run()
    };
    assert_eq!(link(&site, &run("x"), "x"), None);
    fs::copy(site.image(), site.path("shared").join(pinned())).unwrap();
    let to = site.path("shared").join(pinned());
    assert_eq!(link(&site, &run("y"), "y"), Some(to));
}
