//! The journal of this host, through journalctl, which knows its files.

use jiff::Timestamp;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What the plugin said, with who sent it.
const FIELDS: &str = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_UID,_HOSTNAME";

/// A journalctl that is being read.
pub(super) struct Journal {
    child: Child,
    stdout: ChildStdout,
}

impl Journal {
    /// The lines that bear our name, from a time on if one is given. Its own notes, such as
    /// that this user sees only a part of the journal, are for whoever called us.
    ///
    /// # Errors
    /// If there is no journalctl.
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

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The first line of the whole journal, whoever wrote it: it says how far back it reaches.
/// None if there is no journal that this user may read.
pub(super) fn first_line() -> Option<String> {
    let mut child = journalctl().stderr(Stdio::null()).spawn().ok()?;
    let mut line = String::new();
    let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
    end(&mut child);
    read.and_then(Result::ok).filter(|length| *length > 0).map(|_| line)
}

/// Whether this user may read the journal of all users: journalctl shows others only what they
/// wrote themselves.
pub(super) fn is_whole() -> bool {
    let files = ["/var/log/journal/*/system.journal", "/run/log/journal/*/system.journal"];
    let files = files.iter().filter_map(|pattern| glob::glob(pattern).ok());
    files.flatten().flatten().any(|file| File::open(file).is_ok())
}
