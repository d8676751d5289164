use super::{DESCRIPTOR, HEADER, Object, Sif, file_system, host_architecture, other_architecture};

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn an_image() {
    let bytes = Sif::image_of(87).id(7).bytes();
    assert_eq!(bytes.len(), 800);
    assert_eq!(&bytes[..45], b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\x0001\0");
    assert_eq!(bytes[48], 7);
    let table: Vec<u64> = (80..HEADER).step_by(8).map(|at| number(&bytes, at)).collect();
    assert_eq!(table, [0, 1, 128, 585, 713, 87], "free, total, offset, size, data, its size");
    assert_eq!((number(&bytes, HEADER + 17), number(&bytes, HEADER + 25)), (713, 87));
    assert_eq!(bytes[45..48], bytes[HEADER + 209..HEADER + 212], "one architecture");
}

#[test]
fn objects_follow_each_other() {
    let json = Object::metadata("{}").group(1);
    let sif = Sif::empty().with(Object::definition("from: x")).with(json).unused(2);
    let bytes = sif.bytes();
    let data = HEADER + 4 * DESCRIPTOR;
    assert_eq!(bytes.len(), data + 9);
    assert_eq!((number(&bytes, 80), number(&bytes, 88)), (2, 4));
    let second = HEADER + DESCRIPTOR;
    assert_eq!(&bytes[second..second + 5], [0x06, 0x40, 0, 0, 1]);
    assert_eq!(&bytes[second + 5..second + 13], [2, 0, 0, 0, 1, 0, 0, 0xf0], "id and group");
    assert_eq!((number(&bytes, second + 17), number(&bytes, second + 25)), (data as u64 + 7, 2));
    assert!(bytes[second + 73..].starts_with(b"inspect-metadata.json\0"));
    assert!(bytes[second + DESCRIPTOR..data].iter().all(|byte| *byte == 0), "not in use");
    assert!(bytes.ends_with(b"from: x{}"));
    assert_eq!(sif.without_last(9).bytes(), bytes[..data]);
}

#[test]
fn architectures() {
    assert_ne!(host_architecture(), other_architecture());
    let root = Object::root_file_system(file_system::SQUASHFS, [0]).architecture("riscv64");
    let bytes = Sif::empty().architecture("s390x").with(root).bytes();
    assert_eq!((&bytes[45..48], &bytes[HEADER + 209..HEADER + 212]), (&b"11\0"[..], &b"12\0"[..]));
    assert_eq!(&Sif::image().architecture("none").bytes()[45..47], b"00");
}
