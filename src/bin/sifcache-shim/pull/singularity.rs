//! Whether the runtime is Singularity. Its name does not show this: Apptainer is also installed as
//! `singularity`. In a few cases, the two print different messages.

use sifcache_core::command_line::file_name;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

/// The first number of the release, if the runtime is Singularity, SingularityCE or SingularityPRO.
/// Runs `RUNTIME --version`, which takes longer than the rest of a short pull.
pub(super) fn release(runtime: &CStr) -> Option<u32> {
    if file_name(runtime.to_bytes()) == b"apptainer" {
        return None;
    }
    let mut command = Command::new(OsStr::from_bytes(runtime.to_bytes()));
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    major(&String::from_utf8_lossy(&command.output().ok()?.stdout))
}

/// The first number of a version such as `singularity-ce version 4.5.1-noble`.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.strip_prefix("singularity")?.split_once(" version ")?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn versions_of_singularity() {
        for (version, expected) in [
            ("singularity-ce version 4.5.1\n", Some(4)),
            ("singularity-ce version 4.1.0-noble\n", Some(4)),
            ("singularity-pro version 4.1.3-1.el8\n", Some(4)),
            ("singularity-ce version 3.11.4\n", Some(3)),
            ("singularity version 3.8.7\n", Some(3)),
            ("apptainer version 1.4.5\n", None),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }
}
