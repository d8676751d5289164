//! The settings: those that the plugin has set in the job's environment, or else those of the site.

use crate::environment::Environment;
use sifcache_core::nested::SETTINGS;
use sifcache_core::settings::Settings;
use sifcache_plugstack as plugstack;

/// The settings for a launch; `None` if they are invalid or cannot be found.
pub(crate) fn find(environment: &Environment) -> Option<Settings> {
    match environment.get(SETTINGS) {
        Some(text) => parse(&text),
        None => Settings::parse(&plugstack::line(&plugstack::locate().ok()?).ok()?.arguments).ok(),
    }
}

/// Parses the plugin's arguments, joined by spaces. Slurm splits them at spaces and tabs, so no
/// argument contains one.
pub(crate) fn parse(text: &[u8]) -> Option<Settings> {
    let words: Vec<&[u8]> =
        text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    Settings::parse(&words).ok()
}

#[cfg(test)]
mod tests {
    use super::{find, parse};
    use crate::environment::environment;
    use std::path::Path;

    #[test]
    fn settings_from_the_environment_of_the_job() {
        let text = "SINGULARITY_SIFCACHE=image_root=/a:/b on_miss=warn";
        let settings = find(&environment(&[text])).unwrap();
        assert_eq!(settings.image_roots, [Path::new("/a"), Path::new("/b")]);
        assert_eq!(find(&environment(&["SINGULARITY_SIFCACHE=nonsense"])), None);
        assert_eq!(parse(b""), None);
    }
}
