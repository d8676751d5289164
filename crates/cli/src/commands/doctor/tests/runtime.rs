//! Tests of the runtime and its configuration.

use super::super::finding::Level;
use super::super::runtimes;
use super::Tree;

/// Output of `buildcfg` without the version.
const BUILT: &str = "LIBEXECDIR=/usr/libexec\nAPPTAINER_CONFDIR=/etc/apptainer\n\
                     APPTAINER_CONF_FILE=/etc/apptainer/apptainer.conf\n";

#[test]
fn the_runtime() {
    let Some(mut tree) = Tree::new() else { return };
    tree.mode("/dev/fuse", 0o600);
    assert_eq!(tree.problems()[0], "Warn runtime: fuse");
    tree.mode("/dev/fuse", 0o666);
    tree.remove("/usr/bin/squashfuse_ll");
    // Apptainer's packages include their own squashfuse_ll.
    tree.program("/usr/libexec/apptainer/bin/squashfuse_ll");
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    tree.write("/proc/sys/user/max_user_namespaces", "0\n");
    assert_eq!(tree.problems()[0], "Fail runtime: mode");
    let helper = "/usr/libexec/apptainer/bin/starter-suid";
    tree.program(helper);
    tree.mode(helper, 0o4755);
    tree.mode("/dev/fuse", 0o600);
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    tree.write("/etc/apptainer/apptainer.conf", "allow setuid = no\n");
    assert_eq!(tree.problems()[0], "Fail runtime: mode");
    tree.write("/proc/sys/user/max_user_namespaces", "9\n");
    tree.mode("/dev/fuse", 0o666);
    tree.write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    assert_eq!(tree.problems()[0], "Warn runtime: mode");
    tree.write("/etc/apparmor.d/apptainer", "");
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    tree.remove("/usr/bin/apptainer");
    assert_eq!(tree.problems()[0], "Warn runtime: found");
    tree.answers.clear();
    assert!(tree.advice("runtime", "found").contains("no singularity or apptainer in PATH"));
}

/// A launch with a flag that is missing from the table is left alone.
#[test]
fn unknown_flags_are_reported() {
    let Some(mut tree) = Tree::new() else { return };
    let known = "Options:\n  -B, --bind strings   x\n      --nv             x\n  -h, --help   x\n";
    for command in ["exec", "run", "shell", "test", "instance start"] {
        tree.answer(format!("/usr/bin/apptainer {command} --help").leak(), known);
    }
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    let of = |tree: &Tree| {
        let findings = runtimes::check(&tree.host());
        let flags = findings.into_iter().find(|finding| finding.check == "flags").unwrap();
        (flags.level, format!("{}; {}", flags.message, flags.advice.unwrap_or_default()))
    };
    assert_eq!(of(&tree).0, Level::Ok);
    let more = format!("{known}      --made-up string   x\n      --bindings         x\n");
    tree.answer("/usr/bin/apptainer exec --help", &more);
    tree.answer("/usr/bin/apptainer run --help", &more.replace("--nv ", "--nv int"));
    assert_eq!(tree.problems(), ["Warn runtime: flags", "Note runtime: found"]);
    let (_, text) = of(&tree);
    for part in [
        "/usr/bin/apptainer has flags that sifcache does not know: --made-up VALUE (exec, run); ",
        "--bindings (exec, run); --nv with a value, known without a value (run); ",
        "the runtime pulls the image from its registry",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let many: String = (0..30).map(|n| format!("      --made-up-{n}   x\n")).collect();
    tree.answer("/usr/bin/apptainer test --help", &many);
    assert!(of(&tree).1.contains("; and 13 more; "), "{}", of(&tree).1);
    // This runtime's help lists no flags.
    tree.answers.retain(|(start, _)| !start.ends_with("--help"));
    assert_eq!(of(&tree).0, Level::Skipped);
}

/// The trial image is started only if the site chose another compression than gzip.
#[test]
fn images_with_zstd_are_tried() {
    let Some(tree) = Tree::new() else { return };
    let of = |tree: &Tree| {
        let findings = runtimes::check(&tree.host());
        let found = findings.into_iter().find(|finding| finding.check == "compression");
        found.map(|one| (one.level, one.message))
    };
    assert_eq!(of(&tree), None);
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments.push_str(" compression=zstd:9");
    tree.answer("/usr/bin/apptainer exec --containall", "");
    let message = "/usr/bin/apptainer starts images with compression=zstd:9".to_owned();
    assert_eq!(of(&tree), Some((Level::Ok, message)));
    tree.answers.retain(|(start, _)| !start.contains("exec --containall"));
    let (level, message) = of(&tree).unwrap();
    assert_eq!(level, Level::Skipped);
    assert!(message.contains("the runtime starts no image here at all: it is not"), "{message}");
}

/// A pull or a build with a flag that is missing from the table is left alone.
#[test]
fn unknown_flags_of_pulls_and_builds_are_reported() {
    let Some(mut tree) = Tree::new() else { return };
    let help = |more: &str| {
        format!("Options:\n  -F, --force          x\n      --arch string    x\n{more}")
    };
    tree.answer("/usr/bin/apptainer pull --help", &help("      --dir string     x\n"));
    tree.answer("/usr/bin/apptainer build --help", &help("  -s, --sandbox        x\n"));
    let of = |tree: &Tree| {
        let findings = runtimes::check(&tree.host());
        let flags = findings.into_iter().find(|finding| finding.check == "pull-flags");
        flags.map(|one| (one.level, one.message, one.advice.unwrap_or_default()))
    };
    let known = "/usr/bin/apptainer: sifcache knows all its flags of pull and build".to_owned();
    assert_eq!(of(&tree), Some((Level::Ok, known, String::new())));
    // `--dir` is a flag of pull only.
    tree.answer("/usr/bin/apptainer pull --help", &help("      --made-up int    x\n"));
    tree.answer("/usr/bin/apptainer build --help", &help("      --dir string     x\n"));
    assert_eq!(tree.problems(), ["Warn runtime: pull-flags", "Note runtime: found"]);
    let (_, message, advice) = of(&tree).unwrap();
    let unknown = "/usr/bin/apptainer has flags that sifcache does not know: \
                   --made-up VALUE (pull); --dir VALUE (build)";
    assert_eq!(message, unknown);
    assert!(advice.starts_with("a pull or build with such a flag is left alone: the runtime uses"));
    assert!(!advice.contains("pull=off"), "{advice}");
    // With another arity or letter, the arguments of a pull are not those that sifcache sees.
    for more in ["      --name           x\n", "  -F, --made-up        x\n"] {
        tree.answer("/usr/bin/apptainer pull --help", &help(more));
        let (_, message, advice) = of(&tree).unwrap();
        assert!(advice.ends_with(": set pull=off until then"), "{message}; {advice}");
    }
    tree.arguments = "image_root=/sif pull=off".to_owned();
    tree.remove("/etc/slurm/plugstack.conf");
    assert_eq!(of(&tree), None);
}

/// Two releases may write incomplete images.
#[test]
fn releases_that_write_incomplete_images_are_reported() {
    let Some(mut tree) = Tree::new() else { return };
    let reported = |tree: &mut Tree, version: &str| {
        tree.answer("/usr/bin/apptainer buildcfg", &format!("PACKAGE_VERSION={version}\n{BUILT}"));
        tree.problems().contains(&"Warn runtime: complete-images".to_owned())
    };
    for (version, expected) in [
        ("1.5.0", true),
        ("1.5.1-1", true),
        ("1.5.1+3-gabc", true),
        ("1.5.2", false),
        ("1.4.5", false),
        ("1.5.10", false),
        ("unknown", false),
    ] {
        assert_eq!(reported(&mut tree, version), expected, "{version}");
    }
    tree.answer("/usr/bin/apptainer buildcfg", &format!("PACKAGE_VERSION=1.5.1\n{BUILT}"));
    let advice = tree.advice("runtime", "complete-images");
    assert!(advice.contains("/usr/bin/apptainer is 1.5.1") && advice.contains("update it"));
    // SingularityCE is unaffected: its release with the same version number is a different program.
    let built = BUILT.replace("APPTAINER_", "SINGULARITY_");
    tree.answer("/usr/bin/apptainer buildcfg", &format!("PACKAGE_VERSION=1.5.1\n{built}"));
    assert!(!tree.problems().contains(&"Warn runtime: complete-images".to_owned()));
}

/// With set-uid, Apptainer refuses a SIF that can be mounted neither by the kernel nor with FUSE.
#[test]
fn a_set_uid_runtime() {
    let Some(mut tree) = Tree::new() else { return };
    let helper = "/usr/libexec/apptainer/bin/starter-suid";
    tree.program(helper);
    tree.mode(helper, 0o4755);
    tree.remove("/usr/bin/squashfuse_ll");
    let reported = |tree: &mut Tree, version: &str, setting: &str| {
        tree.answer("/usr/bin/apptainer buildcfg", &format!("PACKAGE_VERSION={version}\n{BUILT}"));
        tree.write("/etc/apptainer/apptainer.conf", format!("{setting}\n"));
        tree.problems().contains(&"Fail runtime: fuse".to_owned())
    };
    assert!(reported(&mut tree, "1.4.5", ""));
    assert!(!reported(&mut tree, "1.2.5", ""));
    assert!(!reported(&mut tree, "1.4.5", "allow setuid-mount squashfs = yes"));
    assert!(reported(&mut tree, "1.2.5", "allow setuid-mount squashfs = no"));
    assert!(reported(&mut tree, "1.4.5", "allow setuid-mount squashfs = iflimited"));
    assert!(!reported(&mut tree, "1.4.5", "limit container owners = root"));
    tree.write("/etc/apptainer/ecl.toml", "activated = true\n");
    assert!(!reported(&mut tree, "1.4.5", ""));
    tree.remove("/etc/apptainer/ecl.toml");
    tree.program("/usr/bin/squashfuse");
    assert!(!reported(&mut tree, "1.4.5", ""));
    // The set-uid helper opens /dev/fuse, so the mode of the device does not matter.
    tree.mode("/dev/fuse", 0o600);
    assert!(!reported(&mut tree, "1.4.5", ""));
    tree.remove("/dev/fuse");
    assert!(reported(&mut tree, "1.4.5", ""));
    tree.answer("/usr/bin/apptainer buildcfg", "");
    assert!(!tree.problems().contains(&"Fail runtime: fuse".to_owned()));
    // A runtime that was built without set-uid does not call the helper.
    let (setuid, without) = (BUILT, format!("{BUILT}APPTAINER_SUID_INSTALL=0\n"));
    for (built, mode) in [(setuid, "users start it set-uid"), (&without, "user namespaces")] {
        tree.answer("/usr/bin/apptainer buildcfg", built);
        let found = runtimes::check(&tree.host());
        assert!(found.iter().any(|f| f.check == "mode" && f.message.contains(mode)), "{found:#?}");
    }
}

#[test]
fn restrictive_configurations_are_reported() {
    let Some(tree) = Tree::new() else { return };
    let of = |setting: &str| {
        tree.write("/etc/apptainer/apptainer.conf", format!("# a comment\n{setting}\n"));
        let reported = tree.problems();
        reported.into_iter().find(|line| line != "Note runtime: found").unwrap_or_default()
    };
    let area = "configuration of the runtime";
    assert_eq!(of("allow container sif = no"), format!("Fail {area}: sif"));
    assert_eq!(of("oci mode = yes"), format!("Warn {area}: oci"));
    assert_eq!(of("limit container paths = /usr"), format!("Fail {area}: paths"));
    assert!(tree.advice(area, "paths").contains("add there: limit container paths = /sif"));
    assert_eq!(of("limit container paths = /usr\nlimit container paths = /"), "");
    assert_eq!(of("limit container paths = /no, /sif"), format!("Fail {area}: paths"));
    assert_eq!(of("limit container paths = /sif, /no"), "");
    assert_eq!(of("limit container owners = alice"), format!("Warn {area}: owners"));
    assert_eq!(of("limit container owners = alice, root"), "");
    assert_eq!(of("limit container groups = alice"), format!("Warn {area}: owners"));
    assert_eq!(of("limit container groups = root"), "");
    // The runtime fails at a name that it cannot resolve.
    assert_eq!(of("limit container owners = nobody-here, root"), format!("Fail {area}: owners"));
    assert_eq!(of("limit container owners = root, nobody-here"), "");
    assert_eq!(of("allow container squashfs = no"), "");
    tree.write("/etc/apptainer/ecl.toml", "activated = false\n[[execgroup]]\nactivated = true\n");
    assert_eq!(of(""), "");
    tree.write("/etc/apptainer/ecl.toml", "# list\nactivated = true # yes\n");
    assert_eq!(of(""), format!("Warn {area}: ecl"));
}

/// SingularityCE unpacks an image that it cannot mount.
#[test]
fn a_set_uid_singularity() {
    let Some(mut tree) = Tree::new() else { return };
    tree.remove("/usr/bin/apptainer");
    tree.remove("/usr/bin/squashfuse_ll");
    tree.program("/usr/bin/singularity");
    let helper = "/usr/libexec/singularity/bin/starter-suid";
    tree.program(helper);
    tree.mode(helper, 0o4755);
    tree.answer("/usr/bin/singularity --version", "singularity-ce version 4.1.0\n");
    let built = "PACKAGE_VERSION=4.1.0\nLIBEXECDIR=/usr/libexec\n\
                 SINGULARITY_CONFDIR=/etc/singularity\nSINGULARITY_SUID_INSTALL=1\n";
    tree.answer("/usr/bin/singularity buildcfg", built);
    assert_eq!(tree.problems(), ["Note runtime: found"]);
}

/// Without getent, the names cannot be resolved.
#[test]
fn unresolvable_owners_are_not_reported() {
    let Some(mut tree) = Tree::new() else { return };
    tree.answers.retain(|(start, _)| !start.starts_with("getent"));
    tree.write("/etc/apptainer/apptainer.conf", "limit container owners = alice\n");
    assert_eq!(tree.problems(), ["Note runtime: found"]);
}

/// From 3.5.1 to 3.8, the file system inside a SIF needed its own directive.
#[test]
fn an_older_singularity() {
    let Some(mut tree) = Tree::new() else { return };
    tree.link("/usr/bin/singularity", "singularity-real");
    tree.program("/usr/bin/singularity-real");
    tree.remove("/usr/bin/apptainer");
    tree.write("/etc/singularity/singularity.conf", "allow container squashfs = no\n");
    tree.answer("/usr/bin/singularity --version", "singularity version 3\n");
    for (version, refused) in [("3.5.0", false), ("3.5.1", true), ("3.8.7", true), ("3.9.0", false)]
    {
        let built = format!("PACKAGE_VERSION={version}\nSINGULARITY_CONFDIR=/etc/singularity\n");
        tree.answer("/usr/bin/singularity buildcfg", &built);
        let reported =
            tree.problems().contains(&"Fail configuration of the runtime: sif".to_owned());
        assert_eq!(reported, refused, "{version}");
    }
}
