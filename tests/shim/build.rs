//! Builds from an image in the cache: the path of the image replaces the source.

use crate::call::Call;
use crate::kit::Site;
use std::fs;

/// `apptainer ARGUMENTS` by a user other than root, in the directory of the site.
fn call<'a>(site: &'a Site, arguments: &str) -> Call<'a> {
    by(site, "1001", arguments)
}

/// The same by the user with this ID.
fn by<'a>(site: &'a Site, user: &str, arguments: &str) -> Call<'a> {
    let command = format!("apptainer {arguments}");
    let words: Vec<&str> = command.split(' ').collect();
    site.call(&words).set_up("directory", &site.text("")).set_up("user", user)
}

#[test]
fn the_image_replaces_the_source() {
    let site = Site::new();
    for (arguments, index) in [
        ("build x docker://o/i:1", 3),
        ("build --sandbox x docker://docker.io/o/i:1", 4),
        ("-q build -sF -- x:1 docker://o/i:1", 6),
        ("--nocolor build --force --tmpdir /tmp --mksquashfs-args -all x docker://o/i:1", 9),
        ("build --notest --section none ../x docker://o/i:1", 6),
    ] {
        call(&site, arguments).is_bare_with_image(index);
    }
    call(&site, "build x docker://o/i:1")
        .variable("APPTAINER_SANDBOX=1")
        .variable("SIF_CACHE=require")
        .is_bare_with_image(3);
}

/// With these options or paths the result would differ, or the runtime would fail.
#[test]
fn other_builds_are_left_to_the_runtime() {
    let site = Site::new();
    for arguments in [
        "build x o/i.def",
        "build x roots/o/i:1",
        "build x docker://o/i:2",
        "build x docker://o/i:1@sha256:00",
        "build docker://o/i:1",
        "build x y docker://o/i:1",
        "build --fakeroot x docker://o/i:1",
        "build -sf x docker://o/i:1",
        "build --sandbox --fix-perms x docker://o/i:1",
        "build --no-cleanup x docker://o/i:1",
        "build --update --sandbox x docker://o/i:1",
        "build --disable-cache x docker://o/i:1",
        "build --arch arm64 x docker://o/i:1",
        "build --unknown x docker://o/i:1",
        "build --sandbox a:b/x docker://o/i:1",
        "build --tmpdir /a,b x docker://o/i:1",
        "build --help x docker://o/i:1",
        // Apptainer executes it by its full path in each build.
        "inspect --all /tmp/build-temp-1/rootfs",
    ] {
        call(&site, arguments).is_bare();
    }
    for variable in ["APPTAINER_FIXPERMS=1", "SINGULARITY_UPDATE=1", "TMPDIR=/a:b", "SIF_CACHE=off"]
    {
        call(&site, "build x docker://o/i:1").variable(variable).is_bare();
    }
}

#[test]
fn a_working_directory_with_a_separator_of_binds() {
    let site = Site::new();
    for name in ["a:b", "a,b"] {
        fs::create_dir(site.path(name)).unwrap();
        let there = |arguments| call(&site, arguments).set_up("directory", &site.text(name));
        there("build --sandbox x docker://o/i:1").is_bare();
        there("build --sandbox /tmp/x docker://o/i:1").is_bare_with_image(4);
        there("build x docker://o/i:1").is_bare_with_image(3);
    }
}

/// A SIF file may lack the owners that a build by root keeps.
#[test]
fn builds_by_root_are_left_to_the_runtime() {
    let site = Site::new();
    let build = by(&site, "0", "build x docker://o/i:1");
    build.is_bare();
    let required = build.variable("SIF_CACHE=require").is_bare();
    assert!(required.stderr.contains("a build by root keeps the owners"), "{required:#?}");
}

#[test]
fn the_settings_decide() {
    let site = Site::new();
    let with = |more: &str, image: &str| {
        let settings = format!("{} {more}", site.settings());
        call(&site, &format!("build x {image}")).settings(Some(&settings))
    };
    let (hit, miss) = ("docker://o/i:1", "docker://o/i:2");
    with("pull=copy on_miss=fail", hit).is_bare_with_image(3);
    with("pull=off on_miss=fail", hit).is_bare();
    with("pull=off on_miss=fail", miss).variable("SIF_CACHE=require").is_bare();
    with("on_miss=fail", miss).run().ended(66, "the build fails because of on_miss=fail");
    let required = with("on_miss=pull", miss).variable("SIF_CACHE=require");
    required.run().ended(66, "the build fails because of --sif-cache=require");
    let warned = with("on_miss=warn", miss).is_bare();
    assert!(warned.stderr.contains("docker.io/o/i:2 is not in the image cache"), "{warned:#?}");
}

/// A build that was decided on is not decided on again when the user's script executes the runtime.
#[test]
fn a_script_of_the_user_gets_the_image() {
    let site = Site::new();
    site.script("own/apptainer", "#!/bin/sh\nexec ROOT/real/apptainer \"$@\"\n");
    let through = call(&site, "build x docker://o/i:1").path("shims own real");
    let outcome = through.run();
    let image = site.image();
    let arguments = outcome.reported("argv");
    assert_eq!(&arguments[1..], ["build", "x", image.as_str()], "{outcome:#?}");
}

#[test]
fn a_task_of_multi_prog() {
    let site = Site::new();
    let (shim, settings) = (site.text("sifcache-shim"), site.settings());
    let real = site.text("real/apptainer");
    let words = [&shim, "--multi-prog", &settings, "auto", &real, "build", "x", "docker://o/i:1"];
    let call = Call::new(&site, &words).program("sifcache-shim").path("real");
    let outcome = call.set_up("user", "1001").run();
    assert_eq!(outcome.reported("argv")[1..], ["build", "x", &site.image()], "{outcome:#?}");
}
