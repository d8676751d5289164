//! A node with slurmd's default log level.

use super::{Output, Site};

/// n1 with a lower log level than the testbed's default, until this is dropped.
pub(crate) struct Quiet<'a>(&'a Site);

impl<'a> Quiet<'a> {
    /// Returns `None` and prints a note if this Slurm cannot change the level at run time (22.05).
    pub(crate) fn new(site: &'a Site) -> Option<Self> {
        let output = Self::set(site, "info");
        if output.status == 0 {
            return Some(Self(site));
        }
        eprintln!("skipped: this Slurm cannot set the log level of a node: {}", output.stderr);
        None
    }

    fn set(site: &Site, level: &str) -> Output {
        site.exec(&[], &["scontrol", "setdebug", level, "nodes=n1"], "")
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // No assertion here: the test may already be panicking.
        Self::set(self.0, "verbose");
    }
}
