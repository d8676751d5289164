//! Determines the origin of a SIF file from the metadata that the runtime wrote into it.
//!
//! ```text
//! definition file      type 0x4001: `bootstrap: docker`, `from: alpine:3.20`
//! inspect-metadata.json  type 0x4006: the labels; since Apptainer 1.5 these include
//!   org.opencontainers.image.base.name    docker.io/library/alpine:3.20
//!   org.opencontainers.image.base.digest  sha256:…, the digest that the reference pointed to
//! ```
//!
//! The content of a file cannot be trusted: every size is bounded, and the result is used only to
//! propose a name. Images inherit labels from the image that they were built on, so the two
//! labels are used only if Apptainer itself must have written them, and only if they name the same
//! reference as the definition.
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/descriptor.go`, and Apptainer's
//! `internal/pkg/build/metadata.go`.

use serde::Deserialize;
use sifcache_core::image;
use sifcache_core::reference::Reference;
use sifcache_core::sif::definition::pulled;
use sifcache_core::sif::descriptors::{self, DEFINITION, Descriptor, JSON};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The maximum size of a definition in bytes.
const MAX_DEFINITION_SIZE: u64 = 64 << 10;
/// The maximum size of the object with the labels in bytes.
const MAX_METADATA_SIZE: u64 = 1 << 20;

const METADATA: &[u8] = b"inspect-metadata.json";

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
const VERSION: &str = "org.label-schema.usage.apptainer.version";
/// The first Apptainer release that writes both labels, as major and minor version.
const FIRST_WITH_DIGEST: (u32, u32) = (1, 5);

/// The origin of a pulled image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The reference that was pulled.
    pub(crate) reference: Reference,
    /// The digest that the reference pointed to, if the runtime recorded it.
    pub(crate) digest: Option<String>,
}

/// The origin of a SIF file. `None` if the file was built from a definition that has sections, or
/// if the file does not name its origin.
pub(crate) fn origin(path: &Path) -> Option<Origin> {
    let file = open(path)?;
    let table = image::descriptor_table(&file).ok()?;
    let data = |longest, wanted: &dyn Fn(&Descriptor<'_>) -> bool| {
        let object = descriptors::in_use(&table).find(wanted)?;
        read(&file, object, longest)
    };
    let definition = data(MAX_DEFINITION_SIZE, &|object| object.data_type() == DEFINITION);
    let metadata = data(MAX_METADATA_SIZE, &is_metadata);
    let metadata: Option<Metadata> = metadata.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let attributes = metadata.map(|metadata| metadata.data.attributes).unwrap_or_default();
    let definition = match definition {
        Some(bytes) => String::from_utf8(bytes).ok()?,
        None => attributes.deffile?,
    };
    let reference = pulled(&definition)?;
    let digest = reference.digest().map(str::to_owned);
    let digest = digest.or_else(|| recorded_digest(&attributes.labels, &reference));
    Some(Origin { reference, digest })
}

/// The metadata for `inspect` that the runtime wrote into a SIF file. `None` if there is none, or
/// if it is too large.
pub(crate) fn inspect_metadata(file: &File) -> Option<Vec<u8>> {
    let table = image::descriptor_table(file).ok()?;
    read(file, descriptors::in_use(&table).find(is_metadata)?, MAX_METADATA_SIZE)
}

fn is_metadata(object: &Descriptor<'_>) -> bool {
    object.data_type() == JSON && object.name() == METADATA
}

/// The digest from the labels, if the runtime wrote it for this reference.
fn recorded_digest(labels: &HashMap<String, String>, reference: &Reference) -> Option<String> {
    if version(labels.get(VERSION)?)? < FIRST_WITH_DIGEST {
        return None;
    }
    let name = Reference::parse(labels.get(BASE_NAME)?.as_bytes()).ok()?;
    let digest = labels.get(BASE_DIGEST)?;
    let pinned = Reference::parse(format!("x@{digest}").as_bytes()).ok()?;
    (name.to_string() == reference.to_string()).then(|| pinned.digest().map(str::to_owned))?
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize, Default)]
struct Data {
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(default)]
    labels: HashMap<String, String>,
    deffile: Option<String>,
}

/// The data of an object, if it has at most `longest` bytes.
fn read(file: &File, object: Descriptor<'_>, longest: u64) -> Option<Vec<u8>> {
    let (offset, size) = object.place().filter(|(_, size)| *size <= longest)?;
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

fn open(path: &Path) -> Option<File> {
    // Opening must not block on a FIFO.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).ok()?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{BASE_DIGEST, BASE_NAME, Metadata, Origin, VERSION, origin};
    use serde_json::json;
    use sif_fixture::{Object, Sif};
    use std::fs;

    const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    /// The bytes of a SIF file with a definition and labels.
    pub(crate) fn sif(definition: Option<&str>, labels: &[(&str, &str)]) -> Vec<u8> {
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let metadata = json!({"data": {"attributes": {"labels": labels}}}).to_string();
        let definition = definition.map(Object::definition);
        let objects = definition.into_iter().chain([Object::metadata(metadata)]);
        objects.fold(Sif::empty(), Sif::with).unused(2).bytes()
    }

    fn of(bytes: &[u8]) -> Option<Origin> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        origin(file.path())
    }

    fn shown(origin: Option<Origin>) -> Option<(String, Option<String>)> {
        origin.map(|origin| (origin.reference.to_string(), origin.digest))
    }

    const FROM: &str = "bootstrap: docker\nfrom: alpine:3.20\n\n";
    const NAME: &str = "docker.io/library/alpine:3.20";

    #[test]
    fn the_digest_is_read_since_apptainer_1_5() {
        let expected = |digest: Option<&str>| Some((NAME.to_owned(), digest.map(str::to_owned)));
        assert_eq!(shown(of(&sif(Some(FROM), &[(VERSION, "1.4.5")]))), expected(None));
        let labels = [(VERSION, "1.5.0-rc.2"), (BASE_NAME, NAME), (BASE_DIGEST, DIGEST)];
        assert_eq!(shown(of(&sif(Some(FROM), &labels))), expected(Some(DIGEST)));
        assert_eq!(of(&sif(None, &labels)), None, "of what was it built?");
        let pinned = format!("bootstrap: docker\nfrom: alpine@{DIGEST}");
        assert_eq!(of(&sif(Some(&pinned), &[])).unwrap().digest.as_deref(), Some(DIGEST));
    }

    /// Files of pulls with Apptainer 1.5.3: `tests/real/README.md`.
    #[test]
    fn labels_of_a_real_pull() {
        let alpine = "sha256:8ba3efa0f85c4b19921da33af4f4b2e6b378366731cd3023d7ca8df6f87eef17";
        let index = "sha256:10adfeb3ab92ea5181f8c1fd6735bccdff532758e8667ed218d84a850789afe3";
        let multi = "127.0.0.1:5077/library/alpine:multi";
        for (from, metadata, digest) in [
            ("alpine:3.20", include_str!("../../tests/real/apptainer-1.5.3-tag.json"), alpine),
            (multi, include_str!("../../tests/real/apptainer-1.5.3-index.json"), index),
        ] {
            let definition = format!("bootstrap: docker\nfrom: {from}\n\n");
            let objects = [Object::definition(definition), Object::metadata(metadata.to_owned())];
            let file = objects.into_iter().fold(Sif::empty(), Sif::with).unused(2).bytes();
            let found = of(&file).unwrap();
            assert_eq!(found.reference.typed(), from);
            assert_eq!(found.digest.as_deref(), Some(digest));
        }
        // The name in the label of a pull by digest has the digest, too.
        let pinned = include_str!("../../tests/real/apptainer-1.5.3-digest.json");
        let metadata: Metadata = serde_json::from_str(pinned).unwrap();
        let labels = &metadata.data.attributes.labels;
        assert_eq!(labels[BASE_NAME], format!("docker.io/library/alpine@{alpine}"));
        assert_eq!((labels[BASE_DIGEST].as_str(), labels[VERSION].as_str()), (alpine, "1.5.3"));
    }

    /// An image also contains the labels of the image that it was built on.
    #[test]
    fn inherited_labels_are_ignored() {
        for labels in [
            [(VERSION, "1.4.5"), (BASE_NAME, NAME), (BASE_DIGEST, DIGEST)],
            [
                (VERSION, "1.5.3"),
                (BASE_NAME, "docker.io/library/alpine:3.19"),
                (BASE_DIGEST, DIGEST),
            ],
            [(VERSION, "1.5.3"), (BASE_NAME, NAME), (BASE_DIGEST, "sha256:0f")],
            [(VERSION, "unknown"), (BASE_NAME, NAME), (BASE_DIGEST, DIGEST)],
        ] {
            let origin = of(&sif(Some(FROM), &labels)).unwrap();
            assert_eq!(origin.digest, None, "{labels:?}");
        }
    }

    /// With a forged descriptor table, nothing panics and nothing large is read.
    #[test]
    fn forged_descriptor_tables_are_harmless() {
        let good = sif(Some(FROM), &[]);
        let with = |at: usize, value: u64| {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            of(&bytes)
        };
        for value in [u64::MAX, i64::MAX as u64, 1 << 40, 1 << 20] {
            assert_eq!(with(88, value), None);
            assert_eq!(with(96, value), None);
            assert_eq!(with(128 + 17, value), None);
            assert_eq!(with(128 + 25, value), None);
        }
        for length in 0..good.len() {
            let _ = of(&good[..length]);
        }
        assert_eq!(of(b""), None);
        assert_eq!(origin(std::path::Path::new("/")), None);
    }
}
