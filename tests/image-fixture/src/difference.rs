//! The differences between two file systems, path by path.

use crate::listing::{Listing, Node};

/// Times within so many seconds of each other are equal, if both are of these minutes.
pub const NOW: i64 = 900;

/// A line for each difference. `now` is the time in seconds since 1970 at which both were made:
/// a time within fifteen minutes of it is the time of the conversion.
#[must_use]
pub fn differences(expected: &Listing, found: &Listing, now: i64) -> Vec<String> {
    let paths = expected.keys().chain(found.keys().filter(|path| !expected.contains_key(*path)));
    paths.filter_map(|path| difference(path, expected.get(path), found.get(path), now)).collect()
}

fn difference(
    path: &[u8],
    expected: Option<&Node>,
    found: Option<&Node>,
    now: i64,
) -> Option<String> {
    let path = String::from_utf8_lossy(path);
    match (expected, found) {
        (Some(_), None) => Some(format!("{path:?}: missing")),
        (None, Some(found)) => Some(format!("{path:?}: unexpected {}", text(found))),
        (Some(expected), Some(found)) if !equal(expected, found, now) => {
            Some(format!("{path:?}: {}, expected {}", text(found), text(expected)))
        }
        _ => None,
    }
}

fn equal(expected: &Node, found: &Node, now: i64) -> bool {
    let is_now = |time: i64| (time - now).abs() < NOW;
    let times = expected.time == found.time || (is_now(expected.time) && is_now(found.time));
    times && Node { time: expected.time, ..found.clone() } == *expected
}

fn text(node: &Node) -> String {
    let Node { kind, time, mode, owner, content, group, xattrs } = node;
    let shown =
        |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..60).unwrap_or(bytes)).into_owned();
    let mut text = format!(
        "{kind} {mode} {}:{} time {time}, {} bytes {:?}",
        owner.0,
        owner.1,
        content.len(),
        shown(content)
    );
    if let Some(group) = group {
        text.push_str(&format!(", inode of {:?}", shown(group)));
    }
    for (name, value) in xattrs {
        text.push_str(&format!(", {}={:?}", shown(name), shown(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::listing::{Listing, parse};

    fn listing(lines: &str) -> Listing {
        parse(format!("{lines}#\n# START OF DATA - DO NOT MODIFY\n#\nxy").as_bytes()).unwrap()
    }

    #[test]
    fn each_field_counts() {
        let base = "a R 5 644 0 0 1 0 0\n";
        let others = [
            "a R 6 644 0 0 1 0 0\n",
            "a R 5 600 0 0 1 0 0\n",
            "a R 5 644 1 0 1 0 0\n",
            "a R 5 644 0 0 1 1 0\n",
            "a R 5 644 0 0 2 0 0\n",
            "a S 5 644 0 0 x\n",
            "a R 5 644 0 0 1 0 0\na x user.a=b\n",
            "a R 5 644 0 0 1 0 0\nb L a\n",
            "",
        ];
        assert_eq!(differences(&listing(base), &listing(base), 1000), [""; 0]);
        for other in others {
            assert_ne!(differences(&listing(base), &listing(other), 1_000_000), [""; 0], "{other}");
        }
    }

    #[test]
    fn times_of_the_conversion_are_equal() {
        let (a, b) = (listing("a R 1005 644 0 0 1 0 0\n"), listing("a R 1090 644 0 0 1 0 0\n"));
        assert_eq!(differences(&a, &b, 1000), [""; 0]);
        assert_eq!(differences(&a, &b, 100_000).len(), 1);
    }
}
