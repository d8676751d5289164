//! The real runtime: the next program of that name in `PATH` after the shim itself.

use crate::program::{Identity, Kind, Program, Scripts};
use sifcache_core::nested;
use std::ffi::{CStr, CString};

/// Where programs are without a `PATH`: execvp(3) of glibc.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// As often as a launch may come through one script, where there is nothing else.
const OFTEN: usize = 8;

/// The next program called `name` in `path` after `own`, the shim.
///
/// What comes before the shim is out of question: a user's script that is called like
/// the runtime and looks for the next one would be called again by us, and so on. If the
/// shim is not in `path`, all of it counts, and a script that has called us by our own path
/// comes after all else; without anything else it is called again, but not for ever.
pub(crate) fn next(
    name: &CStr,
    path: Option<&[u8]>,
    own: Option<Identity>,
    scripts: &Scripts,
) -> Option<Program> {
    let (mut found, mut again, mut after) = (None, None, false);
    for entry in path.unwrap_or(DEFAULT_PATH).split(|byte| *byte == b':') {
        let Some(program) = Program::find(candidate(entry, name)?, own) else { continue };
        match program.kind {
            Kind::Shim => (found, again, after) = (None, None, true),
            Kind::Script(script) if scripts.count(script) > 0 => {
                again = again.or((scripts.count(script) < OFTEN).then_some(program));
            }
            _ => found = found.or(Some(program)),
        }
        if after && found.is_some() {
            break;
        }
    }
    found.or(again)
}

/// The program that the interposer has told of; none if that is the shim. Whether it can
/// be executed is for the kernel to say.
pub(crate) fn told(path: CString, own: Option<Identity>) -> Option<Program> {
    match Program::find(path.clone(), own) {
        Some(program) => (program.kind != Kind::Shim).then_some(program),
        None => Some(Program { path, kind: Kind::Binary }),
    }
}

/// An empty entry is the working directory.
fn candidate(entry: &[u8], name: &CStr) -> Option<CString> {
    let entry = if entry.is_empty() { b"." } else { entry };
    CString::new([entry, b"/", name.to_bytes()].concat()).ok()
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
    use super::{next, shims_behind, told};
    use crate::program::{Identity, Kind, Scripts};
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
            self.next_after(directories, &[])
        }

        /// The same for a launch that has come through these scripts.
        fn next_after(&self, directories: &str, scripts: &[&str]) -> Option<String> {
            let root = self.0.to_str().unwrap();
            let entries: Vec<String> =
                directories.split(' ').map(|d| format!("{root}/{d}")).collect();
            let own = Identity::of(&self.path("shim/apptainer"));
            let scripts = scripts.iter().fold(Scripts::default(), |all, script| {
                let script = Identity::of(&self.path(script)).unwrap();
                Scripts::new(Some(all.and(script).into_bytes()))
            });
            let found = next(c"apptainer", Some(entries.join(":").as_bytes()), own, &scripts)?;
            let found = found.path.into_string().unwrap();
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
    fn a_script_that_calls_the_shim_is_not_called_again() {
        let programs = Programs::new("scripts");
        let [a, b] = ["a/apptainer", "b/apptainer"];
        for (path, scripts, expected) in [
            ("a b", &[a] as &[&str], Some("b")),
            ("b a", &[a], Some("b")),
            ("shim a b", &[a], Some("b")),
            ("a b", &[a, b], Some("a")),
            ("a", &[a], Some("a")),
            ("a", &[a; 7], Some("a")),
            ("a", &[a; 8], None),
            ("a shim", &[a], None),
        ] {
            assert_eq!(programs.next_after(path, scripts).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_the_interposer_has_told() {
        let programs = Programs::new("told");
        let own = Identity::of(&programs.path("sifcache-shim"));
        let kind = |name: &str| told(programs.path(name), own).map(|program| program.kind);
        assert_eq!(kind("shim/apptainer"), None);
        let script = Identity::of(&programs.path("a/apptainer")).map(Kind::Script);
        assert_eq!(kind("a/apptainer"), script);
        assert_eq!(kind("nowhere"), Some(Kind::Binary));
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
