//! The paths and names of sifcache itself: the shim, the variable with the settings, and the
//! directory whose programs are never redirected.

use sifcache_core::nested::{DIRECTORY, SETTINGS, SHIM};

/// The path of the shim, with a null byte at its end.
pub(crate) const SHIM_PATH: &[u8] =
    &c_string::<{ DIRECTORY.len() + SHIM.len() + 2 }>([DIRECTORY, "/", SHIM]);

/// The name of the variable with the plugin's arguments, with a null byte at its end.
pub(crate) const SETTINGS_NAME: &[u8] = &c_string::<{ SETTINGS.len() + 1 }>([SETTINGS, "", ""]);

/// Joins strings and a null byte at compile time, because nothing may be allocated at run time.
const fn c_string<const LENGTH: usize>([first, second, third]: [&str; 3]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let rest = fill(&mut bytes, first.as_bytes());
    let rest = fill(rest, second.as_bytes());
    let rest = fill(rest, third.as_bytes());
    assert!(matches!(rest, [0]), "the length is wrong");
    bytes
}

/// Copies `text` to the start of `slots` and returns the remaining slots.
const fn fill<'a>(slots: &'a mut [u8], text: &[u8]) -> &'a mut [u8] {
    let (mut slots, mut text) = (slots, text);
    while let [byte, more @ ..] = text {
        let [slot, rest @ ..] = slots else { return &mut [] };
        *slot = *byte;
        (slots, text) = (rest, more);
    }
    slots
}

/// Whether `path` is in the installation directory of sifcache. Redirecting one of its shims would
/// cause an endless loop.
pub(crate) fn is_own(path: &[u8]) -> bool {
    path.strip_prefix(DIRECTORY.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS_NAME, SHIM_PATH, is_own};
    use sifcache_core::nested::{DIRECTORY, SHIM, installed};

    #[test]
    fn the_shim_is_where_it_is_installed() {
        assert_eq!(SHIM_PATH, [installed(SHIM).as_bytes(), b"\0"].concat());
    }

    #[test]
    fn the_name_of_the_settings_ends_with_a_null_byte() {
        assert_eq!(SETTINGS_NAME, b"SINGULARITY_SIFCACHE\0");
    }

    #[test]
    fn only_paths_in_the_directory_are_own() {
        assert!(is_own(installed("bin/apptainer").as_bytes()));
        assert!(!is_own(DIRECTORY.as_bytes()));
        assert!(!is_own(format!("{DIRECTORY}2/apptainer").as_bytes()));
        assert!(!is_own(format!("/x{DIRECTORY}/apptainer").as_bytes()));
        assert!(!is_own(b""));
    }
}
