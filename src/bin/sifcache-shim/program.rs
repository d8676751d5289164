//! One program that the shim may execute: its kind, and whether the launch has passed through it
//! before.

use crate::process;
use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The number of bytes at the start of a program that are read to determine its kind. The shim's
/// mark is within them.
const START: usize = 2048;

/// Identifies a file independently of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The identity of the file at `path`, following links.
    pub(crate) fn of(path: &CStr) -> Option<Self> {
        metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{:x}", self.device, self.inode)
    }
}

/// The kind of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This shim, or a copy of it.
    Shim,
    /// A file that is not in ELF format, such as a script. It may start the runtime itself, and so
    /// call the shim again.
    Script(Identity),
    /// Any other program, including one that cannot be read.
    Binary,
}

/// A program that can be executed, or that the shim should try to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: CString,
    pub(crate) kind: Kind,
}

impl Program {
    /// The program at `path`, if this user can execute it. `own` identifies the running shim.
    pub(crate) fn find(path: CString, own: Option<Identity>) -> Option<Self> {
        let metadata = metadata(&path)?;
        let identity = Identity::from(&metadata);
        if own == Some(identity) {
            return Some(Self { path, kind: Kind::Shim });
        }
        let good = metadata.is_file() && process::may_execute(&path);
        good.then(|| Self { kind: kind(&path, identity), path })
    }
}

fn kind(path: &CStr, identity: Identity) -> Kind {
    let mut start = Vec::with_capacity(START);
    let read =
        File::open(as_path(path)).and_then(|file| file.take(START as u64).read_to_end(&mut start));
    match read {
        Err(_) => Kind::Binary,
        Ok(_) if process::is_shim(&start) => Kind::Shim,
        Ok(_) if start.starts_with(b"\x7fELF") => Kind::Binary,
        Ok(_) => Kind::Script(identity),
    }
}

/// The metadata of the file at `path`, following links.
pub(crate) fn metadata(path: &CStr) -> Option<Metadata> {
    fs::metadata(as_path(path)).ok()
}

fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// The scripts through which a launch has passed: the shim executed the script, and the script called
/// the shim. They are stored in a variable, because nothing else survives an exec without side
/// effects.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scripts(String);

impl Scripts {
    /// The name of the variable. Runtimes do not pass variables with this prefix on to a container.
    pub(crate) const VARIABLE: &str = "SINGULARITY_SIFCACHE_SCRIPTS";

    /// Parses the value of the variable.
    pub(crate) fn new(value: Option<Vec<u8>>) -> Self {
        Self(value.and_then(|value| String::from_utf8(value).ok()).unwrap_or_default())
    }

    /// How often the launch has passed through `script`.
    pub(crate) fn count(&self, script: Identity) -> usize {
        let script = script.to_string();
        self.0.split(',').filter(|other| *other == script).count()
    }

    /// The value of the variable with `script` added.
    pub(crate) fn and(&self, script: Identity) -> String {
        if self.0.is_empty() { script.to_string() } else { format!("{},{script}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Kind, Program, Scripts};
    use std::ffi::CString;

    #[test]
    fn the_kinds_of_programs() {
        let find = |path: &str, own| Program::find(CString::new(path).unwrap(), own);
        let own = Identity::of(c"/bin/sh");
        assert_eq!(find("/bin/sh", None).map(|p| p.kind), Some(Kind::Binary));
        assert_eq!(find("/bin/sh", own).map(|p| p.kind), Some(Kind::Shim));
        let script = Identity::of(c"/usr/bin/ldd").map(Kind::Script);
        assert_eq!(find("/usr/bin/ldd", own).map(|p| p.kind), script);
        for none in ["/", "/etc/passwd", "/nowhere"] {
            assert_eq!(find(none, own), None, "{none}");
        }
    }

    #[test]
    fn scripts_are_counted() {
        let [one, two] = [c"/", c"/bin/sh"].map(|path| Identity::of(path).unwrap());
        let mut scripts = Scripts::new(None);
        assert_eq!(scripts.count(one), 0);
        for script in [one, two, one] {
            scripts = Scripts::new(Some(scripts.and(script).into_bytes()));
        }
        assert_eq!((scripts.count(one), scripts.count(two)), (2, 1));
    }
}
