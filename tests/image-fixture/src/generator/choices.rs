//! The values that random images choose from.

use crate::random::Random;
use serde_json::{Value, json};

/// Media types of layers.
pub(super) const MEDIA_TYPES: [&str; 5] = [
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
];

/// Names at the top of the root directory.
const TOP: [&str; 6] = ["a", "b", "opt", "usr", "lib", "srv"];

/// Names that occur often, so that layers change what lower layers have.
const COMMON: [&str; 5] = ["a", "b", "c", "d", "x"];

/// Names that readers of archives, lists or links may take for something else.
const UNUSUAL: [&[u8]; 20] = [
    b"with space",
    b" ",
    b"tab\there",
    b"quote\"s'",
    b"back\\slash",
    b"line\nbreak",
    b"\xc3\xbc\xe2\x80\x93",
    b"latin\xe9",
    b"-n",
    b"...",
    b"..a",
    b".a",
    b".wh",
    b"a.wh.b",
    b"#",
    b"*",
    b"%s",
    b"$HOME",
    b"PaxHeaders.0",
    b"CON",
];

/// A name below the root directory.
pub(super) fn name(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => random.pick(&UNUSUAL).copied().unwrap_or_default().to_vec(),
        1 => long(random),
        _ => random.pick(&COMMON).copied().unwrap_or_default().into(),
    }
}

/// A name in the root directory.
pub(super) fn top(random: &mut Random) -> Vec<u8> {
    random.pick(&TOP).copied().unwrap_or_default().into()
}

/// A name whose length is at or near a limit of a header.
fn long(random: &mut Random) -> Vec<u8> {
    let length = random.pick(&[99, 100, 101, 155, 156, 200, 255]).copied().unwrap_or_default();
    let letter = random.pick(b"lm").copied().unwrap_or_default();
    vec![letter; length]
}

/// Permissions: usual ones most of the time.
pub(super) fn mode(random: &mut Random, usual: u32) -> u32 {
    const MODES: [u32; 14] = [
        0o777, 0o700, 0o600, 0o555, 0o444, 0o111, 0o4755, 0o2755, 0o1777, 0o2775, 0o7777, 0o640,
        0o200, 0o000,
    ];
    if random.one_in(3) { random.pick(&MODES).copied().unwrap_or(usual) } else { usual }
}

/// An owner: root most of the time.
pub(super) fn owner(random: &mut Random) -> u32 {
    const OWNERS: [u32; 8] = [1, 33, 1000, 1001, 65_534, 65_536, 2_097_152, 3_000_000_000];
    if random.one_in(3) { random.pick(&OWNERS).copied().unwrap_or(0) } else { 0 }
}

/// A time, as seconds and nanoseconds.
pub(super) fn time(random: &mut Random) -> (i64, u32) {
    const TIMES: [(i64, u32); 8] = [
        (0, 0),
        (1, 0),
        (1_500_000_000, 999_999_999),
        (1_500_000_000, 1),
        (2_147_483_647, 0),
        (2_147_483_648, 0),
        (4_000_000_000, 0),
        (1_234_567_890, 500_000_000),
    ];
    if random.one_in(4) {
        random.pick(&TIMES).copied().unwrap_or_default()
    } else {
        (1_600_000_000 + i64::try_from(random.below(1000)).unwrap_or(0), 0)
    }
}

/// The size of a file: most are small, some are longer than a block of the file system.
pub(super) fn size(random: &mut Random) -> usize {
    match random.below(20) {
        0..4 => 0,
        4 => random.pick(&[511, 512, 513, 4096, 131_071, 131_072, 131_073]).copied().unwrap_or(0),
        5 => 131_072 + random.below(300_000),
        _ => random.below(2000),
    }
}

/// Extended attributes: most files have none.
pub(super) fn xattrs(random: &mut Random) -> Vec<(String, Vec<u8>)> {
    if !random.one_in(10) {
        return Vec::new();
    }
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let all = [
        ("user.a", b"b".to_vec()),
        ("user.binary", vec![0, 1, 255, b'\n', b'=']),
        ("user.empty", Vec::new()),
        ("user.long", vec![b'v'; 1000]),
        ("security.capability", capability.to_vec()),
        ("trusted.t", b"u".to_vec()),
    ];
    let kept = all.into_iter().filter(|_| random.one_in(3));
    kept.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What `docker inspect` shows as `Config`.
pub(super) fn config(random: &mut Random) -> Value {
    const WORDS: [&str; 8] =
        ["sh", "-c", "echo 'a b' \"$HOME\"", "a\\b", "`id`", "$(id)", "", "ünï\tx"];
    let mut words = |most: usize| -> Value {
        let count = random.below(most + 1);
        (0..count).map(|_| json!(random.pick(&WORDS).copied().unwrap_or_default())).collect()
    };
    let (entrypoint, command) = (words(3), words(3));
    let path = "PATH=/usr/local/bin:/usr/bin:/bin";
    let all = ["A=b c", "Q=it's \"quoted\"", "D=$HOME `x` \\", "EMPTY=", "N=line\nbreak", "U=ü"];
    let more = all.into_iter().filter(|_| random.one_in(4)).map(str::to_owned);
    let environment: Vec<String> = std::iter::once(path.to_owned()).chain(more).collect();
    let mut config = json!({"Env": environment});
    let Some(fields) = config.as_object_mut() else { return config };
    let mut set = |chosen: bool, name: &str, value: Value| {
        if chosen {
            fields.insert(name.to_owned(), value);
        }
    };
    set(random.one_in(2), "Entrypoint", entrypoint);
    set(random.one_in(2), "Cmd", command);
    set(random.one_in(4), "WorkingDir", json!("/opt/a"));
    set(random.one_in(6), "User", json!("1000:1000"));
    set(random.one_in(4), "Labels", json!({"a.b": "c \"d\"", "org.e": "f\ng", "e": ""}));
    set(random.one_in(6), "ExposedPorts", json!({"80/tcp": {}}));
    set(random.one_in(6), "Volumes", json!({"/data": {}}));
    config
}
