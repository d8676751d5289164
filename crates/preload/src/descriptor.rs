//! Paths of open files, read from the links in `/proc/self/fd`.

/// The length of a buffer for the path of such a link with its null byte, in bytes.
pub(crate) const LINK_LENGTH: usize = 32;

/// The path of the link for `descriptor`, padded with null bytes; `None` if the descriptor is
/// negative.
pub(crate) fn link(descriptor: i32) -> Option<[u8; LINK_LENGTH]> {
    let mut rest = u32::try_from(descriptor).ok()?;
    let mut digits = [0; 10];
    let mut start = digits.len();
    loop {
        start = start.checked_sub(1)?;
        let digit = u8::try_from(rest % 10).ok()?;
        *digits.get_mut(start)? = b'0'.wrapping_add(digit);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let mut path = [0; LINK_LENGTH];
    let text = b"/proc/self/fd/".iter().chain(digits.get(start..)?);
    path.iter_mut().zip(text).for_each(|(slot, byte)| *slot = *byte);
    Some(path)
}

/// Whether the target of such a link can be a path, rather than a pipe or a deleted file.
pub(crate) fn is_path(link: &[u8]) -> bool {
    link.starts_with(b"/") && !link.ends_with(b" (deleted)")
}

#[cfg(test)]
mod tests {
    use super::{is_path, link};

    #[test]
    fn links() {
        for (descriptor, wanted) in [(0, "0"), (7, "7"), (10, "10"), (1203, "1203")] {
            let text = link(descriptor).unwrap();
            let text = std::ffi::CStr::from_bytes_until_nul(&text).unwrap();
            assert_eq!(text.to_str(), Ok(format!("/proc/self/fd/{wanted}").as_str()));
        }
        let longest = link(i32::MAX).unwrap();
        assert!(longest.starts_with(b"/proc/self/fd/2147483647\0"));
        assert_eq!(link(-1), None);
        assert_eq!(link(i32::MIN), None);
    }

    #[test]
    fn link_targets_that_are_paths() {
        assert!(is_path(b"/usr/bin/apptainer"));
        assert!(!is_path(b"/usr/bin/apptainer (deleted)"));
        assert!(!is_path(b"pipe:[1234]"));
        assert!(!is_path(b"(unreachable)/bin/apptainer"));
        assert!(!is_path(b""));
    }
}
