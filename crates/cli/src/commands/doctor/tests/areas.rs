//! Tests of image roots, launches in job scripts, login shells and syslog.

use super::{Tree, elf};
use std::fs;

/// The problems other than the missing `singularity`.
fn problems(tree: &Tree) -> Vec<String> {
    tree.problems().into_iter().filter(|line| line != "Note runtime: found").collect()
}

#[test]
fn roots() {
    let Some(mut tree) = Tree::new() else { return };
    tree.mode("/sif", 0o777);
    assert_eq!(problems(&tree), ["Fail image roots: trusted"]);
    assert!(tree.advice("image roots", "trusted").contains("chmod o-w "));
    tree.mode("/sif", 0o700);
    assert_eq!(problems(&tree), ["Fail image roots: readable"]);
    tree.mode("/sif", 0o750);
    assert_eq!(problems(&tree), ["Note image roots: readable"]);
    tree.mode("/sif", 0o755);
    tree.write("/file", "");
    tree.mode("/file", 0o666);
    tree.remove("/etc/slurm/plugstack.conf");
    tree.arguments = "image_root=/none:/sif:/file".to_owned();
    assert_eq!(problems(&tree), ["Warn image roots: there", "Fail image roots: there"]);
    tree.remove("/etc/slurm/plugstack.conf");
    tree.arguments = "image_root=/none".to_owned();
    assert_eq!(problems(&tree), ["Fail image roots: there"]);
    assert!(tree.advice("image roots", "there").contains("mkdir -p /none"));
}

#[test]
fn roots_inside_others() {
    let Some(mut tree) = Tree::new() else { return };
    for directory in ["/sif/nest/o", "/far/o", "/sif/galaxy"] {
        fs::create_dir_all(tree.at(directory)).unwrap();
    }
    tree.link("/again", "sif");
    tree.link("/inner", "sif/nest");
    let nested = "Warn image roots: nested-roots";
    let advice = |tree: &Tree, part: &str| {
        let advice = tree.advice("image roots", "nested-roots");
        assert!(advice.contains(part), "{advice}");
    };
    for (roots, expected, part) in [
        ("/sif:/sif/nest", &[nested][..], "move /sif/nest out of /sif,"),
        ("/sif/nest:/sif", &[nested], "move /sif/nest out of /sif,"),
        ("/inner:/again", &[nested], "move /inner out of /again,"),
        ("/sif:/again", &[nested], "/again: the same directory as the image root /sif"),
        ("/sif:galaxy=/again", &["Warn image roots: layout"], ""),
        ("/sif:/far", &[], ""),
        ("/sif:/sif/galaxy:/sif/nest", &[nested, nested], "move /sif/galaxy out of /sif,"),
    ] {
        tree.arguments = format!("image_root={roots}");
        assert_eq!(problems(&tree), expected, "{roots}");
        if expected.contains(&nested) {
            advice(&tree, part);
        }
        tree.remove("/etc/slurm/plugstack.conf");
    }
    tree.link("/sif/to-far", "../far/o");
    tree.arguments = "image_root=/sif:/far".to_owned();
    assert_eq!(problems(&tree), [nested]);
    advice(&tree, "/sif/to-far: leads to the image root /far,");
    advice(&tree, "rm /sif/to-far");
}

/// After `scontrol reconfigure`, Debian's slurmd is called `slurmd-wlm`.
#[test]
fn a_compute_node_runs_slurmd() {
    for (name, expected) in
        [("slurmd", true), ("slurmd-wlm", true), ("slurmdbd", false), ("slurmctld", false)]
    {
        let Some(tree) = Tree::new() else { return };
        tree.write("/proc/7/comm", format!("{name}\n"));
        let mut host = tree.host();
        host.in_job = false;
        assert_eq!(host.is_compute_node(), expected, "{name}");
    }
}

#[test]
fn roots_that_users_may_write() {
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments = "image_root=/sif untrusted=accept".to_owned();
    tree.mode("/sif", 0o777);
    assert_eq!(problems(&tree), ["Note image roots: trusted"]);
    assert!(tree.advice("image roots", "trusted").contains("can be written by everybody"));
}

#[test]
fn the_state_of_a_root() {
    let Some(tree) = Tree::new() else { return };
    tree.write("/sif/.sifcache", "");
    assert_eq!(problems(&tree), ["Fail image roots: state"]);
    tree.remove("/sif/.sifcache");
    fs::create_dir_all(tree.at("/sif/.sifcache/metadata")).unwrap();
    tree.mode("/sif/.sifcache", 0o777);
    assert_eq!(problems(&tree), ["Fail image roots: state"]);
    tree.mode("/sif/.sifcache", 0o755);
    assert_eq!(problems(&tree), [""; 0]);
    assert!(tree.at("/sif/.sifcache/metadata").is_dir());
}

#[test]
fn a_root_on_fuse() {
    let Some(tree) = Tree::new() else { return };
    let mounts = |kind: &str| format!("1 0 0:1 / / rw - {kind} x rw\n");
    tree.write("/proc/self/mountinfo", mounts("fuse.cvmfs2"));
    assert_eq!(problems(&tree), ["Note image roots: hanging"]);
    let advice = |part: &str| {
        let advice = tree.advice("image roots", "hanging");
        assert!(advice.contains(part), "{advice}");
    };
    advice("/sif: fuse.cvmfs2: if its server hangs");
    advice("HealthCheckProgram: examples/fuse-health-check; Linux 6.14 and newer can");
    let timeout = |name: &str, seconds: &str| {
        tree.write(&format!("/proc/sys/fs/fuse/{name}_request_timeout"), seconds);
    };
    timeout("default", "0\n");
    timeout("max", "0\n");
    assert_eq!(problems(&tree), ["Note image roots: hanging"]);
    advice("set the sysctl fs.fuse.default_request_timeout to more seconds");
    for (default, max) in [("60\n", "0\n"), ("0\n", "60\n")] {
        timeout("default", default);
        timeout("max", max);
        assert_eq!(problems(&tree), [""; 0]);
    }
    timeout("max", "0\n");
    tree.write("/proc/self/mountinfo", mounts("ext4"));
    assert_eq!(problems(&tree), [""; 0]);
}

#[test]
fn shims() {
    let Some(tree) = Tree::new() else { return };
    let directory = "/usr/libexec/sifcache";
    for one in ["bin", "bin-linked", "bin-apptainer"] {
        tree.remove(&format!("{directory}/{one}/apptainer"));
        let broken: &[&str] = match one {
            // The link under the other name leads to the same file.
            "bin-linked" => &["Fail launches in job scripts: link"; 2],
            _ => &["Fail launches in job scripts: link"],
        };
        assert_eq!(problems(&tree), broken, "{one}");
        assert!(tree.advice("launches in job scripts", "link").contains("make install"));
        tree.program(&format!("{directory}/{one}/apptainer"));
        assert_eq!(problems(&tree), broken, "{one}");
        tree.shim(one, "apptainer");
        assert_eq!(problems(&tree), [""; 0], "{one}");
    }
    // A shim of another runtime, and an old shim that an upgrade did not replace.
    let path = format!("{directory}/bin/apptainer");
    tree.write(&path, sifcache_core::nested::shims::label("singularity"));
    assert_eq!(problems(&tree), ["Fail launches in job scripts: link"]);
    tree.write(&format!("{directory}/sifcache-shim"), "a newer program");
    assert_eq!(problems(&tree), ["Warn launches in job scripts: link"; 2]);
    tree.write(&format!("{directory}/sifcache-shim"), "");
    tree.shim("bin", "apptainer");
    tree.mode(&format!("{directory}/sifcache-shim"), 0o700);
    assert_eq!(problems(&tree), ["Fail launches in job scripts: shim"]);
    tree.mode(&format!("{directory}/sifcache-shim"), 0o757);
    assert_eq!(problems(&tree), ["Fail launches in job scripts: shim"]);
}

/// Each configured runtime name needs its own shim.
#[test]
fn shims_of_other_names() {
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments = "image_root=/sif runtimes=apptainer,sing".to_owned();
    assert_eq!(problems(&tree), ["Fail launches in job scripts: link"]);
    let advice = tree.advice("launches in job scripts", "link");
    assert!(advice.contains("bin-sing/sing: missing, so 'sing' in job scripts"), "{advice}");
    assert!(advice.contains("make install runtimes='apptainer sing'"), "{advice}");
    assert!(tree.problems().contains(&"Note runtime: found".to_owned()));
}

#[test]
fn the_interposer() {
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments = "image_root=/sif nested=preload".to_owned();
    let one = "Fail launches in job scripts: interposer";
    assert_eq!(problems(&tree), [one]);
    let file = "/usr/libexec/sifcache/libsifcache_preload.so";
    tree.write(file, elf::library(8, 0));
    assert_eq!(problems(&tree), [one]);
    tree.write(file, elf::plugin(0));
    assert_eq!(problems(&tree), [""; 0]);
    tree.mode(file, 0o666);
    assert_eq!(problems(&tree), [one]);
    tree.mode(file, 0o600);
    assert_eq!(problems(&tree), [one]);
}

#[test]
fn login_shells() {
    let Some(mut tree) = Tree::new() else { return };
    // A directory before the shims is harmless as long as it has no runtime.
    let behind = "\n/opt/bin:/usr/libexec/sifcache/bin/:/usr/bin";
    tree.answer("/usr/bin/bash -c", behind);
    assert_eq!(problems(&tree), [""; 0]);
    tree.program("/opt/bin/apptainer");
    assert_eq!(problems(&tree), ["Warn login shells: bash"]);
    tree.answer("/usr/bin/bash -c", "\n/usr/bin:/bin");
    assert_eq!(problems(&tree), ["Warn login shells: bash"]);
    tree.remove("/etc/profile.d/zz-sifcache.sh");
    assert_eq!(problems(&tree), ["Fail login shells: bash"]);
    tree.answer("/usr/bin/bash -c", "");
    assert_eq!(problems(&tree), [""; 0]);
}

/// zsh, tcsh and fish also read start files whenever they run a script.
#[test]
fn other_shells() {
    let kept = "\n/usr/libexec/sifcache/bin:/usr/bin";
    for (shell, call, remedy, start) in [
        ("zsh", "/usr/bin/zsh -c", "emulate sh -c '. /etc/profile.d/zz-sifcache.sh'", "~/.zshenv"),
        ("tcsh", "/usr/bin/tcsh -c", "at the end of /etc/csh.login", "~/.tcshrc or ~/.cshrc"),
        ("fish", "/usr/bin/fish -c", "at the end of /etc/fish/config.fish", "config.fish or a"),
    ] {
        let Some(mut tree) = Tree::new() else { return };
        tree.write("/etc/profile.d/zz-sifcache.csh", "");
        assert_eq!(problems(&tree), [""; 0]);
        tree.program(&format!("/usr/bin/{shell}"));
        tree.answer(call, kept);
        assert_eq!(problems(&tree), [""; 0], "{shell}");
        tree.answer(call, "\n/usr/bin:/bin");
        let area = "login shells";
        assert_eq!(
            problems(&tree),
            [format!("Note {area}: {shell}"), format!("Warn {area}: {shell}")]
        );
        assert!(tree.advice(area, shell).contains(remedy), "{}", tree.advice(area, shell));
        // Only scripts lose the shims.
        tree.login = Some(kept);
        assert_eq!(problems(&tree), [format!("Warn {area}: {shell}")]);
        let advice = tree.advice(area, shell);
        assert!(advice.contains(start) && advice.contains("a script of"), "{advice}");
        tree.answer(call, "\n/usr/bin:/usr/libexec/sifcache/bin");
        assert!(tree.advice(area, shell).contains("/usr/bin/apptainer is before the shims"));
        tree.remove("/etc/profile.d/zz-sifcache.sh");
        tree.remove("/etc/profile.d/zz-sifcache.csh");
        tree.login = Some("\n/usr/bin");
        assert_eq!(problems(&tree)[0], format!("Fail {area}: {shell}"));
    }
}

#[test]
fn login_shells_with_other_names() {
    let Some(mut tree) = Tree::new() else { return };
    for name in ["apptainer", "singularity"] {
        tree.remove(&format!("/usr/libexec/sifcache/bin-{name}/{name}"));
    }
    tree.shim("bin-sing", "sing");
    tree.program("/usr/bin/sing");
    tree.arguments = "image_root=/sif runtimes=sing".to_owned();
    tree.answer("/usr/bin/bash -c", "\n/usr/bin:/bin");
    assert!(problems(&tree).contains(&"Warn login shells: bash".to_owned()));
}

#[test]
fn modules() {
    let Some(tree) = Tree::new() else { return };
    tree.write("/etc/profile.d/lmod.sh", "");
    assert_eq!(problems(&tree), ["Note launches in job scripts: modules"]);
}

#[test]
fn nested_off_and_syslog_off() {
    let Some(mut tree) = Tree::new() else { return };
    tree.remove("/dev/log");
    tree.answer("/usr/bin/bash -c", "\n/usr/bin");
    tree.arguments = "image_root=/sif nested=off syslog=off".to_owned();
    assert_eq!(problems(&tree), ["Note launches in job scripts: nested", "Note syslog: socket"]);
}

#[test]
fn no_syslog() {
    let Some(tree) = Tree::new() else { return };
    tree.remove("/dev/log");
    assert_eq!(problems(&tree), ["Warn syslog: socket"]);
    tree.write("/dev/log", "");
    assert_eq!(problems(&tree), ["Warn syslog: socket"]);
}
