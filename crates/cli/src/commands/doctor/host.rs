//! The host under inspection: its files, environment and programs, and the user who inspects it.

use super::facts::Facts;
use crate::demand::{ask, message};
use crate::error::Failure;
use crate::system::process::{Answer, Call, Processes, Run, RunError};
use sifcache_core::nested;
use sifcache_core::settings::Filler;
use sifcache_core::trust::{self, UntrustedReason, Writer};
use std::cell::OnceCell;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Asks a listener whether it would accept a request.
pub(super) type Ask = dyn Fn(&Filler) -> Result<message::Answer, Failure>;

/// A host. In tests, it is a directory tree, and the output of programs is predefined.
pub(crate) struct Host {
    /// The directory that stands for `/`.
    pub(super) prefix: PathBuf,
    /// `PATH`.
    pub(super) search: OsString,
    /// Whether a module system is set up in the environment.
    pub(super) modules: bool,
    /// The loaded modules, separated by colons: `LOADEDMODULES`.
    pub(super) loaded_modules: String,
    /// Whether slurmd set the environment, i.e. the command runs in a job.
    pub(super) in_job: bool,
    /// The effective user ID.
    pub(crate) uid: u32,
    /// The site's configuration.
    pub(crate) site: Facts,
    pub(super) processes: Box<dyn Run>,
    /// Asks the listener of a filler whether it would accept a request.
    pub(super) ask: Box<Ask>,
    /// The output of `scontrol show config`, or an error; called at most once.
    pub(super) config: OnceCell<Result<String, String>>,
}

impl Host {
    /// The host that this command runs on.
    pub(crate) fn this(site: Facts) -> Self {
        Self {
            prefix: PathBuf::from("/"),
            search: env::var_os("PATH").unwrap_or_default(),
            modules: env::var_os("MODULESHOME").or(env::var_os("MODULEPATH")).is_some(),
            loaded_modules: env::var("LOADEDMODULES").unwrap_or_default(),
            in_job: env::var_os("SLURMD_NODENAME").is_some(),
            uid: rustix::process::geteuid().as_raw(),
            site,
            processes: Box::new(Processes),
            ask: Box::new(ask::check),
            config: OnceCell::new(),
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The path with the prefix added, under which the file is actually accessible.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.prefix.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The content of a file, with leading and trailing white space removed.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// The first program of that name in `PATH`, ignoring shim directories.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let is_shim =
            |directory: &PathBuf| nested::is_shims(directory.as_os_str().as_encoded_bytes());
        env::split_paths(&self.search)
            .filter(|directory| !is_shim(directory))
            .map(|directory| directory.join(name))
            .find(|path| self.is_program(path))
    }

    /// Whether the path is a regular file with any execute permission.
    pub(crate) fn is_program(&self, path: &Path) -> bool {
        let metadata = fs::metadata(self.path(path));
        metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }

    /// Runs a program and returns its output.
    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> Result<Answer, RunError> {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        self.call(&Call { program: program.into(), arguments, ..Call::default() })
    }

    /// Runs a program as described by `call`.
    pub(crate) fn call(&self, call: &Call) -> Result<Answer, RunError> {
        self.processes.run(call)
    }

    /// Whether jobs run on this host.
    pub(crate) fn is_compute_node(&self) -> bool {
        self.in_job || self.has_process(is_slurmd)
    }

    /// Whether users have the `module` command: in this environment, or after a login.
    pub(crate) fn has_modules(&self) -> bool {
        let snippets = ["modules.sh", "lmod.sh", "z00_lmod.sh", "00-modulepath.sh"];
        let there = |name: &str| self.path("/etc/profile.d").join(name).exists();
        self.modules || snippets.iter().any(|name| there(name))
    }

    fn has_process(&self, is_it: fn(&str) -> bool) -> bool {
        let processes = fs::read_dir(self.path("/proc")).into_iter().flatten().flatten();
        processes
            .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
            .any(|entry| {
                let name = fs::read_to_string(entry.path().join("comm"));
                name.is_ok_and(|name| is_it(name.trim()))
            })
    }

    /// The reason why an ordinary user could modify or replace this file, if there is one. Slurm's
    /// own user is never reported, whatever its ID is.
    pub(crate) fn writer(&self, path: &Path) -> Option<UntrustedReason> {
        self.writer_of_real(&self.path(path))
    }

    /// Like [`Self::writer`], for a path to which the prefix was already applied.
    pub(crate) fn writer_of_real(&self, path: &Path) -> Option<UntrustedReason> {
        let reason = match trust::enter(path) {
            Ok(place) => trust::untrusted_reason(&place),
            Err(trust::Stop::Untrusted(reason)) => Some(reason),
            Err(_) => None,
        };
        reason.filter(|found| match found.by {
            Writer::Owner(uid) => Some(uid) != self.slurm_user(),
            Writer::Unmapped(_) | Writer::Group(_) | Writer::Others => true,
        })
    }
}

/// Advice on how to remove this write permission.
pub(crate) fn remedy(reason: &UntrustedReason) -> String {
    let path = crate::ui::escape::escape_for_terminal(&reason.path);
    match reason.by {
        Writer::Owner(_) => format!("chown root:root {path}"),
        Writer::Unmapped(_) => "run this outside of the user namespace".to_owned(),
        Writer::Group(_) => format!("chmod g-w {path}, or remove the ACL: setfacl -b {path}"),
        Writer::Others => format!("chmod o-w {path}"),
    }
}

/// Whether a process of this name is slurmd. On Debian, `slurmd` is a link that update-alternatives
/// manages. After `scontrol reconfigure`, which executes the target of that link, the process is
/// called `slurmd-wlm`.
fn is_slurmd(name: &str) -> bool {
    name.strip_prefix("slurmd").is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
