//! SIF headers: a file is an image if and only if its header says so and the data that it
//! promises are there, whatever the file's length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sifcache_core::image::{Root, State};
use sifcache_core::settings::Untrusted;
use sifcache_core::sif::{HEADER, host_architecture};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::LazyLock;

/// Longer files are not made: sparse ones cost nothing, but file systems have a limit.
const LONGEST: u64 = 1 << 40;

/// A file without a name, so that no run leaves one behind. `/proc/self/fd` is its root.
static IMAGE: LazyLock<File> = LazyLock::new(|| {
    let fast = Path::new("/dev/shm");
    let directory = if fast.is_dir() { fast.to_owned() } else { std::env::temp_dir() };
    let path = directory.join(format!("sifcache-fuzz-sif-{}", std::process::id()));
    let file = File::create_new(&path).expect("a file to check");
    fs::remove_file(&path).expect("its name can go");
    file
});

fuzz_target!(|bytes: &[u8]| {
    // Where a file is made longer it gets null bytes.
    let mut header = [0; HEADER];
    header.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    let length = bytes.len() as u64;
    let around = end(&header).map(|end| [end.saturating_sub(1), end, end.saturating_add(1)]);
    // One of these is enough for a run.
    let others = [0, HEADER as u64 - 1, HEADER as u64, length / 2];
    let other = others[bytes.len() % others.len()];
    let lengths = [length, other].into_iter().chain(around.into_iter().flatten());
    for length in lengths.filter(|length| *length < LONGEST) {
        // No more of it is ever read.
        IMAGE.write_all_at(&header, 0).expect("it can be written");
        IMAGE.set_len(length).expect("it can have this length");
        check(&header, length);
    }
});

/// Compares with the rule, written down once more.
fn check(header: &[u8; HEADER], length: u64) {
    let name = IMAGE.as_raw_fd().to_string();
    let state = Root::enter(Path::new("/proc/self/fd"), Untrusted::Accept).check(&name);
    assert_eq!(state, expected(header, length), "a file of {length} bytes");
}

fn expected(header: &[u8; HEADER], length: u64) -> State {
    if length == 0 {
        return State::Empty;
    }
    if length < HEADER as u64 || !header[32..].starts_with(b"SIF_MAGIC\0") {
        return State::NotSif;
    }
    if !header[42..].starts_with(b"01\0") {
        return State::UnknownVersion;
    }
    match (end(header), architecture(header)) {
        (None, _) => State::NotSif,
        (_, theirs) if theirs != host_architecture() => State::WrongArchitecture(theirs),
        (Some(needed), _) if needed > length => State::Truncated { size: length, needed },
        _ => State::Image,
    }
}

/// Where the data end; none if no file can have them there.
fn end(header: &[u8; HEADER]) -> Option<u64> {
    let number = |at: usize| {
        let bytes = header[at..at + 8].try_into().expect("eight of them");
        Some(i128::from(i64::from_le_bytes(bytes))).filter(|number| *number >= 0)
    };
    u64::try_from(number(112)? + number(120)?).ok()
}

fn architecture(header: &[u8; HEADER]) -> &'static str {
    let names = [
        "386", "amd64", "arm", "arm64", "ppc64", "ppc64le", "mips", "mipsle", "mips64", "mips64le",
        "s390x", "riscv64",
    ];
    match header[45..48] {
        [tens @ b'0'..=b'1', ones @ b'0'..=b'9', 0] => {
            let number = usize::from(tens - b'0') * 10 + usize::from(ones - b'0');
            number.checked_sub(1).and_then(|index| names.get(index)).copied().unwrap_or("unknown")
        }
        _ => "unknown",
    }
}
