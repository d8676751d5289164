//! What a job asks of the cache: `--sif-cache=` and `SIF_CACHE=`.

/// The values of the option and of the environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// As the site has set it with `on_miss`.
    #[default]
    Auto,
    /// Leave every command alone.
    Off,
    /// End the task if the site has no image for it.
    Require,
}

/// The environment variable that says the same as the option; the option beats it.
pub const ENVIRONMENT: &str = "SIF_CACHE";

/// Every value, for messages.
pub const VALUES: &str = "auto, off, require";

impl Choice {
    /// The choice that is spelt `value`.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        match value {
            b"auto" => Some(Self::Auto),
            b"off" => Some(Self::Off),
            b"require" => Some(Self::Require),
            _ => None,
        }
    }

    /// How the choice is spelt.
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
    use super::{Choice, VALUES};

    #[test]
    fn spelt_as_listed() {
        for value in VALUES.split(", ") {
            assert_eq!(Choice::parse(value.as_bytes()).map(Choice::as_str), Some(value));
        }
        for wrong in ["", "Auto", "on", "required", " auto", "off "] {
            assert_eq!(Choice::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
