//! Pulls of an image in the cache, which the shim answers, and those that it leaves to the runtime.

use crate::call::{Call, Outcome};
use crate::kit::{Site, programs};
use sif_fixture::Sif;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

const CACHED: &str = "INFO:    Using cached SIF image\n";
const COPYING: &str =
    "FATAL:   While making image from oci registry: error copying image out of cache: ";

/// A site with an empty directory `work`.
fn site() -> Site {
    let site = Site::new();
    fs::create_dir(site.path("work")).unwrap();
    site
}

/// `apptainer ARGUMENTS` in the directory `work`.
fn call<'a>(site: &'a Site, arguments: &str) -> Call<'a> {
    let command = format!("apptainer {arguments}");
    let words: Vec<&str> = command.split(' ').collect();
    site.call(&words).set_up("directory", &site.text("work")).set_up("umask", "22")
}

/// The files below `work`.
fn tree(site: &Site) -> Vec<String> {
    let names = fs::read_dir(site.path("work")).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Asserts that the pull succeeded without the runtime, and that `name` in `work` is the image.
#[track_caller]
fn copied(site: &Site, outcome: &Outcome, name: &str) {
    assert!(outcome.report.is_none() && outcome.status == Some(0), "{outcome:#?}");
    assert_eq!(outcome.stdout, "");
    let path = site.path("work").join(name);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(path).unwrap(), fs::read(site.image()).unwrap());
    assert!(!tree(site).iter().any(|name| name.starts_with("tmp-copy-")), "{:?}", tree(site));
}

#[test]
fn a_hit_is_copied() {
    let site = site();
    // Files that are written shortly after each other can have the same time.
    let image = fs::File::options().write(true).open(site.image()).unwrap();
    image.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    let outcome = call(&site, "pull docker://o/i:1").run();
    copied(&site, &outcome, "i_1.sif");
    assert_eq!(outcome.stderr, CACHED);
    assert_eq!(tree(&site), ["i_1.sif"]);
    let [image, file] = [site.path("roots/o/i:1"), site.path("work/i_1.sif")]
        .map(|path| fs::metadata(path).unwrap());
    assert_eq!(file.permissions().mode() & 0o7777, 0o755);
    assert_ne!(file.ino(), image.ino());
    assert!(file.modified().unwrap() > image.modified().unwrap());
    let own = fs::metadata("/proc/self").unwrap();
    assert_eq!((file.uid(), file.gid()), (own.uid(), own.gid()));
}

#[test]
fn every_spelling_of_a_target() {
    for (arguments, name) in [
        ("pull x docker://o/i:1", "x"),
        ("pull --name x docker://o/i:1", "x"),
        ("pull --name=x ignored docker://o/i:1", "x"),
        ("pull --dir d docker://o/i:1", "d/i_1.sif"),
        ("pull --dir d --name x docker://docker.io/o/i:1", "d/x"),
        ("pull --dir d /e/x docker://o/i:1", "d/e/x"),
        ("-q pull ../work/x docker://o/i:1", "x"),
        ("pull d/../x docker://o/i:1", "x"),
        ("pull --dir d ../x docker://o/i:1", "x"),
    ] {
        let site = site();
        fs::create_dir_all(site.path("work/d/e")).unwrap();
        copied(&site, &call(&site, arguments).run(), name);
    }
}

#[test]
fn the_mode_follows_the_umask() {
    for (umask, mode) in [("77", 0o700), ("0", 0o777), ("2", 0o775)] {
        let site = site();
        copied(&site, &call(&site, "pull x docker://o/i:1").set_up("umask", umask).run(), "x");
        let metadata = fs::metadata(site.path("work/x")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn the_runtime_refuses_an_existing_file() {
    let site = site();
    fs::write(site.path("work/file"), "old").unwrap();
    fs::create_dir(site.path("work/directory")).unwrap();
    symlink("file", site.path("work/link")).unwrap();
    symlink("nowhere", site.path("work/dangling")).unwrap();
    for name in ["file", "directory", "link"] {
        call(&site, &format!("pull {name} docker://o/i:1")).is_bare();
    }
    // Even with `require`, and whether or not there is an image.
    call(&site, "pull file docker://o/i:2").variable("SIF_CACHE=require").is_bare();
    copied(&site, &call(&site, "pull dangling docker://o/i:1").run(), "dangling");
    assert_eq!(fs::read(site.path("work/file")).unwrap(), b"old");
    assert_eq!(tree(&site), ["dangling", "directory", "file", "link"]);
}

#[test]
fn force_replaces_a_file_and_never_follows_a_link() {
    for option in ["-F", "--force"] {
        let site = site();
        fs::write(site.path("work/file"), "old").unwrap();
        fs::set_permissions(site.path("work/file"), fs::Permissions::from_mode(0o444)).unwrap();
        symlink("file", site.path("work/link")).unwrap();
        fs::create_dir(site.path("work/directory")).unwrap();
        symlink("directory", site.path("work/to-directory")).unwrap();
        for name in ["link", "to-directory", "new"] {
            let outcome = call(&site, &format!("pull {option} {name} docker://o/i:1")).run();
            copied(&site, &outcome, name);
        }
        assert_eq!(fs::read(site.path("work/file")).unwrap(), b"old");
        copied(&site, &call(&site, &format!("pull {option} file docker://o/i:1")).run(), "file");
        let mode = fs::metadata(site.path("work/file")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        let outcome = call(&site, &format!("pull {option} directory docker://o/i:1")).run();
        let message = format!("{CACHED}{COPYING}could not rename temporary file in copy: rename ");
        outcome.ended(255, &message);
        assert!(outcome.stderr.ends_with(" directory: file exists\n"), "{outcome:#?}");
        assert_eq!(tree(&site), ["directory", "file", "link", "new", "to-directory"]);
    }
}

#[test]
fn targets_that_cannot_be_written() {
    let site = site();
    fs::write(site.path("work/file"), "old").unwrap();
    let create = format!("{COPYING}could not open temporary file for copy: failed to create ");
    for (arguments, end) in [
        ("pull nowhere/x docker://o/i:1", ": no such file or directory\n"),
        ("pull --dir nowhere docker://o/i:1", ": no such file or directory\n"),
        ("pull -F file/x docker://o/i:1", ": not a directory\n"),
    ] {
        let outcome = call(&site, arguments).run();
        outcome.ended(255, &format!("{CACHED}{create}"));
        assert!(outcome.stderr.ends_with(end), "{outcome:#?}");
        // -q and -s keep the error.
        let outcome = call(&site, &format!("-s {arguments}")).run();
        assert!(outcome.status == Some(255) && outcome.stderr.starts_with(&create), "{outcome:#?}");
    }
    assert_eq!(tree(&site), ["file"]);
}

/// The limit on the size of files stands for a full disk.
#[test]
fn a_failed_copy_leaves_nothing() {
    let site = site();
    Sif::image_of(1 << 20).write(site.path("roots/o/large:1")).unwrap();
    let limit = format!("{} 65536", libc::RLIMIT_FSIZE);
    let outcome = call(&site, "pull x docker://o/large:1").set_up("limit", &limit).run();
    // A file system that shares blocks has no need to write.
    if outcome.status != Some(0) {
        outcome.ended(255, &format!("{CACHED}{COPYING}could not copy file: write ./tmp-copy-"));
        assert!(outcome.stderr.ends_with(": file too large\n"), "{outcome:#?}");
        assert_eq!(tree(&site), [] as [&str; 0]);
    }
}

#[test]
fn quiet_pulls_print_nothing() {
    for option in ["-q", "--quiet", "-s", "--silent"] {
        let site = site();
        let outcome = call(&site, &format!("{option} pull docker://o/i:1")).run();
        copied(&site, &outcome, "i_1.sif");
        assert_eq!(outcome.stderr, "");
    }
}

/// The runtime reports the variables before it applies them, so only a flag suppresses this.
#[test]
fn a_variable_does_not_suppress_the_messages_about_variables() {
    let preferred = |key| {
        let line = format!("SINGULARITY_{key} is set, but APPTAINER_{key} is preferred");
        format!("INFO:    Environment variable {line}\n")
    };
    let [quiet, force] = ["QUIET", "FORCE"].map(preferred);
    for (variables, option, expected) in [
        (&["APPTAINER_QUIET=1", "SINGULARITY_FORCE=1"] as &[&str], "", force.clone()),
        (&["APPTAINER_SILENT=1", "SINGULARITY_FORCE=1"], "", force.clone()),
        (&["SINGULARITY_FORCE=1", "SINGULARITY_QUIET=1"], "", quiet.clone() + &force),
        (&["SINGULARITY_QUIET=0"], "", quiet + CACHED),
        (&["SINGULARITY_FORCE=1"], "-q ", String::new()),
        (&["SINGULARITY_FORCE=1", "APPTAINER_QUIET=1"], "--quiet=false ", force + CACHED),
    ] {
        let site = site();
        let call = call(&site, &format!("{option}pull docker://o/i:1"));
        let outcome = variables.iter().fold(call, |call, text| call.variable(*text)).run();
        copied(&site, &outcome, "i_1.sif");
        assert_eq!(outcome.stderr, expected, "{variables:?} {option}");
    }
}

/// With these options the runtime prints details, or makes another file.
#[test]
fn other_pulls_are_left_to_the_runtime() {
    let site = site();
    for arguments in [
        "-d pull docker://o/i:1",
        "-v pull docker://o/i:1",
        "pull --disable-cache docker://o/i:1",
        "pull --arch arm64 docker://o/i:1",
        "pull --unknown docker://o/i:1",
        "pull x y docker://o/i:1",
        "pull --no-cleanup docker://o/i:1",
        "pull docker://o/i:1@sha256:00",
        "pull shub://o/i:1",
        "pull x/ docker://o/i:1",
        "pull docker://o/i:2",
        "pull",
        "push docker://o/i:1",
    ] {
        call(&site, arguments).is_bare();
    }
    for variable in ["APPTAINER_PULL_ARCH=arm64", "SINGULARITY_DISABLE_CACHE=1", "SIF_CACHE=off"] {
        call(&site, "pull docker://o/i:1").variable(variable).is_bare();
    }
    assert_eq!(tree(&site), [] as [&str; 0]);
}

#[test]
fn the_settings_decide() {
    let site = site();
    let with = |more: &str, arguments: &str| {
        call(&site, arguments).settings(Some(&format!("{} {more}", site.settings())))
    };
    with("pull=off", "pull docker://o/i:1").is_bare();
    with("pull=off on_miss=fail", "pull docker://o/i:2").variable("SIF_CACHE=require").is_bare();
    with("on_miss=fail", "pull docker://o/i:2")
        .run()
        .ended(66, "the pull fails because of on_miss=fail");
    let required = with("on_miss=pull", "pull docker://o/i:2").variable("SIF_CACHE=require");
    required.run().ended(66, "the pull fails because of --sif-cache=require");
    assert!(
        with("on_miss=warn", "pull docker://o/i:2").is_bare().stderr.contains("docker.io/o/i:2")
    );
    copied(&site, &with("pull=copy on_miss=fail", "pull docker://o/i:1").run(), "i_1.sif");
}

/// A pull that was decided on is not decided on again when the user's script executes the runtime.
#[test]
fn a_script_of_the_user_does_not_see_a_hit() {
    let site = site();
    site.script("own/apptainer", "#!/bin/sh\nexec ROOT/real/apptainer \"$@\"\n");
    let through = call(&site, "pull docker://o/i:1").path("own shims real");
    copied(&site, &through.program("shims/apptainer").run(), "i_1.sif");
}

#[test]
fn a_task_of_multi_prog() {
    let site = site();
    let (shim, settings) = (site.text("sifcache-shim"), site.settings());
    let real = site.text("real/apptainer");
    for program in ["apptainer", &real] {
        let words = [&shim, "--multi-prog", &settings, "auto", program, "pull", "-F", "x"];
        let words = [&words[..], &["docker://o/i:1"]].concat();
        let call = Call::new(&site, &words).program("sifcache-shim").path("real");
        copied(&site, &call.set_up("directory", &site.text("work")).run(), "x");
    }
}

/// The copy is large, so that the signal arrives before its end. If it does not, the test tries
/// again.
#[test]
fn a_signal_removes_the_temporary_file() {
    let site = site();
    Sif::image_of(256 << 20).write(site.path("roots/o/large:1")).unwrap();
    for (signal, leaves) in [("TERM", false), ("INT", false), ("HUP", false), ("KILL", true)] {
        let number = (0..100).find_map(|_| interrupted(&site, signal));
        // A file system that shares blocks is too fast.
        let Some(number) = number else { continue };
        let left = tree(&site);
        assert_eq!(left.iter().any(|name| name.starts_with("tmp-copy-")), leaves, "{left:?}");
        assert!(!left.contains(&"x".to_owned()), "SIG{signal} {number}: {left:?}");
        for name in left {
            fs::remove_file(site.path("work").join(name)).unwrap();
        }
    }
}

/// Sends a signal to a pull that has begun to copy. Returns the signal that ended the pull, if any.
fn interrupted(site: &Site, signal: &str) -> Option<i32> {
    let mut command = Command::new(site.path("shims/apptainer"));
    command.args(["pull", "-F", "x", "docker://o/large:1"]).current_dir(site.path("work"));
    command.env_clear().env("PATH", site.search("shims real"));
    command.env("SINGULARITY_SIFCACHE", site.settings()).stderr(Stdio::null());
    let mut child = {
        let _lock = programs();
        command.spawn().unwrap()
    };
    while child.try_wait().unwrap().is_none() {
        if tree(site).iter().any(|name| name.starts_with("tmp-copy-")) {
            let pid = child.id().to_string();
            let kill = ["-s", signal, &pid];
            assert!(Command::new("/bin/kill").args(kill).status().is_ok());
            break;
        }
    }
    let number = child.wait().unwrap().signal();
    if number.is_none() {
        let _ = fs::remove_file(site.path("work/x"));
    }
    number
}
