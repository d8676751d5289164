//! Queue entries, which jobs that wait read from the file server: an accepted entry is printable
//! and stays the same when it is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sifcache_core::queue::{Entry, MAX_SIZE};

fuzz_target!(|file: &[u8]| {
    let Some(entry) = Entry::parse(file) else { return };
    assert!(file.len() <= MAX_SIZE && file.ends_with(b"\n"));
    let printed = format!("{entry}\n");
    assert!(printed.trim_end_matches('\n').chars().all(|c| matches!(c, ' '..='~')), "{printed:?}");
    // `Display` shortens a reason that somebody else has written.
    let mut expected = entry;
    expected.reason.truncate(512);
    if printed.len() <= MAX_SIZE {
        assert_eq!(Entry::parse(printed.as_bytes()), Some(expected));
    }
});
