//! What other commands have left below `.sifcache`, or still use there.

use crate::tree::{Tree, mode};
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A system account, the owner of the image root.
const OWNER: u32 = 998;
/// The name of a directory of kept files whose time has passed.
const EXPIRED: &str = "root/.sifcache/kept/20200101T000000Z.h.1.0";

fn sifcache(tree: &Tree, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &tree.text("root")]).args(&words[1..]);
    command.stdin(Stdio::null());
    command
}

/// Runs the command as the owner of the image root. Returns its messages.
fn as_owner(tree: &Tree, words: &[&str]) -> String {
    let output = sifcache(tree, words).uid(OWNER).gid(OWNER).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}: {stderr}");
    stderr
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).into_iter().flatten().count()
}

/// An import by root that waits for its input, and has a lock and a scratch directory.
fn import_of_root(tree: &Tree) -> Child {
    let mut command = sifcache(tree, &["import", "-", "p/slow:1"]);
    let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    // Its lock file, its scratch directory and the lock file of that.
    while count(&tree.path("root/.sifcache/tmp")) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn the_owner_of_the_image_root_works_beside_the_superuser() {
    let Some(tree) = Tree::new() else { return };
    chown(tree.path("root"), Some(OWNER), Some(OWNER)).unwrap();
    let image = tree.image("image.sif", 2);
    let image = image.to_str().unwrap();
    let mut child = import_of_root(&tree);
    as_owner(&tree, &["import", image, "p/quick:1"]);
    as_owner(&tree, &["gc"]);
    assert_eq!(count(&tree.path("root/.sifcache/tmp")), 2, "in use");
    child.kill().unwrap();
    child.wait().unwrap();
    as_owner(&tree, &["gc"]);
    for directory in ["root/.sifcache/tmp", "root/.sifcache/lock"] {
        assert_eq!(count(&tree.path(directory)), 0, "{directory}");
    }
    as_owner(&tree, &["import", image, "p/slow:1"]);
    tree.is_fine();
}

#[test]
fn entries_that_sifcache_does_not_make() {
    let Some(tree) = Tree::new() else { return };
    let output = sifcache(&tree, &["gc"]).output().unwrap();
    assert!(output.status.success());
    tree.directory("root/.sifcache/lock/directory");
    symlink("/etc/passwd", tree.path("root/.sifcache/lock/link")).unwrap();
    tree.directory("root/.sifcache/tmp/h.2.0.lock");
    tree.file("root/.sifcache/tmp/.nfs0001", b"1");
    tree.file(EXPIRED, b"1");
    tree.file("root/.sifcache/kept/notes", b"1");
    for words in [&["gc"][..], &["remove", "--yes", "o/good:1"]] {
        let output = sifcache(&tree, words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert!(!tree.path("root/.sifcache/tmp/.nfs0001").exists());
    assert!(!tree.path(EXPIRED).exists());
    assert!(tree.path("root/.sifcache/kept/notes").exists());
    assert!(tree.path("root/.sifcache/lock/directory").exists());
}

/// An NFS client cannot delete the directory of a file that a process on its host has open. Here,
/// it is a directory of another owner.
#[test]
fn a_kept_file_that_cannot_be_deleted() {
    let Some(tree) = Tree::new() else { return };
    chown(tree.path("root"), Some(OWNER), Some(OWNER)).unwrap();
    as_owner(&tree, &["gc"]);
    tree.image(format!("{EXPIRED}/o/i:1"), 2);
    mode(&tree.path(EXPIRED), 0o755);
    let other = tree.path("root/.sifcache/kept/20200101T000000Z.h.1.1");
    fs::create_dir(&other).unwrap();
    chown(&other, Some(OWNER), Some(OWNER)).unwrap();
    let message = as_owner(&tree, &["gc"]);
    let expected = format!("cannot delete {}, which is no longer needed: ", tree.text(EXPIRED));
    assert!(message.contains(&expected), "{message}");
    assert!(!other.exists());
}
