//! The test kit: an image root, and the report of the command about it.
#![allow(clippy::print_stderr)]

use serde_json::Value;
use sif_fixture::{Object, Sif};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Image roots for one test.
pub(crate) struct Tree {
    directory: TempDir,
    roots: Vec<&'static str>,
}

/// The result of the command.
pub(crate) struct Output {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Tree {
    /// One root, which holds the image `o/good:1`. Returns `None` unless the test runs as root.
    pub(crate) fn new() -> Option<Self> {
        Self::with_roots(&["root"])
    }

    /// Several roots; the last one holds the image `o/good:1`. Returns `None` unless the test runs
    /// as root.
    pub(crate) fn with_roots(roots: &[&'static str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let tree = Self { directory, roots: roots.to_vec() };
        if fs::metadata(tree.top()).unwrap().uid() != 0 {
            assert!(std::env::var_os("CI").is_none(), "these tests need root");
            eprintln!("skipped: needs root, to make files that root owns");
            return None;
        }
        mode(tree.top(), 0o755);
        for root in roots {
            tree.directory(root);
        }
        tree.image(format!("{}/o/good:1", roots.last().unwrap()), 1);
        Some(tree)
    }

    fn top(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a name below the top directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.top().join(name)
    }

    /// The same path as a string.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut make = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o755);
        make.recursive(true).create(&path).unwrap();
        path
    }

    pub(crate) fn file(&self, name: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        let mut make = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o755);
        make.recursive(true).create(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        mode(&path, 0o644);
        path
    }

    /// A small image with the number `which`.
    pub(crate) fn image(&self, name: impl AsRef<Path>, which: u8) -> PathBuf {
        self.file(name, &sif(which))
    }

    pub(crate) fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    /// Runs `sifcache verify` with these words.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let roots: Vec<String> = self.roots.iter().map(|root| self.text(root)).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["verify", "--root", &roots.join(":")]).args(words);
        command.env("PATH", self.path("bin")).stdin(Stdio::null());
        let output = command.output().unwrap();
        Output {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The object that `--json` prints. Asserts that the exit status matches it.
    pub(crate) fn object(&self, words: &[&str]) -> Value {
        let output = self.run(&[&["--json"], words].concat());
        let object: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|_| output.stderr.clone().into());
        let status = if object["problems"] == 0 { 0 } else { 1 };
        assert_eq!((output.status, output.stderr.as_str()), (Some(status), ""), "{object:#}");
        object
    }

    /// The findings: the token, the path below the top directory, and whether the finding is a
    /// problem.
    pub(crate) fn findings(&self, words: &[&str]) -> Vec<(String, String, bool)> {
        let object = self.object(words);
        let finding = |finding: &Value| {
            let path = finding["path"].as_str().unwrap();
            let name = Path::new(path).strip_prefix(self.top()).unwrap_or(Path::new(path));
            let token = finding["finding"].as_str().unwrap().to_owned();
            (token, name.to_str().unwrap().to_owned(), finding["problem"] == true)
        };
        object["findings"].as_array().unwrap().iter().map(finding).collect()
    }

    /// Asserts that this problem is the only finding, and returns its line.
    #[track_caller]
    pub(crate) fn problem(&self, token: &str, name: &str) -> String {
        self.only(token, name, true)
    }

    /// Asserts that this note is the only finding, and returns its line.
    #[track_caller]
    pub(crate) fn note(&self, token: &str, name: &str) -> String {
        self.only(token, name, false)
    }

    #[track_caller]
    fn only(&self, token: &str, name: &str, is_problem: bool) -> String {
        let expected = [(token.to_owned(), name.to_owned(), is_problem)];
        assert_eq!(self.findings(&[]), expected);
        self.run(&[]).stdout.lines().next().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn is_fine(&self) {
        assert_eq!(self.findings(&[]), []);
    }

    /// The references under which users find a file.
    pub(crate) fn found_as(&self, name: impl AsRef<Path>) -> Vec<String> {
        let object = self.object(&["--all"]);
        let path = self.path(name);
        let all = object["all"].as_array().unwrap();
        let file = all.iter().find(|file| file["path"] == path.to_string_lossy().as_ref());
        let found_as = file.unwrap()["found_as"].as_array().unwrap().iter();
        found_as.map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}

/// A valid image of 800 bytes with the number `which`.
pub(crate) fn sif(which: u8) -> Vec<u8> {
    Sif::image_of(87).id(which).bytes()
}

/// An image with a definition, as a pull writes it, and with labels.
pub(crate) fn pulled(from: &str, labels: &[(&str, &str)]) -> Vec<u8> {
    let labels: serde_json::Map<_, _> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    let metadata = serde_json::json!({"data": {"attributes": {"labels": labels}}}).to_string();
    let definition = format!(
        "bootstrap: docker
from: {from}

"
    );
    let image = Sif::image_of(87).id(1);
    image.with(Object::definition(definition)).with(Object::metadata(metadata)).bytes()
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// A name that is not UTF-8.
pub(crate) fn latin(name: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}
