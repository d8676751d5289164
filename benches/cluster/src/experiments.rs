//! The experiments, one file for each thing that is asked.

pub(crate) mod command;
pub(crate) mod images;
pub(crate) mod launches;
pub(crate) mod nested;
pub(crate) mod srun;
pub(crate) mod users;

/// How often things are done: in full, or once to see that they can be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// A try, whose figures mean nothing.
    pub(crate) quick: bool,
}

impl Effort {
    /// So many rounds, or two.
    pub(crate) fn rounds(self, full: usize) -> usize {
        if self.quick { 2 } else { full }
    }
}
