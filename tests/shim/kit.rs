//! The test kit: a directory with shims, runtimes and an image root.

use crate::call::Call;
use sif_fixture::Sif;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tempfile::TempDir;

/// A launch whose reference has an image.
pub(crate) const HIT: [&str; 4] = ["apptainer", "exec", "docker://o/i:1", "true"];
/// The index of IMAGE in [`HIT`].
pub(crate) const IMAGE: usize = 2;
/// A launch whose reference has no image.
pub(crate) const MISS: [&str; 4] = ["apptainer", "exec", "docker://o/i:2", "true"];

/// A program can be executed only if no process has it open for writing. A child that another
/// test's thread has forked keeps such a descriptor until its exec. So no test writes a program
/// while another one starts one.
static PROGRAMS: Mutex<()> = Mutex::new(());

pub(crate) fn programs() -> MutexGuard<'static, ()> {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A site has three directories: `shims` with the shim as `apptainer` and `singularity`, `real`
/// with the real runtimes, and `roots` with an image of `o/i:1`.
pub(crate) struct Site {
    directory: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { directory: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap() };
        symlink(env!("CARGO_BIN_EXE_sifcache-shim"), site.path("sifcache-shim")).unwrap();
        for name in ["apptainer", "singularity"] {
            site.runtime_in_label(name, &format!("shims/{name}"));
            site.real(&format!("real/{name}"));
        }
        Sif::image().write(site.path("roots/o/i:1")).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The path as a string.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// The settings that the plugin sets in the environment.
    pub(crate) fn settings(&self) -> String {
        format!("image_root={} untrusted=accept syslog=off", self.text("roots"))
    }

    /// A value of `PATH` with these directories, which are separated by spaces.
    pub(crate) fn search(&self, directories: &str) -> String {
        directories.split(' ').map(|name| self.text(name)).collect::<Vec<_>>().join(":")
    }

    /// Installs the stub of the real runtime at this path.
    pub(crate) fn real(&self, name: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::hard_link(compiled("runtime"), self.path(name)).unwrap();
    }

    /// Installs the shim of a runtime, with its label, at this path.
    pub(crate) fn runtime_in_label(&self, runtime: &'static str, name: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::hard_link(runtime_in_label(runtime), self.path(name)).unwrap();
    }

    /// Copies the shim program without a label to this path. The copy is a different file.
    pub(crate) fn shim(&self, name: &str) {
        let _lock = programs();
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_sifcache-shim"), self.path(name)).unwrap();
    }

    pub(crate) fn link(&self, target: &str, name: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        symlink(target, self.path(name)).unwrap();
    }

    /// Writes a script with this text. `ROOT` in it stands for the site's directory.
    pub(crate) fn script(&self, name: &str, text: &str) {
        let _lock = programs();
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let text = text.replace("ROOT", self.directory.path().to_str().unwrap());
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A call of `apptainer` in a job with `nested=path`: the shims are first in `PATH`.
    pub(crate) fn call<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Call<'_> {
        Call::new(self, arguments).path("shims real")
    }

    /// The image of [`HIT`].
    pub(crate) fn image(&self) -> String {
        self.text("roots/o/i:1")
    }
}

/// The shim of a runtime with its label. The first test that needs it makes it.
fn runtime_in_label(runtime: &'static str) -> &'static Path {
    static APPTAINER: OnceLock<PathBuf> = OnceLock::new();
    static SINGULARITY: OnceLock<PathBuf> = OnceLock::new();
    let shim = if runtime == "apptainer" { &APPTAINER } else { &SINGULARITY };
    shim.get_or_init(|| {
        let _lock = programs();
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-of-{runtime}"));
        let new = shim.with_extension(std::process::id().to_string());
        fs::copy(env!("CARGO_BIN_EXE_sifcache-shim"), &new).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&new).unwrap();
        file.write_all(&sifcache_core::nested::shims::label(runtime)).unwrap();
        drop(file);
        fs::rename(new, &shim).unwrap();
        shim
    })
}

/// One of the C programs in this directory. The first test that needs it compiles it.
pub(crate) fn compiled(name: &'static str) -> &'static Path {
    static RUNTIME: OnceLock<PathBuf> = OnceLock::new();
    static CALLER: OnceLock<PathBuf> = OnceLock::new();
    let program = if name == "runtime" { &RUNTIME } else { &CALLER };
    program.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{name}"));
        // Another run of the tests may be using a program that exists already.
        let new = program.with_extension(std::process::id().to_string());
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Werror", "-O1", "-o"]).arg(&new);
        cc.arg(source.join(name).with_extension("c"));
        assert!(cc.status().unwrap().success(), "cannot compile {name}.c");
        fs::rename(new, &program).unwrap();
        program
    })
}
