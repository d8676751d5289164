//! The experiments, one file for each question.

pub(crate) mod command;
pub(crate) mod images;
pub(crate) mod launches;
pub(crate) mod nested;
pub(crate) mod srun;
pub(crate) mod users;

/// How often the runs are repeated: as often as for a real result, or only twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Whether this is only a test of the benchmark, so that the numbers have no meaning.
    pub(crate) quick: bool,
}

impl Effort {
    /// `full` rounds, or two if `quick`.
    pub(crate) fn rounds(self, full: usize) -> usize {
        if self.quick { 2 } else { full }
    }
}
