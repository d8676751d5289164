//! Messages of the shim itself.

use crate::process;

/// Writes one line to stderr, with the program's name in front.
pub(crate) fn eprint(line: &str) {
    process::write_stderr(&format!("{}: {line}\n", spank_sifcache::NAME));
}
