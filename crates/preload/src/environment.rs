//! The environment for the shim.

/// Fills `slots` with the `given` entries for which `ours` is false, then with `new`, then with
/// `end`. `None` if there are too few slots.
pub(crate) fn fill<T>(
    slots: &mut [T],
    given: impl Iterator<Item = T>,
    ours: impl Fn(&T) -> bool,
    new: T,
    end: T,
) -> Option<()> {
    let mut slots = slots.iter_mut();
    let mut put = |entry| slots.next().map(|slot| *slot = entry);
    for entry in given {
        if !ours(&entry) {
            put(entry)?;
        }
    }
    put(new)?;
    put(end)
}

#[cfg(test)]
mod tests {
    use super::fill;

    fn filled(slots: usize, given: &[&'static str]) -> Option<Vec<&'static str>> {
        let mut all = vec!["-"; slots];
        let ours = |entry: &&str| entry.starts_with("OURS=");
        fill(&mut all, given.iter().copied(), ours, "OURS=new", "end").map(|()| all)
    }

    #[test]
    fn own_entries_are_replaced_and_others_keep_their_order() {
        let given = ["B=1", "OURS=a", "A=2", "OURS=b", "B=1"];
        let wanted = ["B=1", "A=2", "B=1", "OURS=new", "end", "-"];
        assert_eq!(filled(6, &given).as_deref(), Some(wanted.as_slice()));
        assert_eq!(filled(2, &[]).as_deref(), Some(["OURS=new", "end"].as_slice()));
    }

    #[test]
    fn too_few_slots_are_an_error() {
        assert!(filled(4, &["A=1", "B=2"]).is_some());
        assert!(filled(3, &["A=1", "B=2"]).is_none());
        assert!(filled(2, &["A=1", "B=2"]).is_none());
        assert!(filled(1, &["A=1", "B=2"]).is_none());
        assert!(filled(1, &[]).is_none());
        assert!(filled(0, &[]).is_none());
    }
}
