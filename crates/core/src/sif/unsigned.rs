//! Images without the signature that the runtime looks for after a pull from a library.
//!
//! The runtime verifies the object groups of an image in ascending order, and stops at the first
//! problem. Therefore, the table alone shows the problem if the first group has no signature. A
//! signature itself can only be verified with a key.
//!
//! Source: `pkg/integrity` of <https://github.com/apptainer/sif>, which SingularityCE uses in the
//! same form. The messages were compared with Apptainer 1.4.5.

use super::descriptors::in_use;
use std::fmt;

/// Why the runtime cannot verify an image, whatever keys it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// No object belongs to a group.
    NoGroups,
    /// An object that is not a signature belongs to no group.
    Ungrouped,
    /// The group with this number has no signature.
    Group(u32),
}

impl Unsigned {
    /// The problem of an image with this descriptor table. `None` if the first group has a
    /// signature, valid or not.
    #[must_use]
    pub fn of(table: &[u8]) -> Option<Self> {
        let groups = in_use(table).map(|one| one.group());
        let Some(first) = groups.filter(|group| *group != 0).min() else {
            return Some(Self::NoGroups);
        };
        if in_use(table).any(|one| !one.is_signature() && one.group() == 0) {
            return Some(Self::Ungrouped);
        }
        let is_signed =
            in_use(table).any(|one| one.is_signature() && one.is_linked_to_group(first));
        (!is_signed).then_some(Self::Group(first))
    }
}

/// The message of the runtime.
impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("integrity: ")?;
        match self {
            Self::NoGroups => f.write_str("no groups found"),
            Self::Ungrouped => f.write_str("non-signature object not associated with object group"),
            Self::Group(group) => write!(f, "signature not found for object group {group}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Unsigned;
    use crate::sif::descriptors::tests::descriptor;

    /// A descriptor with these codes of its type, its group and its link.
    fn object(kind: i32, group: u32, link: u32) -> Vec<u8> {
        let mut bytes = descriptor(kind, 0, 0);
        bytes[9..13].copy_from_slice(&group.to_le_bytes());
        bytes[13..17].copy_from_slice(&link.to_le_bytes());
        bytes
    }

    #[test]
    fn the_first_group_needs_a_signature() {
        const ONE: u32 = 0xf000_0001;
        const TWO: u32 = 0xf000_0002;
        let text = |objects: &[(i32, u32, u32)]| {
            let one = |(kind, group, link): &(i32, u32, u32)| object(*kind, *group, *link);
            let table: Vec<u8> = objects.iter().flat_map(one).collect();
            Unsigned::of(&table).map(|problem| problem.to_string())
        };
        let (partition, signature) = (0x4004, 0x4005);
        let not_found =
            |group| Some(format!("integrity: signature not found for object group {group}"));
        for (objects, expected) in [
            (vec![(partition, ONE, 0)], not_found(1)),
            (vec![(partition, TWO, 0)], not_found(2)),
            (vec![(partition, ONE, 0), (signature, 0, ONE)], None),
            (vec![(partition, ONE, 0), (signature, 0, TWO)], not_found(1)),
            // A signature of an object, not of its group.
            (vec![(partition, ONE, 0), (signature, 0, 1)], not_found(1)),
            (vec![(partition, TWO, 0), (partition, ONE, 0), (signature, 0, TWO)], not_found(1)),
            (vec![(partition, ONE, 0), (partition, TWO, 0), (signature, 0, ONE)], None),
            (vec![], Some("integrity: no groups found".to_owned())),
            (vec![(partition, 0, 0)], Some("integrity: no groups found".to_owned())),
            (
                vec![(partition, ONE, 0), (0x4007, 0, 0), (signature, 0, ONE)],
                Some("integrity: non-signature object not associated with object group".to_owned()),
            ),
        ] {
            assert_eq!(text(&objects), expected, "{objects:x?}");
        }
    }
}
