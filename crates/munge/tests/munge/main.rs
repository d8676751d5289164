//! The calls into libmunge, with a library that has the same functions and needs no daemon. The
//! end-to-end tests use the real library and the real `munged`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use sifcache_munge::{Decoded, Error, Munge};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library of `fake.c`.
fn fake() -> &'static Path {
    static FAKE: OnceLock<PathBuf> = OnceLock::new();
    FAKE.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libmunge.so.2");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/munge/fake.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Werror", "-O1", "-fPIC", "-shared", "-o"]).arg(&file).arg(source);
        assert!(compiler.status().unwrap().success());
        file
    })
}

fn munge() -> Munge {
    Munge::open(fake().as_os_str()).unwrap()
}

#[test]
fn a_credential_comes_back_with_its_user() {
    let munge = munge();
    let credential = munge.encode(b"sifcache/1 request o/i:1").unwrap();
    assert_eq!(credential, "MUNGE:sifcache/1 request o/i:1:");
    let expected = Decoded {
        payload: b"sifcache/1 request o/i:1".to_vec(),
        uid: 1001,
        gid: 1002,
        address: Ipv4Addr::new(10, 77, 0, 101),
        encoded: 1_795_489_395,
    };
    assert_eq!(munge.decode(&credential), Ok(expected));
    let empty = munge.encode(b"").unwrap();
    assert_eq!(munge.decode(&empty).unwrap().payload, b"");
}

#[test]
fn errors_are_values() {
    let munge = munge();
    let text = |number: i32| format!("message {number}");
    for (number, expected) in [
        (1, Error::Other(1, text(1))),
        (3, Error::TooLong),
        (6, Error::Daemon(text(6))),
        (13, Error::Invalid(text(13))),
        (14, Error::Invalid(text(14))),
        (15, Error::Expired),
        (16, Error::Rewound),
        (17, Error::Replayed),
        (18, Error::Unauthorized),
        (99, Error::Other(99, text(99))),
    ] {
        let is_local = matches!(number, 1 | 6 | 99);
        assert_eq!(expected.is_local(), is_local, "{expected}");
        assert_eq!(munge.decode(&format!("MUNGE:error{number}:")), Err(expected));
    }
    assert_eq!(munge.encode(b"socket"), Err(Error::Daemon(text(6))));
    assert_eq!(munge.decode("something"), Err(Error::Invalid(text(8))));
    let null = munge.decode("MUNGE:a\0b:").unwrap_err();
    assert!(null.to_string().contains("a null byte"), "{null}");
}

#[test]
fn a_library_that_cannot_be_used() {
    let missing = Munge::open("/no/libmunge.so.2".as_ref()).unwrap_err().to_string();
    assert!(missing.contains("/no/libmunge.so.2: cannot open shared object file"), "{missing}");
    assert!(missing.contains("install the package libmunge2"), "{missing}");
    let other = Munge::open("libc.so.6".as_ref()).unwrap_err().to_string();
    assert!(other.contains("munge_encode"), "{other}");
}

/// Calls from several threads do not share a context.
#[test]
fn several_threads() {
    let munge = munge();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let munge = &munge;
            scope.spawn(move || {
                for round in 0..200 {
                    let payload = format!("{thread} {round}").into_bytes();
                    let credential = munge.encode(&payload).unwrap();
                    assert_eq!(munge.decode(&credential).unwrap().payload, payload);
                }
            });
        }
    });
}
