//! How a miss is handled: the values of `on_miss=`.

use super::{Settings, seconds};
use std::time::Duration;

/// How long a command waits by default for an image to be added.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// How a miss is handled, after the wait if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMiss {
    /// The command runs unchanged, so the runtime pulls the image.
    Pull,
    /// The command runs unchanged, with a warning on the task's stderr.
    Warn,
    /// The task fails with a message.
    Fail,
}

impl OnMiss {
    /// The spelling in plugstack.conf.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn parse(value: &str) -> Option<Self> {
        [Self::Pull, Self::Warn, Self::Fail].into_iter().find(|one| one.as_str() == value)
    }
}

/// Parses `pull`, `warn`, `fail` or `wait[:SECONDS][:pull|:warn|:fail]`.
pub(super) fn parse(value: &str) -> Option<(OnMiss, Option<Duration>)> {
    let Some(rest) = value.strip_prefix("wait") else {
        return OnMiss::parse(value).map(|on_miss| (on_miss, None));
    };
    if rest.is_empty() {
        return Some((OnMiss::Pull, Some(DEFAULT_WAIT)));
    }
    let rest = rest.strip_prefix(':')?;
    let (first, second) = match rest.split_once(':') {
        Some((first, second)) => (first, Some(second)),
        None => (rest, None),
    };
    match (seconds(first), second) {
        (Some(wait), None) => Some((OnMiss::Pull, Some(wait))),
        (Some(wait), Some(second)) => Some((OnMiss::parse(second)?, Some(wait))),
        (None, None) => Some((OnMiss::parse(first)?, Some(DEFAULT_WAIT))),
        (None, Some(_)) => None,
    }
}

impl Settings {
    /// The value of `on_miss=` that has the effect of these settings.
    #[must_use]
    pub fn on_miss_value(&self) -> String {
        let on_miss = self.on_miss.as_str();
        match self.wait.map(|wait| wait.as_secs()) {
            None => on_miss.to_owned(),
            Some(seconds) if self.on_miss == OnMiss::Pull => format!("wait:{seconds}"),
            Some(seconds) => format!("wait:{seconds}:{on_miss}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_WAIT, OnMiss, parse};
    use crate::settings::Settings;
    use std::time::Duration;

    #[test]
    fn the_values_of_on_miss() {
        let wait = |seconds| Some(Duration::from_secs(seconds));
        for (value, expected, written) in [
            ("pull", (OnMiss::Pull, None), "pull"),
            ("warn", (OnMiss::Warn, None), "warn"),
            ("fail", (OnMiss::Fail, None), "fail"),
            ("wait", (OnMiss::Pull, Some(DEFAULT_WAIT)), "wait:600"),
            ("wait:1", (OnMiss::Pull, wait(1)), "wait:1"),
            ("wait:pull", (OnMiss::Pull, Some(DEFAULT_WAIT)), "wait:600"),
            ("wait:fail", (OnMiss::Fail, Some(DEFAULT_WAIT)), "wait:600:fail"),
            ("wait:86400:warn", (OnMiss::Warn, wait(86_400)), "wait:86400:warn"),
        ] {
            assert_eq!(parse(value), Some(expected), "{value}");
            let settings =
                Settings::parse(&[b"image_root=/sif", format!("on_miss={value}").as_bytes()]);
            assert_eq!(settings.unwrap().on_miss_value(), written);
            assert_eq!(parse(written), Some(expected));
        }
    }

    #[test]
    fn values_that_are_refused() {
        for value in [
            "",
            "Wait",
            "wait:",
            "wait:0",
            "wait:86401",
            "wait:+5",
            "wait:5s",
            "wait5",
            "wait:off",
            "wait:fail:5",
            "wait:5:",
            "wait:5:fail:",
            "wait:fail:fail",
            "wait:5:5",
            "fail:wait",
        ] {
            assert_eq!(parse(value), None, "{value}");
        }
    }
}
