//! The block of text that a failing test prints in addition to its message: the last command, its
//! output, and the relevant log lines since the test began.
//!
//! The block is short enough to fit into the last 40 lines of `make test`. It is written to
//! standard error, and also to a file in the directory `SIFCACHE_FAILURES`, if that is set.
//! `tests/stage` shows one such file at the end of a run.

use super::{Output, cluster};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

/// Maximum number of lines of the message, of each output stream, and of the logs.
const MESSAGE: usize = 6;
const STREAM: usize = 6;
const LOGS: usize = 10;
/// Maximum number of columns of a line; longer lines are cut off.
const COLUMNS: usize = 160;

static LAST: Mutex<Option<(String, Output)>> = Mutex::new(None);
/// Log files, and their lengths in bytes when the test began.
static LOGS_SINCE: Mutex<Vec<(PathBuf, u64)>> = Mutex::new(Vec::new());

/// Records a command on the testbed as the last command.
pub(super) fn ran<S: AsRef<OsStr>>(verb: &str, flags: &[&str], words: &[S], output: &Output) {
    let mut line = format!("testbed {verb}");
    for word in flags.iter().map(OsStr::new).chain(words.iter().map(AsRef::as_ref)) {
        line.push(' ');
        line.push_str(&word.to_string_lossy());
    }
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some((line, output.clone()));
}

/// Installs a panic hook that prints the block. `logs` lists the log files, each with its current
/// length in bytes; only later lines are shown.
pub(super) fn watch(logs: Vec<(PathBuf, u64)>) {
    static HOOK: Once = Once::new();
    *LOGS_SINCE.lock().unwrap_or_else(PoisonError::into_inner) = logs;
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            default(panic);
            // A panic inside the hook would abort the process, so `block` neither panics nor waits.
            let text = block(&panic.to_string());
            eprint!("{text}");
            keep(&text);
        }));
    });
}

fn test() -> String {
    let thread = std::thread::current().name().map(str::to_owned);
    std::env::var("NEXTEST_TEST_NAME").ok().or(thread).unwrap_or_default()
}

fn block(message: &str) -> String {
    let mut text = format!("test     {} (cluster {})\n", test(), cluster::name());
    lines(&mut text, "failed", message, MESSAGE, true);
    if let Ok(last) = LAST.try_lock()
        && let Some((line, output)) = &*last
    {
        lines(&mut text, "command", line, 2, true);
        let _ = writeln!(text, "status   {}", output.status);
        lines(&mut text, "stdout", &output.stdout, STREAM, false);
        lines(&mut text, "stderr", &output.stderr, STREAM, false);
    }
    if let Ok(logs) = LOGS_SINCE.try_lock() {
        let logs: Vec<String> = logs
            .iter()
            .flat_map(|(log, from)| relevant(&cluster::written_since(log, *from)))
            .collect();
        lines(&mut text, "logs", &logs.join("\n"), LOGS, false);
    }
    text
}

/// The log lines that explain most failures: the plugin's lines, errors, and how tasks ended.
fn relevant(log: &str) -> Vec<String> {
    let words = ["sifcache", "error", "exited with", "Kill", "drain"];
    let lines = log.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.map(str::to_owned).collect()
}

/// Appends at most `most` lines from the start (if `first` is true) or the end of `content`,
/// labelled `name`.
fn lines(text: &mut String, name: &str, content: &str, most: usize, first: bool) {
    let all: Vec<&str> = content.trim_end().lines().collect();
    let skipped = all.len().saturating_sub(most);
    let shown = if first { 0..all.len() - skipped } else { skipped..all.len() };
    for (n, line) in all[shown].iter().enumerate() {
        let line: String = line.chars().take(COLUMNS).collect();
        let _ = writeln!(text, "{:<8} {line}", if n == 0 { name } else { "" });
    }
    if skipped > 0 {
        let _ = writeln!(text, "{:<8} … and {skipped} more lines", "");
    }
}

fn keep(text: &str) {
    if let Some(directory) = std::env::var_os("SIFCACHE_FAILURES") {
        let _ = fs::create_dir_all(&directory);
        let _ = fs::write(Path::new(&directory).join(test().replace("::", ".")), text);
    }
}

#[test]
fn long_output_is_cut() {
    let mut text = String::new();
    lines(&mut text, "stdout", "1\n2\n3\n", 2, false);
    assert_eq!(text, "stdout   2\n         3\n         … and 1 more lines\n");
    text.clear();
    lines(&mut text, "failed", "1\n2\n3", 2, true);
    assert_eq!(text, "failed   1\n         2\n         … and 1 more lines\n");
    text.clear();
    lines(&mut text, "command", &"é".repeat(COLUMNS + 1), 2, true);
    assert_eq!(text, format!("command  {}\n", "é".repeat(COLUMNS)));
    text.clear();
    lines(&mut text, "stderr", "\n", 2, true);
    assert_eq!(text, "");
}

#[test]
fn log_lines_that_explain_a_failure() {
    let log = "x\nsifcache: image=none\nslurmd: debug: y\nerror: z\nn1 drained\n";
    assert_eq!(relevant(log), ["sifcache: image=none", "error: z", "n1 drained"]);
}
