//! What carrying a decision out needs of a job, whoever asks: the plugin in a task, or
//! the shim in a script.

use std::fmt;
use std::path::Path;

/// The part of a job that a launch belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Job and step, as Slurm numbers them; none outside a job.
    pub id: Option<(u32, u32)>,
    /// The user.
    pub uid: u32,
    /// Number of this node in the job, from 0.
    pub node: u32,
    /// Number of the step's tasks on this node.
    pub tasks: u32,
    /// Number of this task on this node, from 0.
    pub task: u32,
    /// Whether the launch is one of the task's program, instead of the task's own command,
    /// which all tasks of a step share.
    pub nested: bool,
}

/// Steps that Slurm numbers from the top: `slurm.h`.
pub const BATCH_SCRIPT: u32 = 0xffff_fffb;
/// The step of `salloc` with `use_interactive_step`.
pub const INTERACTIVE_STEP: u32 = 0xffff_fffa;

impl Step {
    /// Whether this launch reports: of tasks that share a command, the first of a node
    /// does for all.
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

/// `key=value` for syslog: job, step, node, tasks, user.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, node, tasks, .. } = self;
        if let Some((job, step)) = self.id {
            write!(f, "job={job} step={} node={node} ", name(step))?;
        }
        match self.nested {
            false => write!(f, "tasks={tasks} uid={uid}"),
            true => write!(f, "uid={uid} via=shim"),
        }
    }
}

/// A step as `sacct` writes it.
fn name(step: u32) -> String {
    match step {
        BATCH_SCRIPT => "batch".to_owned(),
        INTERACTIVE_STEP => "interactive".to_owned(),
        number => number.to_string(),
    }
}

/// What Slurm answered: an `ESPANK_` number, or that an argument is impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A number of `spank_err_t`.
    Slurm(u32),
    /// What is wrong.
    InvalidArgument(&'static str),
}

impl Error {
    /// Longer, the command would not start.
    pub(crate) const TOO_LONG: Self = Self::InvalidArgument(
        "the command and its environment are as long as they may be, or there is no memory",
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

/// One command of a job, before it is executed.
pub trait Job {
    /// The command; nothing if there is none for us.
    fn command(&self) -> Vec<&[u8]>;
    /// Makes `path` the argument with this index, for the `execve` that follows.
    ///
    /// # Errors
    /// The command stays as it is.
    fn replace(&self, index: usize, path: &Path) -> Result<(), Error>;
    /// A variable of the job's environment.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// The step that the command belongs to.
    fn step(&self) -> Step;
    /// Writes to the job's own stderr.
    fn tell_user(&self, text: &str);
    /// Ends the process instead of its command. Returns only in tests.
    fn end(&self, status: i32);
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn steps_are_called_what_sacct_calls_them() {
        for (step, name) in
            [(0, "0"), (7, "7"), (4_294_967_291, "batch"), (4_294_967_290, "interactive")]
        {
            let step = Step { id: Some((8, step)), tasks: 2, uid: 1001, ..Step::default() };
            assert_eq!(step.to_string(), format!("job=8 step={name} node=0 tasks=2 uid=1001"));
        }
    }

    #[test]
    fn a_launch_of_a_script_stands_for_itself() {
        let own = Step { task: 1, ..Step::default() };
        let nested = Step { nested: true, uid: 7, ..own };
        assert!(!own.is_reporter() && nested.is_reporter());
        assert_eq!(nested.to_string(), "uid=7 via=shim");
    }
}
