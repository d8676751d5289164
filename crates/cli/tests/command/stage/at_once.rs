//! Two `sifcache stage` of one image to the same node at the same time: the second one waits, and then
//! does not send what the first one has just sent.

use super::{command, slurm};
use sif_fixture::Sif;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than any step takes, even on a machine under load.
const LONG: Duration = Duration::from_secs(60);

/// Starts the command. `slurm` has the stand-ins for the programs of Slurm.
fn stage(slurm: &Path, top: &Path) -> Child {
    let roots = format!("{0}/local:{0}/shared", top.display());
    let words = ["stage", "--root", &roots, "--untrusted", "accept", "--nodes", "n7", "o/i:1"];
    let mut command = command(&words);
    command.env("PATH", format!("{}:/usr/bin:/bin", slurm.display()));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_image_is_sent_once() {
    let (slurm, top) = (slurm(), tempfile::tempdir().unwrap());
    let path = |name: &str| top.path().join(name);
    Sif::image().write(path("shared/o/i:1")).unwrap();
    fs::create_dir(path("local")).unwrap();
    // It notes that it was called, and sends the file when the test says so, or when it has ended.
    let script = format!(
        "#!/bin/sh\necho sent >>{0}/sent\n\
         while [ -e {0}/sent ] && [ ! -e {0}/go ]; do sleep 0.05; done\ncp \"$2\" \"$3\"\n",
        top.path().display()
    );
    let sbcast = slurm.path().join("sbcast");
    fs::write(&sbcast, script).unwrap();
    fs::set_permissions(&sbcast, Permissions::from_mode(0o755)).unwrap();
    let first = stage(slurm.path(), top.path());
    let begun = Instant::now();
    while !path("sent").exists() {
        assert!(begun.elapsed() < LONG, "nothing is sent");
        sleep(Duration::from_millis(10));
    }
    let mut second = stage(slurm.path(), top.path());
    let mut messages = BufReader::new(second.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("n7: another command is working on o/i:1; waiting") {
        assert!(messages.read_line(&mut text).unwrap() > 0, "it does not wait: {text}");
    }
    fs::write(path("go"), "").unwrap();
    messages.read_to_string(&mut text).unwrap();
    let ended = [first, second].map(|child| child.wait_with_output().unwrap());
    assert!(ended.iter().all(|output| output.status.success()), "{ended:?}, {text}");
    assert_eq!(fs::read_to_string(path("sent")).unwrap(), "sent\n", "{ended:?}");
    let [first, second] = ended.map(|output| String::from_utf8(output.stdout).unwrap());
    assert!(first.contains("staged") && second.contains("present"), "{first}, {second}");
    assert!(fs::read_dir(path("local/.sifcache/tmp")).unwrap().next().is_none());
}
