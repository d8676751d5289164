//! The `PATH` of the processes that have led to this one.
//!
//! A shim that is executed by its path with an empty environment has nothing to find its
//! runtime by. The script that has executed it still has the `PATH` of its job, in the
//! environment that it was started with: proc(5). The kernel shows that of processes of the
//! same user only.

use crate::process;
use std::fs;

/// As many processes as are looked at.
const MOST: usize = 32;

/// The values of `PATH`, the nearest process first.
pub(crate) fn paths() -> impl Iterator<Item = Vec<u8>> {
    let parents = std::iter::successors(Some(process::parent()), |process| parent(*process));
    let parents = parents.take(MOST).take_while(|process| *process > 1);
    // What cannot be read belongs to somebody else, and so may what is above.
    parents.map_while(|process| fs::read(format!("/proc/{process}/environ")).ok()).filter_map(
        |environment| {
            let mut variables = environment.split(|byte| *byte == 0);
            variables.find_map(|variable| variable.strip_prefix(b"PATH=").map(<[u8]>::to_vec))
        },
    )
}

/// The parent of a process. Its name may have anything in it, and what follows the name does
/// not.
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
        // cargo has started us, and has a PATH.
        assert!(paths().next().is_some());
    }
}
