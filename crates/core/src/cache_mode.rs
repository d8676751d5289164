//! The cache modes: the values of `--sif-cache=` and `SIF_CACHE=`.

/// How a job uses the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheMode {
    /// As the site's `on_miss` says.
    #[default]
    Auto,
    /// Leave all commands unmodified.
    Off,
    /// Fail the task if the image is not in the cache.
    Require,
}

/// The environment variable. The option takes precedence over it.
pub const ENVIRONMENT: &str = "SIF_CACHE";

/// All values, for messages.
pub const VALUES: &str = "auto, off, require";

impl CacheMode {
    /// Parses a value.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        match value {
            b"auto" => Some(Self::Auto),
            b"off" => Some(Self::Off),
            b"require" => Some(Self::Require),
            _ => None,
        }
    }

    /// The value that means this mode.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Require => "require",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CacheMode, VALUES};

    #[test]
    fn spelt_as_listed() {
        for value in VALUES.split(", ") {
            assert_eq!(CacheMode::parse(value.as_bytes()).map(CacheMode::as_str), Some(value));
        }
        for wrong in ["", "Auto", "on", "required", " auto", "off "] {
            assert_eq!(CacheMode::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
