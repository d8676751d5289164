//! Reads the journal of this host with journalctl, which can parse the journal files.

use jiff::Timestamp;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The fields to output: the plugin's message, and its sender.
const FIELDS: &str = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_UID,_HOSTNAME,_TRANSPORT";

/// A running journalctl.
pub(super) struct Journal {
    child: Child,
    stdout: ChildStdout,
}

impl Journal {
    /// Opens the entries with our identifier, optionally only from a given time on. The messages of
    /// journalctl itself go to standard error; one of them says that the user can see only a part
    /// of the journal.
    ///
    /// # Errors
    /// journalctl cannot be started.
    pub(super) fn open(since: Option<Timestamp>) -> io::Result<Self> {
        let since = since.map(|time| format!("--since=@{}", time.as_second()));
        let arguments = ["--identifier=sifcache"].into_iter().chain(since.as_deref());
        let mut child = journalctl().args(arguments).spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, stdout })
    }
}

impl Read for Journal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stdout.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("journalctl ended with {status}")));
            }
        }
        Ok(count)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn journalctl() -> Command {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--output=json", FIELDS]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Ends journalctl.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Where to begin to read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// The entry with this cursor. If it no longer exists, the next one after it.
    ///
    /// This is `--cursor` and not `--after-cursor`, which skips the first entry even if it is
    /// another one: systemd 252 then loses an entry.
    Entry(&'a str),
    /// The first entry at or after this time.
    Since(Timestamp),
}

/// Starts journalctl for all entries with our identifier: of this host, or of the journal files in
/// a directory. With `follow`, it waits for further entries. It does not get the signals of the
/// terminal; it ends when its output is closed.
///
/// # Errors
/// journalctl cannot be started.
pub(crate) fn start(
    directory: Option<&Path>,
    start: Start<'_>,
    follow: bool,
) -> io::Result<(Child, ChildStdout)> {
    let mut command = journalctl();
    // Without --all, a message of more than 4096 bytes is `null`.
    command.args(["--identifier=sifcache", "--all"]);
    if let Some(directory) = directory {
        command.arg("--directory").arg(directory);
    }
    match start {
        Start::Entry(cursor) => command.arg(format!("--cursor={cursor}")),
        Start::Since(time) => command.arg(format!("--since=@{}", time.as_second())),
    };
    if follow {
        // Without --no-tail, only the last ten entries are shown.
        command.args(["--follow", "--no-tail"]);
    }
    let mut child = command.process_group(0).spawn()?;
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((child, stdout))
}

/// The first entry of the whole journal, from any program, which shows how far back the journal
/// reaches. `None` if there is no journal that this user can read.
pub(crate) fn first_line() -> Option<String> {
    let mut child = journalctl().stderr(Stdio::null()).spawn().ok()?;
    let mut line = String::new();
    let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
    end(&mut child);
    read.and_then(Result::ok).filter(|length| *length > 0).map(|_| line)
}

/// Whether this user can read the journal of all users. To other users, journalctl shows only their
/// own entries.
pub(crate) fn is_whole() -> bool {
    let files = ["/var/log/journal/*/system.journal", "/run/log/journal/*/system.journal"];
    let files = files.iter().filter_map(|pattern| glob::glob(pattern).ok());
    files.flatten().flatten().any(|file| File::open(file).is_ok())
}
