//! The test kit: an image root, and the program under `benches/host`.

use serde_json::Value;
use sif_fixture::Sif;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The variable with the command under which the program is run, such as valgrind.
pub(crate) const UNDER: &str = "SIFCACHE_HOST_UNDER";

/// An image root with `o/i:1`.
pub(crate) struct Site {
    directory: TempDir,
}

/// The program's report on one plugin: the names of the plugin's system calls, the image that the
/// plugin put into the command, `PATH` of the task, and the number of calls of `spank_setenv`.
pub(crate) struct Report {
    pub(crate) init: Vec<String>,
    pub(crate) task: Vec<String>,
    pub(crate) image: String,
    pub(crate) path: String,
    pub(crate) set_variables: u64,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// The image root is on a file system without a disk.
    pub(crate) fn in_memory() -> Self {
        Self::below(Path::new("/dev/shm"))
    }

    fn below(top: &Path) -> Self {
        let site = Self { directory: TempDir::new_in(top).unwrap() };
        Sif::image().write(site.image()).unwrap();
        site
    }

    /// Whether the image root is on ext4 or XFS.
    pub(crate) fn is_on_local_disk(&self) -> bool {
        let found = rustix::fs::statfs(self.directory.path()).unwrap();
        [0xef53, 0x5846_5342].contains(&found.f_type)
    }

    pub(crate) fn image(&self) -> String {
        self.directory.path().join("o/i:1").into_os_string().into_string().unwrap()
    }

    /// The number of directories in the path of the root, without `/` but with the root itself.
    pub(crate) fn depth(&self) -> usize {
        self.directory.path().components().count() - 1
    }

    /// The plugin's line with these settings after the root.
    pub(crate) fn line(&self, settings: &str) -> String {
        let root = self.directory.path().display();
        format!("{} image_root={root} {settings}", plugin().display())
    }

    pub(crate) fn host<A: AsRef<OsStr>>(
        &self,
        line: &str,
        flags: &[&str],
        command: &[A],
    ) -> Output {
        host(line, flags, command)
    }

    /// Loads the plugin with these settings, runs its hooks once and unloads it.
    pub(crate) fn run(&self, settings: &str, flags: &[&str], command: &[&str]) -> Report {
        self.run_with(&[], settings, flags, command)
    }

    /// The same with these variables.
    pub(crate) fn run_with(
        &self,
        variables: &[(&str, &str)],
        settings: &str,
        flags: &[&str],
        command: &[&str],
    ) -> Report {
        let flags = [&["--runs", "1"], flags].concat();
        let output = host_with(variables, &self.line(settings), &flags, command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let plugin = &json(&String::from_utf8_lossy(&output.stdout))["plugins"][0];
        let names = |step: &str| {
            let names = plugin["steps"][step]["names"].as_array().expect("counted");
            let names = names.iter().map(|name| name.as_str().unwrap().to_owned());
            // With debug assertions, std makes an additional fcntl call on a descriptor that it
            // closes.
            names.filter(|name| !(cfg!(debug_assertions) && name == "fcntl")).collect()
        };
        let text = |name: &str| plugin[name].as_str().unwrap().to_owned();
        let set_variables = plugin["set_variables"].as_u64().unwrap();
        let [image, path] = ["image", "path"].map(text);
        Report { init: names("init"), task: names("task_init"), image, path, set_variables }
    }
}

/// The same as [`Site::run`], with the ownership of the root checked as on a real site. Only root
/// can create such files here; otherwise the result is `None`.
pub(crate) fn trusted(site: &Site, settings: &str, command: &[&str]) -> Option<Report> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(site.directory.path()).unwrap().uid() != 0 {
        eprintln!("skipped: needs root, to make files that root owns");
        return None;
    }
    Some(site.run(settings, &[], command))
}

/// Runs the program with this plugin line.
pub(crate) fn host<A: AsRef<OsStr>>(line: &str, flags: &[&str], command: &[A]) -> Output {
    host_with(&[], line, flags, command)
}

fn host_with<A: AsRef<OsStr>>(
    variables: &[(&str, &str)],
    line: &str,
    flags: &[&str],
    command: &[A],
) -> Output {
    let mut host = match std::env::var(UNDER) {
        Err(_) => Command::new(program()),
        Ok(checker) => {
            let mut words = checker.split(' ');
            let mut host = Command::new(words.next().unwrap());
            host.args(words).arg(program());
            host
        }
    };
    host.args(["--plugin", line]).args(flags).arg("--").args(command);
    host.envs(variables.iter().copied()).output().unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The library that cargo built with these tests.
pub(crate) fn plugin() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let library = tests.with_file_name("libspank_sifcache.so");
    assert!(library.is_file(), "{} is missing", library.display());
    library
}

/// The program, which the first test compiles.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/host/build");
        // Another run of the tests may be using a program that exists already.
        let into = format!("host-{}", std::process::id());
        let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join(into);
        let status = Command::new(build).arg(&into).status().unwrap();
        assert!(status.success(), "cannot compile benches/host");
        into.join("host")
    })
}
