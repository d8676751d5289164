//! Parses the times that syslog daemons write, in all known forms.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The number of a month from its English name, which daemons use in every locale.
pub(super) fn month(word: &[u8]) -> Option<i8> {
    let index = MONTHS.iter().position(|name| name.as_bytes() == word)?;
    i8::try_from(index + 1).ok()
}

/// Parses a time. A time without a zone counts as one in this host's zone, and a time without a
/// year as the latest one that is not in the future.
pub(super) fn moment(stamp: &[u8], now: Timestamp) -> Option<Timestamp> {
    let stamp = std::str::from_utf8(stamp).ok()?;
    let mut words: Vec<&str> = stamp.split_ascii_whitespace().collect();
    if matches!(words.first(), Some(&("Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun"))) {
        words.remove(0);
    }
    match words.as_slice() {
        [one] if one.contains('-') => full(one),
        [seconds] => since_1970(seconds),
        [date, clock] if date.contains('-') => full(&format!("{date}T{clock}")),
        [date, clock, zone] if date.contains('-') => {
            let zone = if matches!(*zone, "UTC" | "GMT") { "Z" } else { zone };
            full(&format!("{date}T{clock}{zone}")).or_else(|| full(&format!("{date}T{clock}")))
        }
        [month, day, clock] => without_year(month, day, clock, now),
        [year, month, day, clock] if year.starts_with(|c: char| c.is_ascii_digit()) => {
            local(at(year.parse().ok()?, month, day, clock)?)
        }
        [month, day, year, clock] if clock.contains(':') => {
            local(at(year.parse().ok()?, month, day, clock)?)
        }
        [month, day, clock, year] => local(at(year.parse().ok()?, month, day, clock)?),
        _ => None,
    }
}

/// One day from now; later times count as being in the future. One day is allowed because clocks
/// and time zones of nodes differ.
pub(super) fn tomorrow(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX)
}

/// Parses RFC 3339, with or without a zone.
fn full(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| local(text.parse().ok()?))
}

fn since_1970(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanoseconds).ok()
}

fn local(time: DateTime) -> Option<Timestamp> {
    Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
}

fn at(year: i16, month_name: &str, day: &str, clock: &str) -> Option<DateTime> {
    let date = Date::new(year, month(month_name.as_bytes())?, day.parse().ok()?).ok()?;
    // A zone after the time is ignored.
    let clock: &str = clock.split(['Z', '+', '-']).next()?;
    let time: Time = clock.replace(',', ".").parse().ok()?;
    Some(date.to_datetime(time))
}

fn without_year(month: &str, day: &str, clock: &str, now: Timestamp) -> Option<Timestamp> {
    let year = now.to_zoned(TimeZone::system()).year();
    let in_year = |year: i16| local(at(year, month, day, clock)?);
    match in_year(year) {
        Some(time) if time <= tomorrow(now) => Some(time),
        // Earlier years are tried as well, for example because this year has no 29th of February.
        _ => (1..=4).find_map(|back| in_year(year - back)),
    }
}

#[cfg(test)]
mod tests {
    use super::moment;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    fn read(stamp: &str) -> Option<Timestamp> {
        moment(stamp.as_bytes(), "2026-12-02T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn all_forms_of_a_time_are_parsed() {
        let moment: Timestamp = "2026-11-24T03:03:15.250Z".parse().unwrap();
        let local = moment.to_zoned(TimeZone::system());
        let written = |format: &str| local.strftime(format).to_string();
        for stamp in [
            "2026-11-24T03:03:15.250Z".to_owned(),
            "2026-11-24T04:03:15.250+01:00".to_owned(),
            "2026-11-24T00:03:15,250-0300".to_owned(),
            "Tue 2026-11-24 03:03:15.250 UTC".to_owned(),
            "Tue 2026-11-24 00:03:15.250 -03".to_owned(),
            "1795489395.250".to_owned(),
            written("%Y-%m-%d %H:%M:%S.250"),
            written("%b %e %H:%M:%S.250"),
            written("%b %e %H:%M:%S,250"),
            written("%b %d %Y %H:%M:%S.250"),
            written("%Y %b %d %H:%M:%S.250"),
            written("%a %b %d %H:%M:%S.250 %Y"),
            written("%a %Y-%m-%d %H:%M:%S.250 ABC"),
        ] {
            assert_eq!(read(&stamp), Some(moment), "{stamp}");
        }
    }

    #[test]
    fn invalid_times_are_rejected() {
        for stamp in ["", "Nov 31 03:03:15", "Nov 24", "x", "2026-13-01T00:00:00Z"] {
            assert_eq!(read(stamp), None, "{stamp}");
        }
    }
}
