//! Determines which file jobs find if there are several files for one reference.

use super::file::File;
use super::finding::{Finding, SHADOWED, TWO_FILES};
use crate::cache::image_name;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::candidate;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::{DEFAULT_REGISTRY, DEFAULT_TAG, Reference};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU64;
use std::path::Path;

/// Sets for each file the spellings of the reference that lead to it, and returns findings about
/// duplicates.
pub(crate) fn judge(files: &mut [File], roots: usize) -> Vec<Finding> {
    let (alone, groups) = groups(files);
    let mut findings = Vec::new();
    let mut found_as: Vec<(usize, Vec<String>)> = Vec::new();
    for group in groups.values() {
        let members = group.iter().filter_map(|index| files.get(*index)).collect();
        let duplicates = Duplicates::new(members, files, roots);
        findings.extend(duplicates.findings());
        let all = duplicates.files.iter().map(|file| duplicates.found_as(file));
        found_as.extend(group.iter().copied().zip(all));
    }
    for index in alone {
        let file = usize::try_from(index).ok().and_then(|index| files.get_mut(index));
        file.into_iter().for_each(|file| file.is_found = true);
    }
    for (index, found_as) in found_as {
        if let Some(file) = files.get_mut(index) {
            file.rare.get_or_insert_default().found_as = found_as;
        }
    }
    findings
}

/// Splits the usable files in two: those that are the only file of their reference and have a
/// universal name, which are nearly all, and the others, grouped by reference.
fn groups(files: &[File]) -> (Vec<u32>, BTreeMap<String, Vec<usize>>) {
    let file = |index: u32| files.get(usize::try_from(index).ok()?);
    let key = |index: u32| file(index).filter(|file| file.is_usable()).and_then(|file| file.key);
    let (mut alone, mut groups) = (Vec::new(), BTreeMap::<String, Vec<usize>>::new());
    each_key(u32::try_from(files.len()).unwrap_or(u32::MAX), &key, &mut |same| match same {
        [index] if file(*index).is_some_and(|file| file.is_universal) => alone.push(*index),
        _ => same.iter().for_each(|index| {
            let reference = file(*index).and_then(File::reference);
            let name = reference.map(|reference| reference.to_string());
            let group = groups.entry(name.unwrap_or_default()).or_default();
            group.extend(usize::try_from(*index));
        }),
    });
    (alone, groups)
}

/// Calls `take` once for each key, with the numbers below `count` that have this key, in ascending
/// order.
fn each_key(count: u32, key: &dyn Fn(u32) -> Option<NonZeroU64>, take: &mut dyn FnMut(&[u32])) {
    // There can be hundreds of thousands of files, so only half of each key is kept in memory.
    let half = |number: u32| Some((u32::try_from(key(number)?.get() >> 32).ok()?, number));
    let mut halves: Vec<(u32, u32)> = (0..count).filter_map(half).collect();
    halves.sort_unstable();
    for alike in halves.chunk_by(|one, other| one.0 == other.0) {
        let mut alike: Vec<u32> = alike.iter().map(|(_, number)| *number).collect();
        alike.sort_by_key(|number| key(*number));
        alike.chunk_by(|one, other| key(*one) == key(*other)).for_each(&mut *take);
    }
}

/// The files for one reference, and the file that each spelling of it leads to.
struct Duplicates<'a> {
    files: Vec<&'a File>,
    /// All files of the survey.
    all: &'a [File],
    found: Vec<(String, &'a File)>,
}

impl<'a> Duplicates<'a> {
    fn new(files: Vec<&'a File>, all: &'a [File], roots: usize) -> Self {
        let one: HashSet<_> = files.iter().map(|file| file.identity()).collect();
        let first = files.first().and_then(|file| Some((*file, file.reference()?)));
        let found = match first {
            // There is only one file, and all spellings lead to it.
            Some((file, reference)) if one.len() == 1 && files.iter().any(|f| f.is_universal) => {
                vec![(image_name::short(&reference), file)]
            }
            Some((_, reference)) => found_files(&files, &reference, roots),
            None => Vec::new(),
        };
        Self { files, all, found }
    }

    /// The spellings of the reference that lead to this file. If all of them do, only the short one
    /// is returned.
    fn found_as(&self, file: &File) -> Vec<String> {
        let leads_here = |found: &File| found.identity() == file.identity();
        if self.found.iter().all(|(_, found)| leads_here(found)) {
            return self.found.first().map(|(typed, _)| typed.clone()).into_iter().collect();
        }
        let here = self.found.iter().filter(|(_, found)| leads_here(found));
        here.map(|(typed, _)| typed.clone()).collect()
    }

    fn findings(&self) -> Vec<Finding> {
        let Some((typed, first)) = self.found.first() else { return Vec::new() };
        let mut findings = Vec::new();
        let mut seen: Vec<&File> = vec![first];
        for file in &self.files {
            if !seen.iter().all(|other| differ(file, other, self.all)) {
                continue;
            }
            seen.push(file);
            let found = self.found.iter().find(|(_, found)| found.identity() == file.identity());
            findings.push(match found {
                Some((other_typed, _)) => two_files(first, typed, file, other_typed),
                None => shadowed(first, typed, file),
            });
        }
        findings
    }
}

/// Whether it matters which of two files a job finds. Two files under one root always differ, even
/// with the same content, because replacing one leaves the other unchanged.
fn differ(one: &File, other: &File, all: &[File]) -> bool {
    match one.root == other.root {
        true => one.identity() != other.identity(),
        // If the reference has a digest, the content is the same.
        false => !has_digest(one) && !one.is_same_image(other, all),
    }
}

fn has_digest(file: &File) -> bool {
    file.reference().is_some_and(|reference| reference.digest().is_some())
}

fn two_files(first: &File, typed: &str, file: &File, other_typed: &str) -> Finding {
    let other = escape_for_terminal(first.path());
    let [typed, other_typed] = [typed, other_typed].map(Transport::uri_of);
    let what = format!(
        "one of two files for one image: jobs get {other} for {typed}, and this for {other_typed}"
    );
    Finding::problem(TWO_FILES, file.path(), what, advice(first, file))
}

fn shadowed(first: &File, typed: &str, file: &File) -> Finding {
    let (other, typed) = (escape_for_terminal(first.path()), Transport::uri_of(typed));
    let what = format!("never found: jobs get {other} for {typed}");
    Finding::problem(SHADOWED, file.path(), what, advice(first, file))
}

/// Advice to remove one of two files. If one of their names only matches one spelling of the
/// reference, the remaining file must be renamed to the short name.
fn advice(one: &File, other: &File) -> String {
    match other.reference().filter(|_| !(one.is_universal && other.is_universal)) {
        None => "remove one of them".to_owned(),
        Some(reference) => format!(
            "remove one of them, and rename the other one to {}",
            escape_for_terminal(Path::new(&image_name::file(&reference)))
        ),
    }
}

/// The file that a job finds, for each spelling of the reference.
fn found_files<'a>(files: &[&'a File], one: &Reference, roots: usize) -> Vec<(String, &'a File)> {
    let root = |file: &File| usize::try_from(file.root).ok();
    let named: HashMap<(usize, &str), &'a File> = files
        .iter()
        .filter_map(|file| Some(((root(file)?, file.name().to_str()?), *file)))
        .collect();
    let found = |reference: &Reference| {
        let names = candidate::names(reference);
        (0..roots)
            .flat_map(|root| names.iter().map(move |name| (root, name.as_str())))
            .find_map(|key| named.get(&key).copied())
    };
    let all = equivalents(one).into_iter();
    all.filter_map(|one| Some((printed(&one), found(&one)?))).collect()
}

/// A spelling of a reference, as it is printed.
fn printed(reference: &Reference) -> String {
    match reference.transport() {
        Transport::Docker => reference.typed().to_owned(),
        _ => image_name::short(reference),
    }
}

/// All spellings of a reference, the short one first. Those of transports other than docker have
/// the same file names.
fn equivalents(reference: &Reference) -> Vec<Reference> {
    if reference.transport() != Transport::Docker {
        return vec![reference.clone()];
    }
    let registry = reference.registry();
    let hosts = match registry {
        DEFAULT_REGISTRY => vec![String::new(), "docker.io/".into(), "index.docker.io/".into()],
        other => vec![format!("{other}/")],
    };
    let repository = reference.repository();
    let paths = [repository.strip_prefix("library/").unwrap_or(repository), repository];
    let ends = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => vec![format!("@{digest}")],
        (None, Some(DEFAULT_TAG)) => vec![format!(":{DEFAULT_TAG}"), String::new()],
        (None, tag) => vec![format!(":{}", tag.unwrap_or_default())],
    };
    let mut all: Vec<Reference> = Vec::new();
    for (host, path) in hosts.iter().flat_map(|host| paths.map(|path| (host, path))) {
        for end in &ends {
            let spelled = Reference::parse(format!("{host}{path}{end}").as_bytes());
            all.extend(spelled.ok().filter(|other| is_same(other, reference)));
        }
    }
    all.dedup();
    all
}

fn is_same(one: &Reference, other: &Reference) -> bool {
    (one.registry(), one.repository()) == (other.registry(), other.repository())
}

#[cfg(test)]
mod tests {
    use super::{each_key, equivalents};
    use sifcache_core::reference::Reference;
    use std::num::NonZeroU64;

    fn all(text: &str) -> Vec<String> {
        let reference = Reference::parse(text.as_bytes()).unwrap();
        equivalents(&reference).iter().map(|one| one.typed().to_owned()).collect()
    }

    /// Half of a key does not tell references apart.
    #[test]
    fn keys_that_are_alike_are_told_apart() {
        let keys = [(7, 2), (7, 1), (0, 0), (7, 2), (3, 9), (7, 1), (0, 1), (7, 3), (0, 1)];
        let key = |number: u32| {
            let (upper, lower): (u64, u64) = keys[usize::try_from(number).unwrap()];
            NonZeroU64::new(upper << 32 | lower)
        };
        let mut all = Vec::new();
        each_key(9, &key, &mut |same| all.push(same.to_vec()));
        all.sort();
        assert_eq!(all, [vec![0, 3], vec![1, 5], vec![4], vec![6, 8], vec![7]]);
    }

    #[test]
    fn all_spellings_of_a_reference_are_listed() {
        let expected = [
            "ubuntu:latest",
            "ubuntu",
            "library/ubuntu:latest",
            "library/ubuntu",
            "docker.io/ubuntu:latest",
            "docker.io/ubuntu",
            "docker.io/library/ubuntu:latest",
            "docker.io/library/ubuntu",
            "index.docker.io/ubuntu:latest",
            "index.docker.io/ubuntu",
            "index.docker.io/library/ubuntu:latest",
            "index.docker.io/library/ubuntu",
        ];
        assert_eq!(all("docker.io/ubuntu"), expected);
        assert_eq!(all("quay.io/o/i:1"), ["quay.io/o/i:1"]);
        // Without `docker.io/`, this would be a reference to the registry `quay.io`.
        let expected = ["docker.io/quay.io/o:1", "index.docker.io/quay.io/o:1"];
        assert_eq!(all("docker.io/quay.io/o:1"), expected);
        let pinned = format!("o/i@sha256:{}", "0f".repeat(32));
        assert_eq!(all(&pinned).len(), 3);
    }
}
