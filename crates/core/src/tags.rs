//! The tags of a repository that are available under the image roots, for the message about a
//! miss.

use crate::candidate;
use crate::image::{Root, State};
use crate::reference::{Reference, is_tag};
use crate::settings::Untrusted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The maximum number of tags that a message shows.
const MAX_SHOWN: usize = 8;
/// The maximum number of tags that are checked for a valid image.
const MAX_CHECKED: usize = 256;
/// The maximum number of entries that are read from a directory, so that a huge directory takes no
/// more than a fraction of a second.
const MAX_ENTRIES: usize = 20_000;

/// Tags of one repository under the image roots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// The first tags that are valid images. The tag most similar to the requested one comes first.
    pub shown: Vec<String>,
    /// The number of further file names that look like tags; these files were not checked.
    pub more: usize,
}

/// Finds tags of the repository of `reference` under the image roots `roots`.
#[must_use]
pub fn similar(reference: &Reference, roots: &[PathBuf], untrusted: Untrusted) -> Tags {
    let wanted = reference.tag().unwrap_or_default();
    let mut tags: Vec<String> = roots
        .iter()
        .flat_map(|root| {
            candidate::repositories(reference).into_iter().flat_map(|stem| listed(root, &stem))
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    tags.sort_by_key(|tag| std::cmp::Reverse(common_prefix(tag, wanted)));
    let roots: Vec<Root<'_>> = roots.iter().map(|root| Root::enter(root, untrusted)).collect();
    let (mut shown, mut checked) = (Vec::new(), 0);
    for tag in &tags {
        if shown.len() == MAX_SHOWN || checked == MAX_CHECKED {
            break;
        }
        checked += 1;
        if is_image(&roots, reference, tag) {
            shown.push(tag.clone());
        }
    }
    Tags { shown, more: tags.len() - checked }
}

/// The tags in the file names `STEM:TAG` and `STEM:TAG.sif` of one root.
fn listed(root: &Path, stem: &str) -> Vec<String> {
    let path = root.join(stem);
    let (Some(directory), Some(word)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let tag = |name: &str| -> Option<String> {
        let tag = name.strip_prefix(word.to_str()?)?.strip_prefix(':')?;
        let tag = tag.strip_suffix(".sif").unwrap_or(tag);
        // Only valid tags are shown: another name could contain control characters or imitate a
        // message.
        is_tag(tag).then(|| tag.to_owned())
    };
    entries.take(MAX_ENTRIES).filter_map(|entry| tag(entry.ok()?.file_name().to_str()?)).collect()
}

fn is_image(roots: &[Root<'_>], reference: &Reference, tag: &str) -> bool {
    roots.iter().any(|root| {
        candidate::repositories(reference).iter().any(|stem| {
            ["", ".sif"]
                .iter()
                .any(|suffix| root.check(&format!("{stem}:{tag}{suffix}")) == State::Image)
        })
    })
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::{MAX_SHOWN, Tags, similar};
    use crate::image::tests::{TestRoot, sif};
    use crate::reference::Reference;
    use crate::settings::Untrusted;

    fn tags_of(root: &TestRoot, text: &str) -> Tags {
        let roots = [root.path().to_owned()];
        similar(&Reference::parse(text.as_bytes()).unwrap(), &roots, Untrusted::Refuse)
    }

    #[test]
    fn each_image_is_listed_once_most_similar_first() {
        let Some(root) = TestRoot::new() else { return };
        for name in ["o/i:cuda-11", "o/i:cuda-12.sif", "docker.io/o/i:cpu", "o/i:cuda-12", "o/j:1"]
        {
            root.file(name, &sif());
        }
        root.file("o/i:cut", b"not a SIF file");
        let tags = tags_of(&root, "o/i:cuda-12.1");
        assert_eq!(tags.shown, ["cuda-12", "cuda-11", "cpu"]);
        assert_eq!(tags.more, 0);
        assert_eq!(tags_of(&root, "ubuntu"), Tags::default());
    }

    #[test]
    fn names_that_are_not_valid_tags_are_not_shown() {
        let Some(root) = TestRoot::new() else { return };
        for name in ["word:\x1b[31mred", "word:a\nsifcache: run something", "word:", "word:.sif"] {
            root.file(name, &sif());
        }
        assert_eq!(tags_of(&root, "word"), Tags::default());
    }

    #[test]
    fn broken_files_do_not_hide_an_image() {
        let Some(root) = TestRoot::new() else { return };
        for number in 0..40 {
            root.file(&format!("word:1{number}"), b"");
        }
        root.file("word:zz", &sif());
        assert_eq!(tags_of(&root, "word:1"), Tags { shown: vec!["zz".to_owned()], more: 0 });
    }

    #[test]
    fn many_tags_are_counted() {
        let Some(root) = TestRoot::new() else { return };
        for number in 0..100 {
            root.file(&format!("word:{number:02}"), &sif());
        }
        let tags = tags_of(&root, "word:77a");
        assert_eq!(tags.shown.len(), MAX_SHOWN);
        assert_eq!(tags.shown[0], "77");
        assert_eq!(tags.more, 100 - MAX_SHOWN);
    }
}
