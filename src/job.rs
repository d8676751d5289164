//! The interface through which a decision accesses a job. The plugin implements it for a task, the
//! shim for a command inside a script.

use sifcache_core::decision::Kind;
use sifcache_core::pull::link::NotLinked;
use sifcache_core::pull::plan::OnlyRuntime;
use std::fmt;
use std::path::{Path, PathBuf};

/// The job step that a command belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Job and step number; `None` outside a job.
    pub id: Option<(u32, u32)>,
    /// The user ID.
    pub uid: u32,
    /// Index of this node in the job, from 0.
    pub node: u32,
    /// Number of the step's tasks on this node.
    pub tasks: u32,
    /// Index of this task on this node, from 0.
    pub task: u32,
    /// Whether the task's program started the command. Otherwise it is the task's own command,
    /// which all tasks of a step share.
    pub nested: bool,
    /// The kind of the command.
    pub kind: Kind,
}

/// The step number of a batch script. Slurm numbers special steps downwards from the highest
/// number: `slurm.h`.
pub const BATCH_SCRIPT: u32 = 0xffff_fffb;
/// The step number of `salloc` with `use_interactive_step`.
pub const INTERACTIVE_STEP: u32 = 0xffff_fffa;

impl Step {
    /// Whether this launch reports its decision. The first task of a node reports for all tasks
    /// that share its command.
    #[must_use]
    pub fn is_reporter(&self) -> bool {
        self.nested || self.is_first_of_node()
    }

    /// Whether this is the first task of the step on this node.
    #[must_use]
    pub fn is_first_of_node(&self) -> bool {
        self.task == 0
    }
}

/// The fields of a syslog line, as `key=value`: job, step, node, tasks, user.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, node, tasks, .. } = self;
        if let Some((job, step)) = self.id {
            write!(f, "job={job} step={} node={node} ", name(step))?;
        }
        match (self.kind, self.nested) {
            (Kind::Launch, true) => write!(f, "uid={uid} via=shim"),
            (Kind::Launch, false) => write!(f, "tasks={tasks} uid={uid}"),
            // Only the shim answers pulls, each for itself.
            (Kind::Pull, _) => write!(f, "uid={uid} via=pull"),
            (Kind::Build, true) => write!(f, "uid={uid} via=build"),
            (Kind::Build, false) => write!(f, "tasks={tasks} uid={uid} via=build"),
        }
    }
}

/// The name of a step in `sacct`.
fn name(step: u32) -> String {
    match step {
        BATCH_SCRIPT => "batch".to_owned(),
        INTERACTIVE_STEP => "interactive".to_owned(),
        number => number.to_string(),
    }
}

/// A change to a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Slurm returned this `spank_err_t`.
    Slurm(u32),
    /// An argument is invalid; the text says why.
    InvalidArgument(&'static str),
}

impl Error {
    /// Argv plus environment would exceed the kernel's limit, or too little memory is left.
    pub(crate) const TOO_LONG: Self = Self::InvalidArgument(
        "the command and its environment would exceed the kernel's limit, or too little memory is left",
    );
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slurm(number) => write!(f, "SPANK error {number}"),
            Self::InvalidArgument(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// The link that a pull has made with `pull=link`: its target, or why there is a copy instead.
/// `None` with `pull=copy`, and if the pull failed.
pub type Link = Option<Result<PathBuf, NotLinked>>;

/// One command of a job, before it is executed.
pub trait Job {
    /// The argv of the command; empty if there is none.
    fn command(&self) -> Vec<&[u8]>;
    /// Replaces the argv entry `index` by `path`, for the `execve` that follows.
    ///
    /// # Errors
    /// There is no such entry, or the new one cannot be stored. The command is unchanged.
    fn replace(&self, index: usize, path: &Path) -> Result<(), Error>;
    /// Does the work of a pull with the image at `path`, so that the command need not run. Only the
    /// shim can do this.
    ///
    /// # Errors
    /// The image cannot be read. The command runs unchanged.
    fn answer_pull(&self, path: &Path) -> Result<Link, Error> {
        let _ = path;
        Err(Error::InvalidArgument("only the shim answers a pull"))
    }
    /// Why only the runtime can handle the pull, if that depends on which runtime it is. Only the
    /// shim examines this.
    fn only_runtime(&self) -> Option<OnlyRuntime> {
        None
    }
    /// The value of a variable in the job's environment.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// The step that the command belongs to.
    fn step(&self) -> Step;
    /// Writes to the job's own stderr.
    fn write_stderr(&self, text: &str);
    /// Ends the process instead of executing the command. Returns only in tests.
    fn end(&self, status: i32);
}

#[cfg(test)]
mod tests {
    use super::Step;
    use sifcache_core::decision::Kind;

    #[test]
    fn steps_have_the_names_of_sacct() {
        for (step, name) in
            [(0, "0"), (7, "7"), (4_294_967_291, "batch"), (4_294_967_290, "interactive")]
        {
            let step = Step { id: Some((8, step)), tasks: 2, uid: 1001, ..Step::default() };
            assert_eq!(step.to_string(), format!("job=8 step={name} node=0 tasks=2 uid=1001"));
        }
    }

    #[test]
    fn a_nested_launch_reports_for_itself() {
        let own = Step { task: 1, ..Step::default() };
        let nested = Step { nested: true, uid: 7, ..own };
        assert!(!own.is_reporter() && nested.is_reporter());
        assert_eq!(nested.to_string(), "uid=7 via=shim");
        assert_eq!(Step { kind: Kind::Pull, ..nested }.to_string(), "uid=7 via=pull");
        assert_eq!(Step { kind: Kind::Build, ..nested }.to_string(), "uid=7 via=build");
        let own = Step { kind: Kind::Build, tasks: 2, ..own };
        assert_eq!(own.to_string(), "tasks=2 uid=0 via=build");
    }
}
