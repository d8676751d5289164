//! Protection against untrusted users: ordinary users other than the caller who could replace a
//! directory, in which a command is about to write or remove files, with a symbolic link or another
//! directory.
//!
//! Jobs only read an image root, and with `untrusted=accept` the site accepts that anyone can write
//! there. A command that removes files or changes their owner cannot accept that: it would follow a
//! symbolic link to other files, with the rights of the caller, who is usually root. A command
//! therefore changes something only if every component of the path belongs to the system or to the
//! caller.

use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use rustix::process::geteuid;
use sifcache_core::trust::{self, Stop, UntrustedReason, Writer};
use std::path::Path;

/// The untrusted user who could redirect a command that works in `directory`, or in the nearest
/// existing directory above it if it does not exist yet.
pub(crate) fn at(directory: &Path) -> Option<UntrustedReason> {
    match trust::enter_as(geteuid().as_raw(), directory) {
        Ok(place) => trust::untrusted_reason(&place),
        Err(Stop::Untrusted(reason)) => Some(reason),
        Err(Stop::Absent) => directory.parent().and_then(at),
        // The caller cannot reach the directory, so this command cannot change anything there.
        Err(Stop::Dangling | Stop::Io(_)) => None,
    }
}

/// Fails if an untrusted user could redirect a command that works in `directory`.
///
/// # Errors
/// There is such a user; the message names the user and the remedy.
pub(crate) fn refuse(directory: &Path) -> Result<(), Failure> {
    at(directory).map_or(Ok(()), |reason| Err(Failure::UntrustedPath(describe(&reason))))
}

/// Describes the untrusted user and the remedy, for a message.
pub(crate) fn describe(reason: &UntrustedReason) -> String {
    let path = escape_for_terminal(&reason.path);
    let who = escape_for_terminal(Path::new(&reason.to_string()));
    let advice = match reason.by {
        Writer::Owner(_) => format!("chown it to root, or run this as that user: {path}"),
        Writer::Unmapped(_) => "run this outside of the user namespace".to_owned(),
        Writer::Group(_) => format!("chmod g-w {path}, or remove the ACL: setfacl -b {path}"),
        Writer::Others => format!("chmod o-w {path}"),
    };
    format!("{who}, so other users could redirect this command to other files; {advice}")
}

#[cfg(test)]
mod tests {
    use super::{at, refuse};
    use rustix::process::geteuid;
    use sifcache_core::trust::Writer;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    use std::path::Path;

    fn by(directory: &Path) -> Option<Writer> {
        at(directory).map(|reason| reason.by)
    }

    #[test]
    fn directories_that_others_can_write_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(by(&inner), None);
        assert_eq!(by(&inner.join("not/there/yet")), None);
        for (mode, writer) in [(0o777, Writer::Others), (0o1777, Writer::Others)] {
            fs::set_permissions(&inner, Permissions::from_mode(mode)).unwrap();
            assert_eq!(by(&inner), Some(writer));
            assert_eq!(by(&inner.join("not/there/yet")), Some(writer));
        }
        let failure = refuse(&inner).unwrap_err().to_string();
        let path = inner.display();
        let expected = format!(
            "nothing is changed there: {path} can be written by everybody, so other users could \
             redirect this command to other files; chmod o-w {path}"
        );
        assert_eq!(failure, expected);
    }

    #[test]
    fn a_directory_of_another_user_on_the_path_is_refused() {
        if !geteuid().is_root() {
            eprintln!("skipped: needs root, to give files to others");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let link = directory.path().join("link");
        symlink(&inner, &link).unwrap();
        assert_eq!(by(&link), None);
        chown(directory.path().join("a"), Some(1001), None).unwrap();
        for path in [&inner, &link, &inner.join("new")] {
            assert_eq!(by(path), Some(Writer::Owner(1001)), "{}", path.display());
        }
    }
}
