//! Symbolic and hard links, as Apptainer 1.4.5 unpacked these layers.

use crate::support::entry::{device, dir, file, hard_link, other, symlink, whiteout};
use crate::support::{ROOT, assert_invalid, assert_unsupported, merge_as, names};

#[test]
fn entries_follow_links_below_the_root() {
    let listing = names([vec![
        dir("a/b"),
        symlink("l1", "a"),
        symlink("l2", "/l1/b"),
        symlink("l3", "../../l2"),
        file("l3/deep", ""),
        file("l2/../up", ""),
    ]]);
    let links = ["l1 l -> a", "l2 l -> /l1/b", "l3 l -> ../../l2"];
    assert_eq!(listing[..3], ["a d", "a/b d", "a/b/deep f"]);
    assert_eq!(listing[3..6], links);
    // The entry's own path is cleaned first: `..` does not see the link.
    assert_eq!(listing[6..], ["up f"]);
}

#[test]
fn the_target_of_a_dangling_link_is_made() {
    let listing = names([vec![symlink("d", "/no/../else"), file("d/x", "")]]);
    assert_eq!(listing, ["d l -> /no/../else", "else d", "else/x f"]);
    // An absolute link starts at the root of the image.
    let listing = names([vec![dir("a"), symlink("a/l", "/b"), file("a/l/x", "")]]);
    assert_eq!(listing, ["a d", "a/l l -> /b", "b d", "b/x f"]);
}

#[test]
fn links_of_lower_layers_are_followed() {
    let lower = vec![dir("usr/bin"), symlink("bin", "usr/bin")];
    assert_eq!(names([lower, vec![file("bin/x", "")]])[2..], ["usr/bin d", "usr/bin/x f"]);
}

#[test]
fn chains_have_255_links() {
    let chain = |length: usize| {
        let mut entries = vec![dir("t"), symlink("c0", "t")];
        entries.extend((1..length).map(|i| symlink(format!("c{i}"), format!("c{}", i - 1))));
        entries.push(file(format!("c{}/x", length - 1), ""));
        [entries]
    };
    assert!(names(chain(255)).contains(&"t/x f".to_owned()));
    assert_invalid(chain(256), "c255/x: its path leads through more than 255 symbolic links");
}

#[test]
fn loops_of_links_are_refused() {
    assert_invalid([vec![symlink("a", "b"), symlink("b", "a"), file("a/x", "")]], "a/x: its path");
    assert_invalid([vec![symlink("a", "a"), file("a/x", "")]], "a/x: its path");
    // As a file, a loop is nothing special.
    assert_eq!(names([vec![symlink("a", "a")]]), ["a l -> a"]);
}

#[test]
fn a_hard_link_shares_everything_with_its_target() {
    let listing = merge_as(
        ROOT,
        [vec![
            file("a", "data").owner(3, 4).mode(0o600).time(7),
            hard_link("b", "a").owner(9, 9).mode(0o777).time(9),
            symlink("s", "a"),
            hard_link("t", "s"),
            other("fifo", b'6'),
            hard_link("g", "fifo"),
            device("chr", b'3', 1, 5),
            hard_link("d", "chr"),
        ]],
    );
    assert_eq!(listing[0], "a f600 3:4 7 \"data\"");
    assert_eq!(listing[1], "b f600 3:4 7 \"data\" = a");
    assert_eq!(listing[3], "d c644 0:0 1700000000 1:5 = chr");
    assert_eq!(listing[5], "g p644 0:0 1700000000 = fifo");
    assert_eq!(listing[7], "t l777 0:0 1700000000 -> a = s");
}

#[test]
fn a_hard_link_keeps_what_is_then_replaced_or_removed() {
    let lower = vec![file("a", "old"), file("b", "b")];
    let upper = vec![
        hard_link("low", "a"),
        file("a", "new"),
        hard_link("kept", "b"),
        whiteout("b"),
        hard_link("both", "kept"),
    ];
    let expected = ["a f \"new\"", "both f \"b\"", "kept f \"b\" = both", "low f \"old\""];
    assert_eq!(names([lower, upper]), expected);
}

#[test]
fn the_target_of_a_hard_link_is_found_through_links() {
    let listing = names([vec![
        dir("t"),
        file("t/x", "x"),
        symlink("l", "/t"),
        hard_link("y", "l/x"),
        hard_link("z", "/../l/./x"),
    ]]);
    assert_eq!(listing[2..], ["t/x f \"x\"", "y f \"x\" = t/x", "z f \"x\" = t/x"]);
}

#[test]
fn a_hard_link_replaces_even_a_directory() {
    let listing = names([vec![file("x", "x"), dir("d"), file("d/in", "i"), hard_link("d", "x")]]);
    assert_eq!(listing, ["d f \"x\"", "x f \"x\" = d"]);
}

#[test]
fn hard_links_without_a_target_are_left_to_the_runtime() {
    assert_unsupported([vec![hard_link("x", "no")]], "does not exist: no");
    assert_unsupported([vec![file("x", ""), hard_link("x", "x")]], "does not exist: x");
    assert_unsupported([vec![file("f", ""), hard_link("x", "f/in")]], "does not exist: f/in");
    assert_unsupported([vec![dir("d"), hard_link("x", "d")]], "to a directory: d");
    assert_unsupported([vec![hard_link("x", "/")]], "to a directory: /");
    let removed = [vec![file("x", "")], vec![whiteout("x"), hard_link("y", "x")]];
    assert_unsupported(removed, "does not exist: x");
}

#[test]
fn targets_have_the_lengths_that_linux_accepts() {
    assert_eq!(names([vec![symlink("a", "t".repeat(4095))]]).len(), 1);
    assert_unsupported([vec![symlink("a", "t".repeat(4096))]], "4096 bytes");
    assert_unsupported([vec![symlink("a", "")]], "0 bytes");
}
