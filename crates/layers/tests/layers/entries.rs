//! Entries of all types and names, as Apptainer 1.4.5 unpacked these layers.

use crate::support::entry::{device, dir, file, other, symlink};
use crate::support::{ROOT, assert_invalid, assert_unsupported, merge_as, names};

#[test]
fn types_replace_each_other() {
    let lower = vec![
        file("f2d", "f"),
        dir("d2f"),
        file("d2f/x", "x"),
        symlink("s2f", "x"),
        file("f2s", "f"),
        dir("d2s"),
        file("d2s/y", "y"),
        symlink("s2d", "d2s"),
    ];
    let upper = vec![
        dir("f2d"),
        file("d2f", "n"),
        file("s2f", "n"),
        symlink("f2s", "q"),
        symlink("d2s", "q"),
        dir("s2d"),
    ];
    let expected = ["d2f f \"n\"", "d2s l -> q", "f2d d", "f2s l -> q", "s2d d", "s2f f \"n\""];
    assert_eq!(names([lower, upper]), expected);
}

#[test]
fn a_directory_keeps_its_names_and_gets_new_metadata() {
    let lower = vec![dir("d").mode(0o700).xattr("user.a", "1"), file("d/k", "k").time(2)];
    let upper = vec![dir("d").mode(0o755).owner(1, 2).time(4)];
    assert_eq!(merge_as(ROOT, [lower, upper]), ["d d755 1:2 4", "d/k f644 0:0 2 \"k\""]);
}

#[test]
fn the_last_entry_of_a_path_wins() {
    let listing = merge_as(
        ROOT,
        [vec![
            file("a", "1").mode(0o600).time(1).xattr("user.a", "1"),
            file("a", "22").time(2),
            dir("b"),
            file("b/x", "x"),
            file("b", "b").time(3),
        ]],
    );
    assert_eq!(listing, ["a f644 0:0 2 \"22\"", "b f644 0:0 3 \"b\""]);
}

#[test]
fn parents_without_an_entry_are_made() {
    let listing = merge_as(
        ROOT,
        [
            vec![file("p/q/r/x", "").time(5), dir("p/q").mode(0o700).time(6), dir("k").time(7)],
            vec![file("p/n/y", "").time(8), file("k/z", "").time(9)],
        ],
    );
    let expected = [
        "k d755 0:0 7",
        "k/z f644 0:0 9",
        "p d775 0:0 now",
        "p/n d775 0:0 now",
        "p/n/y f644 0:0 8",
        "p/q d700 0:0 6",
        "p/q/r d775 0:0 now",
        "p/q/r/x f644 0:0 5",
    ];
    assert_eq!(listing, expected);
}

// umoci restores the time of the directory of an entry only if it was there before.
#[test]
fn a_directory_gets_the_time_when_a_parent_is_made_in_it() {
    let listing = merge_as(ROOT, [vec![dir("p").time(5)], vec![file("p/q/x", "").time(6)]]);
    assert_eq!(listing[0], "p d755 0:0 now");
}

// mkdir(2) in a setgid directory.
#[test]
fn parents_inherit_the_group_of_a_setgid_directory() {
    let layer = vec![dir("d").mode(0o2775).owner(3, 44), file("d/s/f", "").owner(1, 1)];
    assert_eq!(merge_as(ROOT, [layer])[1], "d/s d2775 0:44 now");
}

#[test]
fn names_are_cleaned() {
    let listing = names([vec![
        file("/abs", ""),
        file("./dot", ""),
        file("a/./b//c", ""),
        file("x/../y", ""),
        file("../../up", ""),
        file("trail/", "z"),
        other("old/", 0),
        file("new\nline", ""),
        file(b"bad\xff", ""),
        file("back\\slash", ""),
    ]]);
    let expected = [
        "a d",
        "a/b d",
        "a/b/c f",
        "abs f",
        "back\\\\slash f",
        "bad\\xff f",
        "dot f",
        "new\\nline f",
        "old d",
        "trail f \"z\"",
        "up f",
        "y f",
    ];
    assert_eq!(listing, expected);
}

#[test]
fn the_root_directory_has_entries_of_its_own() {
    let layers = [vec![dir("./").mode(0o711).owner(1, 2).time(3)], vec![dir("a/..").mode(0o750)]];
    let layers: Vec<Vec<u8>> = layers.into_iter().map(crate::support::layer).collect();
    let (merged, _) = crate::support::merge_bytes(&layers[..1]).expect("a tree");
    let root = |merged: &sifcache_layers::Merged| {
        let root = merged.tree.get(sifcache_squashfs::tree::Tree::ROOT).expect("the root");
        (root.metadata.mode, root.metadata.uid, root.metadata.gid, root.metadata.mtime)
    };
    assert_eq!(root(&merged), (0o711, 1, 2, 3));
    let (merged, _) = crate::support::merge_bytes(&layers).expect("a tree");
    assert_eq!(root(&merged).0, 0o750);
    let (merged, _) = crate::support::merge_bytes(&[]).expect("a tree");
    assert_eq!(root(&merged), (0o755, 0, 0, crate::support::NOW));
    for name in ["./", "", "..", "/"] {
        assert_invalid([vec![file(name, "")]], "changes the type of the root directory");
    }
}

#[test]
fn names_have_the_lengths_that_linux_accepts() {
    let longest = "n".repeat(255);
    assert_eq!(names([vec![file(format!("{longest}/{longest}"), "")]]).len(), 2);
    assert_unsupported([vec![file(format!("d/{longest}n"), "")]], "too long");
    assert_unsupported([vec![file(format!("{longest}n/f"), "")]], "too long");
    let deep = vec!["d".repeat(99); 39].join("/");
    assert_eq!(names([vec![file(format!("{deep}/x"), "")]]).len(), 40);
    assert_unsupported([vec![file(format!("{deep}/{}/x", "d".repeat(99)), "")]], "too long");
}

#[test]
fn devices_have_the_bits_that_linux_stores() {
    let listing = names([vec![
        device("c", b'3', 1, 3).mode(0o020_644),
        device("b", b'4', 5000, 1 << 20),
        device("o", b'3', 0, 0),
    ]]);
    assert_eq!(listing, ["b b 904:0", "c c 1:3", "o c 0:0"]);
}

// Guessed wrong at first: umoci passes all bits of the mode to mknod(2), which answers EINVAL.
#[test]
fn special_files_of_two_types_are_left_to_the_runtime() {
    assert_eq!(names([vec![other("p", b'6').mode(0o010_644)]]), ["p p"]);
    assert_unsupported([vec![other("p", b'6').mode(0o100_644)]], "mode 100644");
    assert_unsupported([vec![device("c", b'3', 1, 3).mode(0o060_644)]], "mode 60644");
}

#[test]
fn only_twelve_bits_of_other_modes_count() {
    let layer = vec![file("f", "").mode(0o7_777_777), file("g", "").mode(0o100_644)];
    let listing = merge_as(ROOT, [layer]);
    assert!(listing[0].starts_with("f f7777 "), "{listing:?}");
    assert!(listing[1].starts_with("g f644 "), "{listing:?}");
}

// umoci 0.4.7 and 0.6 differ, or have no case for the type.
#[test]
fn what_differs_between_versions_is_left_to_the_runtime() {
    assert_unsupported([vec![file("a", ""), file("a/x", "")]], "a/x: it is below a file");
    assert_unsupported([vec![file("a", ""), symlink("l", "a"), file("l/x", "")]], "l/x: it is");
    for flag in [b'7', b'S', b'V', b'M', b'D', b'A', b'z'] {
        let expected = format!("type {:?}", char::from(flag));
        assert_unsupported([vec![other("a", flag)]], &expected);
    }
}

#[test]
fn owners_are_cut_to_32_bits() {
    let listing = merge_as(
        ROOT,
        [vec![
            file("a", "").owner(70_000, 4_294_967_294),
            file("b", "").owner((1 << 32) + 5, (1 << 40) + 6),
            file("n", "").owner(-5, -6),
        ]],
    );
    assert!(listing[0].starts_with("a f644 70000:4294967294 "), "{listing:?}");
    assert!(listing[1].starts_with("b f644 5:6 "), "{listing:?}");
    assert!(listing[2].starts_with("n f644 4294967291:4294967290 "), "{listing:?}");
}

// chown(2) keeps the owner for -1; for a user, umoci records other owners for 2^32 than for 0.
#[test]
fn owners_that_users_and_root_see_differently_are_left_to_the_runtime() {
    for id in [-1, 0xffff_ffff, 1 << 32, 1 << 40] {
        assert_unsupported([vec![file("a", "").owner(id, 0)]], "its owner");
        assert_unsupported([vec![file("a", "").owner(0, id)]], "its owner");
    }
}

// mksquashfs 4.7.5 stores 0 for negative times and the lowest 32 bits of large ones; older versions
// differ.
#[test]
fn times_beyond_32_bits_are_left_to_the_runtime() {
    let listing = merge_as(ROOT, [vec![file("a", "").time(0), file("b", "").time(0xffff_ffff)]]);
    assert_eq!(listing, ["a f644 0:0 0", "b f644 0:0 4294967295"]);
    for time in [-1, -(1 << 33), 1 << 32, 1 << 40] {
        assert_unsupported([vec![file("a", "").time(time)]], "its time");
    }
}
