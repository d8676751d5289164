//! Texts and figures of the page.

use crate::ui::escape::escape_for_terminal;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// A name from a log, a file system or another program. The template escapes what HTML requires.
/// Control characters are shown as escapes, as on a terminal, and `bdi` keeps text that runs from
/// right to left away from the text around it. Long names break after these characters first.
pub(super) fn name(name: &str) -> Markup {
    let name = printable(name);
    html! {
        bdi {
            @for (number, part) in name.split_inclusive(['/', ':', '@']).enumerate() {
                @if number > 0 { wbr; }
                (part)
            }
        }
    }
}

/// The text without control characters and other invisible ones.
pub(super) fn printable(text: &str) -> String {
    escape_for_terminal(text.as_ref())
}

/// The words of a sentence from a log or another program, as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
    let text = printable(text);
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) || text.is_empty() { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// `1,234,567`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number with the word in singular or plural: `1 image`, `2 images`.
pub(super) fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A time as on the command line, in words if it is in days: `60 days`.
pub(super) fn age(age: &str) -> String {
    match age.strip_suffix('d').map(str::parse) {
        Some(Ok(days)) => count(days, "day", "days"),
        _ => printable(age),
    }
}

/// Bytes with three digits, for columns: `480 GiB`, `1.20 PiB`. The number and its unit stay on one
/// line.
pub(super) fn size(bytes: u64) -> String {
    let (number, unit) = three_digits(bytes);
    format!("{number}\u{a0}{unit}")
}

/// Bytes without zeros at the end: `1.2 PiB`.
pub(super) fn short_size(bytes: u64) -> String {
    let (number, unit) = three_digits(bytes);
    let short = number.trim_end_matches('0').trim_end_matches('.');
    let short = if number.contains('.') { short } else { &number };
    format!("{short}\u{a0}{unit}")
}

fn three_digits(bytes: u64) -> (String, &'static str) {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        // 1023.7 would be written as 1024.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let decimals = if value >= 99.95 || unit == "B" {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    (format!("{value:.decimals$}"), unit)
}

/// A share in percent: `98.9 %`. Only exact values are shown as 0 % and 100 %.
pub(super) fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    let percent = match part as f64 * 100.0 / whole as f64 {
        percent if part < whole => percent.min(99.9),
        percent => percent,
    };
    let percent = if part > 0 { percent.max(0.1) } else { percent };
    let decimals = if part == 0 || part >= whole { 0 } else { 1 };
    Some(format!("{percent:.decimals$}\u{a0}%"))
}

/// Times in the time zone of the report.
pub(super) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// The zone of this name; this host's, if the name is only an offset.
    pub(super) fn new(name: &str) -> Self {
        Self { zone: TimeZone::get(name).unwrap_or_else(|_| TimeZone::system()) }
    }

    pub(super) fn date(&self, time: Timestamp) -> Date {
        time.to_zoned(self.zone.clone()).date()
    }

    /// `29 Nov 2026`, for text.
    pub(super) fn day(&self, time: Timestamp) -> Markup {
        html! { time datetime=(time) { (day(self.date(time))) } }
    }

    /// `2026-11-29`, for columns.
    pub(super) fn iso_day(&self, time: Timestamp) -> Markup {
        html! { time datetime=(time) { (self.date(time)) } }
    }

    /// `2026-11-29 13:00`, for columns.
    pub(super) fn minute(&self, time: Timestamp) -> Markup {
        let text = time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d\u{a0}%H:%M").to_string();
        html! { time datetime=(time) { (text) } }
    }
}

/// `29 Nov 2026`.
pub(super) fn day(day: Date) -> String {
    day.strftime("%-d\u{a0}%b\u{a0}%Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Clock, age, count, name, number, percent, sentence, short_size, size};

    #[test]
    fn names_cannot_change_the_page() {
        let text = |text| name(text).into_string();
        assert_eq!(text("o/i:1"), "<bdi>o/<wbr>i:<wbr>1</bdi>");
        assert_eq!(text("<bdi><b>\"&'"), "<bdi>&lt;bdi&gt;&lt;b&gt;&quot;&amp;'</bdi>");
        assert_eq!(text("a\u{1b}\n\u{202e}b"), "<bdi>a\\u{1b}\\n\\u{202e}b</bdi>");
        assert_eq!(text("שלום"), "<bdi>שלום</bdi>");
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("there is no log"), "There is no log.");
        assert_eq!(sentence("Is it?"), "Is it?");
        assert_eq!((sentence(""), sentence("über 3")), (String::new(), "Über 3.".to_owned()));
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 12, 999].map(number), ["0", "12", "999"]);
        assert_eq!([1_000, 98_765, 1_234_567].map(number), ["1,000", "98,765", "1,234,567"]);
        assert_eq!(count(1, "image", "images"), "1 image");
        assert_eq!(count(1_000, "image", "images"), "1,000 images");
        let bytes = [0, 1023, 1024, 480 << 30, 1_288_490_189, (1 << 30) - 1, u64::MAX];
        let sizes = bytes.map(size);
        let spaces = |texts: [&str; 7]| texts.map(|text| text.replace(' ', "\u{a0}"));
        let columns = ["0 B", "1023 B", "1.00 KiB", "480 GiB", "1.20 GiB", "1.00 GiB", "16.0 EiB"];
        assert_eq!(sizes, spaces(columns));
        let short = ["0 B", "1023 B", "1 KiB", "480 GiB", "1.2 GiB", "1 GiB", "16 EiB"];
        assert_eq!(bytes.map(short_size), spaces(short));
    }

    #[test]
    fn ages_are_in_words() {
        assert_eq!(["1d", "60d", "8w", "<d"].map(age), ["1 day", "60 days", "8w", "<d"]);
    }

    #[test]
    fn only_all_of_it_is_100_percent() {
        let percent = |part, whole| percent(part, whole).map(|text| text.replace('\u{a0}', " "));
        assert_eq!(percent(0, 0), None);
        let text = |part, whole| percent(part, whole).unwrap();
        assert_eq!([text(0, 9), text(9, 9), text(1, 2)], ["0 %", "100 %", "50.0 %"]);
        assert_eq!([text(99_999, 100_000), text(1, 100_000)], ["99.9 %", "0.1 %"]);
    }

    #[test]
    fn times_are_in_the_zone_of_the_report() {
        let clock = Clock::new("Europe/Berlin");
        let time = "2026-11-29T23:30:00Z".parse().unwrap();
        let html = clock.minute(time).into_string();
        assert_eq!(html, "<time datetime=\"2026-11-29T23:30:00Z\">2026-11-30\u{a0}00:30</time>");
        assert!(clock.day(time).into_string().contains("30\u{a0}Nov\u{a0}2026"));
    }
}
