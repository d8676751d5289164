//! References complete with Tab, in real shells on a real pseudo-terminal.
#![allow(clippy::panic, clippy::print_stderr)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TAB: &str = "\t";
/// Moves to the start of the line.
const HOME: &str = "\x01";
/// Removes the line.
const CLEAR: &str = "\x05\x15";
/// How long a shell may take to answer.
const LIMIT: Duration = Duration::from_secs(60);

/// A root with a few images, the command in `bin`, and its completion scripts.
fn site() -> TempDir {
    let site = tempfile::tempdir().unwrap();
    let path = |name: &str| site.path().join(name);
    let pinned = format!("root/o/i@sha256:{}", "0f".repeat(32));
    for name in [
        "root/o/i:1",
        "root/o/i:20",
        "root/o/j:1",
        "root/deep/only/z:1",
        "root/ubuntu:22.04",
        &pinned,
    ] {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), "").unwrap();
    }
    fs::create_dir(path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sifcache"), path("bin/sifcache")).unwrap();
    let show = path("bin/show");
    fs::write(&show, "#!/bin/sh\nprintf '[%s]' END \"$@\"\necho\n").unwrap();
    fs::set_permissions(&show, fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("optional spank_sifcache.so image_root={}\n", path("root").display());
    fs::write(path("plugstack.conf"), line).unwrap();
    fs::create_dir(path("functions")).unwrap();
    for (shell, file) in
        [("bash", "sifcache.bash"), ("zsh", "functions/_sifcache"), ("fish", "sifcache.fish")]
    {
        let script = Command::new(env!("CARGO_BIN_EXE_sifcache"))
            .args(["completions", shell])
            .output()
            .unwrap();
        assert!(script.status.success());
        fs::write(path(file), script.stdout).unwrap();
    }
    site
}

/// A shell on a pseudo-terminal, which script(1) makes.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Shell {
    /// `None` if the shell is not installed.
    fn new(program: &str, arguments: &str, setup: &str, site: &Path) -> Option<Self> {
        if !Path::new("/usr/bin").join(program).exists()
            && !Path::new("/bin").join(program).exists()
        {
            assert!(std::env::var_os("CI").is_none(), "these tests need {program}: make unit");
            eprintln!("skipped: {program} is not installed");
            return None;
        }
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command"]);
        command.arg(format!("stty cols 200; exec {program} {arguments}")).arg("/dev/null");
        command.env_clear().env("TERM", "xterm").env("HOME", site).env("LANG", "C.UTF-8");
        command.env("PATH", format!("{}:/usr/bin:/bin", site.join("bin").display()));
        command.env("SLURM_CONF", site.join("slurm.conf")).current_dir(site);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                let _ = sender.send(bytes[..length].to_vec());
            }
        });
        let mut shell = Self { child, input, output, seen: String::new() };
        shell.write(&format!("{setup}\nprintf 'rea%s\\n' dy\n"));
        shell.until("ready");
        Some(shell)
    }

    fn write(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Reads until this text appears, and returns what follows it in the same line.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some((_, rest)) = self.seen.split_once(text)
                && let Some((line, _)) = rest.split_once('\n')
            {
                let line = line.trim_end().to_owned();
                self.seen.clear();
                return line;
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("no {text:?} in {:?}", self.seen),
            }
        }
    }

    /// The words of the command line after these keys, each in brackets.
    #[track_caller]
    fn line(&mut self, keys: &str) -> String {
        self.write(&format!("{CLEAR}{keys}{HOME}show \r"));
        self.until("[END]")
    }

    /// What the shell shows after these keys; the line is not executed.
    #[track_caller]
    fn shown(&mut self, keys: &str) -> String {
        self.write(&format!("{CLEAR}{keys}"));
        std::thread::sleep(Duration::from_secs(1));
        self.write(&format!("{CLEAR}printf 'don%s\\n' e\r"));
        let end = Instant::now() + LIMIT;
        while !self.seen.contains("done") {
            let left = end.saturating_duration_since(Instant::now());
            let bytes =
                self.output.recv_timeout(left).unwrap_or_else(|_| panic!("{:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keys, and the words of the command line after them.
fn cases() -> Vec<(String, &'static str)> {
    let cases = [
        ("sifcache remove o/i:2T", "[sifcache][remove][o/i:20]"),
        ("sifcache remove o/i:2Tx", "[sifcache][remove][o/i:20][x]"),
        ("sifcache remove o/jT", "[sifcache][remove][o/j:1]"),
        ("sifcache refresh deT", "[sifcache][refresh][deep/only/z:1]"),
        ("sifcache verify ubT", "[sifcache][verify][ubuntu:22.04]"),
        ("sifcache list ubuntu:T", "[sifcache][list][ubuntu:22.04]"),
        ("sifcache request docker://o/jT", "[sifcache][request][docker://o/j:1]"),
        ("sifcache stage docker://o/i:2T", "[sifcache][stage][docker://o/i:20]"),
        ("sifcache add o/i@shT", "[sifcache][add][o/i@sha256:DIGEST]"),
        ("sifcache add o/i@sha256:0T", "[sifcache][add][o/i@sha256:DIGEST]"),
        ("sifcache add o/i@T", "[sifcache][add][o/i@sha256:DIGEST]"),
        ("sifcache remove --yes o/i:1 o/jTx", "[sifcache][remove][--yes][o/i:1][o/j:1][x]"),
        (
            "sifcache explain -- apptainer run docker://o/i:2T",
            "[sifcache][explain][--][apptainer][run][docker://o/i:20]",
        ),
        // More follows, so there is no blank.
        ("sifcache list dockTx", "[sifcache][list][docker://x]"),
        // The common beginning of two names.
        ("sifcache list o/iT", "[sifcache][list][o/i:]"),
        // Nothing begins like this.
        ("sifcache remove o/i:3T", "[sifcache][remove][o/i:3]"),
        ("sifcache remove --dry-rT", "[sifcache][remove][--dry-run]"),
    ];
    cases.map(|(keys, words)| (keys.replace('T', TAB), words)).into()
}

#[track_caller]
fn check(shell: &mut Shell) {
    let digest = "0f".repeat(32);
    for (keys, words) in cases() {
        let expected = words.replace("DIGEST", &digest);
        assert_eq!(shell.line(&keys), expected, "{keys:?}");
    }
    // All names are listed, and no message disturbs the prompt.
    let shown = shell.shown(&format!("sifcache list o/{TAB}{TAB}"));
    for name in ["i:1", "i:20", "j:1"] {
        assert!(shown.contains(name), "{name}: {shown:?}");
    }
    // The settings are missing, invalid, or unreadable.
    for root in ["/none", "relative", "--"] {
        let keys = format!("sifcache remove --root {root} o/i:2{TAB}");
        let shown = shell.shown(&keys).to_ascii_lowercase();
        assert!(!shown.contains("error") && !shown.contains("sifcache: "), "{shown:?}");
    }
}

#[test]
fn bash_completes_references() {
    let site = site();
    let setup = "PS1='> '; source ./sifcache.bash";
    let Some(mut shell) = Shell::new("bash", "--noprofile --norc -i", setup, site.path()) else {
        return;
    };
    check(&mut shell);
    // Without the colon as a word break, as some sites set it.
    let _ = shell.shown("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\r");
    check(&mut shell);
    // In a pipeline, and after an assignment.
    for start in ["true | ", "A=b "] {
        let shown = shell.shown(&format!("{start}sifcache remove o/j{TAB}"));
        assert!(shown.contains("o/j:1"), "{shown:?}");
    }
}

#[test]
fn zsh_completes_references() {
    let site = site();
    let setup = "PS1='> '; bindkey -e; fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D";
    let Some(mut shell) = Shell::new("zsh", "-f -i", setup, site.path()) else { return };
    check(&mut shell);
}

#[test]
fn fish_completes_references() {
    let site = site();
    let setup = "function fish_prompt; echo '> '; end; source sifcache.fish";
    let Some(mut shell) = Shell::new("fish", "--no-config -i", setup, site.path()) else { return };
    check(&mut shell);
}

#[test]
fn the_root_of_the_command_line_is_searched() {
    let site = site();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["complete-references", "--", "remove", "--root"]).arg(site.path().join("root"));
    let output = command.arg("o/i:").env("SLURM_CONF", "/none").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "o/i:1\no/i:20\n");
}

/// The settings are on a file server that does not answer: here, in a FIFO that nobody writes to.
#[test]
fn settings_that_cannot_be_read_do_not_block_the_prompt() {
    let site = site();
    let fifo = site.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_sifcache"), "complete-references", "--", "remove"]);
    let output = command.arg("--plugstack").arg(&fifo).arg("o/").output().unwrap();
    assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(0), vec![], vec![]));
}
