//! Paths in layers.

/// The longest name of a file in bytes; Linux refuses longer ones.
pub(crate) const LONGEST_NAME: usize = 255;

/// The components of a path below the root, cleaned without looking at any file: `.` and empty
/// components vanish, `..` removes the component before it, and nothing leads above the root
/// (`CleanPath` in umoci's `oci/layer/utils.go`).
pub(crate) fn components(path: &[u8]) -> Vec<&[u8]> {
    let mut components = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    components
}
