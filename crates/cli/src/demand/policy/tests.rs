//! Tests of the policy file and of verdicts.

use super::{Asked, Identity, Policy, Verdict, file};
use jiff::SignedDuration;
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use sifcache_core::reference::Reference;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A file with every key.
const FULL: &str = r#"
allow = ["docker.io/library/*", "quay.io/**"]
deny = ["quay.io/bad/**"]
users = ["alice"]
groups = ["staff"]
accounts = ["physics"]
unidentified = "count"
askers = 2
window = "3d"
max-size = "20G"
keep-days = 7
parallel = 4
quiet = ["08:00-18:00"]

[space]
high = "70%"
low = "60%"
inodes-high = "80%"
inodes-low = "50%"
max = "2T"
without-nodes = ["N9.example.org"]

[registries."docker.io"]
per-hour = 15

[backoff]
first = "1m"
longest = "2h"
"#;

/// Alice has uid 1 and bob 2. The user 3 is in the group staff, and 4 in the account physics.
struct People;

impl Identity for People {
    fn user(&self, uid: u32) -> Option<String> {
        [None, Some("alice"), Some("bob")].get(uid as usize)?.map(str::to_owned)
    }

    fn groups(&self, uid: u32) -> Vec<String> {
        if uid == 3 { vec!["staff".to_owned()] } else { Vec::new() }
    }

    fn accounts(&self, uid: u32) -> Vec<String> {
        if uid == 4 { vec!["physics".to_owned()] } else { Vec::new() }
    }
}

fn policy(text: &str) -> Policy {
    file::parse(text.as_bytes()).unwrap()
}

fn error(text: &str) -> String {
    file::parse(text.as_bytes()).unwrap_err()
}

fn judge(policy: &Policy, image: &str, uids: &[u32], unidentified: bool) -> Verdict {
    let asked = Asked { uids: uids.iter().copied().collect(), unidentified };
    policy.judge(&Reference::parse(image.as_bytes()).unwrap(), &asked, &People)
}

fn refused(reason: &str) -> Verdict {
    Verdict::Refused(reason.to_owned())
}

fn not_yet(reason: &str) -> Verdict {
    Verdict::NotYet(reason.to_owned())
}

#[test]
fn every_key_has_an_effect() {
    let full = policy(FULL);
    let limits = full.limits();
    assert_eq!((limits.parallel, limits.askers, limits.max_size), (4, 2, 20 << 30));
    assert_eq!(limits.window, SignedDuration::from_hours(72));
    assert_eq!(limits.keep, SignedDuration::from_hours(7 * 24));
    let registries = ["docker.io", "Index.Docker.io:443", "quay.io"];
    assert_eq!(registries.map(|name| limits.per_hour(name)), [Some(15), Some(15), None]);
    let (backoff, space) = (limits.backoff, &limits.space);
    assert_eq!((backoff.first.as_secs(), backoff.longest.as_secs()), (60, 7_200));
    let [bytes, inodes] = [space.bytes, space.inodes];
    let marks = [bytes.high, bytes.low, inodes.high, inodes.low];
    assert_eq!(marks.map(|mark| mark.to_string()), ["70%", "60%", "80%", "50%"]);
    assert_eq!(space.max, Some(2 << 40));
    assert!(space.without_nodes.iter().eq(["n9"]), "{:?}", space.without_nodes);
    assert_eq!(full.quiet_hours(), ["08:00-18:00"]);
    let at = |hour| jiff::civil::date(2026, 1, 1).at(hour, 0, 0, 0).in_tz("Asia/Tokyo").unwrap();
    assert_eq!([7, 8, 18].map(|hour| full.is_quiet(&at(hour))), [false, true, false]);
}

#[test]
fn only_allow_is_required() {
    let limits = policy("allow = []").limits().clone();
    assert_eq!((limits.parallel, limits.askers, limits.max_size), (2, 1, 50 << 30));
    assert_eq!((limits.window.as_hours(), limits.keep.as_hours()), (7 * 24, 30 * 24));
    let [bytes, inodes] = [limits.space.bytes, limits.space.inodes];
    assert_eq!((bytes.high.of(100), bytes.low.of(100)), (90, 80));
    assert_eq!((inodes.high.of(100), inodes.low.of(100)), (90, 85));
    assert_eq!(limits.space.max, None);
    assert_eq!((limits.backoff.first.as_mins(), limits.backoff.longest.as_hours()), (5, 24));
    assert_eq!(limits.per_hour("docker.io"), None);
}

#[test]
fn verdicts_name_the_rule() {
    let full = policy(FULL);
    assert_eq!(judge(&full, "quay.io/o/i", &[1, 3], false), Verdict::Allowed);
    assert_eq!(judge(&full, "quay.io/o/i", &[3, 4], false), Verdict::Allowed);
    let one = not_yet("1 of 2 users asked for it");
    assert_eq!(judge(&full, "quay.io/o/i", &[1, 2], false), one);
    assert_eq!(judge(&full, "quay.io/o/i", &[], true), one);
    // A proven user can have written the unproven request too.
    assert_eq!(judge(&full, "quay.io/o/i", &[1], true), one);
    let lists = "is not in users, groups, accounts";
    assert_eq!(judge(&full, "quay.io/o/i", &[2], false), refused(&format!("bob {lists}")));
    assert_eq!(judge(&full, "quay.io/o/i", &[9], false), refused(&format!("uid 9 {lists}")));
    let denied = refused("deny has quay.io/bad/**");
    assert_eq!(judge(&full, "quay.io/bad/i", &[1, 3], false), denied);
    let unlisted = refused("no pattern in allow matches it");
    assert_eq!(judge(&full, "o/i", &[1, 3], false), unlisted);
}

/// Otherwise a user could have each image added once for each spelling of its registry.
#[test]
fn registries_have_one_spelling() {
    let policy = policy("allow = [\"**\"]\ndeny = [\"ghcr.io/**\"]");
    for (image, expected) in [
        ("DOCKER.IO/o/i:1", "request it as docker.io/o/i:1"),
        ("index.docker.io:443/o/i:1", "request it as docker.io/o/i:1"),
        ("quay.io:443/o/i", "request it as quay.io/o/i:latest"),
        ("oras://Quay.io/o/i:1", "request it as oras://quay.io/o/i:1"),
        ("GHCR.io/o/i:1", "deny has ghcr.io/**"),
    ] {
        let reference = Reference::parse_printed(image.as_bytes()).unwrap();
        let reason = policy.rule(&reference).expect_err(image);
        assert!(reason.starts_with(expected), "{image}: {reason}");
    }
    for image in ["docker.io/o/i:1", "quay.io:5000/o/i", "quay.io/o/i:Tag"] {
        let reference = Reference::parse_printed(image.as_bytes()).unwrap();
        assert!(policy.rule(&reference).is_ok(), "{image}");
    }
}

/// The same image has a tag and a digest.
#[test]
fn a_denied_tag_cannot_be_requested_by_its_digest() {
    let policy = policy("allow = [\"**\"]\ndeny = [\"quay.io/o/i:1.*\"]");
    let digest = format!("@sha256:{}", "0".repeat(64));
    let refusal = "deny has quay.io/o/i:1.*, and the digest may be the one of such a tag";
    for (image, reason) in [
        ("quay.io/o/i:1.2".to_owned(), Some("deny has quay.io/o/i:1.*")),
        (format!("quay.io/o/i{digest}"), Some(refusal)),
        (format!("quay.io/o/i:2{digest}"), Some(refusal)),
        ("quay.io/o/i:2".to_owned(), None),
        (format!("quay.io/o/j{digest}"), None),
    ] {
        match (judge(&policy, &image, &[9], false), reason) {
            (Verdict::Allowed, None) => {}
            (Verdict::Refused(why), Some(reason)) => assert!(why.starts_with(reason), "{why}"),
            (verdict, _) => panic!("{image}: {verdict:?}"),
        }
    }
}

#[test]
fn without_lists_every_proven_user_may_ask() {
    let open = policy("allow = [\"**\"]");
    assert_eq!(judge(&open, "o/i", &[9], false), Verdict::Allowed);
    let unproven = refused("it is not proven who asked: unidentified = \"refuse\"");
    assert_eq!(judge(&open, "o/i", &[], true), unproven);
    assert_eq!(judge(&open, "o/i", &[], false), refused("nobody asked"));
    let nobody = policy("allow = [\"**\"]\nusers = []");
    assert_eq!(judge(&nobody, "o/i", &[1], false), refused("alice is not in users"));
}

#[test]
fn errors_name_the_line_the_key_and_what_is_allowed() {
    for (text, expected) in [
        ("", "the key allow is missing: write allow = [\"docker.io/library/*\"]"),
        ("allow = [\"**\"]\nalow = 1", "line 2: unknown field `alow`, expected one of `allow`"),
        ("allow = \"x\"", "line 1: allow: invalid type: string \"x\", expected a sequence"),
        ("allow = [\n\"**\",\n\"ubuntu\"]", "line 1: allow: \"ubuntu\" is not a valid pattern: it"),
        ("allow=[]\nmax-size = \"5X\"", "line 2: max-size: \"5X\" is not a valid size: "),
        (
            "allow=[]\nmax-size = 5",
            "line 2: max-size: invalid type: integer `5`, expected a string",
        ),
        ("allow=[]\nwindow = \"x\"", "line 2: window: 'x' is not a valid time; write it as 30m"),
        (
            "allow=[]\nquiet = [\"8-9\"]",
            "line 2: quiet: \"8-9\" is not a valid period; write it as",
        ),
        (
            "allow=[]\nparallel = 0",
            "line 2: parallel: invalid value: integer `0`, expected a nonzero",
        ),
        ("allow=[]\nparallel = 65", "parallel: 65 is more than 64"),
        ("allow=[]\nkeep-days = 0", "keep-days: it must be at least 1"),
        ("allow=[]\nkeep-days = 40000", "keep-days: 40000 is more than 36500"),
        ("allow=[]\nunidentified = \"no\"", "line 2: unidentified: unknown variant `no`, expected"),
        (
            "allow=[]\n[space]\nhigh = \"x\"",
            "line 3: space.high: \"x\" is not a valid percentage; write it",
        ),
        ("allow=[]\n[space]\nhight = \"x\"", "line 3: space: unknown field `hight`, expected"),
        (
            "allow=[]\nspace = {high = \"70%\", low = \"70%\"}",
            "space: low, 70%, is not below high, 70%",
        ),
        ("allow=[]\n[registries.a]\nx = 1", "line 3: registries.a: unknown field `x`, expected"),
        ("allow=[]\n[registries.\"a/b\"]", "registries: \"a/b\" is not the name of a registry"),
        ("allow=[]\n[backoff]\nlast = \"1m\"", "line 3: backoff: unknown field `last`"),
        ("allow=[]\nbackoff = {first=\"2d\", longest=\"1d\"}", "backoff: first is longer than"),
        ("allow=[]\nusers = [\"\"]", "users: \"\" is not a valid name"),
        ("allow=[]\nallow=[]", "line 2: duplicate key"),
        ("allow = [", "line 1: "),
    ] {
        let message = error(text);
        assert!(message.starts_with(expected), "{text:?}: {message}");
    }
    assert_eq!(file::parse(b"a\n\xff").unwrap_err(), "line 2: it is not UTF-8");
    assert_eq!(file::parse(&vec![b'#'; 1 << 21]).unwrap_err(), "it is longer than 1 MiB");
}

#[test]
fn a_high_mark_below_the_default_of_the_low_mark_moves_it() {
    let bytes = policy("allow=[]\nspace = {high = \"50%\"}").limits().space.bytes;
    assert_eq!((bytes.high.of(100), bytes.low.of(100)), (50, 49));
}

#[test]
fn a_missing_file_and_a_file_of_others_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fill.toml");
    let message = |path| Policy::load(path).unwrap_err().to_string();
    let missing = message(&path);
    assert!(missing.contains("fill.toml: there is no policy, so nothing is filled"), "{missing}");
    fs::write(&path, "allow = []").unwrap();
    assert!(Policy::load(&path).is_ok());
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let open = message(&path);
    let expected = "can be written by everybody, so other users could change the policy: chown";
    assert!(open.contains(expected), "{open}");
}

/// The positions in the full file where a key can be.
fn with_unknown_key(line: usize) -> String {
    let mut lines: Vec<&str> = FULL.lines().collect();
    lines.insert(line, "unknown = 1");
    lines.join("\n")
}

#[test]
fn an_unknown_key_is_an_error_anywhere() {
    for line in 0..FULL.lines().count() {
        let message = error(&with_unknown_key(line));
        assert!(message.contains("unknown field `unknown`"), "{line}: {message}");
    }
}

/// The names of the keys of a table, from the message about an unknown one.
fn keys(table: &str) -> Vec<String> {
    let message = error(&format!("allow=[]\n{table}unknown = 1"));
    let (_, list) = message.split_once(", expected ").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All keys of the file, as docs/on-demand.md writes them.
fn all_keys() -> BTreeSet<String> {
    let tables = ["space", "registries", "backoff"];
    let top = keys("").into_iter().filter(|key| !tables.contains(&key.as_str()));
    let below = [
        ("[space]\n", "space."),
        ("[registries.x]\n", "registries.\"HOST\"."),
        ("[backoff]\n", "backoff."),
    ];
    let below = below.iter().flat_map(|(table, before)| {
        keys(table).into_iter().map(move |key| format!("{before}{key}"))
    });
    top.chain(below).collect()
}

fn file_of_the_project(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

#[test]
fn every_key_is_documented() {
    let page = file_of_the_project("docs/on-demand.md");
    let table = page.split("\n## Policy").nth(1).unwrap().split("\n### ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<String> =
        rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
    assert_eq!(documented.iter().cloned().collect::<BTreeSet<_>>(), all_keys());
    assert_eq!(documented.len(), all_keys().len(), "a key has two rows");
}

/// The packaged example, with the keys that are comments there.
#[test]
fn the_example_file_has_all_keys_with_their_defaults() {
    let text = file_of_the_project("packaging/fill/fill.toml.example");
    let example = policy(&text);
    let with_all: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') && key.contains(" = ") => key,
            _ => line,
        })
        .collect();
    let with_all = with_all.join("\n");
    for key in all_keys() {
        let key = key.rsplit('.').next().unwrap();
        assert!(with_all.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
    }
    let set = policy(&with_all);
    // A limit is written there for two keys without one.
    let (space, quiet) = (set.limits().space.clone(), set.quiet_hours());
    assert_eq!((space.max, quiet), (Some(2 << 40), vec!["08:00-18:00".to_owned()]));
    let space = super::Space { max: None, ..space };
    assert_eq!(*example.limits(), super::Limits { space, ..set.limits().clone() });
    assert_eq!(example.askers, set.askers);
    assert_eq!(example.limits().per_hour("docker.io"), Some(16));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The result is a policy or an error.
    #[test]
    fn no_content_of_the_file_causes_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = file::parse(&bytes);
    }

    /// Changes of a valid file reach the parsers of the values.
    #[test]
    fn no_change_of_a_valid_file_causes_a_panic(
        at in 0..FULL.len(), length in 0_usize..12, new in "[\"0-9a-z=%.,:\\[\\]{}*/\n-]{0,12}",
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, new.bytes());
        if let Ok(policy) = file::parse(&bytes) {
            let verdict = judge(&policy, "quay.io/o/i", &[1, 2, 3, 4], true);
            let names_rule = |reason: String| !reason.is_empty();
            match verdict {
                Verdict::Allowed => assert!(policy.rule(&Reference::parse(b"quay.io/o/i").unwrap()).is_ok()),
                Verdict::NotYet(reason) | Verdict::Refused(reason) => assert!(names_rule(reason)),
            }
        }
    }
}
