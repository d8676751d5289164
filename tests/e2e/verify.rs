//! `sifcache verify` where it is used: real images that were copied by hand, and real jobs.

use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, sif, with_hub};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs `verify` as root on the login node, or with other flags of `testbed exec`. Returns the exit
/// status and the JSON object, or standard error as a JSON string.
fn verify(site: &Site, flags: &[&str], words: &[&str]) -> (i32, Value) {
    let output = site.exec(flags, &[&["sifcache", "verify", "--json"], words].concat(), "");
    (output.status, serde_json::from_str(&output.stdout).unwrap_or_else(|_| json!(output.stderr)))
}

/// The findings that are problems, as pairs of finding and path under the shared root.
fn problems(object: &Value) -> Vec<(String, String)> {
    let findings = object["findings"].as_array().unwrap_or_else(|| panic!("{object:#}"));
    let problems = findings.iter().filter(|finding| finding["problem"] == json!(true));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let name = |path: String| path.replace(&format!("{SHARED}/"), "");
    problems.map(|finding| (text(finding, "finding"), name(text(finding, "path")))).collect()
}

fn problem(token: &str, name: &str) -> (String, String) {
    (token.to_owned(), name.to_owned())
}

#[track_caller]
fn is_fine(site: &Site, words: &[&str]) {
    for flags in [[].as_slice(), &["--user", "alice"], &["--on", "n1"]] {
        let (status, object) = verify(site, flags, words);
        assert_eq!((status, problems(&object)), (0, Vec::new()), "{flags:?} {object:#}");
    }
}

fn root(site: &Site, script: &str) -> Output {
    let output = site.exec(&[], &["sh", "-ec", script], "");
    assert_eq!(output.status, 0, "{output:#?}");
    output
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Images that were made with the runtime and cp are valid like all others.
#[test]
#[ignore = "needs a testbed: make test"]
fn images_copied_by_hand() {
    let site = Site::new("");
    with_hub(|| {
        root(
            &site,
            &format!(
                "cd {SHARED} && mkdir determinedai && apptainer pull {IMAGE} docker://{IMAGE}"
            ),
        );
        root(&site, &format!("cd {SHARED} && apptainer pull docker://alpine"));
    });
    root(&site, &format!("cd {SHARED} && cp alpine_latest.sif alpine.sif && rm alpine_latest.sif"));
    is_fine(&site, &[]);
    is_fine(&site, &["--deep"]);
    let (_, object) = verify(&site, &[], &["--all"]);
    let all = object["all"].as_array().unwrap();
    let found_as: Vec<_> = all.iter().map(|file| (&file["path"], &file["found_as"])).collect();
    let file = |name: &str| json!(format!("{SHARED}/{name}"));
    assert_eq!(
        found_as,
        [(&file("alpine.sif"), &json!(["alpine"])), (&file(IMAGE), &json!([IMAGE])),]
    );
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
    assert_eq!(site.launch(&[], "docker://alpine").status, 0);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn half_a_copy() {
    let site = Site::new("");
    let whole = fs::read(sif(IMAGE)).unwrap();
    site.write("o/i:1", &whole[..whole.len() / 2]);
    let (status, object) = verify(&site, &[], &[]);
    let path = format!("{SHARED}/o/i:1");
    assert_eq!((status, problems(&object)), (1, vec![problem("truncated", "o/i:1")]));
    let page = site.exec(&[], &["sifcache", "verify"], "").stdout;
    let (half, size) = (whole.len() / 2, whole.len());
    let expected = format!(
        "{path}: cut short or still being copied: {half} of {size} bytes: \
         wait until the copy is complete, or copy it again\n"
    );
    assert!(page.starts_with(&expected), "{page}");
    site.write("o/i:1", &whole);
    is_fine(&site, &["--deep"]);
}

/// The file names that pulls and workflow engines choose, with content from the real runtime.
#[test]
#[ignore = "needs a testbed: make test"]
fn names_chosen_by_pulls_and_engines() {
    let site = Site::new("");
    let engine = "registry.example.org-5000-lab-tool-v1.img";
    with_hub(|| root(&site, &format!("cd {SHARED} && apptainer pull docker://{IMAGE}")));
    let pulled = IMAGE.rsplit('/').next().unwrap().replace(':', "_") + ".sif";
    root(&site, &format!("cd {SHARED} && cp {pulled} {engine}"));
    let (status, object) = verify(&site, &[], &[]);
    assert_eq!(status, 1, "{object:#}");
    let mut expected = [problem("misnamed", &pulled), problem("misnamed", engine)];
    expected.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(problems(&object), expected, "{object:#}");
    site.launch(&[], &format!("docker://{IMAGE}")).tried_the_registry();
    root(&site, &format!("rm {SHARED}/{engine}"));
    let (status, object) = verify(&site, &[], &["--fix", "--rename"]);
    assert_eq!(status, 0, "{object:#}");
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
    // Import it into the cache without a reference.
    root(
        &site,
        &format!("cd {SHARED} && mv {IMAGE} /tmp/image.sif && sifcache import /tmp/image.sif"),
    );
    is_fine(&site, &[]);
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
}

/// The report about two files agrees with the images that jobs get.
#[test]
#[ignore = "needs a testbed: make test"]
fn two_files_for_one_reference() {
    let site = Site::new("");
    site.store(IMAGE, "ubuntu");
    site.store(OTHER, "ubuntu:latest");
    let (status, object) = verify(&site, &[], &["--all"]);
    let path = format!("{SHARED}/ubuntu");
    assert_eq!((status, problems(&object)), (1, vec![problem("two-files", "ubuntu")]));
    for file in object["all"].as_array().unwrap() {
        let image = if file["path"] == json!(path) { IMAGE } else { OTHER };
        let found_as = file["found_as"].as_array().unwrap();
        assert!(!found_as.is_empty());
        for reference in found_as {
            site.launch(&[], &format!("docker://{}", reference.as_str().unwrap())).ran(image);
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn another_image_on_the_node() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.store_at("n1", "/local/sif", OTHER, "o/i:1");
    is_fine_on(&site, "ctl");
    let (status, object) = verify(&site, &["--on", "n1"], &[]);
    assert_eq!((status, problems(&object)), (1, vec![problem("shadowed", "o/i:1")]));
    site.launch(&[], "docker://o/i:1").ran(OTHER);
    site.store_at("n1", "/local/sif", IMAGE, "o/i:1");
    is_fine_on(&site, "n1");
}

#[track_caller]
fn is_fine_on(site: &Site, host: &str) {
    let (status, object) = verify(site, &["--on", host], &[]);
    assert_eq!((status, problems(&object)), (0, Vec::new()), "{object:#}");
}

/// Although root can read everything, `verify` run by root detects and fixes what alice cannot
/// read.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_hits_after_a_fix() {
    let site = Site::new("");
    let file = site.store(IMAGE, "o/i:1");
    mode(&file, 0o660);
    mode(file.parent().unwrap(), 0o770);
    site.launch(&[], "docker://o/i:1").tried_the_registry();
    let (status, object) = verify(&site, &[], &[]);
    let expected = [problem("unreadable-for-users", "o"), problem("untrusted", "o")];
    assert_eq!((status, problems(&object)), (1, expected.to_vec()));
    // alice cannot read the directory. The command reports this and fixes nothing.
    let (status, object) = verify(&site, &["--user", "alice"], &["--fix"]);
    assert_eq!((status, problems(&object)), (1, vec![problem("unreadable", "o")]));
    let (status, object) = verify(&site, &[], &["--fix"]);
    assert_eq!((status, problems(&object)), (0, Vec::new()), "{object:#}");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn alice_cannot_fix_files_of_root() {
    let site = Site::new("");
    let file = site.store(IMAGE, "o/i:1");
    mode(&file, 0o646);
    let (status, object) = verify(&site, &["--user", "alice"], &["--fix"]);
    assert_eq!((status, problems(&object)), (1, vec![problem("untrusted", "o/i:1")]));
    assert_eq!(object["fixed"][0]["error"], json!("Operation not permitted (os error 1)"));
}

/// Apptainer's own signatures: a valid one, one by an unknown key, and one over changed data.
#[test]
#[ignore = "needs a testbed: make test"]
fn signatures() {
    let site = Site::new("");
    site.store(IMAGE, "o/signed:1");
    site.store(IMAGE, "o/plain:1");
    root(
        &site,
        &format!(
            "rm -rf ~/.apptainer/keys
             apptainer key newpair --name Admin --email a@example.org --comment c --password '' --push=false
             apptainer sign {SHARED}/o/signed:1"
        ),
    );
    is_fine_on_ctl_deep(&site);
    let path = site.at("ctl", SHARED).join("o/signed:1");
    let mut bytes = fs::read(&path).unwrap();
    let tampered = site.write("o/tampered:1", &flip(&mut bytes));
    let (status, object) = verify(&site, &[], &["--deep"]);
    // The changed byte is also part of a compressed block.
    let found = ["bad-signature", "damaged-file-system"].map(|what| problem(what, "o/tampered:1"));
    assert_eq!((status, problems(&object)), (1, found.to_vec()));
    let message = object["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("data object integrity compromised"), "{message}");
    // The header is still valid.
    assert_eq!(problems(&verify(&site, &[], &[]).1), []);
    fs::remove_file(tampered).unwrap();
    root(&site, "mv ~/.apptainer/keys ~/.apptainer/keys.away");
    let (status, object) = verify(&site, &[], &["--deep"]);
    root(&site, "rm -rf ~/.apptainer/keys ~/.apptainer/keys.away");
    assert_eq!((status, &object["findings"][0]["finding"]), (0, &json!("unknown-signer")));
}

#[track_caller]
fn is_fine_on_ctl_deep(site: &Site) {
    let (status, object) = verify(site, &[], &["--deep"]);
    assert_eq!((status, &object["findings"]), (0, &json!([])));
}

/// Flips one bit in the middle of the largest object, which is the file system.
fn flip(bytes: &mut [u8]) -> Vec<u8> {
    let number = |bytes: &[u8], at: usize| {
        usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
    };
    let (total, table) = (number(bytes, 88), number(bytes, 96));
    let object = |index: usize| {
        (number(bytes, table + index * 585 + 25), number(bytes, table + index * 585 + 17))
    };
    let (size, offset) = (0..total).map(object).max().unwrap();
    bytes[offset + size / 2] ^= 1;
    bytes.to_vec()
}

/// A file system that does not answer: the command checks the rest and ends.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_file_server_that_hangs() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let script = "
        mkdir -p /tmp/hung /tmp/source && echo x >/tmp/source/file
        mksquashfs /tmp/source /tmp/hung.img -quiet -noappend >/dev/null
        squashfuse_ll -f /tmp/hung.img /tmp/hung & pid=$!
        while ! mountpoint -q /tmp/hung; do sleep 0.05; done
        kill -STOP $pid
        mkdir -p /local/sif/o && ln -s /tmp/hung /local/sif/hung
        status=0; timeout 60 sifcache verify --timeout 1s || status=$?
        rm -r /local/sif/o /local/sif/hung; kill -KILL $pid; umount -l /tmp/hung; exit $status";
    let output = site.exec(&[], &["sh", "-c", script], "");
    let message = "/local/sif/hung: no answer within 1 s: check the file server and the mount\n";
    assert!(output.status == 1 && output.stdout.contains(message), "{output:#?}");
    assert!(output.stdout.ends_with("1 file, 1 image, 1.08 MiB, 1 problem\n"), "{output:#?}");
}
