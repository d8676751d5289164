//! The path that the interposer passes to the shim.

use crate::call::Call;
use crate::kit::{HIT, IMAGE, MISS, Site};

fn with_path<'a>(call: &Call<'a>, path: &str) -> Call<'a> {
    call.clone().ours(format!("SINGULARITY_SIFCACHE_RUNTIME={path}"))
}

/// A call as the interposer makes it: it calls the shim by the shim's own name.
fn interposed<'a>(site: &'a Site, command: &[&str]) -> Call<'a> {
    site.call(command).program("sifcache-shim").path("real")
}

#[test]
fn overrides_path() {
    let site = Site::new();
    site.real("module/apptainer");
    let runtime = site.text("module/apptainer");
    let outcome = with_path(&interposed(&site, &HIT), &runtime).is_bare_with_image(IMAGE);
    assert_eq!(outcome.reported("program"), [runtime.as_str()]);
    with_path(&interposed(&site, &MISS), &runtime).is_bare();
    // `argv[0]` can be any name: only the name of the file counts.
    let call = interposed(&site, &["-", "exec", "docker://o/i:1", "true"]);
    with_path(&call, &runtime).is_bare_with_image(IMAGE);
    let call = interposed(&site, &["sifcache-shim", "--multi-prog", "x", "auto", "true"]);
    with_path(&call, &runtime).is_bare();
}

#[test]
fn relative_to_the_working_directory() {
    let site = Site::new();
    for path in ["apptainer", "./apptainer", "../real/apptainer"] {
        let call = interposed(&site, &HIT).set_up("directory", &site.text("real"));
        with_path(&call, path).is_bare_with_image(IMAGE);
    }
}

#[test]
fn the_path_of_a_shim_is_ignored() {
    let site = Site::new();
    site.shim("copy/apptainer");
    for path in ["shims/apptainer", "shims/../shims/singularity", "sifcache-shim", "copy/apptainer"]
    {
        let call = site.call(&HIT);
        with_path(&call, &site.text(path)).is_bare_with_image(IMAGE);
        with_path(&call.path("shims"), &site.text(path)).run().ended(127, "not found");
    }
}

#[test]
fn the_kernel_rejects_an_invalid_path() {
    let site = Site::new();
    let call = interposed(&site, &HIT);
    with_path(&call, "/no/where/apptainer").run().ended(127, "cannot execute /no/where/apptainer");
    with_path(&call, "").run().ended(127, "cannot execute");
    with_path(&call, &site.text("roots/apptainer/x")).run().ended(127, "cannot execute");
    with_path(&call, &site.image()).run().ended(126, "cannot execute");
    with_path(&call, &site.text("roots")).run().ended(126, "cannot execute");
}

#[test]
fn a_users_script() {
    let site = Site::new();
    let runtime = site.text("real/apptainer");
    site.script("wrapper/apptainer", "#!/bin/sh\nexec ROOT/shims/apptainer \"$@\"\n");
    site.script("direct/apptainer", "#!/bin/sh\nexec ROOT/real/apptainer \"$@\"\n");
    for wrapper in ["wrapper", "direct"] {
        let call = with_path(&interposed(&site, &HIT), &site.text(&format!("{wrapper}/apptainer")));
        for path in ["real", "wrapper real", "shims wrapper real", "wrapper shims direct real"] {
            let outcome = call.clone().path(path).run();
            assert_eq!(outcome.reported("argv")[IMAGE], site.image(), "{wrapper} {path}");
            assert_eq!(outcome.reported("program"), [runtime.as_str()], "{wrapper} {path}");
        }
    }
}

/// The variable is passed on once: a script that starts another runtime must not start this one
/// again.
#[test]
fn a_script_does_not_get_the_path() {
    let site = Site::new();
    site.script(
        "wrapper/apptainer",
        "#!/bin/sh\necho \"${SINGULARITY_SIFCACHE_RUNTIME-nothing}\"\n",
    );
    for command in [&HIT[..], &["apptainer", "version"]] {
        let outcome = with_path(&interposed(&site, command), &site.text("wrapper/apptainer")).run();
        assert_eq!(outcome.stdout, "nothing\n", "{command:?}");
    }
}
