//! Generated command lines, whose results with the runtime and with the shim are compared.

use super::Site;

/// A pseudo-random generator (xorshift64) that generates the same lines in every run. Its state must
/// not be zero.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// Runs the lines with `script` as alice on the login node, with `program` in place of PROGRAM. The
/// script prints `== NUMBER` before the result of each line. Returns these results.
pub(crate) fn run(site: &Site, script: &str, lines: &[String], program: &str) -> Vec<String> {
    let input: String = lines.iter().map(|line| line.replace("PROGRAM", program) + "\n").collect();
    let output = site.exec(&["--user", "alice"], &["bash", "-c", script], &input);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:#?}");
    let results: Vec<String> = output.stdout.split("== ").skip(1).map(str::to_owned).collect();
    assert_eq!(results.len(), lines.len());
    results
}

/// Asserts that the results of each line are the same with the runtime and with the shim.
#[track_caller]
pub(crate) fn assert_same(lines: &[String], runtime: &[String], shim: &[String]) {
    let mut differences = String::new();
    for ((line, runtime), shim) in lines.iter().zip(runtime).zip(shim) {
        if runtime != shim {
            differences += &format!("{line}\n-- runtime:\n{runtime}-- shim:\n{shim}\n");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
