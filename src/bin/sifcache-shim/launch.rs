//! One launch, as the interface [`Job`] that the plugin's code uses.

use crate::environment::Environment;
use crate::process;
use crate::pull::Pull;
use sifcache_core::decision::Kind;
use sifcache_core::pull::plan::OnlyRuntime;
use spank_sifcache::job::{BATCH_SCRIPT, Error, Job, Link, Step};
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::path::Path;

/// A command line and its environment.
pub(crate) struct Launch<'a> {
    /// The argv entries; the first is the program's name.
    pub(crate) command: Vec<&'a [u8]>,
    pub(crate) environment: &'a Environment,
    /// The index of the argv entry to replace, and the path of the image.
    pub(crate) replaced: RefCell<Option<(usize, CString)>>,
    /// How to answer the command if it is a pull.
    pull: Option<Pull>,
    /// The exit status of a pull that was answered.
    pub(crate) answered: Cell<Option<i32>>,
}

impl<'a> Launch<'a> {
    pub(crate) fn new(
        command: Vec<&'a [u8]>,
        environment: &'a Environment,
        pull: Option<Pull>,
    ) -> Self {
        let (replaced, answered) = (RefCell::new(None), Cell::new(None));
        Self { command, environment, replaced, pull, answered }
    }

    fn id(&self) -> Option<(u32, u32)> {
        let number = |name| self.environment.number(name);
        let job = number("SLURM_JOB_ID")?;
        // Newer Slurm releases write special steps as negative numbers. In older releases a batch
        // script has no step number.
        let negative =
            |text: Vec<u8>| String::from_utf8(text).ok()?.parse().ok().map(i32::cast_unsigned);
        let step = number("SLURM_STEP_ID")
            .or_else(|| negative(self.environment.get("SLURM_STEP_ID")?))
            .unwrap_or(BATCH_SCRIPT);
        Some((job, step))
    }
}

impl Job for Launch<'_> {
    fn command(&self) -> Vec<&[u8]> {
        self.command.clone()
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        let path = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::InvalidArgument("the path contains a null byte"))?;
        self.replaced.replace(Some((index, path)));
        Ok(())
    }

    fn answer_pull(&self, path: &Path) -> Result<Link, Error> {
        let pull = self.pull.as_ref().ok_or(Error::InvalidArgument("the command is not a pull"))?;
        let answer = pull.answer(path);
        let answer = answer.map_err(|_| Error::InvalidArgument("the image cannot be read"))?;
        self.answered.set(Some(answer.status));
        Ok(answer.link)
    }

    fn only_runtime(&self) -> Option<OnlyRuntime> {
        self.pull.as_ref()?.only_runtime()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.environment.get(name)
    }

    fn step(&self) -> Step {
        let number = |name| self.environment.number(name).unwrap_or_default();
        Step {
            id: self.id(),
            uid: process::uid(),
            node: number("SLURM_NODEID"),
            tasks: 1,
            task: number("SLURM_LOCALID"),
            nested: true,
            kind: Kind::Launch,
        }
    }

    fn write_stderr(&self, text: &str) {
        process::write_stderr(text);
    }

    fn end(&self, status: i32) {
        std::process::exit(status)
    }
}

#[cfg(test)]
mod tests {
    use super::Launch;
    use crate::environment::environment;
    use spank_sifcache::job::Job;

    #[test]
    fn the_step_comes_from_the_environment() {
        for (variables, expected) in [
            (&[] as &[&str], "uid="),
            (&["SLURM_JOB_ID=7", "SLURM_NODEID=1"], "job=7 step=batch node=1 uid="),
            (&["SLURM_JOB_ID=7", "SLURM_STEP_ID=3", "SLURM_LOCALID=2"], "job=7 step=3 node=0 uid="),
            (&["SLURM_JOB_ID=7", "SLURM_STEP_ID=-5"], "job=7 step=batch node=0 uid="),
            (&["SLURM_JOB_ID=7", "SLURM_STEP_ID=-6"], "job=7 step=interactive node=0 uid="),
            (&["SLURM_JOB_ID=7\nx"], "uid="),
        ] {
            let environment = environment(variables);
            let text = Launch::new(Vec::new(), &environment, None).step().to_string();
            assert!(text.starts_with(expected) && text.ends_with(" via=shim"), "{text}");
        }
    }
}
