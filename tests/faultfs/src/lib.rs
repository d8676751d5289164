//! A read-only view of a directory tree whose calls hang, fail or are slow, or are counted. The
//! kernel caches none of its replies, so the file system receives every call.

mod fault;
mod requests;
mod tree;

use fuser::{BackgroundSession, MountOption};
pub use requests::{Counts, Requests};
use std::io;
use std::path::Path;

/// Mounts a view of `source` at `mountpoint` until it is unmounted. The file `control` specifies
/// the current fault.
///
/// # Errors
/// The file system cannot be mounted.
pub fn serve(
    source: &Path,
    mountpoint: &Path,
    control: &Path,
    requests: Requests,
) -> io::Result<()> {
    let options = options(&requests, true);
    let tree = tree::Tree::new(source, fault::Faults::new(control), requests);
    fuser::mount2(tree, mountpoint, &options)
}

/// Mounts a view of `source` without faults at `mountpoint`, for this user. It is unmounted when the
/// result is dropped.
///
/// # Errors
/// The file system cannot be mounted.
pub fn mount(
    source: &Path,
    mountpoint: &Path,
    requests: Requests,
) -> io::Result<BackgroundSession> {
    let options = options(&requests, false);
    let no_faults = fault::Faults::new(Path::new("/dev/null"));
    fuser::spawn_mount2(tree::Tree::new(source, no_faults, requests), mountpoint, &options)
}

/// A server that counts requests checks permissions itself, as a file server does. Otherwise, the
/// kernel would check them, and request the attributes of each directory on a path anew.
fn options(requests: &Requests, for_all_users: bool) -> Vec<MountOption> {
    let mut options = vec![MountOption::FSName("faultfs".to_owned()), MountOption::RO];
    if for_all_users {
        options.push(MountOption::AllowOther);
    }
    if !requests.is_counting() {
        options.push(MountOption::DefaultPermissions);
    }
    options
}
