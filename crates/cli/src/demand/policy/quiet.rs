//! Quiet hours, in which nothing is pulled: `"08:00-18:00"`, local time.

use jiff::civil::Time;
use serde::Deserialize;
use std::fmt;

/// A period of each day. It ends on the next day if the end is earlier than the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct QuietHours {
    from: Time,
    /// `None` is midnight at the end of the day.
    to: Option<Time>,
}

impl QuietHours {
    /// Whether this time of the day is in the period. The start belongs to it, the end does not.
    pub(super) fn contains(&self, time: Time) -> bool {
        match self.to {
            None => time >= self.from,
            Some(to) if self.from < to => self.from <= time && time < to,
            Some(to) => time >= self.from || time < to,
        }
    }
}

impl TryFrom<String> for QuietHours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('-').and_then(|(from, to)| {
            let to = if to == "24:00" { None } else { Some(time(to)?) };
            Some(Self { from: time(from)?, to }).filter(|hours| hours.to != Some(hours.from))
        });
        parsed.ok_or_else(|| {
            format!("{text:?} is not a valid period; write it as 08:00-18:00 or 22:00-06:00")
        })
    }
}

/// Parses `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i8>().ok().filter(|_| is_number)
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.from.strftime("%H:%M"))?;
        match self.to {
            None => f.write_str("24:00"),
            Some(to) => write!(f, "{}", to.strftime("%H:%M")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::QuietHours;
    use jiff::civil::time;

    #[test]
    fn the_start_belongs_to_the_period_and_the_end_does_not() {
        for (text, at, expected) in [
            ("08:00-18:00", time(7, 59, 59, 0), false),
            ("08:00-18:00", time(8, 0, 0, 0), true),
            ("08:00-18:00", time(17, 59, 59, 999), true),
            ("08:00-18:00", time(18, 0, 0, 0), false),
            ("22:00-06:00", time(23, 0, 0, 0), true),
            ("22:00-06:00", time(5, 59, 0, 0), true),
            ("22:00-06:00", time(6, 0, 0, 0), false),
            ("20:00-24:00", time(23, 59, 59, 0), true),
            ("20:00-24:00", time(0, 0, 0, 0), false),
            ("00:00-24:00", time(12, 0, 0, 0), true),
        ] {
            let hours = QuietHours::try_from(text.to_owned()).unwrap();
            assert_eq!(hours.contains(at), expected, "{text} {at}");
            assert_eq!(hours.to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_errors() {
        for wrong in
            ["", "8:00-18:00", "08:00", "08:00-08:00", "08:00-25:00", "08:00-+8:00", "8-18"]
        {
            assert!(QuietHours::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
