//! Determines the file system that a path is on, from `mountinfo` of proc(5).

use std::path::{Path, PathBuf};

/// The type of the file system that contains `path`, which must not contain symbolic links.
pub(crate) fn kind(mountinfo: &str, path: &Path) -> Option<String> {
    let on = mountinfo.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    // If several mounts have the longest path, the last one hides the others.
    on.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

/// Mount point and type from one line.
fn mount(line: &str) -> Option<(PathBuf, String)> {
    let (before, after) = line.split_once(" - ")?;
    let point = unescape(before.split(' ').nth(4)?);
    Some((point.into(), after.split(' ').next()?.to_owned()))
}

/// Decodes blanks and similar characters, which are written as three octal digits.
fn unescape(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::kind;
    use std::path::Path;

    #[test]
    fn the_last_mount_with_the_longest_path_counts() {
        let info = "1 0 8:1 / / rw - ext4 /dev/sda rw\n\
                    2 1 0:5 / /a rw,nosuid shared:7 - tmpfs tmpfs rw\n\
                    3 1 0:6 /x /a rw - nfs4 server:/x rw\n\
                    4 1 0:7 / /a\\040b rw - xfs /dev/sdb rw\nnonsense";
        let kind = |path: &str| kind(info, Path::new(path));
        assert_eq!(kind("/b").as_deref(), Some("ext4"));
        assert_eq!(kind("/a/c").as_deref(), Some("nfs4"));
        assert_eq!(kind("/ab").as_deref(), Some("ext4"));
        assert_eq!(kind("/a b/c").as_deref(), Some("xfs"));
    }
}
