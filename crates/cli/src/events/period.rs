//! The options `--log`, `--since` and `--until`.

use crate::error::Failure;
use crate::ui::format;
use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// Options that select logs and a part of them.
#[derive(Debug, Args)]
pub(crate) struct Period {
    /// Log to read instead of this host's own: syslog of one node or of all nodes, optionally
    /// compressed (gzip, xz, bzip2, zstd), or the output of `journalctl --output=json`; - is
    /// standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) log: Vec<PathBuf>,
    /// Only log lines since this time: an age (30d, 12h) or a day (2026-11-24)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Only log lines before this time: an age or a day
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
}

impl Period {
    /// Checks that there is a time between `--since` and `--until`.
    ///
    /// # Errors
    /// There is none: no line could count.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => {
                Err(Failure::EmptyPeriod { since, until })
            }
            _ => Ok(()),
        }
    }
}

/// Parses a day, a time, or a duration before now.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>() {
        let start = day.to_zoned(TimeZone::system()).map_err(|error| error.to_string())?;
        return Ok(start.timestamp());
    }
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago: SignedDuration = format::parse_age(text).map_err(|_| {
        format!(
            "'{text}' is not a valid time; write 30d or 12h for a time before now, or a day such \
             as 2026-11-24"
        )
    })?;
    // Whole seconds, because reports show the time in commands.
    let time =
        Timestamp::now().checked_sub(ago).and_then(|time| Timestamp::from_second(time.as_second()));
    time.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn days_times_and_durations_are_parsed() {
        assert!(moment("2026-11-24").is_ok());
        assert!(moment("2026-11-24T03:00:00Z").is_ok());
        assert!(moment("30d").unwrap() < moment("1h").unwrap());
        assert!(moment("yesterday").unwrap_err().contains("or a day"));
    }
}
