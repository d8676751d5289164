//! Subcommands at sites whose image roots other tools fill.

use serde_json::Value;
use sif_fixture::{Object, Sif};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// The exit status, standard output and standard error.
fn run(directory: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let output = command.args(words).env_clear().current_dir(directory).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn from(path: &Path, reference: &str) {
    let definition = format!("bootstrap: docker\nfrom: {reference}\n");
    Sif::image().with(Object::definition(definition)).write(path).unwrap();
}

/// A directory with a tree for each tool, named after its word in `image_root=`.
fn trees() -> TempDir {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    Sif::image().write(path("galaxy/samtools:1")).unwrap();
    from(&path("nextflow/o-i-1.img"), "o/i:1");
    from(&path("pulls/i_1.sif"), "o/i:1");
    from(&path(&format!("shpc/o/i/1/o-i-1-{DIGEST}.sif")), &format!("o/i@{DIGEST}"));
    directory
}

#[test]
fn explain_shows_the_candidates_of_each_layout() {
    let trees = trees();
    let explain = |root: &str, uri: &str| {
        let start = ["explain", "--json", "--untrusted", "accept", "--root", root, "--"];
        let words = [&start[..], &["apptainer", "run", uri]].concat();
        let (status, page, error) = run(trees.path(), &words);
        assert_eq!(error, "");
        let page: Value = serde_json::from_str(&page).unwrap();
        (status, page["candidates"].as_array().unwrap().clone())
    };
    let shpc = format!("shpc/o/i/1/o-i-1-{DIGEST}.sif");
    for (tool, uri, file) in [
        ("galaxy", "docker://quay.io/biocontainers/samtools:1", "galaxy/samtools:1"),
        ("nextflow", "docker://o/i:1", "nextflow/o-i-1.img"),
        ("pulls", "docker://o/i:1", "pulls/i_1.sif"),
        ("shpc", "docker://o/i:1", &shpc),
    ] {
        let (status, candidates) = explain(&format!("{tool}={tool}"), uri);
        let path = trees.path().join(file);
        assert_eq!(status, Some(0), "{tool}");
        assert_eq!(candidates[0]["path"], path.to_str().unwrap());
        assert_eq!(candidates[0]["state"], "image");
    }
    for (tool, state) in [("nextflow", "absent"), ("pulls", "other-origin"), ("shpc", "absent")] {
        let (status, candidates) = explain(&format!("{tool}={tool}"), "docker://p/i:1");
        assert_eq!((status, &candidates[0]["state"]), (Some(1), &state.into()), "{tool}");
    }
    let (status, candidates) = explain("galaxy=galaxy", "docker://samtools:1");
    assert_eq!((status, candidates.len()), (Some(1), 0));
}

#[test]
fn commands_that_write_leave_the_trees_alone() {
    let trees = trees();
    let pulls = trees.path().join("pulls");
    let file = pulls.join("i_1.sif").display().to_string();
    let at = |words: &[&str], root: &str| {
        run(trees.path(), &[words, &["--untrusted", "accept", "--root", root]].concat())
    };
    let why = format!("image_root=pulls={} is filled by another tool", pulls.display());
    for words in [
        &["add", "--into", "pulls", "o/i:2"][..],
        &["import", "--into", "pulls", "galaxy/samtools:1", "o/i:2"],
        &["refresh", "--into", "pulls", "--all"],
        &["gc", "--into", "pulls", "--unused-for", "1d", "--yes"],
        &["remove", "--yes", &file],
        &["verify", &file],
    ] {
        let (status, _, error) = at(words, "own:pulls=pulls");
        assert_eq!(status, Some(64), "{words:?}: {error}");
        assert!(error.contains(&why), "{words:?}: {error}");
    }
    let (status, _, error) = at(&["add", "o/i:2"], "pulls=pulls");
    assert_eq!(status, Some(64));
    assert!(error.contains("other tools fill all image roots"), "{error}");
    // The image is in the cache, so nothing is pulled.
    std::fs::create_dir(trees.path().join("own")).unwrap();
    let (status, page, error) = at(&["add", "--dry-run", "o/i:1"], "own:pulls=pulls");
    assert_eq!(status, Some(0), "{error}");
    assert!(format!("{page}{error}").contains(&file), "{page}{error}");
    let names: Vec<_> =
        std::fs::read_dir(&pulls).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(names, ["i_1.sif"]);
}

#[test]
fn list_names_the_trees() {
    let trees = trees();
    let words = ["list", "--untrusted", "accept", "--root", "galaxy=galaxy"];
    let (status, page, error) = run(trees.path(), &words);
    let root = trees.path().join("galaxy");
    let note = format!("galaxy={} is filled by another tool and not listed\n", root.display());
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert_eq!(page, format!("0 images, 0 B\n{note}"));
}

#[test]
fn doctor_detects_the_wrong_layout() {
    let trees = trees();
    for (root, line) in [
        ("nextflow=nextflow", "has files of the layout nextflow"),
        ("galaxy=pulls", "has no file of the layout galaxy"),
    ] {
        let words = ["doctor", "--untrusted", "accept", "--root", root];
        let (_, page, _) = run(trees.path(), &words);
        assert!(page.contains(line), "{root}: {page}");
        assert!(!page.contains(".sifcache"), "{page}");
    }
}
