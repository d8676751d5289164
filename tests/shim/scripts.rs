//! Scripts of a user or a site that have the runtime's name and call the next program of that name.

use crate::kit::{HIT, IMAGE, MISS, Site};

const SHIMS: &str = "/usr/libexec/sifcache/bin";

/// Asserts that the runtime gets the image and that the settings are removed. If the script does
/// not call the shim again, the variable that lists the scripts remains; a container does not see
/// it.
#[track_caller]
fn ends_with_the_image(site: &Site, path: &str, program: &str) {
    let outcome = site.call(&HIT).path(path).program(program).run();
    assert_eq!(outcome.reported("argv")[IMAGE], site.image(), "{path}");
    let ours: Vec<_> = outcome
        .reported("environ")
        .into_iter()
        .filter(|v| v.starts_with("SINGULARITY_SIFCACHE="))
        .collect();
    assert_eq!((ours, outcome.reported("argc")), (Vec::new(), vec!["4"]), "{path}");
}

/// Whatever the position of the script and however it calls the next program, no endless loop
/// occurs and the image is used.
#[test]
fn a_script_calls_the_next_one() {
    let site = Site::new();
    // This script searches only in the directories after its own, as careful scripts do.
    site.script(
        "wrapper/apptainer",
        "#!/bin/sh\nPATH=${PATH#*ROOT/wrapper:}\nexec apptainer \"$@\"\n",
    );
    site.script("absolute/apptainer", "#!/bin/sh\nexec ROOT/real/apptainer \"$@\"\n");
    site.script("shim/apptainer", "#!/bin/sh\necho once\nexec ROOT/shims/apptainer \"$@\"\n");
    site.script("forks/apptainer", "#!/bin/sh\nROOT/shims/apptainer \"$@\" 2>&1\nexit 7\n");
    for path in [
        "shims wrapper real",
        "wrapper shims real",
        "shims absolute real",
        "shims shim real",
        "shim shims real",
        "shim real",
        "shims shim shims real",
        "shims shim wrapper absolute real",
        "wrapper shim real",
        "wrapper shims shim real",
    ] {
        let first = path.split(' ').next().unwrap();
        ends_with_the_image(&site, path, &format!("{first}/apptainer"));
        let shim = site.call(&HIT).path(path).program("shims/apptainer").run();
        // If a script ran before the shim was called for the first time, it runs once more.
        assert!(shim.stdout.matches("once").count() <= 2, "{path}");
        assert_eq!(shim.reported("argv")[IMAGE], site.image(), "{path}");
    }
    // If the shim is called again, it also removes the variable with the scripts.
    let outcome = site.call(&HIT).path("shims shim real").run();
    assert!(!outcome.reported("environ").iter().any(|variable| variable.contains("SIFCACHE")));
    let outcome = site.call(&HIT).path("shims forks real").run();
    assert!(outcome.status == Some(7), "{outcome:#?}");
}

/// The one case without a solution: the only runtime is a script that calls the shim.
#[test]
fn a_script_that_has_nothing_but_the_shim() {
    let site = Site::new();
    site.script("shim/apptainer", "#!/bin/sh\nexec ROOT/shims/apptainer \"$@\"\n");
    for command in [&HIT, &MISS] {
        let call = site.call(command).path("shim");
        call.run().ended(127, "not found in PATH");
        call.ours(format!("SINGULARITY_SIFCACHE_RUNTIME={}", site.text("shim/apptainer")))
            .run()
            .ended(127, "not found in PATH");
    }
}

/// A script may turn a command into a launch, so the script must find the shim.
#[test]
fn a_script_makes_a_launch() {
    let site = Site::new();
    let text = "#!/bin/sh\necho \"$PATH\"\nexec apptainer-shim exec docker://o/i:1 \"$@\"\n";
    site.script("wrapper/apptainer", text);
    site.link("../shims/apptainer", "helper/apptainer-shim");
    let [wrapper, real] = ["wrapper", "real"].map(|name| site.text(name));
    let helper = site.text("helper");
    let call = site.call(&["apptainer", "my-app"]);
    let outcome = call.variable(format!("PATH={SHIMS}:{wrapper}:{real}:{helper}")).run();
    assert_eq!(outcome.stdout, format!("{wrapper}:{SHIMS}:{real}:{helper}\n"));
    // For a launch, the shim is not needed any more.
    let call = site.call(&HIT);
    let outcome = call.variable(format!("PATH={SHIMS}:{wrapper}:{real}:{helper}")).run();
    assert_eq!(outcome.stdout, format!("{wrapper}:{real}:{helper}\n"));
}
