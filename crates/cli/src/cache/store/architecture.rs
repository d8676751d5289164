//! The architecture that an image root serves: this host's, unless the root is declared to be
//! for other nodes.
//!
//! `ROOT/.sifcache/architecture` contains the declared name. Only this command reads it: jobs
//! compare the architecture of an image with that of their node. The declaration belongs to the
//! root and not to plugstack.conf, because plugstack.conf describes the host that reads it, and hosts
//! of any architecture may fill the root.

use crate::cache::store::{STATE, metadata};
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::image::{self, Root, State};
use sifcache_core::sif::{self, host_architecture};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The Go name of an architecture, such as `amd64`.
pub(crate) type Architecture = &'static str;

/// Reads the value of `--arch`.
///
/// # Errors
/// SIF does not define this architecture; the message lists the known ones.
pub(crate) fn parse(text: &str) -> Result<Architecture, String> {
    sif::known_architecture(text)
        .ok_or_else(|| format!("unknown architecture; known: {}", sif::architectures().join(", ")))
}

/// The path of a root's declaration.
pub(crate) fn path(root: &Path) -> PathBuf {
    root.join(STATE).join("architecture")
}

/// The declared architecture of a root, if there is a declaration.
///
/// # Errors
/// The declaration cannot be read or does not name a known architecture.
pub(crate) fn declared(root: &Path) -> Result<Option<Architecture>, String> {
    let path = path(root);
    let bytes = match metadata::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", escape_for_terminal(&path))),
    };
    let text = String::from_utf8_lossy(&bytes);
    match parse(text.trim()) {
        Ok(architecture) => Ok(Some(architecture)),
        Err(error) => {
            let word: String = text.trim().chars().take(20).collect();
            Err(format!("{}: '{}': {error}", escape_for_terminal(&path), word.escape_debug()))
        }
    }
}

/// The architecture that new images of a root must have: `given` by `--arch`, else the declared
/// one, else this host's.
///
/// # Errors
/// The declaration is invalid, or `--arch` contradicts it.
pub(crate) fn wanted(root: &Path, given: Option<Architecture>) -> Result<Architecture, Failure> {
    let declared = declared(root).map_err(Failure::Declaration)?;
    match (given, declared) {
        (Some(given), Some(declared)) if given != declared => {
            Err(Failure::Architecture { given, file: path(root), declared })
        }
        (given, declared) => Ok(given.or(declared).unwrap_or(host_architecture())),
    }
}

/// Checks a candidate as a job on a node of this architecture would.
pub(crate) fn check(root: &Root<'_>, name: &str, architecture: Architecture) -> State {
    let state = root.check(name);
    if architecture == host_architecture() {
        return state;
    }
    match state {
        State::Image => State::WrongArchitecture(host_architecture()),
        // The root's own check stopped at the architecture, so the content is still unchecked.
        State::WrongArchitecture(actual) if actual == architecture => {
            content(&root.join(name), architecture).err().unwrap_or(State::Image)
        }
        state => state,
    }
}

fn content(path: &Path, architecture: Architecture) -> Result<(), State> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    image::inspect_for(&mut file, size, architecture).map(drop)
}

/// Describes a state in a message, for a root of this architecture.
pub(crate) fn describe(state: &State, architecture: Architecture) -> String {
    match state {
        State::WrongArchitecture(actual) => {
            let actual = sif::architecture_in_words(actual);
            format!("for {actual}, this image root is for {architecture}")
        }
        state => state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, declared, path, wanted};
    use sif_fixture::{Object, Sif, file_system};
    use sifcache_core::image::{Root, State};
    use sifcache_core::settings::Untrusted;
    use sifcache_core::sif::host_architecture;
    use std::fs;

    #[test]
    fn the_architecture_of_a_root() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(declared(root), Ok(None));
        assert_eq!(wanted(root, None).unwrap(), host_architecture());
        assert_eq!(wanted(root, Some("s390x")).unwrap(), "s390x");
        fs::create_dir(root.join(".sifcache")).unwrap();
        fs::write(path(root), "s390x\r\n").unwrap();
        assert_eq!(declared(root), Ok(Some("s390x")));
        assert_eq!(wanted(root, None).unwrap(), "s390x");
        let error = wanted(root, Some("riscv64")).unwrap_err().to_string();
        assert!(error.starts_with("--arch riscv64: ") && error.ends_with("for s390x"), "{error}");
        for wrong in ["", "aarch64", "s390x riscv64", "\u{1b}[2J"] {
            fs::write(path(root), wrong).unwrap();
            let error = wanted(root, None).unwrap_err().to_string();
            assert!(error.contains("unknown architecture; known: 386, amd64"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn images_are_checked_as_on_a_node_of_the_architecture() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, sif: Sif| sif.write(directory.path().join(name)).unwrap();
        write("own", Sif::image_of(72));
        write("other", Sif::image_of(72).architecture("s390x"));
        write("cut", Sif::image_of(72).architecture("s390x").without_last(35));
        let root = Root::enter(directory.path(), Untrusted::Accept);
        assert_eq!(check(&root, "own", host_architecture()), State::Image);
        assert_eq!(check(&root, "other", host_architecture()), State::WrongArchitecture("s390x"));
        assert_eq!(check(&root, "other", "s390x"), State::Image);
        assert_eq!(check(&root, "own", "s390x"), State::WrongArchitecture(host_architecture()));
        assert_eq!(check(&root, "other", "riscv64"), State::WrongArchitecture("s390x"));
        assert_eq!(check(&root, "cut", "s390x"), State::Truncated { size: 750, needed: 785 });
        assert_eq!(check(&root, "none", "s390x"), State::Absent);
        // Every state that depends on the content is the same as on a node of that architecture.
        let of = |object: Object| Sif::empty().architecture("s390x").with(object);
        write("encrypted", of(Object::root_file_system(file_system::GOCRYPTFS_SQUASHFS, [0])));
        write("data", of(Object::generic([0])));
        write("oci", of(Object::oci_index()));
        write("raw", of(Object::root_file_system(file_system::RAW, [0])));
        let partition = Object::root_file_system(file_system::EXT3, [0]);
        write("mixed", of(partition.clone().architecture("riscv64")));
        write("header", Sif::empty().with(partition.architecture("s390x")));
        assert_eq!(check(&root, "encrypted", "s390x"), State::Encrypted);
        assert_eq!(check(&root, "data", "s390x"), State::NoRootFileSystem);
        assert_eq!(check(&root, "oci", "s390x"), State::OciSif);
        assert_eq!(check(&root, "raw", "s390x"), State::UnknownFileSystem(file_system::RAW));
        assert_eq!(check(&root, "mixed", "s390x"), State::WrongArchitecture("riscv64"));
        let own = State::WrongArchitecture(host_architecture());
        assert_eq!(check(&root, "header", "s390x"), own, "by its header");
    }
}
