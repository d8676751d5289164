//! Images under a name that no launch refers to. `singularity pull` and workflow engines create
//! files called `alpine_3.20.sif` or `quay.io-org-tool-1.img`. Such a name is a valid reference,
//! but not one that users write.

use super::file::File;
use super::finding::{Finding, MISNAMED};
use super::names::Names;
use super::spelling::{ENGINE_SUFFIXES, has_tag, is_suspicious, stem};
use crate::cache::image_name;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::image::State;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::{DEFAULT_TAG, Reference};
use std::path::Path;

/// The finding for an image that has a reference which no launch is likely to use.
pub(crate) fn judge(file: &File, names: &Names<'_>) -> Option<Finding> {
    let name = file.name().to_str().filter(|name| is_suspicious(name))?;
    let reference = file.reference().filter(|_| *file.state() == State::Image)?;
    match file.origin() {
        Some(origin) => with_origin(file, name, &reference, &origin.reference, names),
        None => without_origin(file, name),
    }
}

fn with_origin(
    file: &File,
    name: &str,
    reference: &Reference,
    origin: &Reference,
    names: &Names<'_>,
) -> Option<Finding> {
    let proper = image_name::short(origin);
    let is_pulled = looks_pulled(stem(name), origin);
    if image_name::short(reference) == proper {
        return None;
    }
    if !is_pulled && !is_engine_name(name) {
        return other_tag(file, name, origin);
    }
    let shown = escape_for_terminal(Path::new(&proper));
    let uri = Transport::Docker.uri(&shown);
    let what = format!("made from {uri}, but no launch of that URI finds it under this name");
    // The same file also has the proper name.
    if names.is_same_file(file, origin) {
        return None;
    }
    // With a tag, it may be a short name that the site has chosen.
    if has_tag(stem(name)) {
        let advice = format!("if you did not choose this name, rename it to {shown}");
        return Some(Finding::note(MISNAMED, file.path(), what, advice));
    }
    let advice = names.advice(&proper);
    let finding = Finding::problem(MISNAMED, file.path(), what, &*advice.text);
    let finding = finding.with_fix(names.fix(file, &advice));
    Some(Finding { is_problem: !advice.is_there, ..finding })
}

/// The finding for a file that is named as a pull of another tag of its repository. If the runtime
/// has an image in its own cache, each pull of the same digest gets that file, which names only the
/// reference of the first pull.
fn other_tag(file: &File, name: &str, origin: &Reference) -> Option<Finding> {
    let last = origin.repository().rsplit('/').next()?;
    let tag = stem(name).strip_prefix(last)?.strip_prefix('_')?;
    let guess = image_name::reference(&format!("{}:{tag}", origin.full_repository()))?;
    let [guess, origin] = [&guess, origin].map(image_name::short);
    let [found, source] = [&guess, &origin].map(|name| Transport::Docker.uri(name));
    let what =
        format!("named as a pull of {found}, but made from {source}, which had the same digest");
    let advice = format!("if it was pulled from {found}, rename it to {guess}");
    Some(Finding::note(MISNAMED, file.path(), what, advice))
}

fn without_origin(file: &File, name: &str) -> Option<Finding> {
    if has_tag(stem(name)) {
        return None;
    }
    if is_engine_name(name) {
        let what = "named by a workflow engine, and no launch that users write finds it";
        let advice = "rename it to NAME:TAG, as its reference is written";
        return Some(Finding::problem(MISNAMED, file.path(), what, advice));
    }
    let (repository, tag) = name.strip_suffix(".sif")?.split_once('_')?;
    let guess = image_name::reference(&format!("{repository}:{tag}"))?;
    let looks_like_tag = tag == DEFAULT_TAG || tag.starts_with(|c: char| c.is_ascii_digit());
    (looks_like_tag && !name.contains('/')).then(|| {
        let guess = image_name::short(&guess);
        let [found, source] = ["NAME_TAG", &guess].map(|name| Transport::Docker.uri(name));
        let what = format!("named as `singularity pull` names files: only {found} finds it");
        let advice = format!("if it was pulled from {source}, rename it to {guess}");
        Finding::note(MISNAMED, file.path(), what, advice)
    })
}

/// Whether the name has a suffix of a workflow engine, or is the hash of a reference.
fn is_engine_name(name: &str) -> bool {
    let last = stem(name).rsplit('/').next().unwrap_or_default();
    let is_hash = matches!(last.len(), 32 | 40 | 64) && last.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash || ENGINE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Whether a name results from this reference when its separators are replaced.
fn looks_pulled(stem: &str, origin: &Reference) -> bool {
    let repository = origin.repository();
    let last = repository.rsplit('/').next().unwrap_or_default();
    let full = origin.full_repository();
    let ends = match (origin.digest(), origin.tag()) {
        (Some(digest), _) => vec![letters(digest)],
        (None, Some(DEFAULT_TAG)) => vec![letters(DEFAULT_TAG), String::new()],
        (None, tag) => vec![letters(tag.unwrap_or_default())],
    };
    let name = letters(stem.rsplit('/').next().unwrap_or_default());
    let name = name.strip_prefix("docker").unwrap_or(&name);
    let repositories = [last, repository, &full, &origin.short_repository()].map(letters);
    repositories.iter().any(|repository| {
        let repository = repository.strip_prefix("docker").unwrap_or(repository);
        ends.iter().any(|end| name.strip_prefix(repository) == Some(end))
    })
}

/// The letters and digits of a text, in lower case.
fn letters(text: &str) -> String {
    let all = text.chars().filter(char::is_ascii_alphanumeric);
    all.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::{is_engine_name, is_suspicious, looks_pulled, stem};
    use sifcache_core::reference::Reference;

    #[test]
    fn names_given_by_pulls_and_engines_are_recognized() {
        let samtools = "quay.io/biocontainers/samtools:1.19.2--h50ea8bc_0";
        let pinned = format!("alpine@sha256:{}", "0f".repeat(32));
        for (name, origin) in [
            ("alpine_3.20.sif", "alpine:3.20"),
            ("alpine_latest.sif", "alpine"),
            ("ubuntu-22.04.img", "docker.io/library/ubuntu:22.04"),
            ("docker___ubuntu_22.04.sif", "ubuntu:22.04"),
            ("docker.io_library_ubuntu_22.04.sif", "ubuntu:22.04"),
            ("environments_cpu.sif", "determinedai/environments:cpu"),
            ("determinedai-environments-cpu.img", "determinedai/environments:cpu"),
            ("quay.io-biocontainers-samtools-1.19.2--h50ea8bc_0.img", samtools),
            ("quay.io_biocontainers_samtools:1.19.2--h50ea8bc_0.sif", samtools),
            ("samtools:1.19.2--h50ea8bc_0", samtools),
            ("singularity/mulled/samtools_1.19.2--h50ea8bc_0", samtools),
            ("127.0.0.1-5000-o-i-1.img", "127.0.0.1:5000/o/i:1"),
            (&format!("alpine_sha256.{}.sif", "0f".repeat(32)), &pinned),
        ] {
            let origin = Reference::parse(origin.as_bytes()).unwrap();
            assert!(looks_pulled(stem(name), &origin), "{name}");
            assert!(is_suspicious(name), "{name}");
        }
        let origin = Reference::parse(samtools.as_bytes()).unwrap();
        assert!(!is_suspicious("_https/h.io/alpine_3.20.sif"));
        for name in ["samtools", "tool:1.19.2--h50ea8bc_0", "mysamtools_1.19.2--h50ea8bc_0.sif"] {
            assert!(!looks_pulled(stem(name), &origin), "{name}");
        }
        assert!(is_engine_name("0123456789abcdef0123456789abcdef.simg"));
        assert!(is_engine_name("0123456789abcdef0123456789abcdef"));
        assert!(!is_engine_name("deadbeef") && !is_engine_name("alpine_3.20.sif"));
        assert!(!is_suspicious("o/i:1") && !is_suspicious(&pinned));
    }
}
