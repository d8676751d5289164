//! Mounts a read-only view of a directory tree whose calls hang, fail or are slow:
//! `faultfs SOURCE MOUNTPOINT CONTROL [LOG]`.
//!
//! The file CONTROL specifies the fault and is read at each call: `CALL FAULT`, such as `open
//! hang`. CALL is `lookup`, `getattr`, `open`, `read` or `all`. FAULT is `hang` (no reply ever),
//! `pause` (no reply until CONTROL changes), `eio`, or `slow` (a reply after one second). Without
//! the file, all calls work. With LOG, the name of each call is written into this file, one per
//! line, and the kernel caches no data. The program stays in the foreground until it is unmounted or
//! killed. Without the privilege to mount, it needs fusermount3.

use faultfs::{Requests, serve};
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "only tests start this program")]
fn main() -> ExitCode {
    let words: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let (source, mountpoint, control, log) = match words.as_slice() {
        [source, mountpoint, control] => (source, mountpoint, control, None),
        [source, mountpoint, control, log] => (source, mountpoint, control, Some(log)),
        _ => {
            eprintln!("usage: faultfs SOURCE MOUNTPOINT CONTROL [LOG]");
            return ExitCode::from(2);
        }
    };
    match requests(log).and_then(|requests| serve(source, mountpoint, control, requests)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faultfs: {}: {error}", mountpoint.display());
            ExitCode::FAILURE
        }
    }
}

fn requests(log: Option<&PathBuf>) -> io::Result<Requests> {
    log.map_or(Ok(Requests::default()), |log: &PathBuf| Requests::logging(Path::new(log)))
}
