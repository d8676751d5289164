//! Writes JSON objects of strings exactly as Go's `encoding/json` does, because the runtimes are
//! written in Go.

use std::collections::BTreeMap;

/// The keys and values of an object. Go sorts keys by their bytes, as this map does.
pub(super) type Strings = BTreeMap<String, String>;

/// The object without any space: what Go's `Marshal` writes.
pub(super) fn compact(strings: &Strings) -> String {
    let members: Vec<String> =
        strings.iter().map(|(key, value)| format!("{}:{}", quoted(key), quoted(value))).collect();
    format!("{{{}}}", members.join(","))
}

/// The object with one line for each key, indented by a tab: what Go's `MarshalIndent` writes.
pub(super) fn indented(strings: &Strings) -> String {
    let members: Vec<String> = strings
        .iter()
        .map(|(key, value)| format!("\t{}: {}", quoted(key), quoted(value)))
        .collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n}}", members.join(",\n")) }
}

/// A string as a JSON literal. Go also escapes the characters that HTML and JavaScript treat
/// specially.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::{Strings, compact, indented, quoted};

    #[test]
    fn strings_are_escaped_as_in_go() {
        assert_eq!(
            quoted("a\"\\<&>é\n\u{1}\u{2028}\u{7f}"),
            concat!(r#""a\"\\\u003c\u0026\u003eé\n\u0001\u2028"#, "\u{7f}\"")
        );
    }

    #[test]
    fn objects_are_laid_out_as_in_go() {
        let strings: Strings =
            [("b", "2"), ("a.b", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(compact(&strings), r#"{"a.b":"1","b":"2"}"#);
        assert_eq!(indented(&strings), "{\n\t\"a.b\": \"1\",\n\t\"b\": \"2\"\n}");
        assert_eq!(indented(&Strings::new()), "{}");
    }
}
