//! The files of `examples/views`.

use super::site::Site;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The text of an example, with the view of this test in place of `/shared/views`.
fn example(site: &Site, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/views").join(name);
    fs::read_to_string(path).unwrap().replace("/shared/views", &site.tree.text("view"))
}

/// The output of a shell script.
#[track_caller]
fn sh(script: &str, words: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new("/bin/sh");
    command.args(["-euc", script, "sh"]).args(words).env_clear();
    let output = command.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn variables_for_all_users() {
    let Some(site) = Site::with_view("nextflow,miniwdl") else { return };
    let script = example(&site, "profile.sh") + "\n/usr/bin/env";
    let own = [("NXF_SINGULARITY_LIBRARYDIR", "/own")];
    let text = sh(&script, &[], &own);
    let expected = [
        ("NXF_APPTAINER_LIBRARYDIR", site.tree.text("view/nextflow")),
        ("NXF_SINGULARITY_LIBRARYDIR", "/own".to_owned()),
        ("MINIWDL__SINGULARITY__IMAGE_CACHE", site.tree.text("view/miniwdl")),
    ];
    for (name, value) in &expected {
        assert!(text.lines().any(|line| line == format!("{name}={value}")), "{name}: {text}");
    }
    // The view has no directory for cwltool.
    assert!(!text.contains("CWL_SINGULARITY_CACHE"), "{text}");
    let text = sh(&example(&site, "task-prolog"), &[], &own);
    let [nextflow, _, miniwdl] = expected.map(|(name, value)| format!("export {name}={value}\n"));
    assert_eq!(text, nextflow + &miniwdl);
}

#[test]
fn a_cache_of_the_user_for_toil() {
    let Some(site) = Site::with_view("miniwdl") else { return };
    site.import(2, "o/two:1");
    let (view, home) = (site.tree.text("view/miniwdl"), site.tree.text("home"));
    let own = site.tree.file("home/.cache/miniwdl/docker___o_good_1.sif", b"own");
    let run =
        || sh(&example(&site, "toil-wdl"), &[&view], &[("HOME", &home), ("PATH", "/usr/bin:/bin")]);
    assert_eq!(run(), "");
    let link = site.tree.path("home/.cache/miniwdl/docker___o_two_1.sif");
    assert_eq!(fs::canonicalize(&link).unwrap(), site.tree.path("root/o/two:1"));
    assert_eq!(fs::read(&own).unwrap(), b"own");
    site.good(&["remove", "--yes", "o/two:1"]);
    run();
    assert!(!link.is_symlink() && own.exists());
}

/// The setting of the profile is the directory that the view has for Snakemake.
#[test]
fn a_profile_for_snakemake() {
    let Some(site) = Site::with_view("snakemake") else { return };
    let text = example(&site, "snakemake/config.yaml");
    let prefix = text.lines().find_map(|line| line.strip_prefix("apptainer-prefix: ")).unwrap();
    assert_eq!(fs::read_dir(prefix).unwrap().count(), 2);
}
