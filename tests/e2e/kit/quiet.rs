//! A node that logs what slurmd logs if nothing is said.

use super::{Output, Site};

/// n1 logs less than the testbed has it do, until this is dropped.
pub(crate) struct Quiet<'a>(&'a Site);

impl<'a> Quiet<'a> {
    /// None, with a word of it, where Slurm cannot be told so: 22.05.
    pub(crate) fn new(site: &'a Site) -> Option<Self> {
        let said = Self::set(site, "info");
        if said.status == 0 {
            return Some(Self(site));
        }
        eprintln!("skipped: this Slurm cannot set what a node logs: {}", said.stderr);
        None
    }

    fn set(site: &Site, level: &str) -> Output {
        site.exec(&[], &["scontrol", "setdebug", level, "nodes=n1"], "")
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // No assertion: a test may be failing already.
        Self::set(self.0, "verbose");
    }
}
