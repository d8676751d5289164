//! SIF files: the fields of their descriptors, and the offset of the file system.
//!
//! ```text
//! header      0  launch line 32, magic 10, version 3, architecture 3, ID 16
//!            64  created, modified, descriptors free, total, their offset, their size,
//!                data offset, data size: 8 bytes each
//! descriptor  0  type 4, used 1, ID 4, group 4, linked ID 4
//!            17  offset, size, padded size, created, modified, owner, group: 8 bytes each
//!            73  name 128
//!           201  data that depends on the type 384
//! ```
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/sif.go` and `pkg/sif/descriptor.go`.

use crate::difference::NOW;

const DESCRIPTOR: usize = 585;
/// The type of a partition.
const PARTITION: i64 = 0x4004;

/// An object of a SIF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The type.
    pub kind: i64,
    /// ID, group, and linked ID or group.
    pub ids: [i64; 3],
    /// Bytes from the start of the file, and the length.
    pub place: (usize, usize),
    /// The times of creation and modification.
    pub times: [i64; 2],
    /// User and group.
    pub owner: [i64; 2],
    /// The name.
    pub name: Vec<u8>,
    /// Data that depends on the type.
    pub extra: Vec<u8>,
}

/// The objects of a SIF file; `None` if it is not one.
#[must_use]
pub fn objects(file: &[u8]) -> Option<Vec<Object>> {
    (file.get(32..41)? == b"SIF_MAGIC").then_some(())?;
    let total = usize::try_from(number(file, 88, 8)?).ok()?;
    let start = usize::try_from(number(file, 96, 8)?).ok()?;
    let descriptors = file.get(start..)?.chunks_exact(DESCRIPTOR).take(total);
    descriptors.filter(|one| one.get(4) == Some(&1)).map(object).collect()
}

fn object(descriptor: &[u8]) -> Option<Object> {
    let field = |at, length| number(descriptor, at, length);
    let place = (field(17, 8)?, field(25, 8)?);
    Some(Object {
        kind: field(0, 4)?,
        ids: [field(5, 4)?, field(9, 4)?, field(13, 4)?],
        place: (usize::try_from(place.0).ok()?, usize::try_from(place.1).ok()?),
        times: [field(41, 8)?, field(49, 8)?],
        owner: [field(57, 8)?, field(65, 8)?],
        name: descriptor.get(73..201)?.to_vec(),
        extra: descriptor.get(201..DESCRIPTOR)?.to_vec(),
    })
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<i64> {
    let mut number = [0; 8];
    let from = bytes.get(at..at.checked_add(length)?)?;
    number.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    Some(i64::from_le_bytes(number))
}

/// The offset of the first partition.
#[must_use]
pub fn file_system(file: &[u8]) -> Option<usize> {
    objects(file)?.iter().find(|object| object.kind == PARTITION).map(|object| object.place.0)
}

/// A line for each difference of two files, without those of the file systems and of the IDs.
/// `clean` removes what differs between two builds from the data of the other objects.
#[must_use]
pub fn differences(expected: &[u8], found: &[u8], clean: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<String> {
    let mut lines = Vec::new();
    if expected.get(..48) != found.get(..48) {
        lines.push("launch line, version or architecture".to_owned());
    }
    let (Some(one), Some(other)) = (objects(expected), objects(found)) else {
        return vec!["not a SIF file".to_owned()];
    };
    if one.len() != other.len() {
        lines.push(format!("{} objects, expected {}", other.len(), one.len()));
    }
    for (index, (a, b)) in one.iter().zip(&other).enumerate() {
        let fields = [
            (a.kind == b.kind, "type"),
            (a.ids == b.ids, "IDs"),
            (a.owner == b.owner, "owner"),
            (a.name == b.name, "name"),
            (a.extra == b.extra, "type-specific data"),
            (near(a.times, b.times), "times"),
            (a.kind == PARTITION || clean(data(expected, a)) == clean(data(found, b)), "data"),
            (b.place.0 + b.place.1 <= found.len(), "place"),
        ];
        let wrong = fields.iter().filter(|(equal, _)| !equal);
        lines.extend(wrong.map(|(_, what)| format!("object {index}: {what}")));
    }
    lines
}

fn near(one: [i64; 2], other: [i64; 2]) -> bool {
    one.iter().zip(other).all(|(one, other)| (one - other).abs() < NOW)
}

/// The data of an object; empty if it is not in the file.
#[must_use]
pub fn data<'a>(file: &'a [u8], object: &Object) -> &'a [u8] {
    let (start, length) = object.place;
    start.checked_add(length).and_then(|end| file.get(start..end)).unwrap_or_default()
}
