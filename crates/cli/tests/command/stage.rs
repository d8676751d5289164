//! `sifcache stage` without a cluster: its error messages, and the command that it runs on the
//! nodes.

mod at_once;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sif_fixture::{Object, SMALLEST, Sif, file_system};
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(words).env_clear().env("PATH", "/nowhere").env("SLURMD_NODENAME", "n7");
    command
}

/// A valid image.
fn sif() -> Vec<u8> {
    Sif::image().bytes()
}

#[test]
fn missing_slurm_commands_are_reported() {
    let roots = ["--root", "/local/sif:/shared/sif", "--untrusted", "accept"];
    for words in [&["--nodes", "n1", "o/i:1"] as &[&str], &["--list", "--nodes", "n1"]] {
        let output = command(&[&["stage"], &roots[..], words].concat()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message, "sifcache: scontrol is not in PATH; it is part of Slurm\n");
        assert_eq!(output.status.code(), Some(69));
    }
}

#[test]
fn one_image_root_is_not_enough() {
    let words = ["stage", "--root", "/shared/sif", "--nodes", "n1", "o/i:1"];
    let output = command(&words).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("sifcache: /shared/sif is the only image root: "), "{message}");
    assert!(message.ends_with("image_root=/local/sif:/shared/sif\n"), "{message}");
    assert_eq!(output.status.code(), Some(64));
    // Paths have the syntax of plugstack.conf here.
    let words = ["stage", "--root", "/shared/a\\:b", "--nodes", "n1", "o/i:1"];
    let message = String::from_utf8(command(&words).output().unwrap().stderr).unwrap();
    assert!(message.starts_with("sifcache: /shared/a:b is the only image root: "), "{message}");
    assert!(message.ends_with("image_root=/local/sif:/shared/a\\:b\n"), "{message}");
}

/// The process that runs on a node, with its standard input and output.
struct Node {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Node {
    fn start(root: &Path) -> Self {
        Self::start_with(root, "accept")
    }

    fn start_with(root: &Path, untrusted: &str) -> Self {
        let root = root.to_str().unwrap();
        let mut command = command(&["stage-node", "--root", root, "--untrusted", untrusted]);
        command.env("SLURM_STEP_ID", "3");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn send(&mut self, request: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{request}").unwrap();
    }

    /// The next answer that is not a progress report.
    fn answer(&mut self) -> Value {
        loop {
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            let answer: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(answer["node"], "n7");
            if answer["reply"] != "received" {
                return answer;
            }
        }
    }

    /// Closes the standard input of the process, and waits for the process to end.
    fn end(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

fn item() -> Value {
    let sha256: String = Sha256::digest(sif()).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"reference": "o/i:1", "size": SMALLEST, "sha256": sha256, "digests": [],
        "source": "docker://docker.io/o/i:1", "runtime": null})
}

/// This is the case on a cluster where Slurm gives each job a private directory.
#[test]
fn a_root_that_no_other_user_may_read_is_refused() {
    let directory = TempDir::new().unwrap();
    if fs::metadata(directory.path()).unwrap().uid() != 0 {
        eprintln!("skipped: needs root, to make files that root owns");
        return;
    }
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let root = directory.path().join("sif");
    fs::create_dir(&root).unwrap();
    let query = json!({"request": "query", "items": [item()]});
    let prepare = json!({"request": "prepare", "item": item(), "place": "stage.1.1"});
    for (above, own, closed) in
        [(0o755, 0o700, Some(&root)), (0o700, 0o755, None), (0o755, 0o755, None)]
    {
        mode(directory.path(), above);
        mode(&root, own);
        let closed = closed.map_or(directory.path(), |path| path);
        let is_open = (above, own) == (0o755, 0o755);
        let mut node = Node::start_with(&root, "refuse");
        assert_eq!(node.answer()["reply"], "ready");
        for request in [&query, &prepare] {
            node.send(request);
            let answer = node.answer().to_string();
            let reason = format!("users may not read {}, so no job would find", closed.display());
            assert_eq!(answer.contains(&reason), !is_open, "{answer}");
        }
        assert_eq!(root.join(".sifcache/tmp/stage.1.1").exists(), is_open);
        node.end();
    }
}

#[test]
fn a_node_answers_prepares_and_installs() {
    let root = TempDir::new().unwrap();
    let mut node = Node::start(root.path());
    let ready = node.answer();
    assert_eq!((&ready["reply"], &ready["step"]), (&json!("ready"), &json!("3")));
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
    let query = json!({"request": "query", "items": [item()]});
    node.send(&query);
    assert_eq!(node.answer(), json!({"node": "n7", "reply": "missing", "reference": "o/i:1"}));
    node.send(&json!({"request": "prepare", "item": item(), "place": "stage.1.1"}));
    assert_eq!(node.answer()["reply"], "prepared");
    fs::write(root.path().join(".sifcache/tmp/stage.1.1/image.sif"), sif()).unwrap();
    node.send(&json!({"request": "commit"}));
    assert_eq!(node.answer()["reply"], "staged");
    node.send(&query);
    assert_eq!(node.answer()["reply"], "present");
    node.send(&json!({"request": "list"}));
    assert_eq!(node.answer()["reference"], "o/i:1");
    assert_eq!(node.answer()["reply"], "listed");
    assert_eq!(node.end(), Some(0));
    assert_eq!(fs::read(root.path().join("o/i:1")).unwrap(), sif());
}

#[test]
fn a_started_copy_is_removed_when_the_input_ends() {
    let root = TempDir::new().unwrap();
    let mut node = Node::start(root.path());
    node.answer();
    node.send(&json!({"request": "prepare", "item": item(), "place": "stage.1.1"}));
    assert_eq!(node.answer()["reply"], "prepared");
    fs::write(root.path().join(".sifcache/tmp/stage.1.1/image.sif"), "half").unwrap();
    // This node is different, but shares the directory with the first one.
    let mut other = Node::start(root.path());
    other.answer();
    other.send(&json!({"request": "prepare", "item": item(), "place": "stage.1.1"}));
    let error = other.answer()["error"].to_string();
    assert!(error.contains("check that it is local to each node"), "{error}");
    assert_eq!((other.end(), node.end()), (Some(0), Some(0)));
    for directory in ["tmp", "lock"] {
        let left = fs::read_dir(root.path().join(".sifcache").join(directory)).unwrap();
        assert_eq!(left.count(), 0, "{directory}");
    }
}

/// A Slurm with one node, which is this host: srun and salloc run their command here.
fn slurm() -> TempDir {
    let directory = TempDir::new().unwrap();
    let run = "while [ \"$1\" != /bin/sh ]; do shift; done\nexec \"$@\"\n";
    for (name, script) in [
        ("scontrol", "echo \"$3\"\n".to_owned()),
        ("sinfo", "echo 'n7|all*|idle'\n".to_owned()),
        ("salloc", format!("SLURM_JOB_ID=$$\nexport SLURM_JOB_ID\n{run}")),
        ("srun", format!("SLURM_STEP_ID=0\nexport SLURM_STEP_ID\n{run}")),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

/// An image root that does not exist yet on a node is still treated as one root, whatever
/// characters its path contains.
#[test]
fn colons_in_the_node_local_root() {
    let (slurm, top) = (slurm(), TempDir::new().unwrap());
    let path = |name: &str| top.path().join(name);
    Sif::image().write(path("shared/o/i:1")).unwrap();
    let local = path("local:x/a:b");
    let escaped = local.to_str().unwrap().replace(':', "\\:");
    let root = format!("{escaped}:{}", path("shared").display());
    for (last, message) in
        [("--list", "cannot read LOCAL: No such"), ("o/i:1", "image root LOCAL: does not")]
    {
        let words = ["stage", "--root", &root, "--untrusted", "accept", "--nodes", "n7", last];
        let search = format!("{}:/usr/bin:/bin", slurm.path().display());
        let output = command(&words).env("PATH", search).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let message =
            format!("sifcache: n7: {}", message.replace("LOCAL", local.to_str().unwrap()));
        assert!(stderr.contains(&message), "{stderr}");
    }
}

#[test]
fn a_damaged_image_is_not_sent() {
    let (slurm, top) = (slurm(), TempDir::new().unwrap());
    let path = |name: &str| top.path().join(name);
    // A partition without a valid superblock.
    let root = Object::root_file_system(file_system::SQUASHFS, [0; 96]);
    Sif::empty().with(root).write(path("shared/o/i:1")).unwrap();
    let roots = format!("{}:{}", path("local").display(), path("shared").display());
    let words = ["stage", "--root", &roots, "--untrusted", "accept", "--nodes", "n7", "o/i:1"];
    let search = format!("{}:/usr/bin:/bin", slurm.path().display());
    let output = command(&words).env("PATH", search).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let message =
        "is damaged: its root file system is not squashfs 4.0; `sifcache add o/i:1` pulls it";
    assert!(output.status.code() == Some(65) && stderr.contains(message), "{stderr}");
}
