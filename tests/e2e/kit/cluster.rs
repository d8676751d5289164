//! The cluster of this test process: its hosts, and commands that run on them.
//!
//! `make e2e` starts several clusters and runs as many tests in parallel, each in its own process.
//! nextest gives each running test a slot number, and the slot number selects the cluster, so two
//! tests never share a cluster.

use super::failure;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// The cluster's name. Without nextest there is one cluster and one test process.
pub(crate) fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let names = std::env::var("SIFCACHE_TESTBED_NAMES")
            .or_else(|_| std::env::var("SIFCACHE_TESTBED_NAME"))
            .unwrap_or_else(|_| "default".to_owned());
        let slot = std::env::var("NEXTEST_TEST_GLOBAL_SLOT").unwrap_or_else(|_| "0".to_owned());
        let name = names.split(' ').nth(slot.parse().unwrap());
        name.unwrap_or_else(|| panic!("no cluster {slot} among {names:?}")).to_owned()
    })
}

/// The result of a command: exit status, standard output and standard error.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Asserts that the command succeeded and printed the name of `image`.
    #[track_caller]
    pub(crate) fn ran(&self, image: &str) {
        assert_eq!((self.status, self.stdout.trim_end()), (0, image), "{self:#?}");
    }

    /// Asserts that the runtime received the unmodified reference and failed because there is no
    /// network.
    #[track_caller]
    pub(crate) fn tried_the_registry(&self) {
        assert_ne!(self.status, 0, "{self:#?}");
        assert!(self.stderr.contains("connection refused"), "{self:#?}");
    }
}

/// Translates a path on a host to the path outside of the cluster.
pub(super) fn at(host: &str, path: &str) -> PathBuf {
    static ROOTS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut roots = ROOTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let root = roots.entry(host.to_owned()).or_default();
    // After a reboot, the host's root is at a different path.
    if !root.is_dir() {
        let output = testbed("root", &[], &[host], "");
        assert_eq!(output.status, 0, "{output:#?}");
        *root = PathBuf::from(output.stdout.trim_end());
    }
    root.join(path.trim_start_matches('/'))
}

/// The compute nodes.
pub(crate) const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// The log files of each node and of the login node, as pairs of host and path.
pub(super) fn logs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let both = ["/var/log/syslog", "/var/log/slurm/slurmd.log"];
    let nodes = NODES.into_iter().flat_map(move |node| both.map(|log| (node, log)));
    nodes.chain([("ctl", "/var/log/syslog")])
}

/// The content of a file after its first `from` bytes. Logs are long and are read repeatedly, so
/// the first part is skipped.
pub(super) fn written_since(path: &Path, from: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path)
        && file.seek(SeekFrom::Start(from)).is_ok()
    {
        let _ = file.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Starts or stops the registry.
pub(crate) fn hub(action: &str) {
    let output = testbed("hub", &[], &[action], "");
    assert_eq!(output.status, 0, "{output:#?}");
}

/// Runs `work` while the registry is up, and stops the registry afterwards, even on a panic.
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

/// Crashes a node with everything that runs on it, runs `meanwhile`, and boots the node again.
pub(crate) fn crash_and_boot<T>(node: &str, meanwhile: impl FnOnce() -> T) -> T {
    let testbed = |verb| {
        let output = testbed(verb, &[], &[node], "");
        assert_eq!(output.status, 0, "{output:#?}");
    };
    testbed("crash");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
    testbed("boot");
    // slurmd is running, but the controller may not have registered it yet.
    let idle = format!(
        "for n in $(seq 500); do sinfo -h -n {node} --responding -t idle -o %D | grep -q 1 && exit; \
         sleep 0.02; done"
    );
    self::testbed("exec", &[], &["bash", "-c", &idle], "");
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The command prefix that runs a command on a host. It is cached for each set of flags of `testbed
/// exec`, because starting the testbed script takes longer than most commands.
fn entry(flags: &[&str]) -> Vec<String> {
    static ENTRIES: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());
    let mut entries = ENTRIES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let words = entries.entry(flags.join("\0")).or_default();
    // After a reboot, the host has a different process ID.
    let process = words.iter().skip_while(|word| *word != "--target").nth(1);
    if !process.is_some_and(|pid| Path::new("/proc").join(pid).join("root").is_dir()) {
        let mut command = Command::new(PROGRAM);
        let output = command.arg("entry").args(flags).env("SIFCACHE_TESTBED_NAME", name()).output();
        let output = output.expect("testbed starts");
        let text = String::from_utf8(output.stdout).unwrap();
        *words = text.split_terminator('\0').map(str::to_owned).collect();
    }
    words.clone()
}

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testbed/testbed");

/// Runs `testbed VERB FLAGS WORDS` with `input` on standard input.
pub(crate) fn testbed<S: AsRef<OsStr>>(
    verb: &str,
    flags: &[&str],
    words: &[S],
    input: &str,
) -> Output {
    // A command that hangs must fail instead of blocking the test run.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", "300"]);
    let entry = if verb == "exec" { entry(flags) } else { Vec::new() };
    // Without a cached prefix, run the testbed script, which reports the error itself.
    match (verb, entry.is_empty()) {
        ("exec", false) => command.args(entry).args(words),
        ("exec", true) => command.arg(PROGRAM).arg(verb).args(flags).arg("--").args(words),
        _ => command.arg(PROGRAM).arg(verb).args(flags).args(words),
    };
    command.env("SIFCACHE_TESTBED_NAME", name());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("testbed starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that does not read its input closes the pipe. This is not an error.
    let feeder =
        std::thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
    let output = child.wait_with_output().expect("testbed ends");
    let _ = feeder.join();
    let output = Output {
        status: output.status.code().expect("an exit status"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    failure::ran(verb, flags, words, &output);
    output
}
