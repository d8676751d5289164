//! The `PATH` of the processes above this one.
//!
//! A shim that is executed by its path, with an empty environment, has no `PATH` in which to find
//! its runtime. The script that executed it still has the `PATH` of its job in its initial
//! environment, see proc(5). The kernel shows the environment only of processes of the same user.

use crate::process;
use std::fs;

/// The largest number of processes that are read.
const MAX_ANCESTORS: usize = 32;

/// Returns the values of `PATH`, the nearest process first.
pub(crate) fn paths() -> impl Iterator<Item = Vec<u8>> {
    let parents = std::iter::successors(Some(process::parent()), |process| parent(*process));
    let parents = parents.take(MAX_ANCESTORS).take_while(|process| *process > 1);
    // A process that cannot be read belongs to another user, and the processes above it may also
    // belong to other users.
    parents.map_while(|process| fs::read(format!("/proc/{process}/environ")).ok()).filter_map(
        |environment| {
            let mut variables = environment.split(|byte| *byte == 0);
            variables.find_map(|variable| variable.strip_prefix(b"PATH=").map(<[u8]>::to_vec))
        },
    )
}

/// The parent of a process. The name of the process may contain any character, including `)`, but
/// the fields after it do not.
fn parent(process: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
    let after = stat.rsplit(|byte| *byte == b')').next()?;
    let mut fields = after.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{parent, paths};

    #[test]
    fn the_parents_of_this_process() {
        let own = i32::try_from(std::process::id()).unwrap();
        let above = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        assert_eq!(parent(own), Some(above));
        assert_eq!(parent(-1), None);
        // cargo started this process and has a `PATH`.
        assert!(paths().next().is_some());
    }
}
