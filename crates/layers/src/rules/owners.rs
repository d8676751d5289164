//! The attribute in which umoci records owners that an ordinary user cannot set.

/// The attribute's name.
pub(super) const RECORD: &[u8] = b"user.rootlesscontainers";
/// The number for "the owner is not recorded".
const NONE: u32 = u32::MAX;

/// The value for an owner and a group; `None` if both are 0.
///
/// The value is a message of two fields, uid and gid
/// (<https://github.com/rootless-containers/proto/blob/master/rootlesscontainers.proto>).
pub(super) fn record(uid: u32, gid: u32) -> Option<Box<[u8]>> {
    if uid == 0 && gid == 0 {
        return None;
    }
    let mut value = Vec::with_capacity(12);
    for (tag, id) in [(0x08, uid), (0x10, gid)] {
        value.push(tag);
        variable_length(if id == 0 { NONE } else { id }, &mut value);
    }
    Some(value.into())
}

/// Seven bits at a time, lowest first; the highest bit of a byte says that more follow.
fn variable_length(mut number: u32, value: &mut Vec<u8>) {
    loop {
        let bits = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            value.push(bits);
            return;
        }
        value.push(bits | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As Apptainer 1.4.5 wrote them, run by an ordinary user.
    #[test]
    fn values_of_a_real_runtime() {
        let value = |uid, gid| record(uid, gid).map(|value| value.to_vec());
        assert_eq!(value(0, 0), None);
        assert_eq!(value(5, 6), Some(vec![8, 5, 16, 6]));
        assert_eq!(value(5, 0), Some(vec![8, 5, 16, 255, 255, 255, 255, 15]));
        let large = [8, 0xf0, 0xa2, 4, 16, 0xfe, 255, 255, 255, 15];
        assert_eq!(value(70000, 4_294_967_294), Some(large.to_vec()));
    }
}
