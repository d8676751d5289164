//! Tests of the walk. The tests of the trust rules themselves are in `image/tests/trust.rs`.

use super::{Stop, UntrustedReason, Writer, enter, kind};
use crate::image::State;
use crate::image::tests::{TestRoot, check, sif};
use crate::settings::Untrusted;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

#[test]
fn a_missing_root_is_absent() {
    let Some(root) = TestRoot::new() else { return };
    assert!(matches!(enter(&root.path().join("nowhere")), Err(Stop::Absent)));
}

#[test]
fn names_of_file_types() {
    let Some(root) = TestRoot::new() else { return };
    let [file, socket] = [root.file("file", b""), root.path().join("socket")];
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, name) in
        [(file.as_path(), "file"), (&socket, "socket"), (Path::new("/dev/null"), "device")]
    {
        assert_eq!(kind(&fs::metadata(path).unwrap()), name);
    }
}

/// The walk follows as many links as the kernel.
#[test]
fn a_chain_of_links() {
    let Some(root) = TestRoot::new() else { return };
    root.file("0", &sif());
    for link in 1..=41 {
        symlink((link - 1).to_string(), root.path().join(link.to_string())).unwrap();
    }
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        assert_eq!(check(root.path(), untrusted, "40"), State::Image);
        assert_eq!(check(root.path(), untrusted, "41"), State::DanglingLink);
    }
}

#[test]
fn messages_for_each_writer() {
    for (by, words) in [
        (Writer::Owner(1001), "/x belongs to the ordinary user 1001"),
        (
            Writer::Unmapped(65534),
            "/x belongs to 65534, the ID of owners that this user namespace does not map",
        ),
        (Writer::Group(100), "/x can be written by the group 100 or by an ACL"),
        (Writer::Others, "/x can be written by everybody"),
    ] {
        assert_eq!(UntrustedReason { path: PathBuf::from("/x"), by }.to_string(), words);
    }
}
