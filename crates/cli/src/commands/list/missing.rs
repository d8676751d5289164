//! What the command prints if no image has the words in its name.

use super::entry::Listed;
use super::words::Words;
use crate::cache::image_name;
use std::collections::{BTreeSet, HashMap};

/// The maximum number of similar names.
const MOST: usize = 5;
/// How similar a part of a name has to be to a word, between 0 and 1.
const SIMILAR: f64 = 0.7;
/// The characters between the parts of a name.
const BETWEEN: [char; 6] = ['/', ':', '-', '_', '.', '@'];

/// Why no image is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No image has the words in its name.
    Words,
    /// Images have the words in their names, but do not meet the filters.
    Filters,
    /// An image root could not be read, which may have such images.
    Unread,
}

/// The reason, given whether filters are set and whether an image root could not be read.
pub(super) fn reason(
    words: &Words,
    roots: &[Listed],
    has_filter: bool,
    has_failed: bool,
) -> Reason {
    let mut names = roots.iter().flat_map(|root| root.files.names());
    match () {
        () if has_failed => Reason::Unread,
        () if has_filter && names.any(|name| words.are_in(name)) => Reason::Filters,
        () => Reason::Words,
    }
}

/// The message, with the similar names. `has_filler` is whether the site adds images on demand.
pub(super) fn message(
    typed: &[String],
    reason: Reason,
    has_filler: bool,
    similar: &[String],
) -> String {
    let quoted: Vec<String> =
        typed.iter().map(|word| format!("'{}'", word.escape_debug())).collect();
    let words = quoted.join(" and ");
    let mut lines = vec![match reason {
        Reason::Words => format!("no image has {words} in its name"),
        Reason::Filters => format!("no image matches {words} and the filters"),
        Reason::Unread => format!("no image that could be read matches {words}"),
    }];
    if !similar.is_empty() {
        lines.push(format!("similar names: {}", similar.join(", ")));
    }
    if reason != Reason::Words {
        return lines.join("\n");
    }
    // A part of a name is a valid reference, too, but a registry is unlikely to have such an image.
    let complete = typed.iter().find(|word| word.contains([':', '/']));
    let reference =
        complete.and_then(|word| Some(image_name::short(&image_name::parse(word).ok()?)));
    let name = reference.as_deref().unwrap_or("REF");
    lines.push(match has_filler {
        true => format!("to ask for an image: sifcache request {name}"),
        false => format!(
            "a job that uses an image with its complete name still runs, and pulls it; `sifcache \
             misses` shows your admins what jobs did not find, and `sifcache add {name}` adds it"
        ),
    });
    lines.join("\n")
}

/// The names in the cache that are most like the words.
pub(super) fn similar(words: &Words, roots: &[Listed]) -> Vec<String> {
    let mut known = Known::default();
    let mut best: Vec<(f64, String)> = Vec::new();
    let mut repositories: BTreeSet<String> = BTreeSet::new();
    for name in
        roots.iter().filter(|root| root.layout.is_none()).flat_map(|root| root.files.names())
    {
        let repository = repository(name);
        if repositories.contains(repository) {
            continue;
        }
        repositories.insert(repository.to_owned());
        let Some(likeness) = known.likeness(words, repository) else { continue };
        // The reference of the first name of a repository stands for all of them.
        let Some(reference) = image_name::reference(name) else { continue };
        best.push((likeness, image_name::short(&reference)));
    }
    best.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    best.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// A name without tag and digest.
fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The likeness of parts of names to the words, which are the same in many names.
#[derive(Default)]
struct Known(HashMap<String, f64>);

impl Known {
    /// The mean likeness of the words to the parts of a name; `None` if a word is like none of them.
    fn likeness(&mut self, words: &Words, name: &str) -> Option<f64> {
        let mut sum = 0.0;
        let mut count = 0.0;
        for part in words.iter().flat_map(|word| word.split(BETWEEN)).filter(|part| part.len() > 2)
        {
            let best = name.split(BETWEEN).map(|other| self.of(part, other)).fold(0.0, f64::max);
            if best < SIMILAR {
                return None;
            }
            sum += best;
            count += 1.0;
        }
        (count > 0.0).then_some(sum / count)
    }

    fn of(&mut self, word: &str, part: &str) -> f64 {
        let key = format!("{word} {part}");
        if let Some(known) = self.0.get(&key) {
            return *known;
        }
        let part = part.to_ascii_lowercase();
        let likeness = strsim::normalized_damerau_levenshtein(word, &part);
        self.0.insert(key, likeness);
        likeness
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Listed, Reason, Words, message, reason, repository};
    use crate::cache::store::scan;
    use std::fs;

    fn likeness(words: &[&str], name: &str) -> Option<f64> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Known::default().likeness(&Words::new(&words), name)
    }

    #[test]
    fn spelling_mistakes_are_similar() {
        for (words, name) in [
            (&["pytroch"][..], "pytorch/pytorch"),
            (&["tensorlfow"], "tensorflow/tensorflow"),
            (&["samtool"], "quay.io/biocontainers/samtools"),
            (&["determindai/environments:cuda"], "x"),
        ] {
            assert_eq!(likeness(words, name).is_some(), name != "x", "{words:?} {name}");
        }
        assert!(likeness(&["pytroch", "rocm"], "pytorch/pytorch").is_none());
        assert!(likeness(&["i"], "o/i").is_none(), "a letter is like everything");
        assert!(likeness(&["pytorhc"], "pytorch") < likeness(&["pytorch"], "pytorch"));
    }

    #[test]
    fn filters_and_unread_roots_are_reasons() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("alpine:3.20"), "").unwrap();
        let files = scan::files(directory.path()).unwrap();
        let roots = [Listed { path: directory.path().to_owned(), layout: None, files }];
        for (word, has_filter, has_failed, expected) in [
            ("alpine", true, false, Reason::Filters),
            ("ubuntu", true, false, Reason::Words),
            ("ubuntu", false, false, Reason::Words),
            ("ubuntu", false, true, Reason::Unread),
            ("alpine", true, true, Reason::Unread),
        ] {
            let words = Words::new(&[word.to_owned()]);
            assert_eq!(reason(&words, &roots, has_filter, has_failed), expected, "{word}");
        }
        for (reason, begin, has_advice) in [
            (Reason::Words, "no image has 'i:1' in its name", true),
            (Reason::Filters, "no image matches 'i:1' and the filters", false),
            (Reason::Unread, "no image that could be read matches 'i:1'", false),
        ] {
            let text = message(&["i:1".to_owned()], reason, true, &[]);
            assert!(text.starts_with(begin), "{text}");
            assert_eq!(text.contains("sifcache request i:1"), has_advice, "{text}");
        }
    }

    #[test]
    fn repositories_have_no_tag() {
        for (name, expected) in [
            ("o/i:1", "o/i"),
            ("o/i@sha256:0f", "o/i"),
            ("localhost:5000/i", "localhost:5000/i"),
            ("localhost:5000/i:1", "localhost:5000/i"),
        ] {
            assert_eq!(repository(name), expected);
        }
    }
}
