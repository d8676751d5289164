//! The cache modes: the values of `--sif-cache=` and `SIF_CACHE=`.

/// How a job uses the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheMode {
    /// Look up images; the site's `on_miss` decides how a miss is handled.
    #[default]
    Auto,
    /// Leave all commands unmodified.
    Off,
    /// Wait until a missing image is added, for the time that the site or
    /// [`DEFAULT_WAIT`](crate::settings::DEFAULT_WAIT) allows. Otherwise as `Auto`.
    Wait,
    /// Fail the task if the image is not in the cache.
    Require,
}

/// The environment variable for the cache mode. The option `--sif-cache` takes precedence over this
/// variable.
pub const ENVIRONMENT: &str = "SIF_CACHE";

/// All values, as messages list them.
pub const VALUES: &str = "auto, off, wait, require";

impl CacheMode {
    /// Parses a value; `None` if it is invalid.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        match value {
            b"auto" => Some(Self::Auto),
            b"off" => Some(Self::Off),
            b"wait" => Some(Self::Wait),
            b"require" => Some(Self::Require),
            _ => None,
        }
    }

    /// The spelling of this mode.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Wait => "wait",
            Self::Require => "require",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CacheMode, VALUES};

    #[test]
    fn modes_are_spelt_as_listed() {
        for value in VALUES.split(", ") {
            assert_eq!(CacheMode::parse(value.as_bytes()).map(CacheMode::as_str), Some(value));
        }
        for wrong in ["", "Auto", "on", "required", " auto", "off "] {
            assert_eq!(CacheMode::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
