//! What the login node knows of itself.

use crate::error::{Exit, Failure};
use sifcache_core::settings::Untrusted;
use sifcache_core::trust;
use std::path::PathBuf;

/// This program. Nodes have it under the same path.
///
/// # Errors
/// The kernel's.
pub(super) fn program() -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?)
}

/// `--untrusted` of that setting.
pub(super) fn word(untrusted: Untrusted) -> &'static str {
    match untrusted {
        Untrusted::Refuse => "refuse",
        Untrusted::Accept => "accept",
    }
}

/// Whether jobs will trust what the caller puts anywhere.
///
/// # Errors
/// If not, with what to do.
pub(super) fn may_stage(untrusted: Untrusted) -> Result<(), Failure> {
    let uid = rustix::process::geteuid().as_raw();
    if untrusted == Untrusted::Accept || trust::is_of_system(uid) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NO_PERMISSION,
        "the copies would belong to an ordinary user, and jobs would not use them: \
         run this as the owner of the image root, root or a system account",
    ))
}
