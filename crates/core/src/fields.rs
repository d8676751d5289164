//! Lines of `key=value` fields: the log lines of the plugin and the shim, and the filler's queue
//! entries.
//!
//! A key consists of lower-case letters. A value with other than plain characters is quoted, with
//! the escapes of [`slice::escape_ascii`]. One space separates two fields. Nothing else is
//! accepted, because everybody can write lines to syslog.

use std::borrow::Cow;
use std::fmt;

/// Formats a value. It is quoted and escaped if it contains anything other than plain characters,
/// so that a file name cannot forge another key or another line.
#[must_use]
pub fn value(bytes: &[u8]) -> String {
    Value(bytes).to_string()
}

/// A value that is formatted as by [`value`], but only if the line with it is written.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a>(pub &'a [u8]);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match str::from_utf8(self.0) {
            Ok(text) if !text.is_empty() && self.0.iter().all(is_plain) => f.write_str(text),
            _ => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

const fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=')
}

/// A key and its value. Only a quoted value needs memory of its own.
pub type Field<'a> = (&'a str, Cow<'a, [u8]>);

/// The keys and values of a line; `None` if the line has another format.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted).map(|(value, after)| (Cow::Owned(value), after))?,
            None => plain(after).map(|(value, after)| (Cow::Borrowed(value), after))?,
        };
        fields.push((key, value));
        if after.is_empty() {
            return Some(fields);
        }
        rest = after.strip_prefix(' ')?;
    }
}

/// An unquoted value, and the text after it.
fn plain(text: &str) -> Option<(&[u8], &str)> {
    let length = text.bytes().position(|byte| !is_plain(&byte)).unwrap_or(text.len());
    let (value, after) = text.split_at_checked(length)?;
    let good = !value.is_empty() && (after.is_empty() || after.starts_with(' '));
    good.then_some((value.as_bytes(), after))
}

/// A quoted value without its opening quote, and the text after it. A value is only accepted if
/// `escape_ascii` would write every byte the same way.
fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut value = Vec::new();
    let mut rest = text.bytes().enumerate();
    while let Some((index, byte)) = rest.next() {
        match byte {
            b'"' => {
                let as_written = value.escape_ascii().to_string() == text.get(..index)?;
                return Some((value, text.get(index + 1..)?)).filter(|_| as_written);
            }
            b'\\' => value.push(match rest.next()?.1 {
                b't' => b'\t',
                b'r' => b'\r',
                b'n' => b'\n',
                b'x' => hex(rest.next()?.1)? * 16 + hex(rest.next()?.1)?,
                other => other,
            }),
            byte => value.push(byte),
        }
    }
    None
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{parse, value};
    use proptest::prelude::*;

    #[test]
    fn values_cannot_forge_keys_or_lines() {
        assert_eq!(value(b"/sif/a:1"), "/sif/a:1");
        assert_eq!(value(b"/a b event=hit"), "\"/a b event=hit\"");
        assert_eq!(value(b"a\n\"\\\xff"), "\"a\\n\\\"\\\\\\xff\"");
        assert_eq!(value(b""), "\"\"");
    }

    proptest! {
        #[test]
        fn every_value_comes_back(one: Vec<u8>, two: Vec<u8>) {
            let line = format!("a={} b={}", value(&one), value(&two));
            prop_assert_eq!(parse(&line), Some(vec![("a", one.into()), ("b", two.into())]));
        }

        /// In lines that are nearly correct, every accepted value is written as [`value`] would
        /// write it.
        #[test]
        fn accepted_values_are_written_alike(line in r#"a=b( [a-z]{0,2}=["\\a-c=x0-9 \n]{0,6}){0,3}"#) {
            let Some(fields) = parse(&line) else { return Ok(()) };
            let mut rest = line.as_str();
            for (key, bytes) in fields {
                let forms = [value(&bytes), format!("\"{}\"", bytes.escape_ascii())];
                let after = forms.iter().find_map(|form| rest.strip_prefix(&format!("{key}={form}")));
                prop_assert!(after.is_some(), "{} in {}", key, line);
                rest = after.unwrap().strip_prefix(' ').unwrap_or_default();
            }
            prop_assert_eq!(rest, "");
        }
    }
}
