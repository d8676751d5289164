//! Pulls with `pull=link`: the file is a symbolic link to the image's name by digest.

use crate::kit::registry::move_tag;
use crate::kit::tree::sha256;
use crate::kit::{
    IMAGE, OTHER, Output, SHARED, Site, WHICH, inside, plugins_can_prepend, sif, with_hub,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const RUNTIME: &str = "/usr/bin/apptainer";
const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";
const CACHED: &str = "INFO:    Using cached SIF image\n";
const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// Runs `sifcache` as root on the login node.
#[track_caller]
fn done(site: &Site, words: &[&str]) -> Output {
    let output = site.exec(&[], &[&["sifcache"], words].concat(), "");
    assert_eq!(output.status, 0, "{words:?}: {output:#?}");
    output
}

/// A site whose image `o/i:1` has a name by digest. Returns the path of that name in the cluster.
fn site(settings: &str) -> (Site, String) {
    let site = Site::new(&format!("pull=link {settings}"));
    done(&site, &["import", "--digest", DIGEST, &inside(IMAGE), "o/i:1"]);
    (site, format!("{SHARED}/o/i@{DIGEST}"))
}

/// The target of a link on a host; `None` if the file is not a link.
fn target(site: &Site, host: &str, path: &str) -> Option<String> {
    let target = fs::read_link(site.at(host, path)).ok()?;
    Some(target.into_os_string().into_string().unwrap())
}

#[test]
#[ignore = "needs a testbed: make test"]
fn pulls_inside_a_script() {
    for (nested, programs) in
        [("path", &["apptainer"] as &[&str]), ("preload", &["apptainer", RUNTIME])]
    {
        let (site, pinned) = site(&format!("nested={nested}"));
        for program in programs {
            let script = format!(
                "cd && rm -f x && {program} pull --name x docker://o/i:1 && readlink x && \
                 {program} exec x {}",
                WHICH.join(" ")
            );
            let output = site.sbatch(&[], &script);
            let expected = format!("{CACHED}{pinned}\n{IMAGE}\n");
            assert_eq!((output.status, output.stdout), (0, expected), "{nested} {program}");
            let hit = "uid=1001 via=pull reference=docker.io/o/i:1 image=/shared/sif/o/i:1";
            site.logged("n1", &format!("step=batch node=0 {hit} link={pinned}\n"));
        }
        // Another node and the login node find the same file.
        site.launch(&["-w", "n2"], "/home/alice/x").ran(IMAGE);
        site.alice(&[&[RUNTIME, "exec", "/home/alice/x"], &WHICH[..]].concat()).ran(IMAGE);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_tasks_own_command() {
    let (site, pinned) = site("");
    let programs = if plugins_can_prepend() { &["apptainer", RUNTIME] } else { &["apptainer"][..] };
    let (path, link) = ("/tmp/pulled.sif", Some(pinned.clone()));
    let file = site.at("n1", path);
    let pull = |program: &str, options: &[&str]| {
        let words = [&[program, "pull"], options, &[path, "docker://o/i:1"]].concat();
        site.srun(&[&["-w", "n1"], &words[..]].concat())
    };
    for program in programs {
        let _ = fs::remove_file(&file);
        let output = pull(program, &[]);
        assert!(output.status == 0 && output.stderr.ends_with(CACHED), "{output:#?}");
        assert_eq!(target(&site, "n1", path), link);
        site.launch(&[], path).ran(IMAGE);
        site.logged(
            "n1",
            &format!("via=pull reference=docker.io/o/i:1 image=/shared/sif/o/i:1 link={pinned}\n"),
        );
        // The runtime itself refuses an existing file.
        let output = pull(program, &[]);
        assert!(output.status == 255 && output.stderr.contains("already exists"), "{output:#?}");
        for force in ["-F", "--force"] {
            assert_eq!(pull(program, &[force]).status, 0);
            assert_eq!(target(&site, "n1", path), link);
        }
    }
    // A file of the user is replaced, and a broken link even without `--force`.
    fs::remove_file(&file).unwrap();
    fs::write(&file, "mine").unwrap();
    let _ = fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666));
    std::os::unix::fs::chown(&file, Some(1001), Some(1001)).unwrap();
    assert_eq!(pull("apptainer", &["--force"]).status, 0);
    assert_eq!(target(&site, "n1", path), link);
    fs::remove_file(&file).unwrap();
    symlink("/none", &file).unwrap();
    std::os::unix::fs::lchown(&file, Some(1001), Some(1001)).unwrap();
    assert_eq!(pull("apptainer", &[]).status, 0);
    assert_eq!(target(&site, "n1", path), link);
    fs::remove_file(&file).unwrap();
    let image = site.at("ctl", SHARED).join("o/i:1");
    assert_eq!(sha256(&image), sha256(&sif(IMAGE)));
}

/// The runtime itself replaces a link, and never writes to the image of the site.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_runtime_over_a_link() {
    let (site, pinned) = site("");
    let image = site.at("ctl", &pinned);
    let before = sha256(&image);
    let run = |script: &str| {
        let link = format!("cd && rm -rf x && {SHIM} -q pull x docker://o/i:1 && readlink x >&2");
        site.alice(&["bash", "-c", &format!("{link} && {script}")])
    };
    let other = format!("docker://{OTHER}");
    with_hub(|| {
        for command in [
            format!("{SHIM} pull -F x {other}"),
            format!("{RUNTIME} pull -F x {other}"),
            format!("{RUNTIME} pull --disable-cache -F x {other}"),
            format!("{RUNTIME} build -F x {other}"),
        ] {
            run(&format!("{command} >&2 && {RUNTIME} exec x {}", WHICH.join(" "))).ran(OTHER);
            assert_eq!(target(&site, "ctl", "/home/alice/x"), None, "{command}");
        }
    });
    // The source and the target of this build are the same file.
    run(&format!("{SHIM} build -F x docker://o/i:1 >&2 && {RUNTIME} exec x {}", WHICH.join(" ")))
        .ran(IMAGE);
    assert_eq!(target(&site, "ctl", "/home/alice/x"), None);
    assert_eq!(sha256(&image), before);
    assert!(fs::symlink_metadata(&image).unwrap().is_file());
}

/// The lines of sifcache in the logs of two hosts since the site was created.
fn logs(site: &Site) -> String {
    let all = ["ctl", "n1"].map(|host| site.log(host)).concat();
    all.lines()
        .filter(|line| line.contains("event="))
        .fold(String::new(), |log, line| log + line + "\n")
}

#[test]
#[ignore = "needs a testbed: make test"]
fn tags_move_and_images_are_removed() {
    let site = Site::new("pull=link");
    let path = |name: &str| format!("/home/alice/{name}");
    // On the login node, outside of any job.
    let pull = |name: &str| {
        let file = path(name);
        let output = site.alice(&[SHIM, "pull", "--force", &file, "docker://moving:1"]);
        assert_eq!((output.status, output.stderr.as_str()), (0, CACHED), "{output:#?}");
        target(&site, "ctl", &file).unwrap_or_else(|| panic!("{name} is not a link"))
    };
    let start = |name: &str| site.launch(&[], &path(name));
    let old = with_hub(|| {
        move_tag(IMAGE, "library/moving:1");
        done(&site, &["add", "moving:1"]);
        let old = pull("old");
        move_tag(OTHER, "library/moving:1");
        done(&site, &["refresh", "moving:1"]);
        old
    });
    let new = pull("new");
    assert!(old.starts_with("/shared/sif/moving@sha256:") && old != new, "{old} {new}");
    start("old").ran(IMAGE);
    start("new").ran(OTHER);
    // The log lines of the pulls keep both images, until the grace period ends.
    site.logged("ctl", &format!("link={old}\n"));
    site.logged("ctl", &format!("link={new}\n"));
    fs::write(site.at("ctl", "/home/links.log"), logs(&site)).unwrap();
    let gc = ["gc", "--older-than", "0d", "--yes", "--log", "/home/links.log"];
    let output = done(&site, &gc);
    assert!(output.stderr.contains("because files of users link to it"), "{output:#?}");
    start("old").ran(IMAGE);
    start("new").ran(OTHER);
    let output = done(&site, &[&gc[..], &["--link-grace", "0d"]].concat());
    assert!(output.stdout.contains("2 removed"), "{output:#?}");
    for name in ["old", "new"] {
        let broken: PathBuf = site.at("ctl", &path(name));
        assert!(broken.is_symlink() && target(&site, "ctl", &path(name)).is_some());
        assert_ne!(start(name).status, 0);
    }
    // A pull without `--force` repairs the link.
    done(&site, &["import", "--digest", DIGEST, &inside(IMAGE), "moving:1"]);
    let output = site.alice(&[SHIM, "pull", &path("old"), "docker://moving:1"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, CACHED), "{output:#?}");
    start("old").ran(IMAGE);
}
