//! Mounts a read-only view of a directory tree whose calls hang, fail or are slow:
//! `faultfs SOURCE MOUNTPOINT CONTROL`.
//!
//! The file CONTROL specifies the fault and is read at each call: `CALL FAULT`, such as `open
//! hang`. CALL is `lookup`, `getattr`, `open`, `read` or `all`. FAULT is `hang` (no reply ever),
//! `pause` (no reply until CONTROL changes), `eio`, or `slow` (a reply after one second). Without
//! the file, all calls work. The program stays in the foreground until it is unmounted or killed,
//! and needs fusermount3.

mod fault;
mod tree;

use fuser::MountOption;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "only tests start this program")]
fn main() -> ExitCode {
    let words: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, mountpoint, control] = words.as_slice() else {
        eprintln!("usage: faultfs SOURCE MOUNTPOINT CONTROL");
        return ExitCode::from(2);
    };
    match mount(source, mountpoint, control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faultfs: {}: {error}", mountpoint.display());
            ExitCode::FAILURE
        }
    }
}

fn mount(source: &Path, mountpoint: &Path, control: &Path) -> std::io::Result<()> {
    let options = [
        MountOption::FSName("faultfs".to_owned()),
        MountOption::RO,
        MountOption::AllowOther,
        MountOption::DefaultPermissions,
    ];
    let tree = tree::Tree::new(source, fault::Faults::new(control));
    fuser::mount2(tree, mountpoint, &options)
}
