//! Files that no reference leads to, because of their names.

use super::file::File;
use super::finding::{Finding, NO_REFERENCE, STRAY};
use crate::output::plain;
use crate::spelling;
use sifcache_core::image::State;
use std::path::{Path, PathBuf};

/// What to say of a file that has no reference; `is_there` tells whether a name is taken.
pub(crate) fn judge(file: &File, is_there: &dyn Fn(&str) -> bool) -> Finding {
    let path = &file.path;
    match &file.state {
        State::Image => {
            let what = "a SIF file whose name no reference can spell";
            Finding::problem(NO_REFERENCE, path, what, rename(&file.name, is_there))
        }
        State::Truncated { size, needed } => {
            let what = format!(
                "cut short or still being copied, {size} of {needed} bytes, \
                 and no reference can spell its name"
            );
            let advice =
                format!("if nobody writes it, remove it; else {}", rename(&file.name, is_there));
            Finding::problem(NO_REFERENCE, path, what, advice)
        }
        state @ (State::Failed(_) | State::Unreadable) => Finding::refused(path, state),
        State::Encrypted
        | State::OciSif
        | State::NoRootFileSystem
        | State::BadTable
        | State::UnknownFileSystem(_) => {
            Finding::note(STRAY, path, format!("{}, and no reference leads to it", file.state), "")
        }
        State::DanglingLink => {
            Finding::note(STRAY, path, "a link that leads nowhere, not an image", "")
        }
        _ => Finding::note(STRAY, path, "not an image, and no reference leads to it", ""),
    }
}

fn rename(name: &Path, is_there: &dyn Fn(&str) -> bool) -> String {
    match better(name) {
        Some(name) if is_there(&name) => {
            format!("it looks like a second {}; remove one", plain(Path::new(&name)))
        }
        Some(name) => format!("rename it to {}", plain(Path::new(&name))),
        None => "rename it to NAME:TAG, all lower case".into(),
    }
}

/// The name that a file should have had: lower case, without what was put behind it.
fn better(name: &Path) -> Option<String> {
    let text = name.to_string_lossy();
    let text = text.find(".sif.").map_or(&*text, |end| text.get(..end + 4).unwrap_or(&text));
    let suffix = if text.ends_with(".sif") { ".sif" } else { "" };
    let mut stem = text.strip_suffix(suffix).unwrap_or(text);
    while spelling::is_leftover(stem) {
        stem = stem.rsplit_once('.')?.0;
    }
    let (repository, tag) = match stem.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (stem, None),
    };
    let components: PathBuf =
        repository.to_lowercase().split('/').map(|word| tame(word, "-")).collect();
    let mut better = components.to_str()?.to_owned();
    if let Some(tag) = tag.map(|tag| tame(tag, "_")).filter(|tag| !tag.is_empty()) {
        better = format!("{better}:{tag}");
    }
    better.push_str(suffix);
    spelling::reference(&better).map(|_| better)
}

/// The text with each run of characters that it may not hold made one that it may, and
/// none at its ends.
fn tame(text: &str, instead: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let words = text.split(|c| !legal(c)).map(|word| word.trim_matches(['.', '_', '-']));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(instead)
}

#[cfg(test)]
mod tests {
    use super::better;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    #[test]
    fn the_name_that_it_should_have() {
        for (name, expected) in [
            ("Foo.sif", Some("foo.sif")),
            ("foo.sif.tmp", Some("foo.sif")),
            ("o/foo:1.bak", Some("o/foo:1")),
            ("o/.foo:1.sif.Ab12Cd", Some("o/foo:1.sif")),
            ("o/Foo Bar:RC (copy)", Some("o/foo-bar:RC_copy")),
            ("foo:", Some("foo")),
            ("docker.io/O/I:v1+2", Some("docker.io/o/i:v1_2")),
            ("...", None),
            (".tmp", None),
            ("", None),
        ] {
            assert_eq!(better(Path::new(name)).as_deref(), expected, "{name}");
        }
        let name = Path::new(OsStr::from_bytes(b"o/caf\xe9:1"));
        assert_eq!(better(name).as_deref(), Some("o/caf:1"));
    }
}
