//! The real runtime: the next program of that name in `PATH` after the shim itself.

use sifcache_core::nested;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Where programs are without a `PATH`: execvp(3) of glibc.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The file at `path`, links followed.
    pub(crate) fn of(path: &CStr) -> Option<Self> {
        metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

fn metadata(path: &CStr) -> Option<Metadata> {
    fs::metadata(as_path(path)).ok()
}

fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// The next program called `name` in `path` after `own`, the shim.
///
/// What comes before the shim is out of question: a user's script that is called like
/// the runtime and looks for the next one would be called again by us, and so on. If the
/// shim is not in `path`, all of it counts.
pub(crate) fn next(name: &CStr, path: Option<&[u8]>, own: Option<Identity>) -> Option<CString> {
    let mut found = None;
    let mut after = false;
    for entry in path.unwrap_or(DEFAULT_PATH).split(|byte| *byte == b':') {
        let candidate = candidate(entry, name)?;
        let Some(metadata) = metadata(&candidate) else { continue };
        if own == Some(Identity::from(&metadata)) {
            (found, after) = (None, true);
        } else if found.is_none() && is_program(&metadata) {
            found = Some(candidate);
        }
        if after && found.is_some() {
            break;
        }
    }
    found
}

/// An empty entry is the working directory.
fn candidate(entry: &[u8], name: &CStr) -> Option<CString> {
    let entry = if entry.is_empty() { b"." } else { entry };
    CString::new([entry, b"/", name.to_bytes()].concat()).ok()
}

fn is_program(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

/// Whether the program at `path` is no binary: then it may start the runtime itself.
pub(crate) fn is_script(path: &CStr) -> bool {
    let mut start = [0; 4];
    let read = File::open(as_path(path)).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start != *b"\x7fELF"
}

/// `path` with the shims right behind the directory of `program`, instead of where they
/// stand: what that script looks for next can be the shim, and the shim looks behind it.
pub(crate) fn shims_behind(path: &[u8], program: &CStr) -> Option<Vec<u8>> {
    let shims = nested::installed(nested::SHIMS);
    let entries = path.split(|byte| *byte == b':');
    if !entries.clone().any(|entry| nested::is_entry(entry, &shims)) {
        return None;
    }
    let name = crate::call::file_name(program);
    let mut rest: Vec<&[u8]> = entries.filter(|entry| !nested::is_entry(entry, &shims)).collect();
    let leads = |entry: &&[u8]| candidate(entry, &name).as_deref() == Some(program);
    let place = rest.iter().position(leads)?;
    rest.insert(place + 1, shims.as_bytes());
    Some(rest.join(&b':'))
}

#[cfg(test)]
mod tests {
    use super::{Identity, is_script, next, shims_behind};
    use sifcache_core::nested::{SHIMS, installed};
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    /// Directories `shim`, with a link to the shim, `a` and `b`, with a program each,
    /// `plain`, with a file that cannot be executed, and `dir`.
    struct Programs(PathBuf);

    impl Programs {
        fn new(test: &str) -> Self {
            let root = std::env::temp_dir().join(format!("shim-{}-{test}", std::process::id()));
            for directory in ["shim", "a", "b", "plain", "dir/apptainer"] {
                fs::create_dir_all(root.join(directory)).unwrap();
            }
            for (file, mode) in [
                ("sifcache-shim", 0o755),
                ("a/apptainer", 0o755),
                ("b/apptainer", 0o755),
                ("plain/apptainer", 0o644),
            ] {
                fs::write(root.join(file), "#!/bin/sh\n").unwrap();
                fs::set_permissions(root.join(file), fs::Permissions::from_mode(mode)).unwrap();
            }
            symlink(root.join("sifcache-shim"), root.join("shim/apptainer")).unwrap();
            Self(root)
        }

        fn path(&self, name: &str) -> CString {
            CString::new(self.0.join(name).to_str().unwrap()).unwrap()
        }

        /// The directory in which the next runtime is.
        fn next(&self, directories: &str) -> Option<String> {
            let root = self.0.to_str().unwrap();
            let entries: Vec<String> =
                directories.split(' ').map(|d| format!("{root}/{d}")).collect();
            let own = Identity::of(&self.path("shim/apptainer"));
            let found = next(c"apptainer", Some(entries.join(":").as_bytes()), own)?;
            let found = found.into_string().unwrap();
            Some(found.strip_prefix(root).unwrap().split('/').nth(1).unwrap().to_owned())
        }
    }

    impl Drop for Programs {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_next_one_after_the_shim() {
        let programs = Programs::new("next");
        for (path, expected) in [
            ("shim a b", Some("a")),
            ("a shim b", Some("b")),
            ("a b", Some("a")),
            ("shim nowhere plain dir b", Some("b")),
            ("shim a shim b", Some("a")),
            ("a shim", None),
            ("shim", None),
            ("nowhere", None),
        ] {
            assert_eq!(programs.next(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn scripts_and_binaries() {
        let programs = Programs::new("scripts");
        assert!(is_script(&programs.path("a/apptainer")));
        for other in ["/bin/true", "/nowhere", "/"] {
            assert!(!is_script(&CString::new(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn a_script_finds_the_shim_behind_itself() {
        let shims = installed(SHIMS);
        let after = |path: String| {
            let path = shims_behind(path.as_bytes(), c"/home/me/bin/apptainer")?;
            Some(String::from_utf8(path).unwrap())
        };
        let expected = format!("/x:/home/me/bin:{shims}:/bin");
        assert_eq!(after(format!("{shims}:/x:/home/me/bin:/bin")), Some(expected));
        assert_eq!(after("/home/me/bin:/bin".to_owned()), None);
        assert_eq!(after(format!("{shims}:/bin")), None);
    }
}
