//! The arguments: on a hit one is replaced, otherwise none.

use crate::kit::{HIT, IMAGE, MISS, Site};

#[test]
fn a_hit_replaces_one_argument() {
    let site = Site::new();
    let outcome = site.call(&HIT).is_bare_with_image(IMAGE);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    for (command, image) in [
        ("singularity exec docker://o/i:1 true", 2),
        ("apptainer -d exec --nv -B /a:/b docker://o/i:1 docker://o/i:1", 6),
        ("apptainer run docker://o/i:1", 2),
        ("apptainer instance start docker://o/i:1 name", 3),
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        site.call(&words).program(&format!("shims/{}", words[0])).is_bare_with_image(image);
    }
}

#[test]
fn arguments_of_the_containers_program_can_be_anything() {
    let site = Site::new();
    let odd: [&[u8]; 6] = [b"", b"\xff\xfe", b"a\nb", b"docker://o/i:1", b"--", b"\x01"];
    let arguments = [&HIT.map(str::as_bytes)[..], &odd].concat();
    site.call(&arguments).is_bare_with_image(IMAGE);
    site.call(&[&HIT.map(str::as_bytes)[..], &[&[b'x'; 100_000]]].concat())
        .is_bare_with_image(IMAGE);
}

#[test]
fn a_miss_or_a_pass_changes_nothing() {
    let site = Site::new();
    site.call(&MISS).is_bare();
    for command in [
        "apptainer",
        "apptainer --version",
        "apptainer exec --flag-of-tomorrow docker://o/i:1 true",
        "apptainer exec docker://o/i:1",
        "apptainer exec --oci docker://o/i:1 true",
        "apptainer exec /a.sif docker://o/i:1",
        "apptainer exec docker:o/i:1 true",
        "apptainer exec docker://../../o/i:1 true",
        "apptainer exec shub://o/i:1 true",
        "apptainer push docker://o/i:1",
        "apptainer --multi-prog image_root=/sif auto true",
        "apptainer --help",
    ] {
        let outcome = site.call(&command.split(' ').collect::<Vec<_>>()).is_bare();
        assert_eq!(outcome.stderr, "", "{command}");
    }
    for odd in [
        &[b"apptainer".as_slice(), b"exec", b"docker://o/i:\xff", b"true"],
        &[b"apptainer".as_slice(), b"exec", b"docker://o/i:1\n", b"true"],
        &[b"apptainer".as_slice(), b"exec", b"", b"docker://o/i:1"],
        &[b"apptainer".as_slice(), b"\xff", b"docker://o/i:1", b"true"],
        &[b"apptainer".as_slice(), b"", b"", b""],
    ] {
        site.call(odd).is_bare();
    }
}

#[test]
fn the_callers_argv0_is_kept() {
    let site = Site::new();
    for first in [&b""[..], b"-", b"x y", b"/no/where", b"sifcache-shim", b"singularity", b"\xff"] {
        let words = [first, b"exec", b"docker://o/i:1", b"true"];
        site.call(&words).is_bare_with_image(IMAGE);
    }
}

#[test]
fn no_arguments_at_all() {
    let site = Site::new();
    let none: [&str; 0] = [];
    site.call(&none).is_bare();
    let variable = format!("SINGULARITY_SIFCACHE_RUNTIME={}", site.text("real/apptainer"));
    site.call(&none).ours(variable).is_bare();
}
