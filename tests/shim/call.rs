//! One call of a runtime, directly or through the shim, and the report of the runtime.

use crate::kit::{Site, compiled, programs};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No call takes longer, except in an endless loop.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A call, and the state that its caller sets up.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    site: &'a Site,
    set_up: Vec<[Vec<u8>; 2]>,
    program: Vec<u8>,
    arguments: Vec<Vec<u8>>,
    variables: Vec<Vec<u8>>,
    /// The variables of sifcache, which the runtime must not see.
    ours: Vec<Vec<u8>>,
}

/// The records that the runtime reports, in order.
pub(crate) type Report = Vec<String>;

/// The outcome of a call.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None` if no runtime was started.
    pub(crate) report: Option<Report>,
    process: u32,
}

impl<'a> Call<'a> {
    pub(crate) fn new<A: AsRef<[u8]>>(site: &'a Site, arguments: &[A]) -> Self {
        Self {
            site,
            set_up: Vec::new(),
            program: site.text("shims/apptainer").into_bytes(),
            arguments: arguments.iter().map(|word| word.as_ref().to_vec()).collect(),
            variables: vec![format!("PARENT={}", std::process::id()).into_bytes()],
            ours: vec![format!("SINGULARITY_SIFCACHE={}", site.settings()).into_bytes()],
        }
    }

    /// Sets `PATH` to directories of the site.
    pub(crate) fn path(self, directories: &str) -> Self {
        let path = self.site.search(directories);
        self.variable(format!("PATH={path}"))
    }

    /// Adds a string to the environment. It replaces an earlier `PATH`; [`Self::variables`] can set
    /// several.
    pub(crate) fn variable<V: Into<Vec<u8>>>(mut self, variable: V) -> Self {
        let variable = variable.into();
        if variable.starts_with(b"PATH=") {
            self.variables.retain(|other| !other.starts_with(b"PATH="));
        }
        self.variables.push(variable);
        self
    }

    pub(crate) fn variables<V: Into<Vec<u8>>>(
        mut self,
        variables: impl IntoIterator<Item = V>,
    ) -> Self {
        self.variables.retain(|other| !other.starts_with(b"PATH="));
        self.variables.extend(variables.into_iter().map(Into::into));
        self
    }

    /// Adds a variable of sifcache.
    pub(crate) fn ours<V: Into<Vec<u8>>>(mut self, variable: V) -> Self {
        self.ours.push(variable.into());
        self
    }

    /// Removes the variables of sifcache, and sets other settings, if any.
    pub(crate) fn settings(mut self, settings: Option<&str>) -> Self {
        self.ours.clear();
        self.ours.extend(settings.map(|text| format!("SINGULARITY_SIFCACHE={text}").into_bytes()));
        self
    }

    /// Sets the program to call instead of the shim: a path below the site, or a path that starts
    /// with a dot.
    pub(crate) fn program(mut self, program: &str) -> Self {
        self.program = match program.starts_with('.') {
            true => program.into(),
            false => self.site.text(program).into_bytes(),
        };
        self
    }

    /// Adds an action of the caller before the call: see caller.c.
    pub(crate) fn set_up(mut self, word: &str, value: &str) -> Self {
        self.set_up.push([word, value].map(|text| text.as_bytes().to_vec()));
        self
    }

    /// The same call without sifcache: it starts the real runtime, without the variables of
    /// sifcache.
    pub(crate) fn bare(&self) -> Self {
        let bare = self.clone().program("real/apptainer");
        Self { ours: Vec::new(), ..bare }
    }

    /// Makes the call.
    pub(crate) fn run(&self) -> Outcome {
        let directory = tempfile::tempdir_in(self.site.path("")).unwrap();
        let [variables, report] = ["variables", "report"].map(|name| directory.path().join(name));
        // The variables of sifcache are in the middle, so that the test notices a changed order.
        let (before, after) = self.variables.split_at(self.variables.len() / 2);
        let all: Vec<_> = [before, &self.ours, after].concat();
        fs::write(
            &variables,
            all.iter().flat_map(|v| [v, &b"\0"[..]].concat()).collect::<Vec<_>>(),
        )
        .unwrap();
        let mut command = Command::new(compiled("caller"));
        command.env_clear().arg("environment").arg(&variables).arg("report").arg(&report);
        let words = self.set_up.iter().flatten().map(Vec::as_slice);
        let words = words.chain([b"--".as_slice(), &self.program]);
        command.args(words.chain(self.arguments.iter().map(Vec::as_slice)).map(OsStr::from_bytes));
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| directory.path().join(name));
        command.stdin(Stdio::null()).stdout(File::create(&stdout).unwrap());
        command.stderr(File::create(&stderr).unwrap());
        let child = {
            let _lock = programs();
            command.spawn().unwrap()
        };
        let process = child.id();
        let status = wait(child);
        let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Outcome {
            status,
            stdout: text(stdout),
            stderr: text(stderr),
            report: read(&report, directory.path().to_str().unwrap()),
            process,
        }
    }

    /// Asserts that the runtime gets exactly what it would get without sifcache.
    #[track_caller]
    pub(crate) fn is_bare(&self) -> Outcome {
        self.is_bare_but(|_| {})
    }

    /// The same, except that the image replaces the argument with this index.
    #[track_caller]
    pub(crate) fn is_bare_with_image(&self, index: usize) -> Outcome {
        self.is_bare_with(index, &self.site.image())
    }

    /// The same for the image at this path.
    #[track_caller]
    pub(crate) fn is_bare_with(&self, index: usize, image: &str) -> Outcome {
        self.is_bare_but(|arguments| arguments[index] = format!("argv={image}"))
    }

    #[track_caller]
    fn is_bare_but(&self, change: impl FnOnce(&mut [String])) -> Outcome {
        let (bare, through) = (self.bare().run(), self.run());
        let (mut expected, report) = (bare.comparable(), through.comparable());
        // The first record is the number of arguments.
        change(&mut expected[1..]);
        let differ: Vec<_> = expected.iter().zip(&report).filter(|(one, two)| one != two).collect();
        assert_eq!((&differ, expected.len()), (&Vec::new(), report.len()));
        assert_eq!(through.status, bare.status, "{through:#?}");
        through
    }
}

impl Outcome {
    /// The values of one key of the report.
    #[track_caller]
    pub(crate) fn reported(&self, key: &str) -> Vec<&str> {
        let report = self.report.as_ref().unwrap_or_else(|| panic!("{self:#?}"));
        report.iter().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
    }

    /// The report without the records that differ between two calls, and without the resources that
    /// a helper process used. The runtime must be the same process as the caller, which shows that
    /// the shim has not forked.
    #[track_caller]
    fn comparable(&self) -> Report {
        assert_eq!(self.reported("pid"), [self.process.to_string()]);
        let differs = |line: &str| {
            ["pid=", "program=", "waited for="].iter().any(|key| line.starts_with(key))
        };
        self.report.iter().flatten().filter(|line| !differs(line)).cloned().collect()
    }

    /// Asserts that no runtime was started, and checks exit status and stderr.
    #[track_caller]
    pub(crate) fn ended(&self, status: i32, stderr: &str) {
        assert!(self.report.is_none() && self.status == Some(status), "{self:#?}");
        assert!(self.stderr.contains(stderr), "{stderr}: {self:#?}");
    }
}

/// Waits for the child. Returns its exit status, or `None` after a signal.
fn wait(mut child: Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("the shim did not end within {TIMEOUT:?}");
}

/// The records of a report. The call's own directory is replaced by a constant.
fn read(path: &Path, directory: &str) -> Option<Report> {
    let bytes = fs::read(path).ok()?;
    let records = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let text = |record: &[u8]| record.escape_ascii().to_string().replace(directory, "DIRECTORY");
    Some(records.map(text).collect())
}
