//! `--since` and `--until` of all subcommands that have both.

use crate::tree::Tree;
use std::process::{Command, Output, Stdio};

fn run(tree: &Tree, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let words = words.split(' ').map(|word| word.replace("TOP/", &tree.text("")));
    command.args(words).env_clear().env("TZ", "UTC").env("SLURM_CONF", tree.path("none"));
    command.current_dir(tree.path("")).stdin(Stdio::null()).output().unwrap()
}

/// The names of the subcommands whose help has both options.
fn subcommands(tree: &Tree) -> Vec<String> {
    let help = |words: &str| String::from_utf8(run(tree, words).stdout).unwrap();
    let all = help("--help");
    let names = all.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names =
        names.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()));
    let has_both = |name: &&str| {
        let help = help(&format!("{name} --help"));
        help.contains("--since <") && help.contains("--until <")
    };
    names.filter(has_both).map(str::to_owned).collect()
}

#[test]
fn a_period_without_time_is_wrong_usage() {
    let Some(tree) = Tree::new() else { return };
    tree.file("log", b"2026-01-02T00:00:00Z n1 cron: x\n");
    let subcommands = subcommands(&tree);
    assert_eq!(subcommands, ["misses", "hits", "report"]);
    for subcommand in &subcommands {
        for period in [
            "--since 2026-01-03 --until 2026-01-02",
            // The time of --until is left out.
            "--since 2026-01-02 --until 2026-01-02",
            // A longer time before now is earlier.
            "--since 7d --until 30d",
        ] {
            for more in ["", " --json"] {
                let words = format!("{subcommand} --root TOP/root --log TOP/log {period}{more}");
                let output = run(&tree, &words);
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(64), "{words}: {message}");
                assert!(output.stdout.is_empty(), "{words}");
                assert!(message.contains(") is not before --until ("), "{words}: {message}");
            }
        }
        let words = format!(
            "{subcommand} --root TOP/root --log TOP/log --since 2026-01-02 --until 2026-01-03"
        );
        assert_eq!(run(&tree, &words).status.code(), Some(0), "{words}");
    }
    // Nothing is written.
    let words = "report --root TOP/root --log TOP/log --html TOP/page --since 1d --until 2d";
    assert_eq!(run(&tree, words).status.code(), Some(64));
    assert!(!tree.path("page").exists());
}
