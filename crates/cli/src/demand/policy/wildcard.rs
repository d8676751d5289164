//! Wildcards: `*`, `?` and `**`.
//!
//! Users choose the text that is matched, so the time is bounded by the product of the two lengths.
//! Brackets have no meaning, because the name of a registry can contain them.

/// Whether the wildcard matches one component, or a name without components. `*` matches any number
/// of bytes and `?` one byte.
pub(super) fn component(pattern: &str, text: &str) -> bool {
    let same = |pattern: &u8, byte: &u8| *pattern == b'?' || pattern == byte;
    sequence(pattern.as_bytes(), text.as_bytes(), |byte| *byte == b'*', same)
}

/// Whether the wildcard matches a path. `**` matches any number of components; the others match
/// within one component.
pub(super) fn path(pattern: &str, text: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let text: Vec<&str> = text.split('/').collect();
    sequence(&pattern, &text, |part| *part == "**", |one, other| component(one, other))
}

/// Whether the wildcard matches `PATH:TAG` with some tag.
pub(super) fn path_with_some_tag(pattern: &str, text: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let text: Vec<&str> = text.split('/').collect();
    let last = text.len() - 1;
    let text: Vec<(usize, &str)> = text.into_iter().enumerate().collect();
    let same = |one: &&str, (index, part): &(usize, &str)| match *index == last {
        true => component_with_some_tag(one, part),
        false => component(one, part),
    };
    sequence(&pattern, &text, |part| *part == "**", same)
}

/// Whether the wildcard matches `NAME:TAG` with some tag: its first part matches `NAME:`, and its
/// second part can match a tag. A star at the end of the first part may also match a part of the tag.
fn component_with_some_tag(pattern: &str, name: &str) -> bool {
    let start = format!("{name}:");
    let is_of_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-*?".contains(&byte);
    let mut splits = (0..=pattern.len()).filter_map(|middle| pattern.split_at_checked(middle));
    splits.any(|(first, second)| second.bytes().all(is_of_tag) && component(first, &start))
}

/// Whether a sequence with stars matches. Only the last star is tried again, with one more element:
/// if the rest matches at all, earlier stars need not match more than they first did.
fn sequence<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    same: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut from) = (0, 0);
    // The position after the last star, and the end of the text that the star matches.
    let mut star: Option<(usize, usize)> = None;
    while let Some(element) = text.get(from) {
        match pattern.get(at) {
            Some(one) if is_star(one) => {
                at += 1;
                star = Some((at, from));
            }
            Some(one) if same(one, element) => (at, from) = (at + 1, from + 1),
            _ => match star {
                None => return false,
                Some((after, end)) => {
                    star = Some((after, end + 1));
                    (at, from) = (after, end + 1);
                }
            },
        }
    }
    pattern.iter().skip(at).all(is_star)
}

#[cfg(test)]
mod tests {
    use super::{component, path, path_with_some_tag};

    #[test]
    fn a_star_stays_within_a_component_and_two_do_not() {
        for (pattern, text, expected) in [
            ("quay.io/*", "quay.io/a", true),
            ("quay.io/*", "quay.io/a/b", false),
            ("quay.io/**", "quay.io/a/b", true),
            ("quay.io/**", "quay.io.evil.org/a", false),
            ("**", "quay.io/a/b", true),
            ("**/b", "quay.io/a/b", true),
            ("**/b", "quay.io/a/bb", false),
            ("quay.io/**/b:1.*", "quay.io/a/c/b:1.2", true),
            ("quay.io/**/b:1.*", "quay.io/b:1.2", true),
            ("quay.io/**/b:1.*", "quay.io/b:12", false),
            ("**/a/**/a", "x/a/b/a/c/a", true),
            ("**/a/**/a", "x/b/a", false),
            ("[::1]:5000/a", "[::1]:5000/a", true),
            ("[a]/b", "a/b", false),
            ("", "a", false),
        ] {
            assert_eq!(path(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_some_tag() {
        for (pattern, text, expected) in [
            ("quay.io/o/i:1", "quay.io/o/i", true),
            ("quay.io/o/i:1.*", "quay.io/o/i", true),
            ("quay.io/o/i:*", "quay.io/o/i", true),
            ("quay.io/o/i:1", "quay.io/o/ii", false),
            ("quay.io/o/i:1", "quay.io/o", false),
            ("quay.io/*/i:1", "quay.io/o/i", true),
            ("quay.io/**/i:?", "quay.io/a/b/i", true),
            ("quay.io:5000/o/i:1", "quay.io:5000/o/i", true),
            // Stars that match the end of the name, the colon and a part of the tag.
            ("quay.io/o/i*1", "quay.io/o/image", true),
            ("quay.io/o/*-dev", "quay.io/o/i", true),
            ("quay.io/o/i?1", "quay.io/o/i", true),
            // Only the name, or a digest.
            ("quay.io/o/i", "quay.io/o/i", false),
            ("quay.io/o/i@sha256:00", "quay.io/o/i", false),
            ("quay.io/o/i:1@sha256:00", "quay.io/o/i", false),
        ] {
            assert_eq!(path_with_some_tag(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn stars_match_any_number_of_bytes() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*ab", "aaab", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("alice", "alice2", false),
        ] {
            assert_eq!(component(pattern, text), expected, "{pattern} {text}");
        }
        // A backtracking search for each star would not end.
        let (pattern, text) = ("*a".repeat(60) + "b", "a".repeat(4_000));
        assert!(!component(&pattern, &text));
    }
}
