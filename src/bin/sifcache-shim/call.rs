//! How the shim was called.

use sifcache_core::nested::SHIM;
use spank_sifcache::hooks::multi_prog;
use std::ffi::{CStr, CString};

/// The ways in which the shim is called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// In place of the runtime of this name.
    Runtime(CString),
    /// Before a command of `--multi-prog`.
    MultiProg {
        /// The plugin's arguments.
        settings: CString,
        /// The value of `--sif-cache` or `SIF_CACHE`.
        mode: CString,
    },
    /// By its own name, for example to see its help.
    Itself,
}

impl Call {
    /// Determines the call from the path that was executed and the arguments. `stands_for` is the
    /// runtime that the shim's label or the interposer names.
    pub(crate) fn new(
        executed_as: Option<&CStr>,
        arguments: &[CString],
        stands_for: Option<CString>,
    ) -> Self {
        if let Some(name) = stands_for {
            return Self::Runtime(name);
        }
        let first = arguments.first().map(|first| file_name(first)).unwrap_or_default();
        // The link that was executed is more reliable than `argv[0]`, which can be anything. A
        // program that was executed by fexecve(3) has only a number as its name.
        let name = match executed_as.map(file_name) {
            Some(name) if !name.as_bytes().iter().all(u8::is_ascii_digit) => name,
            _ => first,
        };
        if name.as_bytes() != SHIM.as_bytes() {
            return Self::Runtime(name);
        }
        match arguments {
            [_, flag, settings, mode, ..] if flag.as_bytes() == multi_prog::FLAG.as_bytes() => {
                Self::MultiProg { settings: settings.clone(), mode: mode.clone() }
            }
            _ => Self::Itself,
        }
    }

    /// The number of argv entries that are the shim's own, before those of the command.
    pub(crate) fn own_arguments(&self) -> usize {
        if matches!(self, Self::MultiProg { .. }) { 4 } else { 0 }
    }
}

/// The part of a path after the last slash.
pub(crate) fn file_name(path: &CStr) -> CString {
    let name = path.to_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // This cannot fail: a part of a C string contains no null byte.
    CString::new(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Call;
    use std::ffi::{CStr, CString};

    fn call(executed_as: Option<&CStr>, arguments: &[&CStr], stands_for: Option<&CStr>) -> Call {
        let arguments: Vec<CString> = arguments.iter().map(|a| (*a).to_owned()).collect();
        Call::new(executed_as, &arguments, stands_for.map(CStr::to_owned))
    }

    const LINK: &CStr = c"/usr/libexec/sifcache/bin/apptainer";
    const ITSELF: &CStr = c"/usr/libexec/sifcache/sifcache-shim";

    #[test]
    fn called_in_place_of_a_runtime() {
        for (executed_as, first) in [
            (Some(LINK), c"apptainer"),
            (Some(LINK), c"-something else"),
            (Some(c"/dev/fd/5"), c"/x/apptainer"),
            (None, c"apptainer"),
        ] {
            let expected = Call::Runtime(c"apptainer".to_owned());
            assert_eq!(call(executed_as, &[first], None), expected, "{executed_as:?} {first:?}");
        }
        let expected = Call::Runtime(c"singularity".to_owned());
        for executed_as in [ITSELF, LINK, c"/home/me/sing"] {
            assert_eq!(call(Some(executed_as), &[c"x"], Some(c"singularity")), expected);
        }
        assert_eq!(call(Some(LINK), &[], None), Call::Runtime(c"apptainer".to_owned()));
    }

    #[test]
    fn called_before_a_command_of_multi_prog() {
        let arguments = [ITSELF, c"--multi-prog", c"image_root=/sif", c"auto"];
        let expected = Call::MultiProg { settings: arguments[2].into(), mode: c"auto".into() };
        assert_eq!(call(Some(ITSELF), &arguments, None), expected);
        assert_eq!(expected.own_arguments(), 4);
    }

    #[test]
    fn called_by_its_own_name() {
        for arguments in [&[ITSELF] as &[&CStr], &[ITSELF, c"--help"], &[ITSELF, c"--multi-prog"]] {
            assert_eq!(call(Some(ITSELF), arguments, None), Call::Itself);
        }
    }
}
