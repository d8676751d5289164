//! The command in user namespaces that do not map every owner. The files belong to root.
#![allow(clippy::print_stderr)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// An image root with `o/i:1`, or `None` if the test does not run as root or cannot create user
/// namespaces.
fn root() -> Option<TempDir> {
    let root = TempDir::new().unwrap();
    let unshared = Command::new("unshare").args(["--user", "true"]).output();
    let can_unshare = unshared.is_ok_and(|output| output.status.success());
    if fs::metadata(root.path()).unwrap().uid() != 0 || !can_unshare {
        eprintln!("skipped: needs root, and user namespaces");
        return None;
    }
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
    let mut image = [0_u8; 713];
    image[32..44].copy_from_slice(b"SIF_MAGIC\x0001");
    image[45..47].copy_from_slice(if cfg!(target_arch = "aarch64") { b"04" } else { b"02" });
    // One descriptor, of a primary system partition with ext3, whose content is not read here.
    (image[88], image[96]) = (1, 128);
    image[104..106].copy_from_slice(&585_u16.to_le_bytes());
    image[128..130].copy_from_slice(&0x4004_u16.to_le_bytes());
    (image[132], image[153], image[329], image[333]) = (1, 1, 2, 2);
    fs::create_dir(root.path().join("o")).unwrap();
    fs::write(root.path().join("o/i:1"), image).unwrap();
    Some(root)
}

/// Runs the command below `unshare FLAGS`. Returns standard output followed by standard error, and
/// the exit status.
fn run(flags: &[&str], root: &Path, words: &[&str], more: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new("unshare");
    command.args(flags).arg("--").arg(env!("CARGO_BIN_EXE_sifcache")).args(words);
    let output = command.arg("--root").arg(root).args(more).output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    (String::from_utf8(both).unwrap(), output.status.code())
}

/// A namespace that maps only the caller, as root. Every user may create such a namespace.
const ROOT_ALONE: [&str; 2] = ["--user", "--map-root-user"];
/// A namespace without mappings. The caller and all of root's files have the overflow ID there.
const NOBODY: [&str; 1] = ["--user"];

#[test]
fn an_owner_without_an_id_is_not_trusted() {
    let Some(root) = root() else { return };
    let file = root.path().join("o/i:1");
    let words = ["--", "apptainer", "run", "docker://o/i:1"];
    let explain = |flags: &[&str]| run(flags, root.path(), &["explain"], &words);
    assert_eq!(explain(&ROOT_ALONE).1, Some(0));
    for uid in [33, 1001, 65534] {
        chown(&file, Some(uid), None).unwrap();
        let (message, status) = explain(&ROOT_ALONE);
        let reason = format!(
            "{} belongs to 65534, the ID of owners that this user namespace does not map",
            file.display()
        );
        assert!(status == Some(1) && message.contains(&reason), "{uid}: {message}");
    }
    let (message, status) = explain(&NOBODY);
    assert!(
        status == Some(1) && message.contains("/ belongs to 65534, the ID of owners"),
        "{message}"
    );
    // Where every ID is mapped, this owner is an ordinary user.
    let (message, _) = run(&["--mount"], root.path(), &["explain"], &words);
    assert!(message.contains("belongs to the ordinary user 65534"), "{message}");
}

/// A caller without a mapped ID also has the overflow ID. This does not make the caller the owner
/// of files with the overflow ID.
#[test]
fn a_caller_without_an_id_owns_nothing() {
    let Some(root) = root() else { return };
    let file = root.path().join("o/i:1");
    chown(root.path().join("o"), Some(1002), None).unwrap();
    let (message, status) =
        run(&NOBODY, root.path(), &["remove", "--yes", "--untrusted", "accept"], &["o/i:1"]);
    assert!(message.contains("nothing is changed there: / belongs to 65534"), "{message}");
    assert!(message.contains("run this outside of the user namespace"), "{message}");
    assert!(status != Some(0) && file.exists());
}

#[test]
fn verify_reports_unmapped_owners() {
    let Some(root) = root() else { return };
    chown(root.path().join("o/i:1"), Some(33), None).unwrap();
    let (message, status) = run(&ROOT_ALONE, root.path(), &["verify"], &[]);
    let reason = "belongs to 65534, the ID of owners that this user namespace does not map: run this \
                  outside of the user namespace";
    assert!(status == Some(1) && message.contains(reason), "{message}");
    assert_eq!(run(&["--mount"], root.path(), &["verify"], &[]).1, Some(0));
}
