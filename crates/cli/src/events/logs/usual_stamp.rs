//! Finds the end of a time in the two most common forms, which have each digit at the same place in
//! millions of lines: `2026-11-24T03:03:15` and `Nov 24 03:03:15`, each possibly followed by more.

use super::scan::STAMP;
use super::{blank, stamp};

/// The end of the time at the start of the line; `None` if it has any other form.
pub(super) fn end(line: &[u8]) -> Option<usize> {
    let line = line.get(..STAMP).unwrap_or(line);
    if let Some(time) = line.first_chunk()
        && is_full(time)
    {
        return end_of_word(line, 19);
    }
    let [m1, m2, m3, b' ', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2] =
        line.first_chunk()?
    else {
        return None;
    };
    let digits = [d2, h1, h2, n1, n2, s1, s2];
    let is_time = digits.iter().all(|byte| byte.is_ascii_digit())
        && (d1.is_ascii_digit() || *d1 == b' ')
        && stamp::month(&[*m1, *m2, *m3]).is_some();
    let end = is_time.then(|| end_of_word(line, 15)).flatten()?;
    // A year can follow.
    let is_word = matches!(line.get(end..), Some([b' ', next, ..]) if next.is_ascii_alphabetic());
    is_word.then_some(end)
}

/// The end of the word that continues at this place.
fn end_of_word(line: &[u8], start: usize) -> Option<usize> {
    let rest = line.get(start..)?;
    Some(start + blank::find(rest).unwrap_or(rest.len()))
}

/// Whether this is `2026-11-24T03:03:15`, with any byte in place of the `T` except a blank.
fn is_full(time: &[u8; 19]) -> bool {
    let [a, b, c, d, e, f, g, h, time @ ..] = *time;
    let [i, j, t, k, l, m, n, o, p, q, r] = time;
    has_form([a, b, c, d, e, f, g, h], *b"0000-00-")
        && has_form([i, j, k, l, m, n, o, p], *b"0000:00:")
        && q.is_ascii_digit()
        && r.is_ascii_digit()
        && !blank::is(t)
}

/// Whether a text has a digit for each `0` of the form, and otherwise the bytes of the form.
fn has_form(text: [u8; 8], form: [u8; 8]) -> bool {
    /// The lower bits of each byte.
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    let difference = u64::from_le_bytes(text) ^ u64::from_le_bytes(form);
    // The sum sets the highest bit of each byte that differs by more than a digit does.
    let most = form.map(|byte| if byte == b'0' { 0x7f - 9 } else { 0x7f });
    let wrong = ((difference & LOW) + u64::from_le_bytes(most)) | difference;
    wrong & !LOW == 0
}

#[cfg(test)]
mod tests {
    use super::{end, has_form};
    use proptest::prelude::*;

    #[test]
    fn each_byte_of_a_form_counts() {
        let form = *b"0000-00:";
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"1239-80:";
                text[place] = byte;
                let expected = match form[place] {
                    b'0' => byte.is_ascii_digit(),
                    other => byte == other,
                };
                assert_eq!(has_form(text, form), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn times_end_at_a_blank() {
        for (line, expected) in [
            ("2026-11-24T03:03:15.123456+00:00 n1 a: b", Some(32)),
            ("2026-11-24T03:03:15\tn1", Some(19)),
            ("2026-11-24x03:03:15Z", Some(20)),
            ("2026-11-24 03:03:15 n1", None),
            ("2026-11-24\t03:03:15 n1", None),
            ("2026-11-24T03:03:1x n1", None),
            ("2026-11-24T03:03:x5 n1", None),
            ("2026-11-24T03:03:1", None),
            ("Nov 24 03:03:15 n1", Some(15)),
            ("Nov  4 03:03:15.12 n1", Some(18)),
            ("Nov 24 03:03:15 2026 n1", None),
            ("Now 24 03:03:15 n1", None),
            ("", None),
        ] {
            assert_eq!(end(line.as_bytes()), expected, "{line}");
        }
        let long = format!("2026-11-24T03:03:15{}", "x".repeat(90));
        assert_eq!(end(long.as_bytes()), Some(super::STAMP));
    }

    proptest! {
        /// The forms as they are written in a grammar.
        #[test]
        fn only_times_have_the_form(line in "[0-9]{3,4}[-/][0-9]{2}-[0-9:]{2}[T ][0-9]{2}[:-][0-9;]{2}:[0-9]{1,2}( n1)?") {
            let bytes = line.as_bytes();
            let is_full = bytes.len() > 18 && bytes[..19].iter().zip(b"0000-00-00T00:00:00").all(
                |(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form },
            );
            let word = line.split(' ').next().unwrap();
            prop_assert_eq!(end(bytes), is_full.then_some(word.len()));
        }
    }
}
