//! What a runtime makes of a merged tree, as Apptainer 1.4.5 did, run by root and by a user.

use crate::support::entry::{Entry, device, dir, file, hard_link, other, symlink, whiteout};
use crate::support::{ROOT, USER, assert_unsupported, layer, merge_as, merge_bytes, try_merge_as};
use sifcache_layers::rules::{Removals, Rules};
use sifcache_squashfs::tree::Tree;

/// Capabilities of a file, version 2.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// `user.rootlesscontainers` of the owner 5:0.
const RECORD: &str = "user.rootlesscontainers=\\x08\\x05\\x10\\xff\\xff\\xff\\xff\\x0f";

fn refusal(rules: sifcache_layers::rules::Rules, layer: Vec<Entry>) -> String {
    try_merge_as(rules, [layer]).expect_err("a refusal")
}

#[test]
fn root_keeps_owners_devices_and_permissions() {
    let listing = merge_as(
        ROOT,
        [vec![
            file("a", "x").owner(5, 6).mode(0),
            device("b", b'4', 8, 1).owner(5, 6).mode(0o444),
            dir("c").owner(5, 6).mode(0),
            file("c/in", "i").mode(0o4755),
            other("d", b'6').owner(5, 6),
            symlink("e", "a").owner(5, 6),
        ]],
    );
    let expected = [
        "a f0 5:6 1700000000 \"x\"",
        "b b444 5:6 1700000000 8:1",
        "c d0 5:6 1700000000",
        "c/in f4755 0:0 1700000000 \"i\"",
        "d p644 5:6 1700000000",
        "e l777 5:6 1700000000 -> a",
    ];
    assert_eq!(listing, expected);
}

// Guessed wrong at first: the record is an attribute in user.*, so it needs write permission when it
// is set and read permission when mksquashfs reads it.
#[test]
fn a_user_records_owners_where_attributes_can_be_set_and_read() {
    let listing = merge_as(
        USER,
        [vec![
            file("a", "x").owner(5, 0),
            file("b", "x").owner(5, 0).mode(0o444),
            file("c", "").owner(5, 0).mode(0o200),
            dir("d").owner(5, 0),
            dir("e").owner(5, 0).mode(0o555),
            other("f", b'6').owner(5, 0),
            symlink("g", "a").owner(5, 0),
            file("h", "x").owner(0, 0),
        ]],
    );
    let expected = [
        format!("a f644 0:0 1700000000 \"x\" {RECORD}"),
        "b f444 0:0 1700000000 \"x\"".into(),
        "c f200 0:0 1700000000".into(),
        format!("d d755 0:0 1700000000 {RECORD}"),
        "e d555 0:0 1700000000".into(),
        "f p644 0:0 1700000000".into(),
        "g l777 0:0 1700000000 -> a".into(),
        "h f644 0:0 1700000000 \"x\"".into(),
    ];
    assert_eq!(listing, expected);
}

#[test]
fn devices_of_a_user_are_empty_files_with_attributes() {
    let listing = merge_as(
        USER,
        [vec![
            device("c", b'3', 1, 3).owner(5, 0).xattr("user.a", "1"),
            device("d", b'4', 8, 1).mode(0o444),
            hard_link("e", "d"),
        ]],
    );
    let expected = [
        format!("c f644 0:0 1700000000 user.a=1 {RECORD}"),
        "d f444 0:0 1700000000".into(),
        "e f444 0:0 1700000000 = d".into(),
    ];
    assert_eq!(listing, expected);
}

// Guessed wrong at first: a directory that its owner may read but not enter is there, but empty.
#[test]
fn a_user_loses_what_mksquashfs_cannot_read() {
    let mut layer = Vec::new();
    for mode in 0..8 {
        layer.push(dir(format!("d{mode}")).mode(mode << 6));
        layer.push(file(format!("d{mode}/in"), "i"));
        layer.push(file(format!("f{mode}"), "x").mode(mode << 6));
    }
    let listing = merge_as(USER, [layer]);
    let names: Vec<String> = listing
        .iter()
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            format!("{name}{}", if line.ends_with('"') { "+" } else { "" })
        })
        .collect();
    let files = ["f0", "f1", "f2", "f3", "f4+", "f5+", "f6+", "f7+"];
    assert_eq!(names[..6], ["d4", "d5", "d5/in+", "d6", "d7", "d7/in+"]);
    assert_eq!(names[6..], files);
}

// The runtime can change the permissions of a file after it has unpacked the layers.
#[test]
fn attributes_that_cannot_be_read_stay_until_the_tree_is_packed() {
    let layer = layer([file("f", "").mode(0o200).owner(5, 6)]);
    let (mut merged, mut contents) = merge_bytes(&[layer]).expect("a valid layer");
    let has_attributes = |tree: &Tree| {
        let id = tree.lookup([&b"f"[..]]).expect("the file");
        tree.get(id).is_some_and(|inode| inode.metadata.xattrs.is_some())
    };
    USER.unpacked(&mut merged, &mut contents).expect("a known tree");
    assert!(has_attributes(&merged.tree));
    USER.packed(&mut merged.tree, &mut contents);
    assert!(!has_attributes(&merged.tree));
}

#[test]
fn a_file_left_out_in_one_place_stays_in_another() {
    let layer = vec![dir("d").mode(0o300), file("d/a", "x"), hard_link("b", "d/a")];
    assert_eq!(merge_as(USER, [layer]), ["b f644 0:0 1700000000 \"x\""]);
}

#[test]
fn root_keeps_all_attributes_but_two() {
    let layer = vec![
        file("a", "").xattr("user.a", "1").xattr("user.empty", "").xattr("trusted.b", "2"),
        file("b", "").mode(0o444).xattr("user.a", "1").xattr("security.capability", CAPABILITY),
        file("c", "").xattr("security.selinux", "x").xattr("system.nfs4_acl", "x"),
        file("d", "")
            .xattr("plain", "x")
            .xattr("system.x", "x")
            .xattr("user.rootlesscontainers", "z"),
        symlink("e", "a").xattr("trusted.b", "2"),
        file("f", "").record("LIBARCHIVE.xattr.user.l", "MQ=="),
    ];
    let listing = merge_as(ROOT, [layer]);
    assert!(listing[0].ends_with(" trusted.b=2 user.a=1"), "{listing:?}");
    assert!(listing[1].contains(" security.capability=\\x01\\x00\\x00\\x02"), "{listing:?}");
    assert!(listing[1].ends_with(" user.a=1"), "{listing:?}");
    assert!(listing[2].ends_with(" 1700000000"), "{listing:?}");
    assert!(listing[3].ends_with(" 1700000000 user.rootlesscontainers=z"), "{listing:?}");
    assert!(listing[4].ends_with(" -> a trusted.b=2"), "{listing:?}");
    assert!(listing[5].ends_with(" 1700000000"), "{listing:?}");
}

#[test]
fn a_user_keeps_attributes_of_users() {
    let listing = merge_as(
        USER,
        [vec![
            file("a", "").xattr("user.a", "1").xattr("trusted.b", "2").xattr("security.foo", "3"),
            file("b", "").mode(0o444).xattr("user.a", "1"),
            file("c", "").xattr("security.capability", CAPABILITY),
            file("d", "").xattr("user.rootlesscontainers", "z"),
            symlink("e", "a").xattr("user.a", "1"),
            dir("f").mode(0o1777).owner(5, 0).xattr("user.a", "1"),
        ]],
    );
    assert!(listing[0].ends_with(" 1700000000 user.a=1"), "{listing:?}");
    for line in &listing[1..4] {
        assert!(line.ends_with(" 1700000000"), "{listing:?}");
    }
    assert!(listing[4].ends_with(" -> a"), "{listing:?}");
    assert_eq!(listing[5], format!("f d1777 0:0 1700000000 user.a=1 {RECORD}"));
}

// Guessed wrong at first: umoci records no group that a directory inherits.
#[test]
fn an_inherited_group_is_not_recorded() {
    let layer = vec![dir("d").mode(0o2775).owner(0, 44), file("d/s/f", "")];
    assert_eq!(merge_as(USER, [layer])[1], "d/s d2775 0:0 now");
}

// Guessed wrong at first: umoci changes the permissions before the attributes, so those of the first
// entry stay.
#[test]
fn a_user_cannot_take_attributes_away_from_a_read_only_directory() {
    let lower = vec![dir("d").owner(5, 0)];
    let upper = vec![dir("d").mode(0o555).owner(7, 0)];
    assert_eq!(
        merge_as(USER, [lower.clone(), upper.clone()])[0],
        format!("d d555 0:0 1700000000 {RECORD}")
    );
    let again = vec![dir("d").mode(0o755)];
    assert_eq!(merge_as(USER, [lower, upper, again])[0], "d d755 0:0 1700000000");
}

// Guessed wrong at first: umoci makes the directory writable, and then restores its time too.
#[test]
fn the_time_of_a_read_only_directory_in_which_a_parent_is_made() {
    let layers = || [vec![dir("d").mode(0o555).time(5)], vec![file("d/s/f", "")]];
    assert_eq!(merge_as(USER, layers())[0], "d d555 0:0 5");
    assert_eq!(merge_as(ROOT, layers())[0], "d d555 0:0 now");
}

// Guessed wrong at first: umoci restores the times of all directories below the one that it opens.
#[test]
fn the_time_of_a_directory_below_a_closed_one() {
    let inside = || dir("c/d").time(5);
    let closed = || dir("c").mode(0o600);
    let made = |name: &str| file(format!("c/d/{name}/f"), "");
    let time = |rules, entries: Vec<Entry>| {
        let lines = merge_as(rules, [entries]);
        lines.iter().find_map(|line| Some(line.strip_prefix("c/d d755 0:0 ")?.to_owned())).unwrap()
    };
    let below_closed = || vec![inside(), closed(), made("s"), dir("c")];
    assert_eq!(time(USER, below_closed()), "5");
    assert_eq!(time(ROOT, below_closed()), "now");
    let below_closed_root = vec![inside(), dir("./").mode(0o640), made("s"), dir("./").mode(0o755)];
    assert_eq!(time(USER, below_closed_root), "5");
    let also_below_open = vec![inside(), closed(), made("s"), dir("c"), made("t")];
    assert_eq!(time(USER, also_below_open), "now");
}

#[test]
fn a_whiteout_below_a_closed_directory() {
    let rules = Rules { removals: Removals::Now, ..USER };
    let lower = || vec![dir("c/d").time(5), file("c/d/e", "")];
    for (mode, time) in [(0o600, "5"), (0o700, "now")] {
        let upper = vec![
            dir("c/d").time(5),
            dir("c").mode(mode),
            file("c/d/f", ""),
            whiteout("c/d"),
            dir("c").mode(0o755),
        ];
        let lines = merge_as(rules, [lower(), upper]);
        assert!(lines.contains(&format!("c/d d755 0:0 {time}")), "{mode:o}: {lines:#?}");
    }
}

// umoci: "get xattr: unpriv.lgetxattr: permission denied".
#[test]
fn entries_in_a_directory_with_unreadable_attributes_are_left_to_the_runtime() {
    let hidden = || vec![dir("d").owner(5, 0).mode(0o300), file("d/f", "x")];
    assert!(refusal(USER, hidden()).contains("d/f: its directory has attributes"));
    assert_eq!(merge_as(ROOT, [hidden()]).len(), 2);
    let later = vec![file("d/f", "x"), dir("d").owner(5, 0).mode(0o300)];
    assert!(merge_as(USER, [later]).is_empty());
    let before = vec![dir("d").owner(5, 0), dir("d").mode(0), file("d/f", "x")];
    assert!(refusal(USER, before).contains("d/f: its directory has attributes"));
    let none = vec![dir("d").mode(0o300), file("d/f", "x")];
    assert!(merge_as(USER, [none]).is_empty());
}

#[test]
fn a_closed_root_directory_is_left_to_the_runtime() {
    for mode in [0o000, 0o300, 0o600] {
        assert!(refusal(USER, vec![dir("./").mode(mode)]).contains("root directory"));
        assert!(try_merge_as(ROOT, [vec![dir("./").mode(mode)]]).is_ok());
    }
    // Apptainer gives its owner permission to write.
    assert!(try_merge_as(USER, [vec![dir("./").mode(0o500)]]).is_ok());
}

#[test]
fn attributes_that_the_kernel_refuses_are_left_to_the_runtime() {
    for wrong in [&b"xx"[..], &CAPABILITY[..19], &[CAPABILITY.as_slice(), &[0; 4]].concat()] {
        let layer = vec![file("a", "").xattr("security.capability", wrong)];
        assert_unsupported([layer], "security.capability");
    }
    assert_unsupported([vec![file("a", "").xattr("user.", "1")]], "without a name");
    assert_unsupported([vec![file("a", "").record("SCHILY.xattr.", "1")]], "without a name");
    let acl = [vec![file("a", "").xattr("system.posix_acl_access", "x")]];
    assert_unsupported(acl, "access control list");
    let long = [vec![file("a", "").xattr(&format!("user.{}", "n".repeat(251)), "1")]];
    assert_unsupported(long, "too long");
    assert_unsupported([vec![file("a", "").xattr("user.a", "v".repeat(65537))]], "too long");
    // These are up to the user who runs the runtime.
    assert!(refusal(ROOT, vec![symlink("a", "b").xattr("user.a", "1")]).contains("user.a"));
    assert!(refusal(ROOT, vec![other("a", b'6').xattr("user.a", "1")]).contains("user.a"));
    let overlay = vec![dir("a").xattr("trusted.overlay.opaque", "y")];
    assert!(refusal(ROOT, overlay.clone()).contains("trusted.overlay.opaque"));
    assert_eq!(merge_as(USER, [overlay]), ["a d755 0:0 1700000000"]);
}
