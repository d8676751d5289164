//! Keeps the output of a runtime and extracts the reason for a failure from it.

use std::collections::VecDeque;
use std::process::ExitStatus;

/// The number of lines that are kept.
const KEPT_LINES: usize = 40;
/// The log levels at the start of the runtimes' lines.
const LEVELS: [&str; 7] = ["FATAL", "ERROR", "WARNING", "INFO", "LOG", "VERBOSE", "DEBUG"];

/// Texts that the runtimes print, regardless of case, if a registry answers with status 429: the
/// reason phrase of the status, the error code in the body, and the number of the status as each
/// client prints it. `recorded/rate-limits.txt` has the complete messages. Each text contains a
/// space, so that no reference in a message, which users choose, matches it.
const RATE_LIMITS: [&str; 5] = [
    "too many requests",
    ": toomanyrequests: ",
    // Apptainer's client for docker, if the answer has no body.
    "statuscode: 429, ",
    // The client for library.
    "http status code: 429",
    // For http and https.
    "download did not succeed: 429",
];

/// The last lines of a runtime's output.
#[derive(Debug, Default)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
    /// The last line with a fatal error.
    fatal: Option<String>,
}

impl LastLines {
    /// Stores a line, and returns its message.
    pub(super) fn add(&mut self, line: String) -> &str {
        if is_fatal(&line) {
            self.fatal = Some(line.clone());
        }
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.lines.back().map_or("", |line| message(line))
    }

    /// All lines that are kept.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Whether the runtime has failed because of a registry's rate limit.
    pub(super) fn has_rate_limit(&self) -> bool {
        let line = self.fatal.as_ref().or(self.lines.back());
        let line = line.map(|line| line.to_ascii_lowercase());
        line.is_some_and(|line| RATE_LIMITS.iter().any(|text| line.contains(text)))
    }

    /// Why the runtime failed: the message of its fatal error, else its last line.
    pub(super) fn reason(&self, status: ExitStatus) -> String {
        match self.fatal.as_ref().or(self.lines.back()) {
            Some(line) => message(line).to_owned(),
            None => format!("it ended with {status} and no message"),
        }
    }
}

/// The runtimes print `FATAL:` before a fatal error. Their command-line library prints `Error for
/// command` for an unknown option, followed by the whole help text.
fn is_fatal(line: &str) -> bool {
    ["FATAL", "Error for command"].iter().any(|start| line.starts_with(start))
}

/// Removes the level from a line: `FATAL:   `, `INFO:    `, or, with `--debug` in the
/// environment, `FATAL   [U=0,P=1]   main()   `.
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
    use super::{KEPT_LINES, LastLines, message};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    #[test]
    fn the_level_is_removed_from_a_line() {
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
    fn the_fatal_error_is_the_reason() {
        let reason = |lines: &[&str]| {
            let mut output = LastLines::default();
            lines.iter().for_each(|line| _ = output.add((*line).to_owned()));
            output.reason(ExitStatus::from_raw(9))
        };
        assert_eq!(reason(&["FATAL:   a", "b"]), "a");
        assert_eq!(reason(&["INFO:    a", "b"]), "b");
        let help = "Error for command \"pull\": unknown flag: --authfile";
        assert_eq!(reason(&[help, "Options for pull command:", "Run 'apptainer --help'"]), help);
        assert_eq!(reason(&[]), "it ended with signal: 9 (SIGKILL) and no message");
    }

    /// The output of real runtimes, for each request of a pull that a registry on this host
    /// answered with 429, and the time until the runtime failed. Without `Retry-After`, Apptainer
    /// repeats the first request and that for the digest for a minute; with `Retry-After: 3600`,
    /// for eight. Addresses and digests were replaced.
    const RECORDED: &str = include_str!("output_parser/recorded/rate-limits.txt");

    fn has_rate_limit<'a>(lines: impl IntoIterator<Item = &'a str>) -> bool {
        let mut output = LastLines::default();
        lines.into_iter().for_each(|line| _ = output.add(line.to_owned()));
        output.has_rate_limit()
    }

    #[test]
    fn a_rate_limit_that_a_real_runtime_has_met() {
        let mut count = 0;
        for text in RECORDED.split("=== ").filter(|text| !text.is_empty()) {
            assert!(has_rate_limit(text.lines().skip(1)), "{text}");
            count += 1;
        }
        assert!(count > 25, "{count} outputs");
    }

    /// The names of images do not pretend a rate limit, nor do other lines.
    #[test]
    fn a_rate_limit_of_a_registry() {
        for (line, expected) in [
            // The text of Amazon ECR, with two clients.
            ("FATAL:   reading manifest 1 in h.io/o/i: toomanyrequests: Rate exceeded", true),
            ("FATAL:   GET https://h.io/v2/o/i/manifests/1: TOOMANYREQUESTS: Rate exceeded", true),
            ("FATAL:   reading manifest toomanyrequests: manifest unknown", false),
            ("FATAL:   docker://429/toomanyrequests:you-have-too-many-requests: not found", false),
            ("FATAL:   reading manifest 1 in o/i: StatusCode: 500, \"429, \"", false),
            ("FATAL:   While making image: no space", false),
        ] {
            assert_eq!(has_rate_limit(["INFO:    too many requests", line]), expected, "{line}");
        }
        assert!(!has_rate_limit([]));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut output = LastLines::default();
        for number in 0..KEPT_LINES + 2 {
            output.add(number.to_string());
        }
        assert_eq!(output.text().lines().next(), Some("2"));
        assert_eq!(output.text().lines().count(), KEPT_LINES);
    }
}
