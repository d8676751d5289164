//! SIF files: a file of any length is an image if and only if its header is valid, the file has all
//! the data that the header requires, and the descriptor table has one root file system that can be
//! started.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sifcache_core::image::{Root, State};
use sifcache_core::settings::Untrusted;
use sifcache_core::sif::descriptors::{DESCRIPTOR, MAX_DESCRIPTORS};
use sifcache_core::sif::{HEADER, host_architecture};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::LazyLock;

/// The maximum length of a file in this test. The files are sparse, but file systems have a limit.
const LONGEST: u64 = 1 << 40;

/// A file without a name, so that nothing is left behind after a run. `/proc/self/fd` is its image
/// root.
static IMAGE: LazyLock<File> = LazyLock::new(|| {
    let fast = Path::new("/dev/shm");
    let directory = if fast.is_dir() { fast.to_owned() } else { std::env::temp_dir() };
    let path = directory.join(format!("sifcache-fuzz-sif-{}", std::process::id()));
    let file = File::create_new(&path).expect("a file to check");
    fs::remove_file(&path).expect("its name can go");
    file
});

fuzz_target!(|bytes: &[u8]| {
    // The header is padded with null bytes, as a file is when it is extended.
    let mut header = [0; HEADER];
    header.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    let length = bytes.len() as u64;
    let around = end(&header).map(|end| [end.saturating_sub(1), end, end.saturating_add(1)]);
    // Each run checks only one of the `others`.
    let table = table(&header).map_or(0, |(from, size)| from + size);
    let table = u64::try_from(table).unwrap_or(LONGEST);
    let others = [0, HEADER as u64 - 1, HEADER as u64, length / 2, table, table.saturating_sub(1)];
    let other = others[bytes.len() % others.len()];
    let lengths = [length, other].into_iter().chain(around.into_iter().flatten());
    for length in lengths.filter(|length| *length < LONGEST) {
        IMAGE.set_len(0).expect("it can be emptied");
        IMAGE.write_all_at(bytes, 0).expect("it can be written");
        IMAGE.set_len(length).expect("it can have this length");
        check(&header, bytes, length);
    }
});

/// Compares the result of the check with an independent implementation of the rules.
fn check(header: &[u8; HEADER], bytes: &[u8], length: u64) {
    let name = IMAGE.as_raw_fd().to_string();
    let state = Root::enter(Path::new("/proc/self/fd"), Untrusted::Accept).check(&name);
    assert_eq!(state, expected(header, bytes, length), "a file of {length} bytes");
}

fn expected(header: &[u8; HEADER], bytes: &[u8], length: u64) -> State {
    if length == 0 {
        return State::Empty;
    }
    if length < HEADER as u64 || !header[32..].starts_with(b"SIF_MAGIC\0") {
        return State::NotSif;
    }
    if !header[42..].starts_with(b"01\0") {
        return State::UnknownVersion;
    }
    let theirs = architecture(&header[45..48]);
    let (Some(end), Some((from, size))) = (end(header), table(header)) else {
        return State::NotSif;
    };
    if theirs != "unknown" && theirs != host_architecture() {
        return State::WrongArchitecture(theirs);
    }
    let limit = MAX_DESCRIPTORS as u128 * DESCRIPTOR as u128;
    if size > limit || size > number(header, 104).unwrap_or(0) {
        return State::BadTable;
    }
    let Ok(needed) = u64::try_from((from + size).max(end.into())) else {
        return State::BadTable;
    };
    if needed > length {
        return State::Truncated { size: length, needed };
    }
    root_file_system(theirs, from, size, bytes, length)
}

/// The expected state according to the table. The table is read byte by byte from the input; bytes
/// after the end of the input are null.
fn root_file_system(
    of_header: &'static str,
    from: u128,
    size: u128,
    bytes: &[u8],
    length: u64,
) -> State {
    let byte =
        |at: u128| usize::try_from(at).ok().and_then(|at| bytes.get(at)).copied().unwrap_or(0);
    let code = |at: u128| i32::from_le_bytes([0, 1, 2, 3].map(|more| byte(at + more)));
    let place = |at: u128| i64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|more| byte(at + more)));
    let used: Vec<u128> = (0..size / DESCRIPTOR as u128)
        .map(|index| from + index * DESCRIPTOR as u128)
        .filter(|at| byte(at + 4) != 0)
        .collect();
    let primary: Vec<u128> =
        used.iter().copied().filter(|at| code(*at) == 0x4004 && code(at + 205) == 2).collect();
    let &[root] = primary.as_slice() else {
        let oci = primary.is_empty() && used.iter().any(|at| [0x400a, 0x400b].contains(&code(*at)));
        return if oci { State::OciSif } else { State::NoRootFileSystem };
    };
    match code(root + 201) {
        1 | 2 => {}
        5 | 6 => return State::Encrypted,
        other => return State::UnknownFileSystem(other),
    }
    let (start, size) = (place(root + 17), place(root + 25));
    if start < 0 || size <= 0 {
        return State::BadTable;
    }
    let needed = start as u64 + size as u64;
    if needed > length {
        return State::Truncated { size: length, needed };
    }
    let of_partition = architecture(&[byte(root + 209), byte(root + 210), byte(root + 211)]);
    match if of_partition == "unknown" { of_header } else { of_partition } {
        host if host == host_architecture() => State::Image,
        theirs => State::WrongArchitecture(theirs),
    }
}

/// The offset and the length of the table in bytes; `None` if one of the numbers is negative.
fn table(header: &[u8; HEADER]) -> Option<(u128, u128)> {
    number(header, 104)?;
    Some((number(header, 96)?, number(header, 88)? * DESCRIPTOR as u128))
}

fn number(header: &[u8; HEADER], at: usize) -> Option<u128> {
    let bytes = header[at..at + 8].try_into().expect("eight of them");
    u128::try_from(i64::from_le_bytes(bytes)).ok()
}

/// The end of the data in bytes from the start of the file; `None` if it is out of range.
fn end(header: &[u8; HEADER]) -> Option<u64> {
    u64::try_from(number(header, 112)? + number(header, 120)?).ok()
}

fn architecture(code: &[u8]) -> &'static str {
    let names = [
        "386", "amd64", "arm", "arm64", "ppc64", "ppc64le", "mips", "mipsle", "mips64", "mips64le",
        "s390x", "riscv64", "loong64",
    ];
    match *code {
        [tens @ b'0'..=b'1', ones @ b'0'..=b'9', 0] => {
            let number = usize::from(tens - b'0') * 10 + usize::from(ones - b'0');
            number.checked_sub(1).and_then(|index| names.get(index)).copied().unwrap_or("unknown")
        }
        _ => "unknown",
    }
}
