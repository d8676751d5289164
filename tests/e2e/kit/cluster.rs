//! The cluster that `SIFCACHE_TESTBED_NAME` names: its hosts, and commands there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// What a command gave.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// The command succeeded and printed the name of `image`.
    #[track_caller]
    pub(crate) fn ran(&self, image: &str) {
        assert_eq!((self.status, self.stdout.trim_end()), (0, image), "{self:#?}");
    }

    /// The runtime got the reference as it was, and failed for lack of a network.
    #[track_caller]
    pub(crate) fn tried_the_registry(&self) {
        assert_ne!(self.status, 0, "{self:#?}");
        assert!(self.stderr.contains("connection refused"), "{self:#?}");
    }
}

/// Where a path of a host is to be found from outside.
pub(super) fn at(host: &str, path: &str) -> PathBuf {
    static ROOTS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut roots = ROOTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let root = roots.entry(host.to_owned()).or_default();
    // A host that was booted anew is to be found elsewhere.
    if !root.is_dir() {
        let output = testbed("root", &[], &[host], "");
        assert_eq!(output.status, 0, "{output:#?}");
        *root = PathBuf::from(output.stdout.trim_end());
    }
    root.join(path.trim_start_matches('/'))
}

/// The compute nodes.
pub(crate) const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// What each node writes.
pub(super) fn logs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let both = ["/var/log/syslog", "/var/log/slurm/slurmd.log"];
    NODES.into_iter().flat_map(move |node| both.map(|log| (node, log)))
}

pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Starts or stops the registry.
pub(crate) fn hub(action: &str) {
    let output = testbed("hub", &[], &[action], "");
    assert_eq!(output.status, 0, "{output:#?}");
}

/// Runs `work` with the registry up, and takes it down again whatever happens.
pub(crate) fn with_hub<T>(work: impl FnOnce() -> T) -> T {
    struct Down;
    impl Drop for Down {
        fn drop(&mut self) {
            hub("stop");
        }
    }
    hub("start");
    let _down = Down;
    work()
}

/// A node dies at once with all that runs there, and is up again after `meanwhile`.
pub(crate) fn crash_and_boot<T>(node: &str, meanwhile: impl FnOnce() -> T) -> T {
    let testbed = |verb| {
        let output = testbed(verb, &[], &[node], "");
        assert_eq!(output.status, 0, "{output:#?}");
    };
    testbed("crash");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
    testbed("boot");
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// `testbed VERB FLAGS WORDS`, with `--` before the words where the verb wants it.
pub(crate) fn testbed<S: AsRef<OsStr>>(
    verb: &str,
    flags: &[&str],
    words: &[S],
    input: &str,
) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/testbed");
    // What hangs is to fail, and not to wait for whoever watches the tests.
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", "300"])
        .arg(program)
        .arg(verb)
        .args(flags)
        .args((verb == "exec").then_some("--"))
        .args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("testbed starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that does not read its input closes it: no error.
    let feeder =
        std::thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
    let output = child.wait_with_output().expect("testbed ends");
    let _ = feeder.join();
    Output {
        status: output.status.code().expect("an exit status"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
