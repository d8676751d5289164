//! The file names of the runtimes.

/// The maximum length of the list of names, in bytes. With a longer list, no program is a runtime.
const MAX_LIST: usize = 1024;

/// The default, used if the site does not set `runtimes`.
const DEFAULT: &[u8] = b"singularity,apptainer";

/// The key of the setting.
const KEY: &[u8] = b"runtimes=";

/// The names, separated by commas as in the setting.
pub(crate) struct Runtimes {
    list: [u8; MAX_LIST],
    length: usize,
}

impl Runtimes {
    /// The empty list, with which no program is a runtime.
    pub(crate) const NONE: Self = Self { list: [0; MAX_LIST], length: 0 };

    /// Sets the names to those in the plugin's arguments, which are separated by blanks.
    pub(crate) fn set(&mut self, settings: &[u8]) {
        let mut words = settings.split(|byte| *byte == b' ');
        let list = words.find_map(|word| word.strip_prefix(KEY)).unwrap_or(DEFAULT);
        self.length = 0;
        if list.len() <= MAX_LIST {
            self.list.iter_mut().zip(list).for_each(|(slot, byte)| *slot = *byte);
            self.length = list.len();
        }
    }

    /// Whether a program with this file name is a runtime.
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        let list = self.list.get(..self.length).unwrap_or_default();
        !name.is_empty() && list.split(|byte| *byte == b',').any(|runtime| runtime == name)
    }
}

/// The part of `path` after its last slash.
pub(crate) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{MAX_LIST, Runtimes, file_name};

    fn contains(settings: &str, name: &str) -> bool {
        let mut runtimes = Runtimes::NONE;
        runtimes.set(settings.as_bytes());
        runtimes.contains(name.as_bytes())
    }

    #[test]
    fn the_default_equals_that_of_the_settings() {
        let settings = sifcache_core::settings::Settings::with_roots(Vec::new());
        assert_eq!(settings.runtimes.join(",").as_bytes(), super::DEFAULT);
        for name in settings.runtimes {
            assert!(contains("", &name));
            assert!(contains("image_root=/a nested=preload", &name));
        }
        for name in ["", ",", "apptaine", "apptainerr", "singularity,apptainer", "true"] {
            assert!(!contains("", name), "{name}");
        }
    }

    #[test]
    fn the_setting_replaces_the_default() {
        let settings = "image_root=/a runtimes=sing,apptainer-suid on_miss=warn";
        assert!(contains(settings, "sing"));
        assert!(contains(settings, "apptainer-suid"));
        assert!(!contains(settings, "apptainer"));
        assert!(!contains(settings, "on_miss=warn"));
        assert!(contains("runtimes=x", "x"));
        assert!(!contains("xruntimes=x", "x"));
        assert!(!contains("runtimes=", ""));
        assert!(!contains("runtimes=", "apptainer"));
    }

    #[test]
    fn no_program_is_a_runtime_if_the_list_is_too_long() {
        let list = |length: usize| format!("runtimes=x,{}", "y".repeat(length - 2));
        assert!(contains(&list(MAX_LIST), "x"));
        assert!(!contains(&list(MAX_LIST + 1), "x"));
        assert!(!Runtimes::NONE.contains(b""));
    }

    #[test]
    fn file_names() {
        for (path, name) in [("a", "a"), ("/a", "a"), ("a/b", "b"), ("a/", ""), ("", "")] {
            assert_eq!(file_name(path.as_bytes()), name.as_bytes());
        }
    }
}
