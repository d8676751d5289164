//! Whiteouts, as Apptainer 1.4.5 applied them to these layers.

use crate::support::entry::{dir, file, hard_link, other, symlink, whiteout};
use crate::support::{
    ROOT, USER, assert_invalid, assert_unsupported, merge_as, names, try_merge_as,
};

#[test]
fn removes_files_and_directories_of_lower_layers() {
    let lower = vec![
        dir("d"),
        file("d/a", "a"),
        file("d/b", "b"),
        file("gone", ""),
        dir("all"),
        file("all/x", "x"),
    ];
    let upper = vec![
        whiteout("gone"),
        whiteout("d/a"),
        whiteout("never"),
        whiteout("all"),
        whiteout("no/where"),
    ];
    assert_eq!(names([lower, upper]), ["d d", "d/b f \"b\""]);
}

#[test]
fn spares_what_the_same_layer_has_put_there_in_any_order() {
    let lower = vec![dir("d"), file("d/a", "old"), file("d/b", "b"), file("e", "old")];
    let upper =
        vec![whiteout("d"), file("d/a", "new"), file("e", "new"), whiteout("e"), whiteout("d")];
    assert_eq!(names([lower, upper]), ["d d", "d/a f \"new\"", "e f \"new\""]);
}

#[test]
fn of_a_changed_directory_removes_only_what_lower_layers_have() {
    let lower = vec![dir("d"), dir("d/s"), file("d/s/x", "x"), file("d/y", "y")];
    let upper = vec![file("d/s/new", "n"), whiteout("d")];
    assert_eq!(names([lower, upper]), ["d d", "d/s d", "d/s/new f \"n\""]);
}

// A random test found that only the new directory was spared.
#[test]
fn spares_directories_on_the_way_to_an_entry_that_made_others() {
    let lower = vec![dir("a/b/c")];
    let upper = vec![file("a/b/.wh..wh..opq", ""), file("a/b/c/new", ""), whiteout("a/b")];
    assert_eq!(names([lower, upper]), ["a d", "a/b d", "a/b/c d", "a/b/c/new f"]);
}

#[test]
fn opaque_keeps_the_directory_and_what_the_layer_has_put_there() {
    let lower = vec![
        dir("d").time(9),
        file("d/a", "old"),
        file("d/b", "b"),
        dir("d/s"),
        file("d/s/x", "x"),
    ];
    let upper = vec![file("d/a", "new"), file("d/.wh..wh..opq", ""), file("d/c", "c")];
    let listing = merge_as(ROOT, [lower, upper]);
    assert_eq!(listing[0], "d d755 0:0 9");
    assert_eq!(listing.len(), 3, "{listing:?}");
}

#[test]
fn opaque_works_in_the_root_directory_and_does_nothing_to_a_file() {
    let lower = || vec![file("a", "a"), dir("d"), file("d/x", "x")];
    assert_eq!(names([lower(), vec![file(".wh..wh..opq", ""), file("b", "b")]]), ["b f \"b\""]);
    let listing = names([lower(), vec![file("a/.wh..wh..opq", ""), file("no/.wh..wh..opq", "")]]);
    assert_eq!(listing, ["a f \"a\"", "d d", "d/x f \"x\""]);
}

#[test]
fn the_type_of_the_entry_does_not_matter() {
    let lower = ["a", "b", "c", "e"].map(|name| file(name, name)).to_vec();
    let upper = vec![
        dir(".wh.a"),
        symlink(".wh.b", "x"),
        hard_link(".wh.c", "nothing"),
        other(".wh.e", b'7').data("x"),
    ];
    assert!(names([lower, upper]).is_empty());
}

#[test]
fn its_directory_is_found_through_links_but_a_link_itself_is_removed() {
    let lower =
        vec![dir("usr/bin"), file("usr/bin/x", ""), symlink("bin", "usr/bin"), symlink("l", "usr")];
    let upper = vec![whiteout("bin/x"), whiteout("l"), file("bin/z", "")];
    assert_eq!(names([lower, upper]), ["bin l -> usr/bin", "usr d", "usr/bin d", "usr/bin/z f"]);
}

// `umoci repack` writes such layers if a directory was replaced: its names are removed below the new
// file or link. Seen with Apptainer 1.4.5, which removes the file behind the link, too.
#[test]
fn below_a_file_or_link_that_replaces_the_directory() {
    let replaced = |by| {
        let lower = vec![dir("d"), file("d/x", "d"), dir("e"), file("e/x", "e"), file("e/y", "")];
        names([lower, vec![by, whiteout("d/x"), file("z", "")]])
    };
    let (kept, z) = (["e d", "e/x f \"e\"", "e/y f"], "z f");
    for link in ["e", "/e"] {
        assert_eq!(replaced(symlink("d", link)), [&format!("d l -> {link}"), "e d", "e/y f", z]);
    }
    assert_eq!(replaced(symlink("d", "no")), [&["d l -> no"], &kept[..], &[z]].concat());
    assert_eq!(replaced(file("d", "file")), [&["d f \"file\""], &kept[..], &[z]].concat());
}

#[test]
fn only_the_last_component_makes_a_whiteout() {
    let listing = names([vec![file("x", "")], vec![file(".wh.d/f", "")]]);
    assert_eq!(listing, [".wh.d d", ".wh.d/f f", "x f"]);
}

#[test]
fn spares_names_that_the_layer_gave_to_files_of_lower_layers() {
    let lower = vec![file("a", "a"), dir("d"), file("d/low", "l")];
    let upper = vec![hard_link("d/up", "a"), file("d/.wh..wh..opq", ""), whiteout("a")];
    assert_eq!(names([lower, upper]), ["d d", "d/up f \"a\""]);
}

// Guessed wrong at first: for an ordinary user, the time after the removal is the one before. umoci
// 0.6 restores it in `foreachSubpath` of its pkg/unpriv; 0.4.7 does not.
#[test]
fn time_of_a_changed_directory() {
    let layers = || {
        let lower = vec![dir("d").time(5), dir("d/s").time(6), file("d/s/old", "")];
        [lower, vec![file("d/s/new", ""), whiteout("d")]]
    };
    let time = |listing: Vec<String>| listing[1].clone();
    assert_eq!(time(merge_as(ROOT, layers())), "d/s d755 0:0 now");
    assert_eq!(time(merge_as(USER, layers())), "d/s d755 0:0 6");
    let unknown = crate::support::ROOT;
    let unknown = sifcache_layers::rules::Rules {
        removals: sifcache_layers::rules::Removals::Unknown,
        ..unknown
    };
    let reason = try_merge_as(unknown, layers()).expect_err("a refusal");
    assert!(reason.contains("whiteout"), "{reason}");
}

// The versions of umoci do different things without a name.
#[test]
fn without_a_name_is_refused() {
    assert_unsupported([vec![file("d/.wh.", "")]], "without a name");
    for own_path in [".", ".."] {
        assert_invalid([vec![file(format!("d/.wh.{own_path}"), "")]], "on its own path");
    }
}
