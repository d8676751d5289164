//! The defaults in `make help` are those that make uses.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Runs make for the project. No command of a recipe is executed.
fn make(words: &[&str]) -> String {
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "--just-print", "VERSION=26.05"]).args(words);
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SIFCACHE_BLESS"] {
        make.env_remove(name);
    }
    let output = make.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A target, a variable and its default, from a word such as `[ROUNDS=5]`. Only numbers are defaults;
/// the other values are examples.
fn defaults() -> Vec<(String, String)> {
    let help = Command::new("make").arg("help").current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let mut all = Vec::new();
    for words in help.lines().filter_map(|line| line.strip_prefix("make ")) {
        let target = words.split_whitespace().next().unwrap();
        for word in words.split_whitespace() {
            let word = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
            let Some((name, number)) = word.and_then(|word| word.split_once('=')) else { continue };
            if number.parse::<u64>().is_ok() && name != "QUICK" && name != "WITHOUT" {
                all.push((target.to_owned(), format!("{name}={number}")));
            }
        }
    }
    all
}

#[test]
fn a_variable_that_is_set_to_its_default_changes_nothing() {
    let defaults = defaults();
    assert!(defaults.len() >= 10, "{defaults:?}");
    for (target, default) in defaults {
        assert_eq!(make(&[&target]), make(&[&target, &default]), "make {target} {default}");
    }
}
