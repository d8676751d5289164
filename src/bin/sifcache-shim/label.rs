//! The runtime that a shim stands for, from the label at the end of its program file.
//!
//! The label is part of the running file, so the name of the link or copy that was executed does
//! not matter: `sifcache_core::nested::shims`.

use sifcache_core::nested::shims::{LABEL_LENGTH, runtime_in_label};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The running program. The kernel opens it even if its file was removed.
const SELF: &CStr = c"/proc/self/exe";

/// The label of the running program, or else of the file at `executed_as`; `None` if neither has
/// one.
pub(crate) fn own(executed_as: Option<&CStr>) -> Option<CString> {
    of(SELF).or_else(|| of(executed_as?))
}

/// The label of the file at `path`; `None` if it has none or cannot be read.
pub(crate) fn of(path: &CStr) -> Option<CString> {
    let file = File::open(Path::new(OsStr::from_bytes(path.to_bytes()))).ok()?;
    let length = file.metadata().ok()?.len();
    let mut end = [0; LABEL_LENGTH];
    let from = length.saturating_sub(LABEL_LENGTH as u64);
    let mut filled = 0;
    while let Some(rest) = end.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + filled as u64).ok()? {
            0 => break,
            count => filled += count,
        }
    }
    CString::new(runtime_in_label(end.get(..filled)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::of;
    use sifcache_core::nested::shims::label;
    use std::ffi::CString;
    use std::fs;

    #[test]
    fn files_with_a_label_and_without() {
        let path = std::env::temp_dir().join(format!("label-{}", std::process::id()));
        let c_path = CString::new(path.to_str().unwrap()).unwrap();
        for (content, expected) in [
            ([&[b'x'; 5000][..], &label("apptainer")].concat(), Some("apptainer")),
            (label("sing"), Some("sing")),
            (vec![b'x'; 5000], None),
            (Vec::new(), None),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(of(&c_path).as_deref().map(|label| label.to_str().unwrap()), expected);
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(of(&c_path), None);
    }
}
