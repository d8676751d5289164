//! The words of `sifcache list WORD…`: parts of the name of an image.

use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;

/// The suffix that `singularity pull` and users append to the name of a file.
const SUFFIX: &str = ".sif";
/// The tag of a reference without one.
const LATEST: &str = ":latest";
/// The start of a digest.
const DIGEST: &str = "sha256:";
/// Prefixes of docker references that users may type, and that file names usually lack.
const USUAL: [&str; 2] = ["docker.io/library/", "docker.io/"];

/// Words in lower case, all of which the name of an image has to contain.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    words: Vec<String>,
    /// Whether a word is part of a digest.
    with_digest: bool,
}

impl Words {
    pub(super) fn new(words: &[String]) -> Self {
        let words: Vec<String> = words.iter().map(|word| as_in_names(word)).collect();
        let with_digest = words.iter().any(|word| word.contains(DIGEST));
        Self { words, with_digest }
    }

    /// Whether there are no words, so that all images are listed.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// Whether the name of a file contains all words.
    pub(super) fn are_in(&self, name: &str) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let text = self.searched(name);
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    /// The part of a file name that words are compared with: the digits of a digest would contain
    /// most short words.
    fn searched(&self, name: &str) -> String {
        let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
        let mut text = match stem.split_once('@') {
            Some((repository, _)) if !self.with_digest => repository.to_ascii_lowercase(),
            _ => stem.to_ascii_lowercase(),
        };
        let last = stem.rsplit('/').next().unwrap_or(stem);
        if !last.contains([':', '@']) {
            text.push_str(LATEST);
        }
        text
    }
}

/// A word as it is in file names.
fn as_in_names(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    let word = word.strip_suffix(SUFFIX).unwrap_or(&word);
    let named = Transport::ALL.iter().find_map(|one| Some((*one, one.name_in(word)?)));
    let (transport, name) = named.unwrap_or((Transport::Docker, word));
    match transport.directory() {
        Some(directory) => format!("{directory}/{name}"),
        None => complete(name).unwrap_or_else(|| {
            USUAL.iter().find_map(|usual| name.strip_prefix(usual)).unwrap_or(name).to_owned()
        }),
    }
}

/// A reference of docker as it is in file names, whatever form it is typed in; without a tag if
/// none was typed. `None` if the word is not a reference.
fn complete(name: &str) -> Option<String> {
    let reference = Reference::parse_for(Transport::Docker, name.as_bytes()).ok()?;
    let repository = reference.short_repository();
    if let Some(digest) = reference.digest() {
        return Some(format!("{repository}@{digest}"));
    }
    let tag = reference.tag().map(|tag| format!(":{tag}"));
    let typed = tag.filter(|tag| name.ends_with(tag.as_str())).unwrap_or_default();
    Some(repository + &typed)
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn all_words_have_to_be_in_one_name() {
        let digest = format!("o/i@sha256:{}", "0f".repeat(32));
        for (words, name, expected) in [
            (&["pytorch"][..], "pytorch/pytorch:2.4.0-cuda12.1", true),
            (&["PyTorch", "CUDA12"], "pytorch/pytorch:2.4.0-cuda12.1", true),
            (&["pytorch", "rocm"], "pytorch/pytorch:2.4.0-cuda12.1", false),
            (&["gpu"], "o/i:GPU.sif", true),
            (&["docker://o/i:1"], "o/i:1", true),
            (&["docker.io/library/ubuntu"], "ubuntu:22.04", true),
            (&["docker://docker.io/o/i"], "docker.io/o/i:1", true),
            (&["library/alpine:3.20"], "alpine:3.20", true),
            (&["docker://library/alpine:3.20"], "alpine:3.20.sif", true),
            (&["index.docker.io/o/i:1"], "o/i:1", true),
            (&["docker://index.docker.io/library/alpine:3.20"], "alpine:3.20", true),
            (&["library/alpine:3.20"], "docker.io/library/alpine:3.20", true),
            (&["library/alpine"], "alpine:3.20", true),
            (&["library/alpine:3.20"], "alpine:3.19", false),
            (&["docker://index.docker.io/o/i:1"], "quay.io/p/i:1", false),
            (&["o/library/i"], "library/i:1", false),
            (&[&format!("index.docker.io/{}", digest.replace('@', ":1@"))], &digest, true),
            (&["ubuntu:latest"], "ubuntu", true),
            (&["ubuntu:latest"], "ubuntu.sif", true),
            (&["latest"], "localhost:5000/ubuntu", true),
            (&["latest"], "ubuntu:22.04", false),
            (&["oras://ghcr.io"], "_oras/ghcr.io/o/i:1", true),
            (&["https://h.io/i.sif"], "_https/h.io/i.sif", true),
            (&["ubuntu.sif"], "ubuntu:22.04.sif", true),
            // Words are not searched in the digits of a digest.
            (&["0f0f"], &digest, false),
            (&["i@sha256:0f0f"], &digest, true),
            (&["sha256:1"], &digest, false),
            (&[], "o/i:1", true),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(Words::new(&words).are_in(name), expected, "{words:?} {name}");
        }
    }
}
