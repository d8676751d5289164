//! The fixture of the tests: the interposer, a shim and runtimes that report how they were started,
//! and a program that starts them with any function.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The paths of the fixture.
pub(crate) struct Kit {
    /// The directory with all files of the tests.
    pub(crate) root: PathBuf,
    /// The directory that replaces `/usr/libexec/sifcache`.
    pub(crate) libexec: PathBuf,
    /// The interposer.
    pub(crate) library: PathBuf,
    /// The program that starts others.
    pub(crate) caller: PathBuf,
    /// The program that reports how it was started.
    reporter: PathBuf,
}

/// The fixture. The first call creates it.
pub(crate) fn kit() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interpose");
        let _ = fs::remove_dir_all(root.join("tests"));
        fs::create_dir_all(root.join("tests")).unwrap();
        let root = root.canonicalize().unwrap();
        let libexec = root.join("libexec");
        let library = build(&root.join("target"), &libexec);
        let kit = Kit {
            caller: compile("caller", &root),
            reporter: compile("reporter", &root),
            library,
            libexec,
            root,
        };
        kit.install(&kit.libexec.join("sifcache-shim"));
        kit.install(&kit.libexec.join("bin/apptainer"));
        kit
    })
}

/// Builds the library as it is shipped, except for the path of the shim, which can only be set at
/// build time.
fn build(target: &Path, libexec: &Path) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--release",
        "--locked",
        "--offline",
        "--quiet",
        "-p",
        "sifcache-preload",
    ]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--target-dir").arg(target);
    cargo.env("SIFCACHE_LIBEXECDIR", libexec).env_remove("CARGO_BUILD_TARGET");
    assert!(cargo.status().unwrap().success(), "cannot build the library");
    target.join("release/libsifcache_preload.so")
}

/// Compiles one of the C files in this directory.
pub(crate) fn compile(name: &str, root: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interpose");
    let program = root.join(name);
    let kind = if name == "early" { "-shared" } else { "-rdynamic" };
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wno-nonnull", "-Werror", "-O1", "-fPIC", kind, "-pthread", "-o"]);
    cc.arg(&program).arg(source.join(name).with_extension("c")).arg("-ldl");
    assert!(cc.status().unwrap().success(), "cannot compile {name}.c");
    program
}

impl Kit {
    /// Installs at `path` a program that reports how it was started.
    pub(crate) fn install(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(path);
        fs::copy(&self.reporter, path).unwrap();
    }

    /// A new directory for a test.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let directory = self.root.join("tests").join(name);
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// A new directory for a test, with a runtime in it.
    pub(crate) fn runtime(&self, test: &str, name: &str) -> PathBuf {
        let path = self.directory(test).join(name);
        self.install(&path);
        path
    }

    /// A copy of the library that expects the shim in another directory, which is next to the usual
    /// one. The two names must have the same length.
    pub(crate) fn library_with(&self, test: &str, libexec: &str) -> PathBuf {
        let (old, new) = (self.libexec.to_str().unwrap(), self.root.join(libexec));
        let new = new.to_str().unwrap();
        assert_eq!(old.len(), new.len());
        let mut bytes = fs::read(&self.library).unwrap();
        let mut places = 0;
        for start in 0..bytes.len() - old.len() {
            if bytes[start..].starts_with(old.as_bytes()) {
                bytes[start..start + old.len()].copy_from_slice(new.as_bytes());
                places += 1;
            }
        }
        assert!(places > 0, "no {old} in the library");
        let library = self.directory(test).join(libexec);
        fs::write(&library, bytes).unwrap();
        library
    }
}

/// Sets the permissions of a file.
pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
