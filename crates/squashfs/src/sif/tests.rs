use super::*;
use sif_fixture::{HEADER as TABLE, Object as Fixture, Sif as Image, file_system};

/// A file with the objects that the runtime writes, and its bytes.
fn template() -> (tempfile::NamedTempFile, Vec<u8>) {
    let sif = Image::empty()
        .with(Fixture::definition("bootstrap: oci\n").group(1))
        .with(Fixture::metadata("{}").named("inspect-metadata.json").group(1))
        .with(Fixture::root_file_system(file_system::SQUASHFS, vec![7; 5000]).group(1))
        .unused(20);
    let file = tempfile::NamedTempFile::new().unwrap();
    sif.write(file.path()).unwrap();
    (file, sif.bytes())
}

fn written(sif: &Sif, offset: u64, size: u64) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    write_around(file.as_file(), sif, offset, size).unwrap();
    std::fs::read(file.path()).unwrap()
}

fn field(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

#[test]
fn an_unchanged_template_differs_only_by_id_and_places() {
    let (file, old) = template();
    let sif = read(file.as_file()).unwrap();
    let new = written(&sif, sif.partition_offset(), 5000);
    assert_eq!(new.len() as u64, sif.partition_offset() + 5000);
    let places = |descriptor: usize| TABLE + 585 * descriptor + 17..TABLE + 585 * descriptor + 41;
    let may_differ = |at: usize| {
        (48..64).contains(&at)
            || (112..128).contains(&at)
            || (0..3).any(|n| places(n).contains(&at))
    };
    let table_end = usize::try_from(sif.data).unwrap();
    for at in (0..table_end).filter(|at| !may_differ(*at)) {
        assert_eq!(old[at], new[at], "byte {at}");
    }
    assert_ne!(old[48..64], new[48..64]);
    assert_eq!((new[54] >> 4, new[56] >> 6), (4, 2), "a UUID of version 4");
}

#[test]
fn a_longer_text_moves_the_objects_behind_it() {
    let (file, _) = template();
    let mut sif = read(file.as_file()).unwrap();
    let before = sif.partition_offset();
    let text = "bootstrap: docker\n".repeat(1000);
    for object in sif.objects_mut().filter(|object| object.data_type() == 0x4001) {
        object.data = text.clone().into_bytes();
    }
    let offset = sif.partition_offset();
    assert!(offset > before);
    let new = written(&sif, offset, 8192);
    let again = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(again.path(), &new).unwrap();
    let again = read(again.as_file()).unwrap();
    let objects: Vec<_> = again.objects().collect();
    assert_eq!(objects[0].data, text.as_bytes());
    assert_eq!(
        (objects[1].name(), &objects[1].data[..]),
        (&b"inspect-metadata.json"[..], &b"{}"[..])
    );
    assert_eq!(objects[2].place(), Some((offset, 8192)));
    assert!(objects[2].is_primary_partition() && objects[2].data.is_empty());
    let end = objects[1].place().map(|(offset, size)| offset + size).unwrap();
    let padded = field(objects[2].descriptor(), 33);
    assert_eq!(u64::try_from(padded).unwrap(), offset + 8192 - end);
    assert_eq!(field(&new, 112) + field(&new, 120), i64::try_from(new.len()).unwrap());
}

#[test]
fn a_partition_offset_that_is_too_small_or_not_aligned_is_an_error() {
    let (file, _) = template();
    let sif = read(file.as_file()).unwrap();
    let target = tempfile::tempfile().unwrap();
    for offset in [0, sif.partition_offset() - 4096, sif.partition_offset() + 1] {
        let error = write_around(&target, &sif, offset, 4096).unwrap_err();
        assert!(matches!(error, Error::Offset(..)), "{error}");
    }
    assert!(write_around(&target, &sif, u64::MAX - 4095, 8192).is_err());
    assert!(write_around(&target, &sif, 1 << 40, u64::MAX >> 1).is_err());
}

#[test]
fn the_architecture_changes_in_both_places() {
    let (file, _) = template();
    let mut sif = read(file.as_file()).unwrap();
    sif.set_architecture(*b"04");
    let new = written(&sif, sif.partition_offset(), 4096);
    let partition = TABLE + 2 * 585 + 209;
    assert_eq!((&new[45..48], &new[partition..partition + 3]), (&b"04\0"[..], &b"04\0"[..]));
    assert_eq!(sif.architecture(), *b"04");
}

#[test]
fn a_damaged_template_is_an_error() {
    let (_, bytes) = template();
    let changes: [(usize, &[u8]); 6] = [
        (32, b"X"),
        (88, &[0xff; 8]),
        (88, &i64::MAX.to_le_bytes()),
        (104, &0_i64.to_le_bytes()),
        (TABLE + 25, &(1_i64 << 40).to_le_bytes()),
        (TABLE + 2 * 585, &[6]),
    ];
    for (at, change) in changes {
        let mut bytes = bytes.clone();
        bytes[at..at + change.len()].copy_from_slice(change);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        assert!(read(file.as_file()).is_err(), "byte {at}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes[..TABLE]).unwrap();
    assert!(matches!(read(file.as_file()), Err(Error::Read(_))));
}
