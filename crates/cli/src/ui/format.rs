//! Formats and parses sizes, times and durations for people.

use indicatif::BinaryBytes;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, tz::TimeZone};
use std::fmt::Display;
use std::time::Duration;

/// A number with its noun in the singular or the plural: `1 image`, `2 images`.
pub(crate) fn count<N: Display + PartialEq + From<u8>>(number: N, one: &str, many: &str) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}

/// Formats a number of bytes: `1.20 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// Parses `5G`, `1.5T` or `300M` into bytes. Units are powers of 1024, as in du and Slurm.
///
/// # Errors
/// The text is not a valid size; clap prints the message after the invalid value.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|error| format!("{error}; write it as 300M, 5G or 2T"))
}

/// Parses `90d`, `12h`, `2w` or `1y`. A day has 24 hours and a year 365 days.
///
/// # Errors
/// The text is not a valid duration; clap prints the message after the invalid value.
pub(crate) fn parse_age(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("'{text}' is not a valid time; write it as 30m, 12h, 90d, 8w or 1y");
    let span: Span = text.parse().map_err(|_| wrong())?;
    // Years are counted from the start of 2023, which has 365 days.
    let start = jiff::civil::date(2023, 1, 1);
    let duration = span.to_duration(SpanRelativeTo::from(start)).map_err(|_| wrong())?;
    if duration.is_negative() { Err(wrong()) } else { Ok(duration) }
}

/// The time since `then` in one unit: `3 d`, `5 h`; `0 s` for a time in the future.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    let (unit, length) = match seconds {
        0..=119 => ("s", 1),
        120..=7_199 => ("min", 60),
        7_200..=172_799 => ("h", 3_600),
        _ => ("d", 86_400),
    };
    format!("{} {unit}", seconds / length)
}

/// Formats a duration: `0.4 s`, `75 s`.
pub(crate) fn took(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds => format!("{seconds:.0} s"),
    }
}

/// Formats the day in the local time zone: `2026-12-24`.
pub(crate) fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

/// Formats the day and minute in the local time zone: `2026-12-24 03:00`.
pub(crate) fn minute(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::{ago, parse_age, parse_size, size};
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn a_noun_has_the_number_of_its_count() {
        let text = |number: u64| super::count(number, "image is", "images are");
        assert_eq!([0, 1, 2].map(text), ["0 images are", "1 image is", "2 images are"]);
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("2T"), Ok(2 << 40));
        assert_eq!(parse_size("1.5 GiB"), Ok(3 << 29));
        assert_eq!(parse_size("300m"), Ok(300 << 20));
        assert_eq!(parse_size("17"), Ok(17));
        for wrong in ["", "G", "-1G", "5X"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size(1_288_490_189), "1.20 GiB");
    }

    #[test]
    fn ages_have_a_unit() {
        let days = |days: i64| Ok(SignedDuration::from_hours(24 * days));
        assert_eq!(parse_age("90d"), days(90));
        assert_eq!(parse_age("8w"), days(56));
        assert_eq!(parse_age("1y"), days(365));
        assert_eq!(parse_age("0d"), days(0));
        assert_eq!(parse_age("36 hours"), Ok(SignedDuration::from_hours(36)));
        for wrong in ["", "90", "d", "-1d", "1x", "99999999y"] {
            assert!(parse_age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_time_since_has_one_unit() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let formatted = |seconds| ago(at(0), at(seconds));
        assert_eq!(formatted(119), "119 s");
        assert_eq!(formatted(120), "2 min");
        assert_eq!(formatted(7_200), "2 h");
        assert_eq!(formatted(172_800), "2 d");
        assert_eq!(formatted(-5), "0 s");
    }
}
