//! Finds the runtime.

use sifcache_core::nested;
use sifcache_core::nested::shims::{LABEL_LENGTH, runtime_in_label};
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The first of these programs in `path`. The order of the names takes precedence over the order
/// of the directories.
pub(super) fn first(names: &[String], path: &OsStr) -> Option<PathBuf> {
    // Relative directories are skipped, because they would depend on the caller's working
    // directory.
    let directories: Vec<PathBuf> = env::split_paths(path).filter(|d| d.is_absolute()).collect();
    let all = names.iter().flat_map(|name| directories.iter().map(move |d| d.join(name)));
    all.into_iter().find(|path| is_program(path) && !is_shim(path))
}

/// Whether `path` is a file that at least one user may execute.
pub(super) fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether `path` leads to the shim, by any path or through a symbolic link, or to a copy of the
/// shim.
fn is_shim(path: &Path) -> bool {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    path.starts_with(nested::DIRECTORY)
        || real.file_name() == Some(OsStr::new(nested::SHIM))
        || has_label(&real).unwrap_or(false)
}

/// Whether the file ends with the label of a shim, so that a copy of a shim is recognized.
fn has_label(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LABEL_LENGTH as u64)))?;
    let mut end = Vec::new();
    file.take(LABEL_LENGTH as u64).read_to_end(&mut end)?;
    Ok(runtime_in_label(&end).is_some())
}

#[cfg(test)]
mod tests {
    use super::first;
    use sifcache_core::nested::SHIM;
    use sifcache_core::nested::shims::label;
    use std::ffi::OsString;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn shims_and_files_that_cannot_be_executed_are_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["shims", "data", "one", "two", "target", "copy"] {
            fs::create_dir(at(name)).unwrap();
        }
        for (name, mode) in [
            (format!("target/{SHIM}"), 0o755),
            ("data/singularity".into(), 0o644),
            ("one/apptainer".into(), 0o755),
            ("two/singularity".into(), 0o755),
        ] {
            fs::write(at(&name), "").unwrap();
            fs::set_permissions(at(&name), Permissions::from_mode(mode)).unwrap();
        }
        fs::write(at("copy/singularity"), label("singularity")).unwrap();
        fs::set_permissions(at("copy/singularity"), Permissions::from_mode(0o755)).unwrap();
        symlink(at("target").join(SHIM), at("shims/singularity")).unwrap();
        fs::create_dir(at("one/singularity")).unwrap();
        let path = ["shims", "copy", "data", "one", "two"].map(|name| at(name).into_os_string());
        let path = path.join(&OsString::from(":"));
        let find = |names: &[&str]| {
            first(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &path)
        };
        assert_eq!(find(&["singularity", "apptainer"]), Some(at("two/singularity")));
        assert_eq!(find(&["apptainer", "singularity"]), Some(at("one/apptainer")));
        assert_eq!(find(&["podman"]), None);
        // The same directory, as a path relative to the working directory.
        let relative = format!("{}{}", "../".repeat(40), at("two").display());
        assert!(std::path::Path::new(&relative).join("singularity").is_file());
        assert_eq!(first(&["singularity".into()], relative.as_ref()), None);
    }
}
