//! The order in which the program measures several plugins.

use crate::HIT;
use crate::kit::{Site, host};
use std::collections::BTreeSet;

/// The numbers of three plugins in the order in which they run. Each logs the name of its unknown
/// setting.
fn order(rounds: usize) -> Vec<usize> {
    let site = Site::new();
    let lines = [0, 1, 2].map(|at| site.line(&format!("unknown{at}=x")));
    let flags = ["--plugin", &lines[1], "--plugin", &lines[2], "--verbose", "--runs"];
    let output = host(&lines[0], &[&flags[..], &[&rounds.to_string()]].concat(), &HIT);
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let number = |line: &str| line.split_once("unknown key 'unknown")?.1.get(..1)?.parse().ok();
    // After the rounds, each plugin runs once more, to count its system calls.
    log.lines().filter_map(number).take(3 * rounds).collect()
}

#[test]
fn plugins_run_once_per_round_and_follow_each_other() {
    let order = order(30);
    assert_eq!(order.len(), 90);
    let sorted = |round: &[usize]| round.iter().copied().collect::<BTreeSet<_>>();
    assert!(order.chunks(3).all(|round| sorted(round).len() == 3), "{order:?}");
    assert_eq!(order.chunks(3).collect::<BTreeSet<_>>().len(), 6, "{order:?}");
    assert_eq!(order.windows(2).collect::<BTreeSet<_>>().len(), 9, "{order:?}");
}
