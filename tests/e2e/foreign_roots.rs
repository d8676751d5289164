//! Image roots that other tools fill, together with pulls, builds, views and `sifcache stage`.

use crate::kit::tree::sha256;
use crate::kit::{IMAGE, LOCAL, Output, SHARED, Site, WHICH, inside};
use crate::layouts::{BIOCONTAINER, fill};
use std::fs;

const RUNTIME: &str = "/usr/bin/apptainer";
const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";
const CACHED: &str = "INFO:    Using cached SIF image\n";
const ORAS: &str = "oras://registry.example.org/lab/tool:1";

fn sifcache(site: &Site, words: &[&str]) -> Output {
    site.exec(&[], &[&["sifcache"], words].concat(), "")
}

/// Puts these image roots, and other settings, in effect.
fn set(site: &Site, settings: &str) {
    site.plugstack(&format!("optional spank_sifcache.so image_root={settings}\n"));
}

/// The site may change such a file, and nothing in the tree has a name by digest that stays.
#[test]
#[ignore = "needs a testbed: make test"]
fn pulls_are_copies_and_builds_use_the_file() {
    let site = Site::new("");
    fill(&site);
    let docker = format!("docker://{IMAGE}");
    let galaxy = format!("docker://{BIOCONTAINER}");
    for (tool, uri) in
        [("galaxy", &galaxy), ("nextflow", &docker), ("pulls", &docker), ("shpc", &docker)]
    {
        set(&site, &format!("{SHARED}:{tool}=/shared/{tool} pull=link"));
        let output = site.alice(&[SHIM, "pull", "--force", "/home/alice/x", uri]);
        assert_eq!((output.status, output.stderr.as_str()), (0, CACHED), "{tool}: {output:#?}");
        let file = site.at("ctl", "/home/alice/x");
        assert!(fs::symlink_metadata(&file).unwrap().is_file(), "{tool}");
        let explained =
            site.alice(&["sifcache", "explain", "--json", "apptainer", "pull", "--name", "y", uri]);
        let page: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
        let candidates = page["candidates"].as_array().unwrap();
        let found = candidates.iter().find(|one| one["state"] == "image");
        let image = found.unwrap_or_else(|| panic!("{page:#}"))["path"].as_str().unwrap();
        assert_eq!(sha256(&site.at("ctl", image)), sha256(&file), "{tool}");
        let note = "the file is a copy: the image has no name by digest";
        assert!(page["notes"].to_string().contains(note), "{page:#}");
        site.logged("ctl", &format!("image={image} copied=no-digest-name\n"));
        site.launch(&[], "/home/alice/x").ran(IMAGE);
        let output = site.alice(&[SHIM, "build", "--force", "/home/alice/x", uri]);
        let message = format!("Verifying bootstrap image {image}\n");
        assert!(output.status == 0 && output.stderr.contains(&message), "{tool}: {output:#?}");
        site.launch(&[], "/home/alice/x").ran(IMAGE);
        set(&site, &format!("{tool}=/shared/{tool} pull=off"));
        for words in [&["pull"][..], &["build"]] {
            let words = [&[SHIM], words, &["--force", "/home/alice/x", uri]].concat();
            site.alice(&words).tried_the_registry();
        }
        site.launch(&[], uri).ran(IMAGE);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_view_beside_the_tree_of_another_tool() {
    let site = Site::new("");
    fill(&site);
    site.store(IMAGE, "o/i:1");
    site.exec(&[], &["rm", "-rf", "/shared/views"], "");
    // `pull=off` affects commands, but not views.
    set(&site, &format!("nextflow=/shared/nextflow:{SHARED} pull=off"));
    let before = fs::read_dir(site.at("ctl", "/shared/nextflow")).unwrap().count();
    for directory in ["/shared/nextflow", "/shared/nextflow/view"] {
        let refused = sifcache(&site, &["view", directory, "--for", "nextflow"]);
        assert_eq!(refused.status, 64, "{refused:#?}");
    }
    assert_eq!(fs::read_dir(site.at("ctl", "/shared/nextflow")).unwrap().count(), before);
    let made = sifcache(&site, &["view", "/shared/views", "--for", "nextflow"]);
    assert_eq!(made.status, 0, "{made:#?}");
    let names = site.alice(&["ls", "/shared/views/nextflow"]);
    assert_eq!(names.stdout, "docker.io-o-i-1.img\no-i-1.img\n", "{names:#?}");
    let words = ["srun", "-w", "n1", RUNTIME, "exec", "/shared/views/nextflow/o-i-1.img"];
    site.alice(&[&words[..], &WHICH].concat()).ran(IMAGE);
    let removed = sifcache(&site, &["view", "--remove", "/shared/views"]);
    assert_eq!(removed.status, 0, "{removed:#?}");
}

/// Nodes get the images of other transports and of other tools under sifcache's names.
#[test]
#[ignore = "needs a testbed: make test"]
fn staged_images() {
    let site = Site::new("");
    fill(&site);
    let roots = format!("{LOCAL}:galaxy=/shared/galaxy:{SHARED}");
    set(&site, &roots);
    let imported = sifcache(&site, &["import", &inside(IMAGE), ORAS]);
    assert_eq!(imported.status, 0, "{imported:#?}");
    let galaxy = format!("docker://{BIOCONTAINER}");
    let staged = sifcache(&site, &["stage", "--nodes", "n1", ORAS, &galaxy]);
    assert_eq!(staged.status, 0, "{staged:#?}");
    let oras = "_oras/registry.example.org/lab/tool:1";
    for (uri, name) in [(ORAS, oras), (&galaxy, BIOCONTAINER)] {
        site.launch(&["-w", "n1"], uri).ran(IMAGE);
        site.logged("n1", &format!("image={LOCAL}/{name}\n"));
    }
    site.launch(&["-w", "n2"], ORAS).ran(IMAGE);
    site.logged("n2", &format!("image={SHARED}/{oras}\n"));
    let again = sifcache(&site, &["stage", "--nodes", "n1", ORAS, &galaxy]);
    assert_eq!(again.stdout.matches("present").count(), 2, "{again:#?}");
}
