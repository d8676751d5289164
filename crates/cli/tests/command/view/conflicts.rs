//! Names that two references share.

use super::site::Site;

const SHARED: &str = "miniwdl/docker___org_tool_2_1.sif";

#[test]
fn a_shared_name_has_no_link_until_one_of_the_references_is_gone() {
    let Some(site) = Site::with_view("miniwdl,cwltool") else { return };
    site.import(2, "org/tool:2_1");
    assert_eq!(site.target(SHARED), "root/org/tool:2_1");
    let output = site.import(3, "org/tool_2:1");
    assert!(!site.entry(SHARED).is_symlink());
    let message = format!(
        "sifcache: view {}: {SHARED} is removed, because org/tool:2_1 and org/tool_2:1 share this \
         name\n",
        site.tree.text("view")
    );
    assert!(output.stderr.contains(&message), "{}", output.stderr);
    // The names of the other engine differ.
    assert_eq!(site.target("cwltool/org_s_tool:2___1.sif"), "root/org/tool:2_1");
    assert_eq!(site.target("cwltool/org_s_tool___2:1.sif"), "root/org/tool_2:1");
    // The next command reports nothing new.
    assert!(!site.import(4, "o/four:1").stderr.contains("share"));
    let object = site.json(&["view"]);
    let shared = object["views"][0]["shared"].as_array().unwrap();
    assert_eq!(shared.len(), 2, "{object:#}");
    assert_eq!(shared[1]["path"], site.tree.text(&format!("view/{SHARED}")));
    let references = serde_json::json!(["org/tool:2_1", "org/tool_2:1"]);
    assert_eq!(shared[1]["references"], references);
    let output = site.run(&["view"]);
    assert_eq!(output.status, Some(0));
    assert!(output.stderr.contains(": no link, because org/tool:2_1 and org/tool_2:1 share"));

    site.good(&["remove", "--yes", "org/tool:2_1"]);
    assert_eq!(site.target(SHARED), "root/org/tool_2:1");
}

/// A lookup finds the file that is named as typed, but cwltool has one name for both.
#[test]
fn two_files_of_one_reference() {
    let Some(site) = Site::with_view("nextflow,cwltool") else { return };
    site.tree.image("root/alpine", 2);
    site.tree.image("root/alpine:latest", 3);
    let object = site.json(&["view"]);
    assert_eq!(site.target("nextflow/alpine.img"), "root/alpine");
    assert_eq!(site.target("nextflow/alpine-latest.img"), "root/alpine:latest");
    assert!(!site.entry("cwltool/alpine:latest.sif").is_symlink());
    let shared = &object["views"][0]["shared"][0];
    assert_eq!(shared["path"], site.tree.text("view/cwltool/alpine:latest.sif"), "{object:#}");
    assert_eq!(shared["references"], serde_json::json!(["alpine:latest"]));
}
