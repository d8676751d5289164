//! Finds the runtimes in a job's `PATH` on this node.
//!
//! slurmstepd searches the system's own directories once, before it forks the tasks, so that on
//! most nodes a task makes no file system call. Other directories are searched by the task, as the
//! user. If the kernel's caches do not suffice, this takes a helper process: a directory on a hung
//! file server delays the task briefly and counts as having no runtime.

use crate::spank::{local_attributes, may_execute, open_cached, within};
use sifcache_core::nested::is_shims;
use std::ffi::{CString, OsStr};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// The directories where distributions and sites install programs, the most likely ones first.
/// These paths lead to the same directories for every user.
pub(crate) const SYSTEM: [&str; 6] =
    ["/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/usr/local/sbin", "/sbin"];

/// The runtimes that slurmstepd looks for in advance.
const COMMON_RUNTIMES: [&str; 2] = ["apptainer", "singularity"];

/// The timeout for the other directories. The lookup of an image has a longer timeout, but even
/// tasks that start no container have to wait for this search.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Device and inode number.
type File = (u64, u64);

/// What a directory holds under the name of a runtime. It must not own memory: a static is not
/// dropped when the library is unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Absent,
    /// A program that everybody may execute.
    Program(File),
    /// A program that only some users may execute.
    Restricted,
}

static SYSTEM_STATUS: [[OnceLock<Status>; SYSTEM.len()]; COMMON_RUNTIMES.len()] =
    [const { [const { OnceLock::new() }; SYSTEM.len()] }; COMMON_RUNTIMES.len()];

/// A runtime in `PATH`: the index of its name, the `PATH` entry that holds it, and its file.
pub(crate) type Located = (usize, Vec<u8>, File);

/// Searches the system's directories, for the tasks that are forked later.
pub(crate) fn search_system_directories(names: &[String]) {
    for name in names {
        SYSTEM.iter().enumerate().find(|(index, _)| {
            system_status(name, *index).is_some_and(|seen| matches!(seen, Status::Program(_)))
        });
    }
}

/// Returns the runtimes that the user can execute from `path`, a value of `PATH`, in the order of
/// `names`.
pub(crate) fn find(names: &[String], path: &[u8]) -> Vec<Located> {
    // A relative entry is skipped: its meaning changes with the task's working directory.
    let entries: Vec<&[u8]> = path
        .split(|byte| *byte == b':')
        .filter(|entry| entry.starts_with(b"/") && !is_shims(entry))
        .collect();
    let in_path: Vec<usize> = entries.iter().filter_map(|entry| system_index(entry)).collect();
    let mut found: Vec<Located> = names
        .iter()
        .enumerate()
        .filter_map(|(number, name)| {
            let (directory, file) = in_system(name, &in_path)?;
            Some((number, directory.as_bytes().to_vec(), file))
        })
        .collect();
    let missing: Vec<usize> =
        (0..names.len()).filter(|name| !found.iter().any(|(one, ..)| one == name)).collect();
    // Most tasks find all runtimes in the system's directories.
    if missing.is_empty() {
        return found;
    }
    let others: Vec<&[u8]> =
        entries.into_iter().filter(|entry| system_index(entry).is_none()).collect();
    if !others.is_empty() {
        found.extend(find_in_others(names, &missing, &others));
        found.sort_by_key(|(number, ..)| *number);
    }
    found
}

/// The index of a directory in [`SYSTEM`].
fn system_index(entry: &[u8]) -> Option<usize> {
    let end = entry.iter().rposition(|byte| *byte != b'/')?;
    let entry = entry.get(..=end)?;
    SYSTEM.iter().position(|directory| directory.as_bytes() == entry)
}

/// The first of the system's directories that has this runtime. Only those with an index in `in_path`
/// count.
fn in_system(name: &str, in_path: &[usize]) -> Option<(&'static str, File)> {
    SYSTEM.iter().enumerate().filter(|(number, _)| in_path.contains(number)).find_map(
        |(number, directory)| {
            let seen = system_status(name, number)
                .unwrap_or_else(|| status_in(directory.as_bytes(), name));
            Some((*directory, usable(directory.as_bytes(), name, seen)?))
        },
    )
}

/// What one of the system's directories holds under this name. The file system is read once; the
/// result is kept. `None` if the name is not in [`COMMON_RUNTIMES`].
fn system_status(name: &str, index: usize) -> Option<Status> {
    let number = COMMON_RUNTIMES.iter().position(|common| *common == name)?;
    let directory = SYSTEM.get(index)?;
    let seen = SYSTEM_STATUS.get(number)?.get(index)?;
    Some(*seen.get_or_init(|| status_in(directory.as_bytes(), name)))
}

/// For each missing name, the first of the other directories that has it.
#[inline(never)]
fn find_in_others(names: &[String], missing: &[usize], entries: &[&[u8]]) -> Vec<Located> {
    let mut found = Vec::new();
    if search(names, missing, entries, &cached_status_in, &mut |one| found.push(one)).is_some() {
        return found;
    }
    let look = |report: &mut dyn FnMut(Located)| {
        let status = |directory: &[u8], name: &str| Some(status_in(directory, name));
        let _ = search(names, missing, entries, &status, report);
    };
    let (found, all) = within(TIMEOUT, &look);
    if !all {
        log::warn!(
            "a directory in the task's PATH does not answer: launches of runtimes in it are not \
             covered"
        );
    }
    found
}

/// Reports the first directory of each missing name. `None` if `status` does not know what a
/// directory holds.
fn search(
    names: &[String],
    missing: &[usize],
    entries: &[&[u8]],
    status: &dyn Fn(&[u8], &str) -> Option<Status>,
    report: &mut dyn FnMut(Located),
) -> Option<()> {
    for number in missing {
        let Some(name) = names.get(*number) else { continue };
        for directory in entries {
            if let Some(file) = usable(directory, name, status(directory, name)?) {
                report((*number, directory.to_vec(), file));
                break;
            }
        }
    }
    Some(())
}

/// What the directory holds under this name, as far as the kernel can tell without waiting: that
/// there is no such file, or that it is a program on a local disk.
fn cached_status_in(directory: &[u8], name: &str) -> Option<Status> {
    let path = CString::new([directory, b"/", name.as_bytes()].concat()).ok()?;
    match open_cached(&path, libc::O_PATH | libc::O_CLOEXEC) {
        Ok(file) => {
            local_attributes(&file).ok()?;
            let seen = status_of(&file.metadata().ok()?);
            (seen != Status::Restricted).then_some(seen)
        }
        Err(error) => (error.kind() == ErrorKind::NotFound).then_some(Status::Absent),
    }
}

/// What the directory holds under this name.
fn status_in(directory: &[u8], name: &str) -> Status {
    let path = Path::new(OsStr::from_bytes(directory)).join(name);
    fs::metadata(path).map_or(Status::Absent, |metadata| status_of(&metadata))
}

fn status_of(metadata: &Metadata) -> Status {
    match metadata.permissions().mode() & 0o111 {
        _ if !metadata.is_file() => Status::Absent,
        0 => Status::Absent,
        0o111 => Status::Program((metadata.dev(), metadata.ino())),
        _ => Status::Restricted,
    }
}

/// The file, if this user may execute it.
fn usable(directory: &[u8], name: &str, seen: Status) -> Option<File> {
    match seen {
        Status::Absent => None,
        Status::Program(file) => Some(file),
        Status::Restricted => {
            let path = CString::new([directory, b"/", name.as_bytes()].concat()).ok()?;
            let metadata = may_execute(&path).then(|| fs::metadata(to_path(&path)).ok())??;
            Some((metadata.dev(), metadata.ino()))
        }
    }
}

fn to_path(path: &CString) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::Status::{self, Absent};
    use super::{cached_status_in, find, search_system_directories, status_in, system_index};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::thread;
    use std::time::Duration;

    fn program(path: &std::path::Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// The names that are found in `path`, and their directories. `R` stands for `root`.
    fn found(root: &std::path::Path, names: &[&str], path: &str) -> Vec<(String, String)> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let root = root.to_str().unwrap();
        let path = path.replace('R', root);
        let found = find(&names, path.as_bytes());
        assert_ways_agree(&names, path.as_bytes());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(root, "R");
        found
            .into_iter()
            .map(|(number, directory, _)| (names[number].clone(), text(directory)))
            .collect()
    }

    /// The kernel's caches, if they suffice, have the same result as the directories themselves.
    fn assert_ways_agree(names: &[String], path: &[u8]) {
        for (name, directory) in
            names.iter().flat_map(|name| path.split(|b| *b == b':').map(move |one| (name, one)))
        {
            if let Some(seen) = cached_status_in(directory, name) {
                assert_eq!(seen, status_in(directory, name), "{name} in {directory:?}");
            }
        }
    }

    #[test]
    fn what_is_certain_from_the_kernels_caches() {
        let directory = crate::spank::cached_files::tests::directory("runtimes").0;
        for (name, mode) in [("everybody", 0o755), ("group", 0o750), ("nobody", 0o644)] {
            program(&directory.join(name), mode);
        }
        symlink("everybody", directory.join("link")).unwrap();
        symlink("none", directory.join("dangling")).unwrap();
        // The first access to a link, a clock tick after it was made, writes the time of access, which
        // no access from the caches can do.
        thread::sleep(Duration::from_millis(20));
        for name in ["link", "dangling"] {
            let _ = fs::metadata(directory.join(name));
        }
        // The kernel knows that a name is absent only after it has looked for it.
        assert!(fs::metadata(directory.join("none")).is_err());
        let path = directory.as_os_str().as_encoded_bytes();
        let of = |name| cached_status_in(path, name);
        let is_local = crate::spank::local_attributes(&fs::File::open(&directory).unwrap()).is_ok();
        let everybody = status_in(path, "everybody");
        assert!(matches!(everybody, Status::Program(_)));
        for (name, seen) in [("everybody", everybody), ("link", everybody), ("nobody", Absent)] {
            assert_eq!(of(name), is_local.then_some(seen), "{name}");
        }
        for name in ["none", "dangling"] {
            assert_eq!(of(name), Some(Absent), "{name}");
        }
        // Whether the user may execute it is not cached.
        assert_eq!(of("group"), None);
        fs::remove_dir_all(&directory).unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        program(&memory.path().join("everybody"), 0o755);
        let path = memory.path().as_os_str().as_encoded_bytes();
        assert_eq!(cached_status_in(path, "everybody"), None, "not on a local disk");
    }

    #[test]
    fn finds_programs_in_other_directories() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        program(&root.join("a/apptainer"), 0o755);
        program(&root.join("b/apptainer"), 0o755);
        program(&root.join("b/singularity"), 0o755);
        program(&root.join("plain/singularity"), 0o644);
        fs::create_dir_all(root.join("directory/singularity")).unwrap();
        fs::create_dir_all(root.join("dangling")).unwrap();
        symlink("/no/where", root.join("dangling/singularity")).unwrap();
        let names = ["singularity", "apptainer"];
        let is = |path: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> =
                expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(found(root, &names, path), expected, "{path}");
        };
        is("R/a", &[("apptainer", "R/a")]);
        is("R/a:R/b", &[("singularity", "R/b"), ("apptainer", "R/a")]);
        is("R/plain:R/directory:R/dangling:/no/where:R/a/", &[("apptainer", "R/a/")]);
        is("", &[]);
        is("a:.::../R/b", &[]);
        let shims = sifcache_core::nested::installed("bin");
        is(&format!("{shims}:{shims}-apptainer"), &[]);
    }

    /// Sites restrict a runtime to a group in this way.
    #[test]
    fn finds_programs_with_restricted_execute_permission() {
        let directory = tempfile::tempdir().unwrap();
        program(&directory.path().join("a/apptainer"), 0o750);
        let expected = [("apptainer".to_owned(), "R/a".to_owned())];
        assert_eq!(found(directory.path(), &["apptainer"], "R/a"), expected);
    }

    /// The result agrees with this machine's own directories.
    #[test]
    fn finds_programs_in_system_directories() {
        let names = ["sh".to_owned(), "no-such-program".to_owned(), "apptainer".to_owned()];
        search_system_directories(&names);
        let found = find(&names, b"/usr/bin/:/bin:/no/where");
        let shell = fs::metadata("/usr/bin/sh").or_else(|_| fs::metadata("/bin/sh")).unwrap();
        assert_eq!((found[0].0, found[0].2), (0, (shell.dev(), shell.ino())));
        assert!(found.iter().all(|(number, ..)| *number != 1));
        let has =
            ["/usr/bin", "/bin"].iter().any(|d| fs::metadata(format!("{d}/apptainer")).is_ok());
        assert_eq!(found.iter().any(|(number, ..)| *number == 2), has);
        assert_eq!(find(&names, b"/no/where"), []);
    }

    #[test]
    fn recognizes_system_directories() {
        assert_eq!(system_index(b"/usr/bin"), Some(0));
        assert_eq!(system_index(b"/usr/bin//"), Some(0));
        assert_eq!(system_index(b"/"), None);
        assert_eq!(system_index(b""), None);
        assert_eq!(system_index(b"/usr/bin/x"), None);
    }
}
