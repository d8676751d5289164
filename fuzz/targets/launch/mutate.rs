//! Mutations of whole words. libFuzzer's own mutations change bytes and rarely produce a flag.

use std::sync::LazyLock;

/// Words with a meaning: every flag of the table in all its spellings, and the other words of a
/// command line.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words: Vec<String> = OTHERS.map(str::to_owned).into();
    for row in include_str!("../../../crates/core/runtime-flags.tsv").lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        words.extend(["", "=", "=true"].map(|value| format!("{}{value}", cells[1])));
        if cells[2] != "-" {
            words.extend([
                cells[2].to_owned(),
                format!("{}=1", cells[2]),
                format!("{}e", cells[2]),
            ]);
        }
    }
    words
});

const OTHERS: [&str; 44] = [
    "apptainer",
    "singularity",
    "/usr/bin/apptainer",
    "run",
    "exec",
    "shell",
    "test",
    "instance",
    "start",
    "pull",
    "pull",
    "--",
    "-",
    "",
    "true",
    "docker://ubuntu",
    "docker://ubuntu:22.04",
    "docker://o/i:1",
    "docker://docker.io/o/i:1",
    "docker://debian",
    "docker://debian:latest",
    "docker://quay.io/o/i:2",
    "docker://localhost:5000/a/b-c__d/e:v1.2_3-rc",
    "docker://linked/i:1",
    "docker://link:1",
    "docker://gone:1",
    "docker://o/i:2",
    "docker://o/i:3",
    "docker://d",
    "docker://x@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
    "docker://../far/ubuntu",
    "docker:ubuntu",
    "library://ubuntu",
    "/srv/x.sif",
    "-h",
    "--help",
    "--help=false",
    "-ce",
    "-ceB",
    "-BB",
    "SIF_CACHE=off",
    "SIF_CACHE=require",
    "SINGULARITY_OCI=1",
    "APPTAINER_OCI=false",
];

/// The input with one word changed, inserted, removed or swapped, as chosen by `seed`. `None` for
/// half of the seeds.
pub(crate) fn words(input: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut dice = Dice(seed);
    if dice.below(2) == 0 {
        return None;
    }
    let mut words: Vec<&[u8]> = input.split(|byte| *byte == 0).collect();
    let new = WORDS[dice.below(WORDS.len())].as_bytes();
    let at = dice.below(words.len());
    match dice.below(4) {
        0 => words.insert(at, new),
        1 => words[at] = new,
        2 => drop(words.remove(at)),
        _ => {
            let other = dice.below(words.len());
            words.swap(at, other);
        }
    }
    Some(words.join(&0))
}

/// A linear congruential generator, because libFuzzer only provides a single random number.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let mixed = self.0 >> 16 ^ self.0 >> 5;
        mixed as usize % limit.max(1)
    }
}
