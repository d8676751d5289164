//! Calls of a runtime by its resolved path, by a different name, or with a changed environment. The
//! result must be the same as without sifcache.

use crate::call::Outcome;
use crate::kit::{HIT, IMAGE, MISS, Site};
use std::fs;

/// A launch of a SIF, which does not involve the cache.
const PASS: [&str; 4] = ["apptainer", "exec", "/a.sif", "true"];

#[test]
fn called_by_its_resolved_path() {
    let site = Site::new();
    for name in ["apptainer", "singularity"] {
        let resolved = fs::canonicalize(site.path(&format!("shims/{name}"))).unwrap();
        assert_eq!(resolved.file_name().unwrap(), name);
    }
    site.link("../shims", "linked/shims");
    site.call(&HIT).program("linked/shims/apptainer").is_bare_with_image(IMAGE);
}

/// The name of a user's link does not determine the runtime, even if it is that of a runtime.
#[test]
fn called_by_a_link_of_another_name() {
    let site = Site::new();
    fs::remove_file(site.path("real/singularity")).unwrap();
    for link in ["sing", "singularity", "sifcache-shim", "x y", "apptainer-1.4", "7"] {
        let link = format!("own/{link}");
        site.link("../shims/apptainer", &link);
        site.call(&PASS).program(&link).is_bare();
        site.call(&MISS).program(&link).is_bare();
        site.call(&HIT).program(&link).is_bare_with_image(IMAGE);
        // The link is in the user's own directory, which is first in `PATH`.
        site.call(&HIT).program(&link).path("own shims real").is_bare_with_image(IMAGE);
        let again = format!("{link}-again");
        site.link(&site.text(&link), &again);
        site.call(&HIT).program(&again).is_bare_with_image(IMAGE);
    }
}

#[test]
fn called_by_a_copy_of_another_name() {
    let site = Site::new();
    fs::remove_file(site.path("real/singularity")).unwrap();
    for copy in ["sing", "singularity", "sifcache-shim", "apptainer"] {
        let copy = format!("copy/{copy}");
        fs::create_dir_all(site.path("copy")).unwrap();
        {
            let _lock = crate::kit::programs();
            fs::copy(site.path("shims/apptainer"), site.path(&copy)).unwrap();
        }
        site.call(&PASS).program(&copy).is_bare();
        site.call(&HIT).program(&copy).is_bare_with_image(IMAGE);
        site.call(&HIT).program(&copy).path("copy real").is_bare_with_image(IMAGE);
    }
}

/// The interposer finds a copy in a user's directory and treats it as a runtime.
#[test]
fn called_by_the_interposer_for_a_copy() {
    let site = Site::new();
    fs::create_dir_all(site.path("copy")).unwrap();
    {
        let _lock = crate::kit::programs();
        fs::copy(site.path("shims/apptainer"), site.path("copy/singularity")).unwrap();
    }
    fs::remove_file(site.path("real/singularity")).unwrap();
    let variable = format!("SINGULARITY_SIFCACHE_RUNTIME={}", site.text("copy/singularity"));
    let call = site.call(&HIT).program("sifcache-shim").path("real").ours(variable);
    call.is_bare_with_image(IMAGE);
}

/// If a user's link is called, the variable in which shells store the path of the program keeps the
/// path of the link.
#[test]
fn the_shells_variable_keeps_the_users_link() {
    let site = Site::new();
    site.link("../shims/apptainer", "own/sing");
    let link = site.text("own/sing");
    let outcome = site.call(&PASS).program("own/sing").variable(format!("_={link}")).run();
    assert!(outcome.reported("environ").contains(&&*format!("_={link}")), "{outcome:#?}");
}

/// Runs a script that starts `RUNTIME`, once with the runtime and once with the shim in its place,
/// in a job that has the shims in `PATH`. Asserts that the runtime gets the same arguments and the
/// same environment.
#[track_caller]
fn same(site: &Site, text: &str) {
    let run = |runtime: &str, path: &str| -> Outcome {
        let script = format!("{runtime}/script");
        site.script(&script, &format!("#!/bin/sh\n{}\n", text.replace("RUNTIME", runtime)));
        let call = site.call(&PASS).program(&script).path(path);
        if runtime == "real" { call.settings(None).run() } else { call.run() }
    };
    let (bare, through) = (run("real", "real"), run("shims", "shims real"));
    // If the script changes to the directory of the runtime, it changes to that of the shim here.
    let [shims, real] = ["shims", "real"].map(|name| site.text(name));
    let text_of = |line: &str| line.replace(&shims, &real);
    let [expected, found] = [&bare, &through].map(|outcome| {
        let environment = outcome.reported("environ").into_iter();
        let environment: Vec<_> =
            environment.filter(|line| !line.contains("PATH=")).map(text_of).collect();
        let directory = text_of(outcome.reported("directory")[0]);
        (outcome.reported("argv"), environment, directory, outcome.status)
    });
    assert_eq!(found, expected, "{text}");
}

#[test]
fn called_from_a_script() {
    let site = Site::new();
    for text in [
        "/usr/bin/env -i ROOT/RUNTIME/apptainer exec /a.sif true; exit $?",
        "/usr/bin/env -i PATH=/no/where ROOT/RUNTIME/apptainer exec /a.sif true; exit $?",
        "/usr/bin/env -i A=B ROOT/RUNTIME/singularity exec /a.sif true; exit $?",
        "PATH=/no/where ROOT/RUNTIME/apptainer exec /a.sif true; exit $?",
        "PATH=ROOT/RUNTIME apptainer exec /a.sif true; exit $?",
        "unset PATH; ROOT/RUNTIME/apptainer exec /a.sif true; exit $?",
        "cd ROOT/RUNTIME; ./apptainer exec /a.sif true; exit $?",
        "cd ROOT; PATH=RUNTIME; apptainer exec /a.sif true; exit $?",
        "/bin/sh -c '/usr/bin/env -i ROOT/RUNTIME/apptainer exec /a.sif true; exit $?'; exit $?",
        "/bin/bash -c 'exec -a name ROOT/RUNTIME/apptainer exec /a.sif true'; exit $?",
        "/bin/bash -c 'exec -c ROOT/RUNTIME/apptainer exec /a.sif true'; exit $?",
        "/bin/ln -sf ROOT/RUNTIME/apptainer ROOT/sing; ROOT/sing exec /a.sif true; exit $?",
        "/bin/cp ROOT/RUNTIME/apptainer ROOT/sing; ROOT/sing exec /a.sif true; exit $?",
        "/bin/cp ROOT/RUNTIME/apptainer ROOT/s; /usr/bin/env -i ROOT/s exec /a.sif true; exit $?",
    ] {
        same(&site, text);
        let _ = fs::remove_file(site.path("sing"));
        let _ = fs::remove_file(site.path("s"));
    }
}

/// If `PATH` has only the shims, the runtime is found behind the shims in the `PATH` of the parent
/// script.
#[test]
fn the_runtimes_directory_replaces_the_shims_in_path() {
    let site = Site::new();
    const SHIMS: &str = "/usr/libexec/sifcache/bin";
    let text = format!("PATH={SHIMS} ROOT/shims/apptainer exec /a.sif true; exit $?");
    site.script("script", &format!("#!/bin/sh\n{text}\n"));
    let outcome = site.call(&PASS).program("script").run();
    let path = format!("PATH={}", site.text("real"));
    assert!(outcome.reported("environ").contains(&&*path), "{outcome:#?}");
}

/// A user's script that calls the shim and removes all variables that would show an earlier call.
#[test]
fn a_script_that_clears_its_environment_ends() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    site.script("own/apptainer", "#!/bin/sh\nexec /usr/bin/env -i ROOT/shims/apptainer \"$@\"\n");
    site.script("script", "#!/bin/sh\napptainer exec /a.sif true; exit $?\n");
    // Other users can write to this script, so the shim does not trust it. The same holds for a
    // script that only the job's own user can write to.
    fs::set_permissions(site.path("own/apptainer"), fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = site.call(&PASS).program("script").path("shims own real").run();
    assert_eq!(outcome.reported("argv").len(), 4, "{outcome:#?}");
    let outcome = site.call(&PASS).program("script").path("shims own").run();
    outcome.ended(127, "not found");
}
