//! One call that starts a program, run with and without the interposer.

use crate::kit::kit;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names in `caller` of all calls of functions that take a path.
pub(crate) const BY_PATH: [&str; 11] = [
    "execve",
    "execv",
    "execvp",
    "execvpe",
    "execl",
    "execlp",
    "execle",
    "execveat",
    "posix_spawn",
    "posix_spawnp",
    "posix_spawn-actions",
];
/// The functions that search in `PATH`.
pub(crate) const BY_NAME: [&str; 4] = ["execvp", "execvpe", "execlp", "posix_spawnp"];
/// The functions that take an open file.
pub(crate) const BY_FILE: [&str; 2] = ["fexecve", "execveat-open"];

/// One invocation of `caller`.
#[derive(Clone)]
pub(crate) struct Call {
    words: Vec<String>,
    environment: Vec<(String, Option<String>)>,
    directory: PathBuf,
    library: PathBuf,
}

/// The report of a program that was started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// All lines of the report, except those below.
    rest: Vec<String>,
    /// The path of the program.
    pub(crate) exe: Option<String>,
    /// The values of the variable with the path of the runtime.
    pub(crate) runtimes: Vec<String>,
}

/// Calls `function` in the situation `start` with the path or name of a program.
pub(crate) fn call(function: &str, start: &str, program: impl AsRef<Path>) -> Call {
    let program = program.as_ref().to_str().unwrap();
    Call {
        words: [function, start, program, "3"].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        directory: kit().root.clone(),
        library: kit().library.clone(),
    }
}

impl Call {
    /// Replaces the one argument by these.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.words.truncate(3);
        self.words.extend(arguments.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        let value = value.as_ref().to_str().unwrap().to_owned();
        self.environment.push((name.to_owned(), Some(value)));
        self
    }

    /// Removes a variable.
    pub(crate) fn no_env(mut self, name: &str) -> Self {
        self.environment.push((name.to_owned(), None));
        self
    }

    /// Sets the working directory.
    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.directory = directory.to_owned();
        self
    }

    /// Uses another library.
    pub(crate) fn library(mut self, library: &Path) -> Self {
        self.library = library.to_owned();
        self
    }

    fn run(&self, library: &Path) -> Status {
        let mut command = Command::new(&kit().caller);
        command.args(&self.words).current_dir(&self.directory);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LD_PRELOAD", library);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{:?}: {:?} {text} {errors}", self.words, output.status);
        assert_eq!(errors, "", "{:?}", self.words);
        Status::new(&text)
    }

    /// Asserts that the shim is started instead of the program, and that it receives the path
    /// `runtime`.
    pub(crate) fn starts_shim_for(&self, runtime: impl AsRef<Path>) {
        let (with, without) = (self.run(&self.library), self.run(Path::new("")));
        let shim = kit().libexec.join("sifcache-shim");
        assert_eq!(with.exe.as_deref(), shim.to_str(), "{:?}", self.words);
        assert_eq!(with.runtimes, [runtime.as_ref().to_str().unwrap()], "{:?}", self.words);
        assert_eq!(with.rest, without.rest, "{:?}", self.words);
    }

    /// The report with the interposer.
    pub(crate) fn seen(&self) -> Status {
        self.run(&self.library)
    }

    /// Asserts that the report is the same as without the interposer, and returns it.
    pub(crate) fn passes(&self) -> Status {
        let (with, without) = (self.run(&self.library), self.run(Path::new("")));
        assert_eq!(with, without, "{:?}", self.words);
        with
    }

    /// Asserts that the report is the same as without the interposer, and that the call fails.
    pub(crate) fn fails(&self, error: &str) {
        let seen = self.passes();
        let failed =
            seen.rest.iter().any(|line| line.starts_with("returned") && line.ends_with(error));
        assert!(failed && seen.exe.is_none(), "{:?}: {seen:?}", self.words);
    }
}

impl Status {
    fn new(text: &str) -> Self {
        let mut seen = Self { rest: Vec::new(), exe: None, runtimes: Vec::new() };
        for line in text.lines() {
            if let Some(runtime) = line.strip_prefix("env SINGULARITY_SIFCACHE_RUNTIME=") {
                seen.runtimes.push(runtime.to_owned());
            } else if let Some(exe) = line.strip_prefix("exe ") {
                seen.exe = Some(exe.to_owned());
            } else {
                seen.rest.push(line.to_owned());
            }
        }
        seen
    }

    /// The arguments of the program that was started.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        self.rest.iter().filter_map(|line| line.strip_prefix("argv ")).collect()
    }
}
