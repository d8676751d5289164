//! Copies of a runtime, and other programs with the arguments of a launch.

use super::{HIT, MISS, Root, run};
use crate::decide::apply::MISSING;
use crate::hooks::broadcast::{PROGRAM, names};
use std::fs;

/// srun has copied the runtime. The command keeps the path of the copy.
#[test]
fn the_name_from_srun_decides_for_a_copy() {
    let root = Root::new("copy");
    for program in ["/tmp/x", "/tmp/"] {
        let copied = |command: &str, settings: &[&str], name: &str| {
            let command = command.replacen("apptainer", program, 1);
            let double = root.task(settings, &command);
            let words: Vec<Vec<u8>> =
                format!("srun --bcast {}", command.replacen(program, name, 1))
                    .split(' ')
                    .map(|w| w.as_bytes().to_vec())
                    .collect();
            let value = names(&words, &[name.to_owned()]).unwrap();
            double.set(PROGRAM, &String::from_utf8(value).unwrap());
            double.set("PATH", "/bin");
            run(&double);
            assert_eq!(double.get(PROGRAM), None);
            double
        };
        let hit = copied(HIT, &[], "apptainer");
        assert_eq!(*hit.replaced.borrow(), Some((2, root.0.join("o/i:1"))));
        assert_eq!(
            hit.get("PATH").as_deref(),
            Some("/bin"),
            "a runtime is not redirected to the shim"
        );
        let miss = copied(MISS, &["on_miss=fail"], "singularity");
        assert_eq!((miss.replaced.take(), miss.ended.get()), (None, Some(MISSING)));
        let pull = copied("apptainer pull docker://o/i:1", &["on_miss=fail"], "apptainer");
        assert_eq!((pull.ended.get(), pull.stderr.borrow().as_str()), (None, ""));
        let other = copied(HIT, &[], "podman");
        assert_eq!(other.replaced.take(), None, "the name is not that of a runtime");
    }
}

#[test]
fn a_launch_by_an_unknown_program_is_reported_if_a_pull_is_forbidden() {
    let root = Root::new("unknown");
    let stderr = |settings: &[&str], command: &str, option: Option<&str>| {
        let mut double = root.task(settings, command);
        double.option = option.map(str::to_owned);
        run(&double);
        assert_eq!(double.ended.get(), None);
        double.stderr.take()
    };
    let copy = MISS.replacen("apptainer", "/tmp/x", 1);
    let directory = MISS.replacen("apptainer", "/tmp/", 1);
    let line = stderr(&[], &copy, Some("require"));
    assert!(
        line.starts_with("sifcache: /tmp/x does not have the name of a container runtime ("),
        "{line}"
    );
    assert!(line.contains("--sif-cache=require"), "{line}");
    let line = stderr(&["on_miss=fail"], &directory, None);
    assert!(line.contains("on_miss=fail in plugstack.conf may have no effect"), "{line}");
    assert_eq!(stderr(&["on_miss=fail"], &copy, None), "", "no such file");
    assert_eq!(stderr(&["on_miss=fail"], &directory, Some("off")), "");
    for command in [copy.as_str(), "echo docker://o/i:2", "/tmp/x exec /local.sif true"] {
        assert_eq!(stderr(&[], command, None), "", "{command}");
    }
    assert_eq!(stderr(&[], "/tmp/x exec /local.sif docker://o/i:2", Some("require")), "");
}

/// srun's own argv names two programs with these arguments.
#[test]
fn an_ambiguous_program_is_reported_if_on_miss_is_fail() {
    let root = Root::new("ambiguous");
    let arguments = MISS.strip_prefix("apptainer ").unwrap();
    let srun = format!("srun apptainer {arguments} : podman {arguments}");
    let words: Vec<Vec<u8>> = srun.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let names = String::from_utf8(names(&words, &["apptainer".to_owned()]).unwrap()).unwrap();
    let message = |program: &str, settings: &[&str]| {
        let double = root.task(settings, &format!("{program} {arguments}"));
        double.set(PROGRAM, &names);
        run(&double);
        assert_eq!((double.replaced.take(), double.get(PROGRAM)), (None, None), "{program}");
        double.stderr.take()
    };
    let line = message("/tmp/copy", &["on_miss=fail"]);
    assert!(line.contains("on_miss=fail in plugstack.conf may have no effect"), "{line}");
    assert_eq!(message("/tmp/copy", &[]), "");
    assert_eq!(message("podman", &["on_miss=fail"]), "", "srun passes the path of a copy");
}

/// A job has copied a runtime to another name, for example with sbcast.
#[test]
fn a_copy_of_a_runtime_is_reported_if_on_miss_is_fail() {
    let root = Root::new("copied");
    for (name, content) in [
        ("first/apptainer", "1"),
        ("bin/apptainer", "12345"),
        ("bin/copy", "12345"),
        ("bin/other", "1234"),
        ("bin/release", "\x7fELF of another release"),
        ("bin/podman", "\x7fELF of podman"),
        ("bin/podman-remote", "\x7fELF of podman"),
    ] {
        let path = root.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let path = ["first", "bin"].map(|name| root.0.join(name).display().to_string()).join(":");
    let message = |program: &str| {
        let double = root.task(&["on_miss=fail"], &MISS.replacen("apptainer", program, 1));
        double.set("PATH", &path);
        run(&double);
        double.stderr.take()
    };
    let by_path = |program: &str| message(&root.0.join("bin").join(program).to_string_lossy());
    let copies = ["copy", "release"].map(|name| [by_path(name), message(name)]);
    for line in copies.as_flattened() {
        assert!(line.contains("on_miss=fail in plugstack.conf may have no effect"), "{line}");
    }
    for program in ["other", "absent", "first", "podman", "podman-remote"] {
        assert_eq!([by_path(program), message(program)], ["", ""], "{program}");
    }
}
