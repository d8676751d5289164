//! Views: the files that workflow engines find there start, with sifcache off and the registry
//! stopped.

use crate::kit::registry::digest;
use crate::kit::{IMAGE, OTHER, SHARED, Site, WHICH, with_hub};
use serde_json::Value;

const VIEW: &str = "/shared/views";
const ENGINES: &str = "nextflow,cwltool,miniwdl,snakemake,shpc";

/// Runs `sifcache` as root on the login node, on the shared root.
#[track_caller]
fn sifcache(site: &Site, words: &[&str]) -> String {
    let words = [&["sifcache", words[0], "--root", SHARED], &words[1..]].concat();
    let output = site.exec(&[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
    output.stdout
}

fn new_view(site: &Site) {
    let output = site.exec(&[], &["rm", "-rf", VIEW], "");
    assert_eq!(output.status, 0, "{output:#?}");
    sifcache(site, &["view", VIEW, "--for", ENGINES]);
}

/// The engines and paths of all names that lead to this reference.
fn names(site: &Site, reference: &str) -> Vec<(String, String)> {
    let object: Value =
        serde_json::from_str(&sifcache(site, &["view", "--list", "--json"])).unwrap();
    let names = object["names"].as_array().unwrap().iter();
    let text = |name: &Value, key: &str| name[key].as_str().unwrap().to_owned();
    names
        .filter(|name| name["reference"] == reference)
        .map(|name| (text(name, "engine"), text(name, "path")))
        .collect()
}

/// Nextflow clears the environment, cwltool and Snakemake bind directories: the launch itself is
/// the same for all of them.
#[test]
#[ignore = "needs a testbed: make test"]
fn each_name_starts_with_the_registry_stopped() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    new_view(&site);
    let names = names(&site, IMAGE);
    // Two spellings for each of five directories; shpc needs the digest.
    assert_eq!(names.len(), 10, "{names:?}");
    let flags = ["srun", "--sif-cache=off", "env", "-", "PATH=/usr/bin:/bin", "apptainer", "exec"];
    for (_, path) in &names {
        site.alice(&[&flags, [path.as_str()].as_slice(), &WHICH].concat()).ran(IMAGE);
    }
    // The plugin leaves such a launch as it is.
    site.srun(&["apptainer", "exec", &names[0].1, WHICH[0], WHICH[1]]).ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_image_that_was_pulled() {
    let site = Site::new("");
    new_view(&site);
    let digest = with_hub(|| {
        sifcache(&site, &["add", OTHER]);
        digest(OTHER)
    });
    let names = names(&site, OTHER);
    let of_shpc = |(engine, path): &&(String, String)| {
        engine == "shpc" && path.ends_with(&format!("-{digest}.sif"))
    };
    let found = names.iter().find(of_shpc);
    let (_, path) = found.unwrap_or_else(|| panic!("{names:?}"));
    let words = ["srun", "--sif-cache=off", "apptainer", "exec", path, WHICH[0], WHICH[1]];
    site.alice(&words).ran(OTHER);
    sifcache(&site, &["verify"]);
    sifcache(&site, &["remove", "--yes", OTHER]);
    let listed = sifcache(&site, &["view", "--list"]);
    assert_eq!(listed, "no names\n");
    // Later commands must not update this view.
    sifcache(&site, &["view", "--remove", VIEW]);
}
