//! The cache mode that a job requests with `--sif-cache=` or `SIF_CACHE=`.

use sifcache_core::cache_mode::CacheMode;

/// The requested mode and where it comes from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RequestedMode {
    /// The mode; the default if none was requested.
    pub mode: CacheMode,
    /// Whether it comes from the option.
    pub by_option: bool,
    /// The value of the variable, if it is invalid.
    pub invalid: Option<Vec<u8>>,
}

impl RequestedMode {
    /// The mode for these values of the option and of the variable. The option takes precedence.
    #[must_use]
    pub fn new(option: Option<&[u8]>, variable: Option<Vec<u8>>) -> Self {
        if let Some(mode) = option.and_then(CacheMode::parse) {
            return Self { mode, by_option: true, invalid: None };
        }
        match variable.as_deref().map(CacheMode::parse) {
            Some(Some(mode)) => Self { mode, ..Self::default() },
            Some(None) => Self { invalid: variable, ..Self::default() },
            None => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RequestedMode;
    use sifcache_core::cache_mode::CacheMode;

    #[test]
    fn the_option_beats_the_environment() {
        let mode = |option: Option<&str>, variable: Option<&str>| {
            let variable = variable.map(|value| value.as_bytes().to_vec());
            let requested = RequestedMode::new(option.map(str::as_bytes), variable);
            (requested.mode, requested.by_option, requested.invalid.is_some())
        };
        assert_eq!(mode(None, None), (CacheMode::Auto, false, false));
        assert_eq!(mode(None, Some("off")), (CacheMode::Off, false, false));
        assert_eq!(mode(None, Some("wrong")), (CacheMode::Auto, false, true));
        assert_eq!(mode(Some("require"), Some("off")), (CacheMode::Require, true, false));
        assert_eq!(mode(Some("auto"), Some("require")), (CacheMode::Auto, true, false));
        assert_eq!(mode(Some("wrong"), Some("require")), (CacheMode::Require, false, false));
    }
}
