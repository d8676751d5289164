//! Images in the roots that other tools fill. Their file names contain only a part of the
//! reference, so each image is looked up as a job would.

use super::entry::Listed;
use super::words::Words;
use crate::cache::image_name;
use crate::cache::lookup;
use crate::cache::store::scan::Image;
use sifcache_core::image;
use sifcache_core::layout::{ForeignRoot, Layout, galaxy_reference};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The maximum number of files of a root that are examined. A search with more results is too wide
/// for its user as well.
const MAX_FILES: usize = 1000;
/// The characters that file names of these layouts may have in the place of others.
const REPLACED: [char; 4] = ['/', ':', '-', '_'];

/// The names of the files that may hold an image whose reference contains the words.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn names(
    root: &ForeignRoot,
    words: &Words,
    progress: &dyn Fn(),
) -> io::Result<Vec<String>> {
    let may_fit = |name: &str| match root.layout {
        Layout::Galaxy => {
            galaxy_reference(name).is_some_and(|one| words.are_in(&image_name::file(&one)))
        }
        Layout::Nextflow | Layout::Pulls | Layout::Shpc => has_parts(name, words),
    };
    let mut names = match root.layout {
        Layout::Shpc => below(&root.path, 8, progress)?,
        Layout::Galaxy | Layout::Nextflow | Layout::Pulls => below(&root.path, 1, progress)?,
    };
    names.retain(|name| may_fit(name));
    names.truncate(MAX_FILES);
    Ok(names)
}

/// The names of the files in a directory and, up to this depth, below it.
fn below(directory: &Path, depth: usize, progress: &dyn Fn()) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)?.flatten() {
        progress();
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match (is_directory, depth) {
            (false, _) => all.push(name),
            (true, 2..) => {
                let inner = below(&entry.path(), depth - 1, progress).unwrap_or_default();
                all.extend(inner.into_iter().map(|inner| format!("{name}/{inner}")));
            }
            (true, _) => {}
        }
    }
    Ok(all)
}

/// Whether a file name contains the parts of all words. The registry and the organization may be
/// missing in it, so the last component of each word is enough.
fn has_parts(name: &str, words: &Words) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace(REPLACED, "-");
    let name = plain(name);
    words.iter().all(|word| name.contains(&plain(word.rsplit('/').next().unwrap_or(word))))
}

/// The reference with which a job of the caller would use this file, unless another image root has
/// an image of the same reference. Other roots are not searched, because they may not answer.
pub(super) fn reference(
    root: &Listed,
    layout: Layout,
    image: &Image,
    settings: &Settings,
) -> Option<Reference> {
    let name = image.names.first()?;
    let path = root.path.join(name);
    let reference = match layout {
        Layout::Galaxy => galaxy_reference(name)?,
        Layout::Nextflow | Layout::Pulls => image::recorded_origin(&File::open(&path).ok()?)?,
        Layout::Shpc => {
            let (repository, tag) = name.rsplit_once('/')?.0.rsplit_once('/')?;
            image_name::parse(&format!("{repository}:{tag}")).ok()?
        }
    };
    let own_before = 0;
    let only = ForeignRoot { path: root.path.clone(), layout, own_before };
    let settings =
        Settings { image_roots: Vec::new(), foreign_roots: vec![only], ..settings.clone() };
    (lookup::find(&settings, &reference)? == path).then_some(reference)
}

#[cfg(test)]
mod tests {
    use super::{Words, has_parts};

    #[test]
    fn names_of_other_tools_lack_a_part_of_the_reference() {
        let words = |all: &[&str]| {
            Words::new(&all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        for (name, all, expected) in [
            ("o-i-1.img", &["o/i:1"][..], true),
            ("i_1.sif", &["o/i:1"], true),
            ("i_1.sif", &["I"], true),
            ("i_1.sif", &["i:2"], false),
            ("quay.io-o-samtools-1.17.img", &["samtools", "1.17"], true),
            ("quay.io-o-samtools-1.17.img", &["samtools", "bwa"], false),
        ] {
            assert_eq!(has_parts(name, &words(all)), expected, "{name} {all:?}");
        }
    }
}
