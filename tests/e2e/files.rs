//! Files that are not valid images: with each of them, the command is left unchanged and the reason
//! is logged.

use crate::kit::{IMAGE, OTHER, SHARED, Site, inside, sif};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

const REFERENCE: &str = "docker://o/i:1";
const PATH: &str = "o/i:1";

/// Asserts that the launch is left unchanged, and that the logs of the node contain `why` and
/// `token`.
#[track_caller]
fn refused(site: &Site, token: &str, why: &str) {
    let output = site.launch(&[], REFERENCE);
    output.tried_the_registry();
    assert!(!output.stderr.contains("sifcache"), "{output:#?}");
    site.logged("n1", &format!("sifcache: {SHARED}/{PATH} is refused: {why}"));
    site.logged("n1", &format!("refused={SHARED}/{PATH} why={token}"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn cut_in_the_middle() {
    let site = Site::new("");
    let whole = fs::read(sif(IMAGE)).unwrap();
    let (size, half) = (whole.len(), whole.len() / 2);
    site.write(PATH, whole.get(..half).unwrap());
    let why = format!("cut short or still being copied: {half} of {size} bytes");
    refused(&site, "truncated", &why);
    site.write(PATH, whole.get(..size - 1).unwrap());
    refused(&site, "truncated", &format!("cut short or still being copied: {} of", size - 1));
    site.write(PATH, &whole);
    site.launch(&[], REFERENCE).ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn empty_files_and_other_formats() {
    let site = Site::new("");
    site.write(PATH, b"");
    refused(&site, "empty", "an empty file");
    site.write(
        PATH,
        b"a note about o/i:1, which nobody has pulled so far, long enough to look into\n"
            .repeat(3)
            .as_slice(),
    );
    refused(&site, "not-a-sif", "not a SIF file");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn another_architecture() {
    let site = Site::new("");
    let mut image = fs::read(sif(IMAGE)).unwrap();
    let (code, name) = if image[45..47] == *b"02" { (b"04", "arm64") } else { (b"02", "amd64") };
    image[45..47].copy_from_slice(code);
    site.write(PATH, &image);
    refused(&site, "wrong-architecture", &format!("for {name}, but this host is "));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn not_readable_for_the_user() {
    let site = Site::new("");
    let path = site.store(IMAGE, PATH);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    refused(&site, "unreadable", "not readable by this user");
    // An unreadable directory on the path has the same effect.
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
    refused(&site, "unreadable", "not readable by this user");
    // For members of the group that may read the file, it is a valid image.
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o750)).unwrap();
    chown(path.parent().unwrap(), None, Some(1001)).unwrap();
    site.launch(&[], REFERENCE).ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_directory_or_a_dangling_link() {
    let site = Site::new("");
    fs::create_dir_all(site.at("ctl", SHARED).join(PATH)).unwrap();
    refused(&site, "not-a-file", "a directory, not a regular file");
    fs::remove_dir(site.at("ctl", SHARED).join(PATH)).unwrap();
    site.link("nowhere", PATH);
    refused(&site, "dangling-link", "a broken symbolic link");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn links_to_images_are_images() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:2");
    site.link("i:2", PATH);
    site.launch(&[], REFERENCE).ran(IMAGE);
    site.link(&inside(OTHER), "o/i:3");
    site.launch(&[], "docker://o/i:3").ran(OTHER);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn entries_writable_by_ordinary_users_are_refused() {
    let site = Site::new("");
    let file = site.store(IMAGE, PATH);
    let root = site.at("ctl", SHARED);
    let mode = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();

    mode(&root, 0o777);
    refused(&site, "untrusted", &format!("not trusted: {SHARED} can be written by everybody"));
    mode(&root, 0o1777);
    refused(&site, "untrusted", &format!("not trusted: {SHARED} can be written by everybody"));
    // Write permission for root's own group is also refused, because an ACL that lets bob write
    // shows only in the bits of the group.
    mode(&root, 0o775);
    refused(&site, "untrusted", &format!("not trusted: {SHARED} can be written by the group 0"));
    chown(&root, None, Some(1002)).unwrap();
    refused(
        &site,
        "untrusted",
        &format!("not trusted: {SHARED} can be written by the group 1002 or by an ACL"),
    );
    chown(&root, None, Some(0)).unwrap();
    mode(&root, 0o755);

    chown(file.parent().unwrap(), Some(1002), None).unwrap();
    refused(
        &site,
        "untrusted",
        &format!("not trusted: {SHARED}/o belongs to the ordinary user 1002"),
    );
    chown(file.parent().unwrap(), Some(0), None).unwrap();

    mode(&file, 0o666);
    refused(
        &site,
        "untrusted",
        &format!("not trusted: {SHARED}/o/i:1 can be written by everybody"),
    );
    mode(&file, 0o644);
    site.launch(&[], REFERENCE).ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn untrusted_accept() {
    let site = Site::new("untrusted=accept");
    site.store(IMAGE, PATH);
    fs::set_permissions(site.at("ctl", SHARED), Permissions::from_mode(0o777)).unwrap();
    site.launch(&[], REFERENCE).ran(IMAGE);
}

/// bob places an image where alice's job looks it up, through a symbolic link made by the admin.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_link_into_a_users_home() {
    let site = Site::new("");
    let planted = site.at("ctl", "/home/bob/planted.sif");
    fs::copy(sif(OTHER), &planted).unwrap();
    fs::set_permissions(site.at("ctl", "/home/bob"), Permissions::from_mode(0o755)).unwrap();
    site.link("/home/bob/planted.sif", PATH);
    refused(&site, "untrusted", "not trusted: /home/bob belongs to the ordinary user 1002");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_refused_file_does_not_hide_a_good_one() {
    let site = Site::new("");
    site.write(PATH, b"");
    site.store(IMAGE, "docker.io/o/i:1");
    site.launch(&[], REFERENCE).ran(IMAGE);
    site.logged("n1", &format!("sifcache: {SHARED}/{PATH} is refused: an empty file"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_root_that_is_not_there() {
    let site = Site::with_line("optional spank_sifcache.so image_root=/nowhere:/shared/sif\n");
    site.store(IMAGE, PATH);
    site.launch(&[], REFERENCE).ran(IMAGE);
}
