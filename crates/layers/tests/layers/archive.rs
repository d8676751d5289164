//! The tar format, as Go's `archive/tar` in Apptainer 1.4.5 read these layers.

use crate::support::entry::{
    self, Entry, device, dir, file, gnu_long, hard_link, other, pax, symlink,
};
use crate::support::{
    ROOT, assert_invalid, assert_unsupported, error_of_bytes, layer, merge_as, merge_bytes, names,
};
use sifcache_layers::Error;

const DAMAGED: &str = "the layer is not a valid tar archive";

fn names_of(bytes: Vec<u8>) -> Vec<String> {
    let (merged, contents) = merge_bytes(&[bytes]).unwrap_or_else(|error| panic!("{error}"));
    crate::support::listing::names(&merged.tree, &contents)
}

#[test]
fn long_names_of_pax_and_gnu() {
    let long = "g".repeat(150);
    let listing = names([vec![
        other("short", b'0').data("y").after(gnu_long(b'L', format!("long/{long}"))),
        symlink("l", "t").after(gnu_long(b'K', "t".repeat(150))),
        file("short", "z").record("path", "pax").after(gnu_long(b'L', "gnu")),
        symlink("m", "t").record("linkpath", "pax"),
        file("n".repeat(101), ""),
        hard_link("o", "n".repeat(101)),
    ]]);
    assert_eq!(listing[0], "gnu f \"z\"");
    assert_eq!(listing[1], format!("l l -> {}", "t".repeat(150)));
    assert_eq!(listing[3], format!("long/{long} f \"y\""));
    assert_eq!(listing[4], "m l -> pax");
    assert_eq!(listing[6], format!("o f = {}", "n".repeat(101)));
}

#[test]
fn names_continue_in_the_prefix() {
    let star = |mut bytes: Vec<u8>| {
        bytes[508..512].copy_from_slice(b"tar\0");
        let mut block: [u8; 512] = bytes[..512].try_into().expect("a block");
        entry::seal(&mut block);
        block.to_vec()
    };
    assert_eq!(names([vec![file("tail", "").prefix("pre/fix")]])[2], "pre/fix/tail f");
    assert_eq!(names([vec![file("v7", "").magic(&[0; 8]).prefix("pre")]]), ["v7 f"]);
    // Old versions of Go put a prefix where GNU tar has times.
    assert_eq!(names([vec![file("t", "").magic(b"ustar  \0").prefix("pre")]])[1], "pre/t f");
    assert_eq!(names([vec![file("t", "").magic(b"ustar  \0").prefix("01234567012")]]), ["t f"]);
    let bytes = star(file("t", "").prefix(&"p".repeat(131)).bytes());
    assert_eq!(names_of(bytes)[1], format!("{}/t f", "p".repeat(131)));
}

#[test]
fn records_replace_fields() {
    let listing = merge_as(
        ROOT,
        [vec![
            file("a", "x")
                .record("uid", "70000")
                .record("gid", "+5")
                .record("mtime", "1.999999999"),
            file("b", "x").owner(5, 6).record("uid", "").record("path", "").record("mtime", ""),
            file("c", "x").record("path", "p1").record("path", "p2"),
            file("d", "").size(0).record("size", "4").data("data"),
            file("e", "x"),
        ]],
    );
    let expected = [
        "a f644 70000:5 1 \"x\"",
        "b f644 5:6 1700000000 \"x\"",
        "d f644 0:0 1700000000 \"data\"",
        "e f644 0:0 1700000000 \"x\"",
        "p2 f644 0:0 1700000000 \"x\"",
    ];
    assert_eq!(listing, expected);
}

#[test]
fn a_second_extended_header_replaces_the_first() {
    let records = |key: &str, value: &str| vec![(key.into(), value.into())];
    let entry = file("a", "x")
        .after(pax(b'x', &records("uid", "7")))
        .after(pax(b'x', &records("gid", "8")));
    assert_eq!(merge_as(ROOT, [vec![entry]]), ["a f644 0:8 1700000000 \"x\""]);
    let end = pax(b'x', &records("uid", "7")).bytes();
    assert!(names_of([file("a", "").bytes(), end].concat()) == ["a f"]);
}

#[test]
fn seconds_of_pax_times_are_rounded_down() {
    for (time, seconds) in [("1.5", "1"), ("0.000000001", "0"), ("7.", "7"), ("3.9999999999", "3")]
    {
        let listing = merge_as(ROOT, [vec![file("a", "").record("mtime", time)]]);
        assert_eq!(listing, [format!("a f644 0:0 {seconds}")]);
    }
    assert_unsupported([vec![file("a", "").record("mtime", "-0.5")]], "its time is -1 ");
    assert_unsupported([vec![file("a", "").record("mtime", "-1.0")]], "its time is -1 ");
    // The tenth digit is cut off before rounding.
    assert_unsupported([vec![file("a", "").record("mtime", "-1.0000000001")]], "its time is -1 ");
    assert_unsupported([vec![file("a", "").record("mtime", "-1.5")]], "its time is -2 ");
    for time in [".5", "1.x", "1.-5", "x", "1e3", "9999999999999999999"] {
        assert_invalid([vec![file("a", "").record("mtime", time)]], "pax record mtime");
    }
    assert_invalid([vec![file("a", "").record("atime", "x")]], "pax record atime");
}

#[test]
fn damaged_records() {
    let raw = |data: &[u8]| vec![file("a", "").after(other("pax", b'x').data(data))];
    assert_eq!(names([raw(b"9 path=x\n")]), ["x f"]);
    let damaged: [&[u8]; 11] = [
        b"path=x\n",
        b"9 path=x",
        b"11 path=x\n",
        b"8 path=x\n",
        b"4 a\n",
        b"4 =\n",
        b"5 abc\n",
        b"-9 path=x\n",
        b"99999999999999999999 path=x\n",
        b"x path=x\n",
        b"9 path=x\n\0",
    ];
    for data in damaged {
        assert_invalid([raw(data)], "a record of a pax header is not valid");
    }
    assert_invalid([vec![file("a", "").record("path", "a\0b")]], "a record of a pax header");
    assert_invalid([vec![file("a", "").record("key\0", "x")]], "a record of a pax header");
    assert_eq!(names([vec![file("a", "").record("comment", "a\0b")]]), ["a f"]);
    for key in ["uid", "gid", "size"] {
        assert_invalid([vec![file("a", "").record(key, "1x")]], &format!("pax record {key}"));
    }
    assert_invalid([vec![file("a", "").record("size", "-1")]], "a: its size is negative: -1");
}

#[test]
fn extended_headers_have_a_megabyte_at_most() {
    let comment = |length: usize| vec![file("a", "").record("comment", vec![b'c'; length])];
    assert_eq!(names([comment((1 << 20) - 100)]), ["a f"]);
    assert_invalid([comment(1 << 20)], "pax: an extended header has");
    // Its size is checked before any memory is taken.
    let huge = layer([other("pax", b'x').size((1 << 33) - 1)]);
    assert!(error_of_bytes(&[huge]).to_string().contains("8589934591 bytes"));
    let ends = layer([other("pax", b'x').size(5000)]);
    assert!(error_of_bytes(&[ends]).to_string().contains("content of a file"));
}

#[test]
fn global_headers_are_left_to_the_runtime() {
    let global = pax(b'g', &[(b"comment".to_vec(), b"x".to_vec())]);
    assert_unsupported([vec![global, file("a", "")]], "global pax headers");
}

#[test]
fn numbers_are_octal_or_base_256() {
    let mut block: [u8; 512] = file("o", "").bytes().try_into().expect("a block");
    block[100..108].copy_from_slice(b" 644 \0  ");
    block[108..116].copy_from_slice(b"\0\0\0\0\0\0\x005");
    block[116..124].copy_from_slice(&[0x80, 0, 0, 0, 0, 1, 0x11, 0x70]);
    entry::seal(&mut block);
    let (merged, contents) = merge_bytes(&[block.to_vec()]).expect("a tree");
    let listing = crate::support::listing::listing(&merged.tree, &contents);
    assert_eq!(listing, ["o f644 5:70000 1700000000"]);
    for (at, field) in [
        (100, "mode"),
        (108, "owner"),
        (116, "group"),
        (124, "size"),
        (136, "time"),
        (329, "device number"),
    ] {
        let mut wrong = block;
        wrong[at] = b'9';
        entry::seal(&mut wrong);
        let expected = format!("{DAMAGED}: the {field} of o is not valid");
        assert_eq!(error_of_bytes(&[wrong.to_vec()]).to_string(), expected);
    }
    let mut large = block;
    large[136..148].copy_from_slice(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    entry::seal(&mut large);
    assert!(error_of_bytes(&[large.to_vec()]).to_string().contains("the time of o"));
}

#[test]
fn the_checksum_may_add_signed_bytes() {
    let mut block: [u8; 512] = file("o\u{e9}", "").bytes().try_into().expect("a block");
    let sum: i64 = block
        .iter()
        .enumerate()
        .map(|(index, byte)| match index {
            148..156 => 32,
            _ => i64::from(byte.cast_signed()),
        })
        .sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(names_of(block.to_vec()).len(), 1);
    block[148..156].copy_from_slice(b"000000\0 ");
    assert!(error_of_bytes(&[block.to_vec()]).to_string().contains("the checksum of o"));
}

#[test]
fn the_end_of_an_archive() {
    let entry = || file("a", "data").bytes();
    let cases: [(Vec<u8>, bool); 9] = [
        (entry(), true),
        ([entry(), vec![0; 512]].concat(), true),
        ([entry(), vec![0; 1024], file("b", "").bytes()].concat(), true),
        (entry()[..512 + 4].to_vec(), true),
        (entry()[..512 + 3].to_vec(), false),
        (entry()[..511].to_vec(), false),
        ([entry(), vec![0; 700]].concat(), false),
        ([entry(), vec![0; 512], file("b", "").bytes()].concat(), false),
        (file("a", "").size((1 << 33) - 1).bytes(), false),
    ];
    for (index, (bytes, is_valid)) in cases.into_iter().enumerate() {
        if is_valid {
            assert_eq!(names_of(bytes), ["a f \"data\""], "case {index}");
        } else {
            let error = error_of_bytes(&[bytes]);
            assert!(matches!(error, Error::Invalid(_)), "case {index}: {error}");
            assert!(error.to_string().starts_with(DAMAGED), "case {index}: {error}");
        }
    }
    assert!(names_of(Vec::new()).is_empty());
    assert!(names_of(vec![0; 10240]).is_empty());
}

#[test]
fn the_size_of_an_entry_without_data_means_nothing() {
    let entries = vec![
        file("x", ""),
        hard_link("y", "x").size(3),
        dir("d").size(512),
        symlink("s", "x").size(1),
        device("c", b'3', 1, 3).size(9),
        other("p", b'6').size(7),
        file("z", ""),
    ];
    assert_eq!(names([entries]).len(), 7);
}

fn sparse(records: &[(&str, &str)], data: &str) -> Entry {
    records.iter().fold(file("n", data), |entry, (key, value)| {
        entry.record(&format!("GNU.sparse.{key}"), value)
    })
}

#[test]
fn sparse_files_of_all_pax_formats() {
    let zeros = |count: usize| "\\x00".repeat(count);
    let content = format!("{}abc{}de{}", zeros(2), zeros(5), zeros(8));
    let size = ("size", "20");
    let pairs = [("offset", "2"), ("numbytes", "3"), ("offset", "10"), ("numbytes", "2")];
    let old: Vec<_> = [size, ("numblocks", "2")].into_iter().chain(pairs).collect();
    assert_eq!(names([vec![sparse(&old, "abcde")]]), [format!("n f \"{content}\"")]);
    let middle = [size, ("numblocks", "2"), ("name", "real"), ("map", "2,3,10,2")];
    assert_eq!(names([vec![sparse(&middle, "abcde")]]), [format!("real f \"{content}\"")]);
    let new = [("major", "1"), ("minor", "0"), ("name", "real"), ("realsize", "20")];
    let data = format!("{:\0<512}abcde", "2\n2\n3\n10\n2\n");
    let listing = names([vec![sparse(&new, &data), file("then", "")]]);
    assert_eq!(listing, [format!("real f \"{content}\""), "then f".into()]);
}

#[test]
fn sparse_files_may_be_empty_or_of_an_unknown_format() {
    let new = |size| [("major", "1"), ("minor", "0"), ("realsize", size)];
    let map = |text: &str| format!("{text:\0<512}");
    let listing = names([vec![sparse(&new("3"), &map("0\n")), file("o", "")]]);
    assert_eq!(listing, ["n f \"\\x00\\x00\\x00\"", "o f"]);
    assert_eq!(names([vec![sparse(&new("0"), &map("1\n0\n0\n"))]]), ["n f"]);
    // A regular file, with the name in the header.
    let unknown = [("major", "2"), ("minor", "0"), ("name", "real")];
    assert_eq!(names([vec![sparse(&unknown, "abc")]]), ["n f \"abc\""]);
}

#[test]
fn damaged_sparse_files() {
    let old = |map: &'static str| [("size", "20"), ("numblocks", "1"), ("map", map)];
    assert_invalid([vec![sparse(&old("2,3"), "abcde")]], "more data than its map");
    assert_invalid([vec![sparse(&old("2,9"), "abcde")]], "less data than its map");
    for map in
        ["18,5", "-1,5", "2,-3", "2", "2,3,4,5", "x,3", "9223372036854775807,9223372036854775807"]
    {
        assert_invalid([vec![sparse(&old(map), "abcde")]], "a sparse map is not valid");
    }
    let overlap = [("size", "20"), ("numblocks", "2"), ("map", "2,3,4,2")];
    assert_invalid([vec![sparse(&overlap, "abcde")]], "a sparse map is not valid");
    let order = [("numblocks", "1"), ("numbytes", "3"), ("offset", "2")];
    assert_invalid([vec![sparse(&order, "abc")]], "a sparse map in a pax header");
    let negative = [("size", "-1"), ("numblocks", "0"), ("map", "")];
    assert_eq!(names([vec![sparse(&negative, "")]]), ["n f"], "without a map it is not sparse");
    let new = [("major", "1"), ("minor", "0"), ("realsize", "20")];
    for data in ["1\n2\n", "x\n", "-1\n", "99999999\n", "1\n2\n99\n", "123456789012345678901\n"] {
        assert_invalid([vec![sparse(&new, &format!("{data:\0<512}"))]], "a sparse map");
    }
    assert_invalid([vec![sparse(&new, "1\n2\n")]], DAMAGED);
    // A sparse directory.
    let directory = dir("d").record("GNU.sparse.major", "0").record("GNU.sparse.minor", "1");
    assert_invalid([vec![directory.record("GNU.sparse.numblocks", "0")]], "a sparse map");
}

#[test]
fn the_old_sparse_format_is_left_to_the_runtime() {
    assert_unsupported([vec![other("a", b'S').magic(b"ustar  \0")]], "type 'S'");
}
