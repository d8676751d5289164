//! The search for the real runtime: the next program of that name in `PATH`.

use crate::call::{Call, Outcome};
use crate::kit::{HIT, IMAGE, Site};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The path of the runtime that was started.
#[track_caller]
fn started(outcome: &Outcome) -> PathBuf {
    PathBuf::from(outcome.reported("program")[0])
}

#[track_caller]
fn starts(call: &Call<'_>, expected: &str, site: &Site) {
    assert_eq!(started(&call.run()), site.path(expected));
}

#[test]
fn the_shim_at_any_position_in_path() {
    let site = Site::new();
    for other in ["a/apptainer", "b/apptainer"] {
        site.real(other);
    }
    fs::create_dir_all(site.path("empty")).unwrap();
    for (path, expected) in [
        ("shims a b", "a"),
        ("a shims b", "b"),
        ("empty shims nowhere a", "a"),
        ("shims shims a", "a"),
        ("shims/ shims a/", "a"),
        ("shims a shims b", "a"),
        ("a/../shims b", "b"),
        ("a b", "a"),
        ("shims real", "real"),
    ] {
        starts(&site.call(&HIT).path(path), &format!("{expected}/apptainer"), &site);
    }
    for path in ["shims", "a shims", "shims nowhere", "empty", "nowhere"] {
        let outcome = site.call(&HIT).path(path).run();
        outcome.ended(127, "sifcache: apptainer: not found in PATH");
    }
}

#[test]
fn any_way_to_call_the_shim() {
    let site = Site::new();
    site.link("../shims/apptainer", "bin/apptainer");
    site.link("../shims", "linked/shims");
    for program in
        ["shims/apptainer", "shims/../shims//apptainer", "bin/apptainer", "linked/shims/apptainer"]
    {
        site.call(&HIT).program(program).is_bare_with_image(IMAGE);
        site.call(&HIT).program(program).path("bin real").is_bare_with_image(IMAGE);
        site.call(&HIT).program(program).path("real").is_bare_with_image(IMAGE);
    }
    site.call(&HIT).set_up("by descriptor", "1").is_bare_with_image(IMAGE);
    // The shim itself is open in this case.
    let outcome = site.call(&HIT).set_up("by descriptor", "2").run();
    assert_eq!(outcome.reported("argv")[IMAGE], site.image());
}

#[test]
fn called_by_a_relative_path() {
    let site = Site::new();
    let root = site.text("");
    for (path, program) in [
        ("shims:real", "./shims/apptainer"),
        ("./shims/:./real", "./shims/apptainer"),
        (":real", "./shims/../shims/apptainer"),
    ] {
        let call = site.call(&HIT).variable(format!("PATH={path}")).program(program);
        call.set_up("directory", &root).is_bare_with_image(IMAGE);
    }
    // An empty entry is the working directory, at any position.
    for path in ["", ":", "/nowhere:", ":/nowhere", "/nowhere::/other"] {
        let call = site.call(&HIT).variable(format!("PATH={path}"));
        call.set_up("directory", &site.text("real")).is_bare_with_image(IMAGE);
    }
}

#[test]
fn a_very_long_path() {
    let site = Site::new();
    let many = "/no/such/directory:".repeat(5_000);
    let long = format!("/{}:", "x".repeat(20_000));
    let [shims, real] = ["shims", "real"].map(|name| site.text(name));
    for path in [
        format!("{many}{shims}:{real}"),
        format!("{shims}:{many}{real}"),
        format!("{shims}:{long}{real}:{many}"),
        format!("{many}{real}"),
    ] {
        site.call(&HIT).variable(format!("PATH={path}")).is_bare_with_image(IMAGE);
    }
}

/// As in execvp(3). No runtime is installed on every machine, so another program is used instead.
#[test]
fn without_path_variable() {
    let site = Site::new();
    site.link("../sifcache-shim", "shims/false");
    let without = |name: &str| {
        let call = site.call(&[name]).variables([] as [&str; 0]);
        call.program(&format!("shims/{name}")).run()
    };
    assert_eq!(without("false").status, Some(1));
    site.link("../sifcache-shim", "shims/no-such-program");
    without("no-such-program").ended(127, "not found");
}

#[test]
fn files_that_cannot_be_executed_are_skipped() {
    let site = Site::new();
    fs::create_dir_all(site.path("directory/apptainer")).unwrap();
    site.link("/no/where", "dangling/apptainer");
    site.link("apptainer", "circle/apptainer");
    site.script("plain/apptainer", "#!/bin/sh\necho wrong\n");
    fs::set_permissions(site.path("plain/apptainer"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(site.path("file"), "").unwrap();
    site.call(&HIT)
        .path("shims directory dangling circle plain file real")
        .is_bare_with_image(IMAGE);
}

#[test]
fn a_runtime_without_an_interpreter_line() {
    let site = Site::new();
    site.script("text/apptainer", "echo \"$0 $*\"\n");
    let outcome = site.call(&HIT).path("shims text").run();
    let expected = format!("{} exec {} true\n", site.text("text/apptainer"), site.image());
    assert_eq!((outcome.stdout, outcome.status), (expected, Some(0)));
    site.script("broken/apptainer", "#!/no/where\n");
    site.call(&HIT).path("shims broken").run().ended(127, "cannot execute");
    site.script("empty/apptainer", "");
    assert_eq!(site.call(&HIT).path("shims empty").run().status, Some(0));
}

#[test]
fn copies_of_the_shim_do_not_loop() {
    let site = Site::new();
    for copy in ["one/apptainer", "two/apptainer", "libexec/sifcache-shim"] {
        site.shim(copy);
    }
    site.link("../libexec/sifcache-shim", "three/apptainer");
    for path in [
        "one two three real",
        "one two one two real",
        "shims one shims two real",
        "shims three shims three real real",
        "real one shims one real",
        "three real",
    ] {
        for program in ["shims", "one", "two", "three"] {
            let call = site.call(&HIT).path(path).program(&format!("{program}/apptainer"));
            call.is_bare_with_image(IMAGE);
        }
    }
    for path in ["one two one", "one", "real one two shims"] {
        site.call(&HIT).path(path).run().ended(127, "not found");
    }
}
