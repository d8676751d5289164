//! The command with a standard error that cannot be written (`/dev/full`): each message is lost,
//! and the exit status is the same as with one that can be written.

use sif_fixture::Sif;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// An image root with a directory `o` that every user can write to, and a runtime that fails.
struct Site {
    directory: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { directory: TempDir::new().unwrap() };
        Sif::image().write(site.path("root/o/i:1")).unwrap();
        Sif::image().write(site.path("file.sif")).unwrap();
        fs::create_dir(site.path("tmp")).unwrap();
        fs::set_permissions(site.path("root/o"), Permissions::from_mode(0o777)).unwrap();
        fs::write(site.path("apptainer"), "#!/bin/sh\nexit 7\n").unwrap();
        fs::set_permissions(site.path("apptainer"), Permissions::from_mode(0o755)).unwrap();
        let plugstack = format!("optional spank_sifcache.so image_root={}\n", site.text("root"));
        fs::write(site.path("plugstack.conf"), plugstack).unwrap();
        // A forged line, about which `misses` prints a remark.
        fs::write(site.path("log"), "Nov 23 13:37:14 n1 spank_sifcache[77]: event=served\n")
            .unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Runs the command twice, the second time with `/dev/full` as standard error. Asserts that it
    /// ends with `status` both times, and returns the messages of the first run.
    fn run(&self, status: i32, line: &str) -> String {
        let command = || {
            let line = line.replace("SITE", &self.text(""));
            let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
            command.args(line.split_whitespace()).env_clear().env("PATH", "/nowhere");
            command.env("APPTAINER_TMPDIR", self.path("tmp")).env("HOME", self.path(""));
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        let output = command().output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {messages}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command().stderr(full).status().unwrap();
        assert_eq!(output.code(), Some(status), "{line}, with /dev/full: {messages}");
        messages
    }
}

/// The same code prints the failure of every subcommand.
#[test]
fn settings_that_cannot_be_read() {
    let site = Site::new();
    for line in [
        "add --plugstack SITE/nothing o/i:1",
        "import --plugstack SITE/nothing SITE/file.sif o/i:1",
        "list --plugstack SITE/nothing",
        "verify --plugstack SITE/nothing",
        "refresh --plugstack SITE/nothing --all",
        "remove --plugstack SITE/nothing o/i:1",
        "gc --plugstack SITE/nothing",
        "stage --plugstack SITE/nothing --nodes n1 o/i:1",
        "explain --plugstack SITE/nothing apptainer run docker://o/i:1",
    ] {
        assert!(site.run(74, line).contains("nothing"), "{line}");
    }
    for line in ["misses --log SITE/nothing", "hits --log SITE/nothing"] {
        assert!(!site.run(74, line).is_empty(), "{line}");
    }
}

#[test]
fn wrong_usage() {
    let site = Site::new();
    assert!(!site.run(64, "list --unknown").is_empty());
    // The message about an argument with control characters is printed by different code.
    assert!(!site.run(64, "list --\u{1b}[2J").is_empty());
}

#[test]
fn progress_and_remarks() {
    let site = Site::new();
    let messages =
        site.run(0, "import --root SITE/root --untrusted accept --force SITE/file.sif n:1");
    assert!(messages.contains("importing"), "{messages}");
    let line = "add --root SITE/root --untrusted accept --runtime SITE/apptainer 127.0.0.1:1/o/n:1";
    assert!(site.run(69, line).contains("pulling"));
    assert!(!site.run(0, "misses --refs --log SITE/log").is_empty());
    let line = "gc --root SITE/root --untrusted accept --max-size 0 --yes";
    assert!(site.run(0, line).contains("o can be written by "));
    let line = "gc --plugstack SITE/plugstack.conf --unused-for 1d --yes";
    assert!(site.run(69, line).contains("cannot list the nodes of the cluster (sinfo "));
}
