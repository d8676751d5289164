//! Checks that every crate that is loaded into Slurm, or into the programs of a job, is listed in
//! `docs/security.md` with its licence and its reason, and that the build uses only allowed
//! licences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A crate and its licence.
type Crate = (String, String);

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The output of `cargo tree` with these arguments.
fn tree(words: &[&str]) -> BTreeSet<Crate> {
    let mut cargo = Command::new(env!("CARGO"));
    // Building this test required all packages, so none has to be downloaded.
    cargo.args(["tree", "--locked", "--offline", "--prefix=none", "--format={p}|{l}"]);
    let output = cargo.args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let one = |line: &str| -> Option<Crate> {
        let (package, licence) = line.split_once('|')?;
        Some((package.split(' ').next()?.to_owned(), licence.replace(" (*)", "")))
    };
    text.lines().filter_map(one).collect()
}

/// The crates that are linked into a package. Crates that only macros use at build time are
/// excluded.
fn linked(package: &str) -> BTreeSet<Crate> {
    tree(&["--package", package, "--edges=normal,no-proc-macro"])
}

/// The first two cells of each row in the table below this heading of docs/security.md.
fn listed(heading: &str) -> BTreeSet<Crate> {
    let text = read("docs/security.md");
    let section = text.split("\n## ").find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no section '{heading}'"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| match cells.as_slice() {
        [_, name, licence, reason, ..] if !reason.is_empty() => {
            (name.trim_matches('`').to_owned(), (*licence).to_owned())
        }
        _ => panic!("a row without its reason: {cells:?}"),
    };
    cells.map(row).collect()
}

#[test]
fn all_crates_loaded_into_slurm_are_listed() {
    assert_eq!(linked("spank-sifcache"), listed("Crates loaded into Slurm"));
}

#[test]
fn the_interposer_has_constants_alone() {
    let expected = listed("Crates loaded into the programs of a job");
    assert_eq!(linked("sifcache-preload"), expected);
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["libc", "sifcache-core", "sifcache-preload"]);
}

/// Crates that must not be linked: async runtimes, TLS, network clients, regular expressions.
const FORBIDDEN: [&str; 22] = [
    "async-std",
    "aws-lc-rs",
    "curl",
    "fancy-regex",
    "futures",
    "futures-util",
    "h2",
    "hyper",
    "isahc",
    "mio",
    "native-tls",
    "oci-client",
    "openssl",
    "regex",
    "reqwest",
    "ring",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "ureq",
    "webpki-roots",
];

/// The regex engine of tracing-subscriber is listed in docs/security.md but not linked into the
/// library, which tests/e2e/exports.rs checks.
#[test]
fn no_forbidden_crate_is_loaded_into_slurm() {
    for package in ["spank-sifcache", "sifcache-preload"] {
        let all = linked(package);
        let strange = all.iter().filter(|(name, _)| FORBIDDEN.contains(&name.as_str()));
        assert_eq!(strange.collect::<Vec<_>>(), Vec::<&Crate>::new());
    }
    // The `sifcache` command links them, which shows that the check works.
    assert!(linked("sifcache").iter().any(|(name, _)| name == "tokio"));
}

/// Two versions of one crate would double its code.
#[test]
fn one_version_of_each_crate() {
    let all =
        tree(&["--package", "spank-sifcache", "--edges=normal,no-proc-macro", "--duplicates"]);
    // libc is built with two sets of features, one for macros and one for the plugin.
    let twice: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(twice, Vec::<&str>::new());
}

/// Whether a licence permits redistribution: `licence` is an SPDX expression, or the older form
/// with a slash between alternatives.
fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    let licence = licence.trim();
    let parts = |word: &str| parts(licence, word);
    match (parts(" OR "), parts("/"), parts(" AND ")) {
        (any, ..) if any.len() > 1 => any.iter().any(|one| is_allowed(one, allowed)),
        (_, any, _) if any.len() > 1 => any.iter().any(|one| is_allowed(one, allowed)),
        (.., all) if all.len() > 1 => all.iter().all(|one| is_allowed(one, allowed)),
        _ => match licence.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(inside) => is_allowed(inside, allowed),
            None => allowed.contains(&licence),
        },
    }
}

/// Splits an expression at a word, except inside parentheses.
fn parts<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut start = 0;
    for (place, _) in expression.match_indices(word) {
        let part = expression.get(start..place).unwrap();
        if part.matches('(').count() == part.matches(')').count() {
            parts.push(part);
            start = place + word.len();
        }
    }
    parts.push(expression.get(start..).unwrap());
    parts
}

#[test]
fn licences_are_those_of_deny_toml() {
    let deny = read("deny.toml");
    let list = deny.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(allowed.contains(&"MIT") && !is_allowed("GPL-3.0", &allowed));
    assert!(is_allowed("(GPL-3.0 OR MIT) AND Apache-2.0", &allowed));
    assert!(!is_allowed("(MIT OR Apache-2.0) AND GPL-3.0", &allowed));
    assert!(is_allowed("GPL-3.0/MIT", &allowed) && !is_allowed("", &allowed));
    let all = tree(&["--workspace", "--edges=all"]);
    assert!(all.len() > 150, "{}", all.len());
    let others = all.iter().filter(|(_, licence)| !is_allowed(licence, &allowed));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&Crate>::new());
}
