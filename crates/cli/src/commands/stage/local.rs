//! Properties of the login node and the caller.

use crate::error::Failure;
use sifcache_core::settings::Untrusted;
use sifcache_core::trust;
use std::path::PathBuf;

/// The path of this program, which is also its path on the nodes.
///
/// # Errors
/// The kernel cannot resolve it.
pub(super) fn program() -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?)
}

/// This setting as a value of `--untrusted`.
pub(super) fn word(untrusted: Untrusted) -> &'static str {
    match untrusted {
        Untrusted::Refuse => "refuse",
        Untrusted::Accept => "accept",
    }
}

/// Checks that jobs will trust files of the calling user.
///
/// # Errors
/// Jobs will not trust them; the message gives advice.
pub(super) fn may_stage(untrusted: Untrusted) -> Result<(), Failure> {
    let uid = rustix::process::geteuid().as_raw();
    if untrusted == Untrusted::Accept || trust::is_system_account(uid) {
        return Ok(());
    }
    Err(Failure::UntrustedCopies)
}
