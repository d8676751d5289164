//! Everything that decides whether an image starts on this host, besides the image.
//!
//! Two equal values mean that a trial would have the same result. Where something is unusual, so
//! that this is not certain, there is no value.

use rustix::process::geteuid;
use rustix::system::uname;
use serde::{Deserialize, Serialize};
use sifcache_squashfs::compression::Compression;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The names of the runtimes in the paths of their files.
const NAMES: [&str; 2] = ["apptainer", "singularity"];
/// The files of a configuration that concern starts of images.
const SETTINGS: [&str; 3] = ["apptainer.conf", "singularity.conf", "ecl.toml"];
/// Programs that a runtime looks up in PATH to make the content of an image accessible.
const READERS: [&str; 7] = [
    "squashfuse_ll",
    "squashfuse",
    "fusermount3",
    "fusermount",
    "unsquashfs",
    "fuse2fs",
    "fuse-overlayfs",
];
/// Changes whenever a library is installed: a reader may load libzstd.
const LIBRARIES: &str = "/etc/ld.so.cache";
/// The lines of proc_pid_status(5) with the rights of a process.
const RIGHTS: [&str; 5] = ["CapPrm:", "CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:"];
/// Limits of namespaces, which a change makes effective at once. Not every kernel has all.
const LIMITS: [&str; 4] = [
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/user/max_mnt_namespaces",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
];
/// The beginnings of variables that can change how an image starts.
const VARIABLES: [&str; 3] = ["APPTAINER", "SINGULARITY", "LD_"];
/// The ends of those that begin like that and do not.
const HARMLESS: [&str; 6] =
    ["_CACHEDIR", "_TMPDIR", "_DISABLE_CACHE", "_NOHTTPS", "_DOCKER_USERNAME", "_DOCKER_PASSWORD"];

/// What decides whether an image starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    /// The version of this command, which writes the image of the trial.
    version: String,
    /// The boot ID, the kernel's release and its build.
    boot: String,
    kernel: [String; 3],
    user: u32,
    /// The user namespace, and the lines of [`RIGHTS`].
    rights: Vec<String>,
    limits: Vec<Option<String>>,
    /// The device and the permissions of `/dev/fuse`.
    fuse: Option<(u64, u32)>,
    /// The compression with its level.
    compression: String,
    /// The directory with the image of the trial.
    directory: String,
    runtime: String,
    files: Vec<Identity>,
}

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    path: String,
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    owner: u32,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Conditions {
    /// The conditions of a trial of this runtime whose image is below `directory`. `None` if they
    /// are not certain: if the runtime is not a program with its files in a usual place, or a
    /// variable changes how it starts images.
    pub(crate) fn of(runtime: &Path, compression: Compression, directory: &Path) -> Option<Self> {
        let names = env::vars_os().map(|(name, _)| name);
        let search = env::var_os("PATH").unwrap_or_default();
        if names.into_iter().any(|name| changes_starts(&name)) {
            return None;
        }
        Self::with_path(runtime, compression, directory, &search)
    }

    fn with_path(
        runtime: &Path,
        compression: Compression,
        directory: &Path,
        search: &OsStr,
    ) -> Option<Self> {
        let kernel = uname();
        let part = |text: &std::ffi::CStr| Some(text.to_str().ok()?.to_owned());
        let kernel = [part(kernel.release())?, part(kernel.version())?, part(kernel.machine())?];
        let fuse = fs::metadata("/dev/fuse").ok().map(|file| (file.rdev(), file.mode()));
        Some(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?,
            kernel,
            user: geteuid().as_raw(),
            rights: rights()?,
            limits: LIMITS.iter().map(|path| fs::read_to_string(path).ok()).collect(),
            fuse,
            compression: compression.to_string(),
            directory: directory.to_str()?.to_owned(),
            runtime: runtime.to_str()?.to_owned(),
            files: files(runtime, search)?,
        })
    }
}

/// Whether a variable of this name can change how an image starts.
fn changes_starts(name: &OsStr) -> bool {
    let name = name.as_bytes();
    VARIABLES.iter().any(|start| name.starts_with(start.as_bytes()))
        && !HARMLESS.iter().any(|end| name.ends_with(end.as_bytes()))
}

/// The user namespace and the capabilities of this process.
fn rights() -> Option<Vec<String>> {
    let namespace = fs::read_link("/proc/self/ns/user").ok()?.into_os_string();
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let lines = status.lines().filter(|line| RIGHTS.iter().any(|start| line.starts_with(start)));
    let mut rights = vec![namespace.into_string().ok()?];
    rights.extend(lines.map(str::to_owned));
    Some(rights)
}

/// The files that take part in a start. `None` if the runtime is a script, or if its own programs
/// or its configuration are not in a known place.
fn files(runtime: &Path, search: &OsStr) -> Option<Vec<Identity>> {
    let program = fs::canonicalize(runtime).ok()?;
    if !is_elf(&program) {
        return None;
    }
    let prefix = program.parent()?.parent()?;
    let settings = present(settings(prefix));
    let programs = present(programs(prefix));
    if settings.is_empty() || programs.is_empty() {
        return None;
    }
    let directories: Vec<PathBuf> = env::split_paths(search).collect();
    let readers = directories.iter().flat_map(|one| READERS.map(|name| one.join(name)));
    let others = present(readers.chain([PathBuf::from(LIBRARIES)]));
    let own = present([program]);
    let all = [own, settings, programs, others].concat();
    all.iter().map(|(path, file)| Identity::of(path, file)).collect()
}

/// Where the configuration of a runtime below `prefix` is.
fn settings(prefix: &Path) -> impl Iterator<Item = PathBuf> {
    let system = prefix.parent().unwrap_or(prefix);
    let bases = [prefix.join("etc"), system.join("etc")];
    let directories = bases.into_iter().flat_map(|base| NAMES.map(|name| base.join(name)));
    directories.flat_map(|directory| SETTINGS.map(|name| directory.join(name)))
}

/// The programs that a runtime below `prefix` starts.
fn programs(prefix: &Path) -> Vec<PathBuf> {
    let library = prefix.join("lib");
    let triplet = library.join(format!("{}-linux-gnu", env::consts::ARCH));
    let bases = [prefix.join("libexec"), library, triplet];
    let directories = bases.iter().flat_map(|base| NAMES.map(|name| base.join(name).join("bin")));
    let entries = directories.flat_map(|directory| fs::read_dir(directory).into_iter().flatten());
    let mut programs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    programs.sort();
    programs
}

/// Those of the files that exist.
fn present(paths: impl IntoIterator<Item = PathBuf>) -> Vec<(PathBuf, Metadata)> {
    let paths = paths.into_iter();
    paths.filter_map(|path| fs::metadata(&path).ok().map(|file| (path, file))).collect()
}

fn is_elf(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *b"\x7fELF"
}

impl Identity {
    fn of(path: &Path, file: &Metadata) -> Option<Self> {
        Some(Self {
            path: OsString::from(path).into_string().ok()?,
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            mode: file.mode(),
            owner: file.uid(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
