//! What a runtime has said, and what of it tells why it failed.

use std::collections::VecDeque;
use std::process::ExitStatus;

/// So many of the last lines are kept.
const LINES: usize = 40;
/// What their lines begin with.
const LEVELS: [&str; 7] = ["FATAL", "ERROR", "WARNING", "INFO", "LOG", "VERBOSE", "DEBUG"];

/// The last lines of a runtime.
#[derive(Debug, Default)]
pub(crate) struct Said {
    lines: VecDeque<String>,
    /// The line that it gave up with.
    fatal: Option<String>,
}

impl Said {
    /// Keeps a line, and returns what is in it.
    pub(super) fn hear(&mut self, line: String) -> &str {
        if is_fatal(&line) {
            self.fatal = Some(line.clone());
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.lines.back().map_or("", |line| message(line))
    }

    /// All that is kept.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Why it ended: what it gave up with, else its last word.
    pub(super) fn why(&self, status: ExitStatus) -> String {
        match self.fatal.as_ref().or(self.lines.back()) {
            Some(line) => message(line).to_owned(),
            None => format!("it ended with {status} and no message"),
        }
    }
}

/// `FATAL:` is the runtimes' own. For an option that it does not know, their library has
/// `Error for command`, with the whole help after it.
fn is_fatal(line: &str) -> bool {
    ["FATAL", "Error for command"].iter().any(|start| line.starts_with(start))
}

/// A line without its level: `FATAL:   `, `INFO:    `; with `--debug` in the environment
/// also `FATAL   [U=0,P=1]   main()   `.
fn message(line: &str) -> &str {
    let Some((word, rest)) = line.split_once([':', ' ']) else { return line };
    if !LEVELS.contains(&word) {
        return line;
    }
    let rest = rest.trim_start();
    let traced = rest.strip_prefix("[U=").and_then(|rest| rest.split_once("() "));
    traced.map_or(rest, |(_, rest)| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::{LINES, Said, message};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    #[test]
    fn what_is_in_a_line() {
        for (line, expected) in [
            ("FATAL:   While making image: no space", "While making image: no space"),
            ("INFO:    Creating SIF file...", "Creating SIF file..."),
            ("DEBUG   [U=0,P=7]   main()        x: y", "x: y"),
            ("Copying blob sha256:00", "Copying blob sha256:00"),
            ("INFO:", ""),
            ("URL is wrong", "URL is wrong"),
            ("", ""),
        ] {
            assert_eq!(message(line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_it_gave_up_with() {
        let why = |lines: &[&str]| {
            let mut said = Said::default();
            lines.iter().for_each(|line| _ = said.hear((*line).to_owned()));
            said.why(ExitStatus::from_raw(9))
        };
        assert_eq!(why(&["FATAL:   a", "b"]), "a");
        assert_eq!(why(&["INFO:    a", "b"]), "b");
        let help = "Error for command \"pull\": unknown flag: --authfile";
        assert_eq!(why(&[help, "Options for pull command:", "Run 'apptainer --help'"]), help);
        assert_eq!(why(&[]), "it ended with signal: 9 (SIGKILL) and no message");
    }

    #[test]
    fn so_many_lines_are_kept() {
        let mut said = Said::default();
        for number in 0..LINES + 2 {
            said.hear(number.to_string());
        }
        assert_eq!(said.text().lines().next(), Some("2"));
        assert_eq!(said.text().lines().count(), LINES);
    }
}
