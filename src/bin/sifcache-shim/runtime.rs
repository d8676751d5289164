//! The real runtime: the next program of that name in `PATH` after the shim itself.
//!
//! The shim can be executed by its path while `PATH` has no runtime: a script found the shim, and
//! then cleared `PATH` or set it to the directory of the shim. Without sifcache, the real runtime
//! would start in this case, so the shim looks for the runtime where the script found the shim.

use crate::label;
use crate::program::{Identity, Kind, Program, Scripts};
use crate::{ancestors, process};
use sifcache_core::nested;
use sifcache_core::trust;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The directories in which a runtime is looked for if `PATH` does not have it.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// The maximum number of times that a launch may pass through one script if there is no other
/// program.
const MAX_REPEATS: usize = 8;

/// Returns the next program called `name` in `path` after the shim. `own` identifies the running
/// shim.
///
/// Programs before the shim are skipped. One of them can be a user's script that has the name of
/// the runtime and has called the shim as the next program of that name; executing this script
/// again would cause an endless loop. If the shim is not in `path`, all entries count. A script
/// that has already called the shim is used only if there is no other program, and at most
/// [`MAX_REPEATS`] times.
pub(crate) fn next(
    name: &CStr,
    path: Option<&[u8]>,
    own: Option<Identity>,
    scripts: &Scripts,
) -> Option<Program> {
    let (mut found, mut again, mut after) = (None, None, false);
    for entry in path?.split(|byte| *byte == b':') {
        let Some(program) = Program::find(candidate(entry, name)?, own) else { continue };
        match program.kind {
            Kind::Shim => (found, again, after) = (None, None, true),
            Kind::Script(script) if scripts.count(script) > 0 => {
                again = again.or((scripts.count(script) < MAX_REPEATS).then_some(program));
            }
            _ => found = found.or(Some(program)),
        }
        if after && found.is_some() {
            break;
        }
    }
    found.or(again)
}

/// Finds the runtime `name` if `PATH` does not contain it: after the shims in the `PATH` of the
/// script that executed this shim, or in one of the usual directories.
///
/// The shim also runs as root through sudo, possibly from a user's script. For root, the `PATH` of
/// that script is used only if the usual directories have no runtime, and only for a program that
/// no ordinary user can write.
pub(crate) fn find_outside_path(
    name: &CStr,
    own: Option<Identity>,
    scripts: &Scripts,
) -> Option<Program> {
    let usual = || next(name, Some(DEFAULT_PATH), own, scripts);
    let above = || ancestors::paths().find_map(|path| behind_shims(name, &path, own, scripts));
    match (process::is_privileged(), process::uid()) {
        (true, _) => usual(),
        (_, 0) => usual().or_else(|| above().filter(is_trusted)),
        _ => above().or_else(usual),
    }
}

/// The program `name` that comes after a shim of this name. A script that users can write is
/// skipped: it could call the shim again and again, because nothing would show that it has done so
/// before.
fn behind_shims(
    name: &CStr,
    path: &[u8],
    own: Option<Identity>,
    scripts: &Scripts,
) -> Option<Program> {
    // Relative entries refer to the working directory of another process.
    let entries = path.split(|byte| *byte == b':').filter(|entry| entry.starts_with(b"/"));
    let mut programs = entries.filter_map(|entry| Program::find(candidate(entry, name)?, own));
    programs.find(|program| program.kind == Kind::Shim)?;
    programs.find(|program| match program.kind {
        Kind::Shim => false,
        Kind::Binary => true,
        Kind::Script(script) => scripts.count(script) == 0 && is_trusted(program),
    })
}

/// Whether no ordinary user can write the program or redirect its path.
fn is_trusted(program: &Program) -> bool {
    let path = Path::new(OsStr::from_bytes(program.path.to_bytes()));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str))
    else {
        return false;
    };
    trust::enter(parent).and_then(|directory| trust::find(&directory, name)).is_ok()
}

/// The kind of a path that the interposer passes on.
pub(crate) enum Target {
    /// The program to execute. The kernel decides whether it can be executed.
    Runtime(Program),
    /// Another shim, with the name of its runtime, if it has one.
    Shim(Option<CString>),
}

/// Determines whether the `path` from the interposer is a runtime or another shim.
pub(crate) fn classify(path: CString, own: Option<Identity>) -> Target {
    match Program::find(path.clone(), own) {
        Some(program) if program.kind == Kind::Shim => {
            Target::Shim(label::of(&path).or_else(|| {
                let name = crate::call::file_name(&path);
                (name.as_bytes() != nested::SHIM.as_bytes()).then_some(name)
            }))
        }
        Some(program) => Target::Runtime(program),
        None => Target::Runtime(Program { path, kind: Kind::Binary }),
    }
}

/// The path of `name` in an entry of `PATH`. An empty entry is the working directory.
fn candidate(entry: &[u8], name: &CStr) -> Option<CString> {
    let entry = if entry.is_empty() { b"." } else { entry };
    CString::new([entry, b"/", name.to_bytes()].concat()).ok()
}

/// Returns `path` with the shims moved right behind the directory of `program`, a script: the next
/// program that the script finds can then be the shim, which looks for the runtime behind itself.
/// `None` if `path` lacks shims or the script's directory.
pub(crate) fn shims_behind(path: &[u8], program: &CStr) -> Option<Vec<u8>> {
    let entries = path.split(|byte| *byte == b':');
    let (shims, mut rest): (Vec<&[u8]>, Vec<&[u8]>) =
        entries.partition(|entry| nested::is_shims(entry));
    if shims.is_empty() {
        return None;
    }
    let name = crate::call::file_name(program);
    let leads = |entry: &&[u8]| candidate(entry, &name).as_deref() == Some(program);
    let place = rest.iter().position(leads)?;
    rest.splice(place + 1..=place, shims);
    Some(rest.join(&b':'))
}

/// Whether a path is that of a shim in one of the directories for `PATH`.
pub(crate) fn is_installed(path: &CStr) -> bool {
    let path = path.to_bytes();
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
    nested::is_shims(path.get(..end).unwrap_or_default())
}

/// Returns `path` with the shims replaced by the directory of `program`, as `PATH` would be without
/// sifcache.
pub(crate) fn in_place_of_shims(path: &[u8], program: &CStr) -> Vec<u8> {
    let directory = program.to_bytes();
    let end = directory.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
    let directory = directory.get(..end).unwrap_or_default();
    let entries = path.split(|byte| *byte == b':');
    let entries = entries.map(|entry| if nested::is_shims(entry) { directory } else { entry });
    entries.collect::<Vec<_>>().join(&b':')
}

#[cfg(test)]
mod tests {
    use super::{
        Target, behind_shims, classify, in_place_of_shims, is_installed, next, shims_behind,
    };
    use crate::program::{Identity, Kind, Scripts};
    use sifcache_core::nested::{SHIMS, installed};
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    /// A tree with the directories `shim`, with a link to the shim; `a` and `b`, with a program
    /// each; `plain`, with a file that cannot be executed; and `dir`, with a directory.
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

        /// The directory that holds the next runtime.
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
    fn finds_the_next_program_after_the_shim() {
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
    fn a_path_from_the_interposer() {
        let programs = Programs::new("target");
        let own = Identity::of(&programs.path("sifcache-shim"));
        let kind = |name: &str| match classify(programs.path(name), own) {
            Target::Runtime(program) => Ok(program.kind),
            Target::Shim(name) => Err(name),
        };
        assert_eq!(kind("shim/apptainer"), Err(Some(c"apptainer".to_owned())));
        assert_eq!(kind("sifcache-shim"), Err(None));
        let script = Identity::of(&programs.path("a/apptainer")).map(Kind::Script);
        assert_eq!(kind("a/apptainer").ok(), script);
        assert_eq!(kind("nowhere"), Ok(Kind::Binary));
    }

    /// In the `PATH` of another process, only programs after the shim count, and scripts that users
    /// can write do not count.
    #[test]
    fn programs_behind_the_shims_in_the_path_of_a_parent() {
        let programs = Programs::new("behind");
        let own = Identity::of(&programs.path("shim/apptainer"));
        let root = programs.0.to_str().unwrap();
        fs::copy("/bin/true", programs.0.join("b/apptainer")).unwrap();
        for (path, expected) in [
            ("R/shim:R/b", Some("R/b/apptainer")),
            ("R/b:R/shim", None),
            ("R/b", None),
            ("R/shim:R/shim:R/nowhere:R/b", Some("R/b/apptainer")),
        ] {
            let found = behind_shims(
                c"apptainer",
                path.replace('R', root).as_bytes(),
                own,
                &Scripts::default(),
            );
            let found = found.map(|program| program.path.into_string().unwrap());
            assert_eq!(found, expected.map(|path| path.replace('R', root)), "{path}");
        }
        fs::set_permissions(programs.0.join("a"), fs::Permissions::from_mode(0o777)).unwrap();
        let path = "R/shim:R/a:R/b".replace('R', root);
        let found = behind_shims(c"apptainer", path.as_bytes(), own, &Scripts::default()).unwrap();
        assert_eq!(found.path, programs.path("b/apptainer"));
    }

    #[test]
    fn shims_move_behind_the_directory_of_a_script() {
        let shims = installed(SHIMS);
        let after = |path: String| {
            let path = shims_behind(path.as_bytes(), c"/home/me/bin/apptainer")?;
            Some(String::from_utf8(path).unwrap())
        };
        let expected = format!("/x:/home/me/bin:{shims}:/bin");
        assert_eq!(after(format!("{shims}:/x:/home/me/bin:/bin")), Some(expected));
        let two = format!("{shims}-linked:{shims}-sing:/home/me/bin:/bin");
        let expected = format!("/home/me/bin:{shims}-linked:{shims}-sing:/bin");
        assert_eq!(after(two), Some(expected));
        assert_eq!(after("/home/me/bin:/bin".to_owned()), None);
        assert_eq!(after(format!("{shims}:/bin")), None);
    }

    #[test]
    fn recognizes_installed_shims() {
        for (path, expected) in [
            (format!("{}/apptainer", installed(SHIMS)), true),
            (format!("{}-linked/singularity", installed(SHIMS)), true),
            (installed("sifcache-shim"), false),
            ("/home/me/bin/singularity".to_owned(), false),
            ("./apptainer".to_owned(), false),
            ("apptainer".to_owned(), false),
        ] {
            assert_eq!(is_installed(&CString::new(path.as_str()).unwrap()), expected, "{path}");
        }
    }

    #[test]
    fn the_directory_of_the_runtime_replaces_the_shims() {
        let shims = installed(SHIMS);
        for (path, expected) in [
            (shims.clone(), "/usr/bin"),
            (format!("{shims}-linked/:/x"), "/usr/bin:/x"),
            (format!("/x::{shims}"), "/x::/usr/bin"),
            ("/x".to_owned(), "/x"),
        ] {
            let path = in_place_of_shims(path.as_bytes(), c"/usr/bin/apptainer");
            assert_eq!(String::from_utf8(path).unwrap(), expected);
        }
    }
}
