//! A pass: commands that sifcache does not handle stay the same, byte for byte.

use crate::kit::{IMAGE, OTHER, SHARED, Site, WHICH, inside};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

#[test]
#[ignore = "needs a testbed: make test"]
fn other_images() {
    let site = Site::new("on_miss=fail");
    site.store(IMAGE, "o/i:1");
    site.launch(&[], &inside(OTHER)).ran(OTHER);
    site.launch(&[], &format!("{SHARED}/o/i:1")).ran(IMAGE);
    for image in
        ["shub://o/i:1", "library:o/i:1", "oras://o/i:1", "DOCKER://o/i:1", "docker:o/i:1", "o/i:1"]
    {
        let output = site.launch(&[], image);
        assert_eq!(output.status, 255, "{image}: {output:#?}");
        assert!(!output.stderr.contains("sifcache"), "{image}: {output:#?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn other_programs() {
    let site = Site::new("on_miss=fail");
    site.store(IMAGE, "o/i:1");
    assert_eq!(site.srun(&["echo", "run", "docker://o/i:1"]).stdout, "run docker://o/i:1\n");
    let nested = ["bash", "-c", "echo $0 $1", "apptainer", "docker://o/i:1"];
    assert_eq!(site.srun(&nested).stdout, "apptainer docker://o/i:1\n");
    assert_eq!(site.srun(&["true"]).status, 0);
    let nothing = site.srun::<&str>(&[]);
    assert!(nothing.stderr.contains("No command given to execute"), "{nothing:#?}");
    // Without arguments, the runtime prints its own text and sifcache prints nothing.
    let (bare, alone) = (site.srun(&["apptainer"]), site.alice(&["apptainer"]));
    assert_eq!((&bare.stdout, bare.status), (&alone.stdout, alone.status));
    assert!(bare.stdout.contains("apptainer"), "{bare:#?}");
    let inspect = site.srun(&["apptainer", "inspect", "docker://o/i:1"]);
    assert!(inspect.stderr.contains("docker://o/i:1"), "{inspect:#?}");
}

/// The effect of an unknown flag cannot be predicted, so the command is a pass.
#[test]
#[ignore = "needs a testbed: make test"]
fn unknown_or_unsupported_flags() {
    let site = Site::new("on_miss=fail");
    site.store(IMAGE, "o/i:1");
    for words in [
        ["apptainer", "exec", "--gpus", "docker://o/i:1", "true"],
        ["apptainer", "exec", "--oci", "docker://o/i:1", "true"],
        ["apptainer", "exec", "--help", "docker://o/i:1", "true"],
        ["apptainer", "exec", "--nv=maybe", "docker://o/i:1", "true"],
    ] {
        let output = site.srun(&words);
        assert!(!output.stderr.contains("sifcache"), "{words:?}: {output:#?}");
        assert!(!output.stderr.contains(SHARED), "{words:?}: {output:#?}");
    }
    site.launch(&["--export=ALL,SINGULARITY_OCI=1"], "docker://o/i:1").tried_the_registry();
    site.launch(&["--export=ALL,SINGULARITY_OCI=false"], "docker://o/i:1").ran(IMAGE);
}

/// No spelling of a reference leads out of the image root, or to a file beside it.
#[test]
#[ignore = "needs a testbed: make test"]
fn references_that_leave_the_root() {
    let site = Site::new("on_miss=fail");
    fs::copy(crate::kit::sif(OTHER), site.at("ctl", "/shared/beside")).unwrap();
    site.store(OTHER, ".sifcache/x");
    for name in [
        "../beside",
        "o/../../beside",
        "..",
        "/shared/beside",
        "//shared/beside",
        "./../beside",
        "%2e%2e/beside",
        "..%2fbeside",
        "o/..\\../beside",
        "localhost/../../beside",
        "[::1]/../../beside",
        "o:../beside",
        "o@../beside",
        ".sifcache/x",
        "./.sifcache/x",
        "o/\u{2025}/beside",
    ] {
        let output = site.launch(&["-v"], &format!("docker://{name}"));
        assert_ne!(output.status, 0, "{name}: {output:#?}");
        assert!(!output.stdout.contains(OTHER), "{name}: {output:#?}");
        assert!(!output.stderr.contains("sifcache: docker"), "{name}: {output:#?}");
    }
    assert!(!site.log("n1").contains("event=hit"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn arguments_that_are_not_utf8() {
    let site = Site::new("on_miss=fail");
    site.store(IMAGE, "o/i:1");
    let bytes = OsStr::from_bytes(b"\xff\xfe=\x01");
    let words = |image: &'static [u8]| {
        [b"apptainer".as_slice(), b"exec", b"--env", b"A=\xff", image, b"cat", b"/etc/image-name"]
            .map(OsStr::from_bytes)
    };
    site.srun(&words(b"docker://o/i:1")).ran(IMAGE);
    let output = site.srun(&words(b"docker://o/i:\xff"));
    assert!(output.status != 0 && !output.stderr.contains("sifcache"), "{output:#?}");
    let echo = site.srun(&[OsStr::new("printf"), OsStr::new("%s|"), bytes, bytes]);
    assert_eq!(echo.status, 0, "{echo:#?}");
    assert_eq!(echo.stdout, "\u{fffd}\u{fffd}=\u{1}|".repeat(2));
}

/// A program is a runtime if its file name is one of the configured names, in any directory.
#[test]
#[ignore = "needs a testbed: make test"]
fn command_names_treated_as_runtimes() {
    let site = Site::new("on_miss=fail runtimes=sing");
    site.store(IMAGE, "o/i:1");
    let script = site.at("ctl", "/home/alice/sing");
    fs::write(&script, "#!/bin/sh\necho \"$3\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["/home/alice/sing", "exec", "-e", "docker://o/i:1", WHICH[0]];
    assert_eq!(site.srun(&words).stdout, format!("{SHARED}/o/i:1\n"));
    site.launch(&[], "docker://o/i:1").tried_the_registry();
}
