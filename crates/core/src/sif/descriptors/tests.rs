use super::{
    DESCRIPTOR, FileSystem, MAX_DESCRIPTORS, Problem, RootFileSystem, Table, has_signature, in_use,
    root_file_system,
};

/// A descriptor in use, as Apptainer writes it.
pub(crate) fn descriptor(data_type: i32, offset: i64, size: i64) -> Vec<u8> {
    let mut bytes = vec![0; DESCRIPTOR];
    bytes[..4].copy_from_slice(&data_type.to_le_bytes());
    bytes[4] = 1;
    bytes[17..25].copy_from_slice(&offset.to_le_bytes());
    bytes[25..33].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// The descriptor of a partition with these codes for its file system and its type.
pub(crate) fn partition(
    (file_system, kind): (i32, i32),
    architecture: &[u8; 2],
    (offset, size): (i64, i64),
) -> Vec<u8> {
    let mut bytes = descriptor(0x4004, offset, size);
    bytes[201..205].copy_from_slice(&file_system.to_le_bytes());
    bytes[205..209].copy_from_slice(&kind.to_le_bytes());
    bytes[209..211].copy_from_slice(architecture);
    bytes
}

fn primary(file_system: i32) -> Vec<u8> {
    partition((file_system, 2), b"02", (36864, 4096))
}

fn deleted() -> Vec<u8> {
    vec![0; DESCRIPTOR]
}

fn definition() -> Vec<u8> {
    descriptor(0x4001, 32176, 37)
}

fn squashfs() -> RootFileSystem {
    let file_system = FileSystem::Squashfs;
    RootFileSystem { file_system, architecture: "amd64", offset: 36864, size: 4096 }
}

#[test]
fn tables_of_valid_images() {
    let expected = Ok(squashfs());
    let json = descriptor(0x4006, 32213, 3971);
    let overlay = partition((2, 4), b"02", (40960, 8));
    let signature = descriptor(0x4005, 40960, 1722);
    for (table, what) in [
        (vec![definition(), json.clone(), json, primary(1), deleted()], "as apptainer pull"),
        (vec![primary(1)], "nothing else"),
        (vec![definition(), primary(1), overlay.clone()], "an embedded overlay"),
        (vec![overlay, primary(1)], "an overlay in front"),
        (vec![primary(1), signature], "signed"),
        (vec![deleted(), deleted(), primary(1)], "after deleted ones"),
        (vec![primary(1), vec![0xff; DESCRIPTOR - 1]], "followed by an incomplete descriptor"),
    ] {
        assert_eq!(root_file_system(&table.concat()), expected, "{what}");
    }
    let ext3 = RootFileSystem { file_system: FileSystem::Ext3, ..squashfs() };
    assert_eq!(root_file_system(&primary(2)), Ok(ext3));
    let mut used = primary(1);
    used[4] = 2;
    assert_eq!(root_file_system(&used), expected, "any byte except 0 means in use");
    used[209..212].copy_from_slice(b"99\0");
    assert_eq!(root_file_system(&used).unwrap().architecture, "unknown");
}

#[test]
fn tables_without_exactly_one_root_file_system() {
    let mut unused = primary(1);
    unused[4] = 0;
    for (table, what) in [
        (vec![], "empty"),
        (vec![deleted()], "all deleted"),
        (vec![unused], "not in use"),
        (vec![descriptor(0x4007, 32176, 3)], "data"),
        (vec![partition((2, 4), b"02", (32768, 8))], "an overlay"),
        (vec![partition((1, 3), b"02", (32768, 8))], "a data partition"),
        (vec![partition((1, 1), b"02", (32768, 8))], "a system partition that is not primary"),
        (vec![primary(1), primary(1)], "two"),
        (vec![primary(1), primary(5)], "two, one encrypted"),
        (vec![primary(1)[..DESCRIPTOR - 1].to_vec()], "cut"),
    ] {
        let found = root_file_system(&table.concat());
        assert_eq!(found, Err(Problem::NoRootFileSystem), "{what}");
    }
    // For other data types, the bytes at the offsets of the partition codes have no meaning.
    let mut labels = primary(5);
    labels[..4].copy_from_slice(&0x4003_i32.to_le_bytes());
    assert_eq!(root_file_system(&labels), Err(Problem::NoRootFileSystem));
}

#[test]
fn root_file_systems_that_the_runtime_cannot_mount() {
    for code in [5, 6] {
        assert_eq!(root_file_system(&primary(code)), Err(Problem::Encrypted), "{code}");
    }
    for code in [0, 3, 4, 7, -1, i32::MIN] {
        assert_eq!(root_file_system(&primary(code)), Err(Problem::FileSystem(code)), "{code}");
    }
}

#[test]
fn oci_images() {
    let (index, blob) = (descriptor(0x400a, 0, 1), descriptor(0x400b, 0, 1));
    assert_eq!(root_file_system(&[blob.clone(), index].concat()), Err(Problem::Oci));
    assert_eq!(root_file_system(&blob), Err(Problem::Oci));
    let both = [blob, primary(1)].concat();
    assert_eq!(root_file_system(&both), Ok(squashfs()), "a partition that can be started");
}

#[test]
fn offsets_and_sizes_out_of_range() {
    for place in [(-1, 5), (0, -1), (0, 0), (i64::MIN, i64::MAX)] {
        let found = root_file_system(&partition((1, 2), b"02", place));
        assert_eq!(found, Err(Problem::BadTable), "{place:?}");
    }
    let far = root_file_system(&partition((1, 2), b"02", (i64::MAX, i64::MAX))).unwrap();
    assert_eq!(far.end(), u64::MAX - 1);
}

#[test]
fn objects() {
    let mut named = descriptor(0x4006, 32213, 3971);
    named[73..78].copy_from_slice(b"ab\0cd");
    let mut long = descriptor(0x4001, -1, 5);
    long[73..201].fill(b'n');
    let table = [named, deleted(), long, descriptor(7, i64::MAX, i64::MAX)].concat();
    let found: Vec<_> =
        in_use(&table).map(|one| (one.data_type(), one.place(), one.name().len())).collect();
    let far = Some((i64::MAX as u64, i64::MAX as u64));
    assert_eq!(found, [(0x4006, Some((32213, 3971)), 2), (0x4001, None, 128), (7, far, 0)]);
    assert!(in_use(&table).any(|one| one.name() == b"ab"));
}

#[test]
fn signatures() {
    let signature = descriptor(0x4005, 40960, 1722);
    assert!(has_signature(&[primary(1), signature.clone()].concat()));
    let mut unused = signature;
    unused[4] = 0;
    assert!(!has_signature(&[primary(1), unused].concat()));
    assert!(!has_signature(&[]));
}

#[test]
fn the_descriptors_in_use_are_complete() {
    let start = [primary(1), vec![0; DESCRIPTOR], descriptor(0x4005, 40960, 1722)].concat();
    let is_complete = |used| Table { offset: 0, count: 48, used, size: 28080 }.is_complete(&start);
    for (used, expected) in
        [(Some(1), true), (Some(2), true), (Some(3), false), (Some(0), false), (None, false)]
    {
        assert_eq!(is_complete(used), expected, "{used:?}");
    }
}

#[test]
fn tables() {
    let range = |offset, count, size| Table { offset, count, used: None, size }.range();
    assert_eq!(range(4096, 48, 28080), Ok((4096, 28080)));
    assert_eq!(range(4096, 48, 1 << 40), Ok((4096, 28080)), "the runtime reads no more than this");
    assert_eq!(range(0, 0, 0), Ok((0, 0)));
    assert_eq!(range(5, MAX_DESCRIPTORS, u64::MAX), Ok((5, 599_040)));
    for (offset, count, size) in [
        (4096, 48, 28079),
        (4096, 49, 28080),
        (4096, MAX_DESCRIPTORS + 1, u64::MAX),
        (4096, u64::MAX, u64::MAX),
        (u64::MAX, 1, 585),
    ] {
        assert_eq!(range(offset, count, size), Err(Problem::BadTable), "{offset} {count} {size}");
    }
}
