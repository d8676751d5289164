//! Strangers: ordinary users, the caller not among them, who could put a link or another
//! directory in the place of one where a command is about to write or to remove.
//!
//! Jobs only read an image root, and `untrusted=accept` says that a site does not mind who
//! writes there. Whoever removes files and gives them away does mind: a link would lead
//! there, with the rights of the caller, who is mostly root. So a command changes
//! something only where everything on the way belongs to the system or to the caller.

use crate::error::{Exit, Failure};
use crate::ui::output::plain;
use rustix::process::geteuid;
use sifcache_core::trust::{self, Distrust, Stop, Writer};
use std::path::Path;

/// The stranger who could lead a command away from `directory`, or from where it is about
/// to be made.
pub(crate) fn at(directory: &Path) -> Option<Distrust> {
    match trust::enter_as(geteuid().as_raw(), directory) {
        Ok(place) => trust::distrust(&place),
        Err(Stop::Distrust(distrust)) => Some(distrust),
        Err(Stop::Absent) => directory.parent().and_then(at),
        // Where the caller cannot come to, nothing of theirs happens.
        Err(Stop::Dangling | Stop::Io(_)) => None,
    }
}

/// Fails if there is one.
///
/// # Errors
/// Who it is, and what to do.
pub(crate) fn refuse(directory: &Path) -> Result<(), Failure> {
    at(directory).map_or(Ok(()), |stranger| {
        Err(Failure::new(Exit::CONFIG, format!("nothing is changed there: {}", said(&stranger))))
    })
}

/// Who it is, and what to do.
pub(crate) fn said(stranger: &Distrust) -> String {
    let path = plain(&stranger.path);
    let who = plain(Path::new(&stranger.to_string()));
    let advice = match stranger.by {
        Writer::Owner(_) => format!("chown it to root, or run this as that user: {path}"),
        Writer::Unmapped(_) => "run this outside of the user namespace".to_owned(),
        Writer::Group(_) => format!("chmod g-w {path}, or remove the ACL: setfacl -b {path}"),
        Writer::Others => format!("chmod o-w {path}"),
    };
    format!("{who}, who could lead this command to other files; {advice}")
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
        at(directory).map(|stranger| stranger.by)
    }

    #[test]
    fn the_callers_own_is_nobody_elses() {
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
            "nothing is changed there: {path} can be written by everybody, who could lead this \
             command to other files; chmod o-w {path}"
        );
        assert_eq!(failure, expected);
    }

    #[test]
    fn another_user_on_the_way() {
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
