//! alice tries to choose the image that another user runs. For this she uses every kind of write
//! access to a part of the path to an image.

use super::{ALICE, BOB, NAME, REFERENCE, bob, bob_is_safe, events, own_root, script, site};
use crate::kit::{IMAGE, OTHER, SHARED, Site, inside, sif};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives alice write access to a path, like `setfacl -m u:alice:rwX`; the root file system of the
/// testbed has no setfacl.
fn acl(site: &Site, path: &str) {
    const SET: &str = r#"
import os, struct, sys
search = 1 if os.path.isdir(sys.argv[1]) else 0
entry = lambda tag, mode, who=0xffffffff: struct.pack("<HHI", tag, mode, who)
acl = struct.pack("<I", 2) + entry(1, 6 | search) + entry(2, 6 | search, 1001)
acl += entry(4, 4 | search) + entry(16, 6 | search) + entry(32, 4 | search)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
"#;
    let output = site.exec(&[], &["python3", "-c", SET, path], "");
    assert_eq!(output.status, 0, "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_acl() {
    let site = site("");
    let (file, directory) = (format!("{SHARED}/{NAME}"), format!("{SHARED}/o"));
    acl(&site, &file);
    script(&site, "alice", &format!("cat {} >{file}", inside(OTHER)));
    bob_is_safe(&site, &format!("{file} can be written by the group 0 or by an ACL"));
    acl(&site, &directory);
    script(&site, "alice", &format!("rm -f {file}; cp {} {file}", inside(OTHER)));
    bob_is_safe(&site, &format!("{directory} can be written by the group 0 or by an ACL"));
    // After the directory is replaced with one that root owns, the image is accepted again.
    fs::remove_dir_all(site.at("ctl", &directory)).unwrap();
    site.store(IMAGE, NAME);
    bob(&site, &[], REFERENCE).ran(IMAGE);
}

/// A directory writable for alice's group, a subdirectory owned by her, and her file in a directory
/// owned by root.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_group_a_subdirectory_and_a_file() {
    let site = site("");
    let path = site.at("ctl", SHARED).join(NAME);
    let directory = path.parent().unwrap();
    let plant = format!("rm -f {SHARED}/{NAME}; cp {} {SHARED}/{NAME}", inside(OTHER));
    chown(directory, None, Some(ALICE)).unwrap();
    mode(directory, 0o775);
    script(&site, "alice", &plant);
    bob_is_safe(&site, &format!("{SHARED}/o can be written by the group {ALICE} or by an ACL"));
    chown(directory, Some(ALICE), Some(0)).unwrap();
    mode(directory, 0o755);
    script(&site, "alice", &plant);
    bob_is_safe(&site, &format!("{SHARED}/o belongs to the ordinary user {ALICE}"));
    // Root owns the directory again, but her file is still there.
    chown(directory, Some(0), Some(0)).unwrap();
    bob_is_safe(&site, &format!("{SHARED}/{NAME} belongs to the ordinary user {ALICE}"));
}

/// An image root in a sticky directory like /tmp: the first user who creates it owns it, and no
/// other user can rename it.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_sticky_parent() {
    let site = Site::with_line("optional spank_sifcache.so image_root=/shared/sticky/sif\n");
    let parent = site.at("ctl", "/shared/sticky");
    let _ = fs::remove_dir_all(&parent);
    fs::create_dir(&parent).unwrap();
    mode(&parent, 0o1777);
    let plant =
        format!("mkdir -p /shared/sticky/sif/o; cp {} /shared/sticky/sif/{NAME}", inside(OTHER));
    script(&site, "alice", &plant);
    bob(&site, &[], REFERENCE).tried_the_registry();
    site.logged("n1", &format!("/shared/sticky/sif belongs to the ordinary user {ALICE}"));
    fs::remove_dir_all(parent.join("sif")).unwrap();
    site.store_at("ctl", "/shared/sticky/sif", IMAGE, NAME);
    let away = site.alice(&["mv", "/shared/sticky/sif", "/shared/sticky/away"]);
    assert_ne!(away.status, 0, "{away:#?}");
    bob(&site, &[], REFERENCE).ran(IMAGE);
    // Without the sticky bit she can rename it, so nothing below is trusted.
    mode(&parent, 0o777);
    script(&site, "alice", &format!("mv /shared/sticky/sif /shared/sticky/away; {plant}"));
    bob(&site, &[], REFERENCE).tried_the_registry();
    site.logged("n1", "/shared/sticky can be written by everybody");
    fs::remove_dir_all(&parent).unwrap();
}

/// A hard link to a file that alice owns: the file still belongs to her, so she can write to it at
/// any time.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_hard_link() {
    let site = Site::new("");
    let hers = site.at("ctl", "/shared/hers.sif");
    fs::copy(sif(OTHER), &hers).unwrap();
    chown(&hers, Some(ALICE), Some(ALICE)).unwrap();
    let name = site.at("ctl", SHARED).join(NAME);
    fs::create_dir(name.parent().unwrap()).unwrap();
    fs::hard_link(&hers, &name).unwrap();
    fs::remove_file(hers).unwrap();
    bob_is_safe(&site, &format!("{SHARED}/{NAME} belongs to the ordinary user {ALICE}"));
}

/// The number of launches while alice changes the target of the name as fast as she can.
const LAUNCHES: usize = 200;

/// The check and the use of a path are separate, but the check fails wherever another user could
/// change the path in between.
#[track_caller]
fn race(site: &Site, swap: &str) {
    let stop = site.at("ctl", "/shared/stop");
    let _ = fs::remove_file(&stop);
    let swap = format!("until [ -e /shared/stop ]; do {swap}; done");
    let launch = format!("apptainer exec {REFERENCE} cat /etc/image-name");
    let launches = format!(
        "srun -w n1 bash -c 'for n in $(seq {LAUNCHES}); do {launch}; done'; \
         for n in 1 2 3 4 5; do srun -w n1 {launch}; done"
    );
    let output = std::thread::scope(|scope| {
        let alice = scope.spawn(|| site.alice(&["bash", "-c", &swap]));
        let output = site.exec(&["--user", "bob"], &["bash", "-c", &launches], "");
        fs::write(&stop, "").unwrap();
        let swapped = alice.join().unwrap();
        assert_eq!(swapped.status, 0, "{swapped:#?}");
        output
    });
    assert_eq!(output.stdout, "", "{output:#?}");
    site.logged("n1", "event=miss");
    assert_eq!(events(site, "hit", BOB), 0);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_link_exchanged_during_lookups() {
    let site = site("on_miss=fail");
    let own = own_root(&site);
    let (name, good) = (format!("{SHARED}/{NAME}"), inside(IMAGE));
    chown(site.at("ctl", SHARED).join("o"), Some(ALICE), None).unwrap();
    race(&site, &format!("ln -sfn {own}/{NAME} {name}; ln -sfn {good} {name}"));
    // The file itself is replaced by renaming, in her directory.
    let rename = format!(
        "cp {good} {name}.1; mv {name}.1 {name}; cp {own}/{NAME} {name}.2; mv {name}.2 {name}"
    );
    race(&site, &rename);
}

/// A directory owned by root, reached through a link owned by root and then a link owned by alice.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_directory_exchanged_during_lookups() {
    let site = Site::new("on_miss=fail");
    let own = own_root(&site);
    site.store_at("ctl", "/shared/good", IMAGE, NAME);
    script(&site, "alice", "rm -rf ~/way && mkdir ~/way");
    site.link("/home/alice/way/o", "o");
    let [one, two] =
        ["/shared/good/o", &format!("{own}/o")].map(|to| format!("ln -sfn {to} ~/way/o"));
    race(&site, &format!("{one}; {two}"));
    fs::remove_dir_all(site.at("ctl", "/shared/good")).unwrap();
}
