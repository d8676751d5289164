//! `sifcache explain` as a command: exit statuses, streams, and output.

mod pulls;

use serde_json::{Value, json};
use sif_fixture::Sif;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

struct Output {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(words: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(words).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Output {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An image root with a file for `o/i:1` that is a valid image except for its owner.
fn root() -> TempDir {
    let root = TempDir::new().unwrap();
    Sif::image().write(root.path().join("o/i:1")).unwrap();
    root
}

fn explain(root: &TempDir, flags: &[&str], command: &[&str]) -> Output {
    let path = root.path().to_str().unwrap();
    let start = ["explain", "--root", path, "--untrusted", "accept"];
    run(&[start.as_slice(), flags, &["--"], command].concat(), &[], "")
}

#[test]
fn hit_miss_and_pass_have_their_exit_statuses() {
    let root = root();
    let status = |image: &str| explain(&root, &[], &["apptainer", "run", image]).status;
    assert_eq!(status("docker://o/i:1"), Some(0));
    assert_eq!(status("docker://o/i:2"), Some(1));
    assert_eq!(status("/o/i.sif"), Some(2));
}

#[test]
fn a_wait_is_explained() {
    let root = root();
    let path = root.path().to_str().unwrap();
    let command = ["--", "apptainer", "run", "docker://o/i:2"];
    let words = [["explain", "--root", path].as_slice(), &command].concat();
    let page = run(&words, &[("SIF_CACHE", "wait")], "");
    let lines = "then        the command waits up to 600 s for the image to be added\n\
                 otherwise   the runtime pulls the image from its registry (on_miss=pull)\n";
    assert!(page.status == Some(1) && page.stdout.contains(lines), "{}", page.stdout);
    assert!(page.stdout.contains("SIF_CACHE=wait in the environment"), "{}", page.stdout);
    assert!(!run(&words, &[], "").stdout.contains("wait"));
}

/// Only a miss is sent to the listener.
#[test]
fn a_request_is_explained() {
    let root = root();
    let file = root.path().join("plugstack.conf");
    let line = "optional /none/spank_sifcache.so untrusted=accept filler=ctl image_root=";
    fs::write(&file, format!("{line}{}\n", root.path().display())).unwrap();
    let notes = |image: &str| {
        let words = ["explain", "--json", "--plugstack", file.to_str().unwrap(), "--"];
        let page = run(&[words.as_slice(), &["apptainer", "run", image]].concat(), &[], "");
        let object: Value = serde_json::from_str(&page.stdout).unwrap();
        object["notes"].to_string()
    };
    let miss = notes("docker://o/i:2");
    let path = "/sifcache/sifcache";
    assert!(miss.contains("the listener at ctl:7433") && miss.contains(path), "{miss}");
    assert!(!notes("docker://o/i:1").contains("listener"));
}

#[test]
fn the_text_output_has_decision_and_reason() {
    let root = root();
    let path = root.path().display();
    let page = explain(&root, &[], &["apptainer", "exec", "-e", "docker://o/i:1", "a b"]).stdout;
    for line in [
        "launch      apptainer exec\n",
        "image       docker://o/i:1 (argument 3)\n",
        "reference   docker.io/o/i:1\n",
        "decision    hit: the image replaces the reference\n",
        &format!("command     apptainer exec -e {path}/o/i:1 'a b'\n"),
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    assert!(!page.contains('\x1b'), "no colours where there is no terminal");
}

#[test]
fn wrong_usage_is_64_and_help_is_not() {
    for words in [
        ["explain"].as_slice(),
        &[],
        &["explain", "--"],
        &["explain", "--roots", "/a", "--", "true"],
        &["explain", "--root", "", "--", "true"],
        &["explain", "--root", "/a:", "--", "true"],
        &["explain", "--stdin", "--", "true"],
        &["explain", "--root", "/a", "--plugstack", "/b", "--", "true"],
        &["explian"],
    ] {
        let output = run(words, &[], "");
        assert_eq!(output.status, Some(64), "{words:?}: {}", output.stderr);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
    for words in [["--help"].as_slice(), &["--version"], &["explain", "--help"], &["explain", "-h"]]
    {
        let output = run(words, &[], "");
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn one_object_per_line() {
    let root = root();
    let path = root.path().to_str().unwrap();
    let input =
        "[\"apptainer\",\"run\",\"docker://o/i:1\"]\n[\"apptainer\",\"run\",\"/x.sif\"]\n[]";
    let words = ["explain", "--root", path, "--untrusted", "accept", "--stdin"];
    let output = run(&words, &[], input);
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    let lines: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["argv"], json!(["apptainer", "run", format!("{path}/o/i:1")]));
    assert_eq!((&lines[1]["decision"], &lines[1]["image_index"]), (&json!("pass"), &json!(2)));
    assert_eq!(lines[1]["image"], json!("/x.sif"));
    assert_eq!(lines[2]["reason"], json!("no-command"));
    // The keys and their order are part of the interface.
    let keys = [
        "decision",
        "reason",
        "image_index",
        "image",
        "reference",
        "candidates",
        "argv",
        "started_by",
        "notes",
    ];
    let places: Vec<_> = keys
        .iter()
        .map(|key| output.stdout.lines().next().unwrap().find(&format!("\"{key}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

fn object(root: &TempDir, words: &[&str]) -> Value {
    let path = root.path().to_str().unwrap();
    let start = ["explain", "--root", path, "--untrusted", "accept", "--json"];
    let output = run(&[start.as_slice(), words].concat(), &[], "");
    assert_eq!(output.stderr, "", "{words:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn the_command_works_without_dashes_before_it() {
    let root = root();
    let image = format!("{}/o/i:1", root.path().display());
    for (command, expected) in [
        (["apptainer", "exec", "-e", "docker://o/i:1", "--json"], "-e"),
        (["apptainer", "exec", "--", "docker://o/i:1", "--stdin"], "--"),
    ] {
        for dashes in [&[][..], &["--"]] {
            let argv = object(&root, &[dashes, &command].concat())["argv"].clone();
            assert_eq!(argv, json!(["apptainer", "exec", expected, image, command[4]]));
        }
    }
    // Before the command, the flags are those of `explain`.
    assert_eq!(run(&["explain", "--root", "/a", "-e", "true"], &[], "").status, Some(64));
}

#[test]
fn commands_started_by_srun_mpirun_and_env() {
    let root = root();
    let of = |line: &str| object(&root, &line.split(' ').collect::<Vec<_>>());
    for (line, started_by) in [
        ("srun -n 2 --label apptainer run docker://o/i:1", json!(["srun"])),
        ("/usr/bin/mpirun -np 2 apptainer run docker://o/i:1", json!(["mpirun"])),
        ("srun env A=b apptainer run docker://o/i:1", json!(["srun", "env"])),
        ("apptainer run docker://o/i:1", json!([])),
    ] {
        let object = of(line);
        assert_eq!((&object["decision"], &object["started_by"]), (&json!("hit"), &started_by));
        assert_eq!((&object["image_index"], &object["argv"][0]), (&json!(2), &json!("apptainer")));
    }
    for (line, reason) in [
        ("srun --sif-cache=off apptainer run docker://o/i:1", "switched-off"),
        ("env SIF_CACHE=off srun --sif-cache=auto apptainer run docker://o/i:1", "image-found"),
        ("srun --sif-cache=auto env SIF_CACHE=off apptainer run docker://o/i:1", "switched-off"),
        ("env SINGULARITY_OCI=1 singularity run docker://o/i:1", "oci-mode"),
        ("srun hostname", "not-a-runtime"),
        ("srun", "no-command"),
    ] {
        assert_eq!(of(line)["reason"], reason, "{line}");
    }
    let page = |words: &[&str]| explain(&root, &[], words);
    let run = ["apptainer", "run", "docker://o/i:1"];
    let started = page(&[&["srun", "env", "-i"], &run[..]].concat()).stdout;
    assert!(started.starts_with("started by  srun, env\nlaunch      apptainer run\n"), "{started}");
    assert!(started.contains("note        env without the job's PATH: "), "{started}");
    let unclear = page(&[&["srun", "--container-image", "x"], &run[..]].concat());
    assert_eq!((unclear.status, unclear.stdout.as_str()), (Some(64), ""));
    assert!(unclear.stderr.contains("srun --container-image: "), "{}", unclear.stderr);
    // With --stdin, the answer is about exactly the words that were sent: srun is not skipped.
    let path = root.path().to_str().unwrap();
    let words = ["explain", "--root", path, "--untrusted", "accept", "--stdin"];
    let line = "[\"srun\",\"apptainer\",\"run\",\"docker://o/i:1\"]\n";
    let answer: Value = serde_json::from_str(&self::run(&words, &[], line).stdout).unwrap();
    assert_eq!(answer["reason"], "not-a-runtime");
}

/// The notes in the text output are also in the object.
#[test]
fn notes_are_in_the_object() {
    let root = root();
    let both = |untrusted: &str, words: &[&str], environment: &[(&str, &str)]| {
        let path = root.path().to_str().unwrap();
        let start = ["explain", "--root", path, "--untrusted", untrusted];
        let page = run(&[&start, words].concat(), environment, "").stdout;
        let shown = page.lines().filter_map(|line| line.strip_prefix("note        "));
        let object = run(&[&start[..], &["--json"], words].concat(), environment, "").stdout;
        let object: Value = serde_json::from_str(&object).unwrap();
        let notes = object["notes"].as_array().unwrap().iter();
        let notes: Vec<String> = notes.map(|note| note.as_str().unwrap().to_owned()).collect();
        assert_eq!(shown.collect::<Vec<_>>(), notes, "{words:?}");
        notes
    };
    let image = "docker://o/i:1";
    let root_alone = rustix::process::geteuid().is_root().then_some("looked up as root; ");
    let started = "env without the job's PATH: ";
    let wish = "SIF_CACHE=require in the environment";
    for (words, environment, expected) in [
        (&["apptainer", "run", image] as &[&str], &[] as &[_], &[] as &[&str]),
        (&["apptainer", "run", image], &[("SIF_CACHE", "require")], &[wish]),
        (&["env", "-i", "apptainer", "run", image], &[], &[started]),
        (&["env", "-i", "SIF_CACHE=require", "apptainer", "run", image], &[], &[wish, started]),
    ] {
        let notes = both("accept", words, environment);
        let expected: Vec<&str> = expected.iter().copied().chain(root_alone).collect();
        assert_eq!(notes.len(), expected.len(), "{notes:?}");
        assert!(
            notes.iter().zip(&expected).all(|(note, text)| note.starts_with(text)),
            "{notes:?}"
        );
    }
    // Without a lookup there are no notes about the roots; with a lookup there are.
    assert_eq!(both("refuse", &["hostname"], &[]), [""; 0]);
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let notes = both("refuse", &["apptainer", "run", image], &[]);
    assert!(notes[0].starts_with("image root ") && notes[0].contains("not trusted"), "{notes:?}");
}

#[test]
fn invalid_input_is_65_with_its_line_number() {
    for wrong in ["5", "[1]", "{}", "not json", ""] {
        let input = format!("[\"true\"]\n{wrong}\n[\"true\"]\n");
        let output = run(&["explain", "--root", "/a", "--stdin"], &[], &input);
        assert_eq!(output.status, Some(65), "{wrong}");
        assert_eq!(output.stdout.lines().count(), 1, "{wrong}");
        let start = "sifcache: line 2 of standard input is not a JSON array of strings: ";
        assert!(output.stderr.starts_with(start), "{}", output.stderr);
    }
}

#[test]
fn the_environment_applies_as_in_a_job() {
    let root = root();
    let path = root.path().to_str().unwrap();
    let reason = |environment: &[(&str, &str)]| -> Value {
        let start = ["explain", "--root", path, "--untrusted", "accept", "--json", "--"];
        let words = [start.as_slice(), &["singularity", "run", "docker://o/i:1"]].concat();
        let output = run(&words, environment, "");
        serde_json::from_str::<Value>(&output.stdout).unwrap()["reason"].clone()
    };
    assert_eq!(reason(&[]), "image-found");
    assert_eq!(reason(&[("SIF_CACHE", "off")]), "switched-off");
    assert_eq!(reason(&[("SIF_CACHE", "wrong")]), "image-found");
    assert_eq!(reason(&[("SINGULARITY_OCI", "1")]), "oci-mode");
}

#[test]
fn settings_from_plugstack_conf() {
    let root = root();
    let path = root.path().to_str().unwrap();
    let slurm = TempDir::new().unwrap();
    let conf = |name: &str| slurm.path().join(name).to_str().unwrap().to_owned();
    let explain = || {
        let words = ["explain", "--json", "--", "sing", "run", "docker://o/i:1"];
        run(&words, &[("SLURM_CONF", &conf("slurm.conf"))], "")
    };
    std::fs::write(conf("slurm.conf"), format!("PlugStackConfig={}\n", conf("stack"))).unwrap();
    let line =
        format!("optional spank_sifcache.so image_root={path} untrusted=accept runtimes=sing\n");
    std::fs::write(conf("stack"), &line).unwrap();
    assert_eq!(explain().status, Some(0));
    std::fs::write(conf("stack"), line.replace("runtimes", "runtime")).unwrap();
    let wrong = explain();
    assert_eq!(wrong.status, Some(78));
    assert!(wrong.stderr.contains("unknown key 'runtime'; valid keys: "), "{}", wrong.stderr);
    std::fs::write(conf("stack"), "optional other.so\n").unwrap();
    let none = explain();
    assert_eq!(none.status, Some(78));
    assert!(none.stderr.contains("no line for spank_sifcache.so"), "{}", none.stderr);
}

/// A reader that closes the pipe early causes neither an error nor a panic.
#[test]
fn a_closed_pipe() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["explain", "--root", "/a", "--stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let _ = child.stdin.take().unwrap().write_all("[\"true\"]\n".repeat(100).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}
