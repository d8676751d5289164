//! The message if no image has the words in its name.

use super::entry::Listed;
use super::words::Words;
use crate::cache::image_name;
use crate::ui::escape::escape_for_terminal;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// The maximum number of similar names, and of directories that are named.
const MOST: usize = 5;
/// How similar a part of a name has to be to a word, between 0 and 1.
const SIMILAR: f64 = 0.7;
/// The characters between the parts of a name.
const BETWEEN: [char; 6] = ['/', ':', '-', '_', '.', '@'];

/// The data for the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing<'a> {
    /// The words.
    pub(super) typed: &'a [String],
    /// The number of images that have the words in a name, but do not meet the filters.
    pub(super) filtered: usize,
    /// The number of image roots that could not be read.
    pub(super) failed: usize,
    /// The directories that the caller may not read.
    pub(super) closed: &'a [PathBuf],
    /// Whether the site adds images on demand.
    pub(super) has_filler: bool,
    /// Names in the cache that are like the words.
    pub(super) similar: &'a [String],
}

impl Missing<'_> {
    /// The complete message.
    pub(super) fn message(&self) -> String {
        let mut lines = vec![self.reason()];
        match self.failed {
            0 => {}
            1 => {
                lines.push("1 image root could not be read, and may have such an image".to_owned())
            }
            more => lines
                .push(format!("{more} image roots could not be read, and may have such an image")),
        }
        let closed = |path: &PathBuf| format!("not searched: {}", escape_for_terminal(path));
        lines.extend(self.closed.iter().take(MOST).map(closed));
        if let Some(more @ 1..) = self.closed.len().checked_sub(MOST) {
            lines.push(format!("not searched: {more} more directories that you may not read"));
        }
        if !self.similar.is_empty() {
            lines.push(format!("similar names: {}", self.similar.join(", ")));
        }
        if self.filtered == 0 && self.failed == 0 {
            lines.push(self.advice());
        }
        lines.join("\n")
    }

    fn reason(&self) -> String {
        let quoted: Vec<String> =
            self.typed.iter().map(|word| format!("'{}'", word.escape_debug())).collect();
        let words = quoted.join(" and ");
        let read = if self.failed > 0 { " that could be read" } else { "" };
        match self.filtered {
            0 => format!("no image{read} has {words} in its name"),
            1 => format!(
                "no image{read} matches {words} and the filters; 1 image matches {words} alone"
            ),
            more => format!(
                "no image{read} matches {words} and the filters; {more} images match {words} alone"
            ),
        }
    }

    /// How to get the image.
    fn advice(&self) -> String {
        // A part of a name is a valid reference, too, but a registry is unlikely to have such an
        // image.
        let complete = self.typed.iter().find(|word| word.contains([':', '/']));
        let reference =
            complete.and_then(|word| Some(image_name::short(&image_name::parse(word).ok()?)));
        let name = reference.as_deref().unwrap_or("REF");
        match self.has_filler {
            true => format!("to ask for an image: sifcache request {name}"),
            false => format!(
                "a job that uses an image with its complete name still runs, and pulls it; \
                 `sifcache misses` shows your admins what jobs did not find, and `sifcache add \
                 {name}` adds it"
            ),
        }
    }
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
    /// The mean likeness of the words to the parts of a name; `None` if a word is like none of
    /// them.
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
    use super::{Known, Missing, Words, repository};
    use std::path::PathBuf;

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
    fn the_message_says_what_was_not_searched() {
        let typed = ["i:1".to_owned()];
        let closed: Vec<PathBuf> = (0..7).map(|number| format!("/s/{number}").into()).collect();
        let none = Missing {
            typed: &typed,
            filtered: 0,
            failed: 0,
            closed: &[],
            has_filler: true,
            similar: &[],
        };
        for (missing, expected) in [
            (none, "no image has 'i:1' in its name\nto ask for an image: sifcache request i:1"),
            (
                Missing { filtered: 1, ..none },
                "no image matches 'i:1' and the filters; 1 image matches 'i:1' alone",
            ),
            (
                Missing { failed: 1, ..none },
                "no image that could be read has 'i:1' in its name\n1 image root could not be \
                 read, and may have such an image",
            ),
            (
                Missing { filtered: 2, failed: 2, closed: &closed[..1], ..none },
                "no image that could be read matches 'i:1' and the filters; 2 images match 'i:1' \
                 alone\n2 image roots could not be read, and may have such an image\nnot \
                 searched: /s/0",
            ),
        ] {
            assert_eq!(missing.message(), expected);
        }
        let many = Missing { failed: 1, closed: &closed, ..none }.message();
        assert!(many.ends_with("/s/4\nnot searched: 2 more directories that you may not read"));
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
