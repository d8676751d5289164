//! The command lines that a report shows. They use the settings and logs of the report itself.

use crate::options::{Site, Untrusted};
use crate::ui::shell_quote::quoted;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The options that all command lines have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandLines {
    site: Vec<OsString>,
    logs: Vec<OsString>,
}

impl CommandLines {
    /// The options of this report.
    pub(crate) fn new(site: &Site, logs: &[PathBuf]) -> Self {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(root) = &site.root {
            words.extend(["--root".into(), root.clone()]);
            if site.untrusted == Untrusted::Accept {
                words.extend(["--untrusted".into(), "accept".into()]);
            }
        }
        if let Some(plugstack) = &site.plugstack {
            words.extend(["--plugstack".into(), absolute(plugstack)]);
        }
        // Standard input cannot be read again.
        let files = logs.iter().filter(|log| log.as_os_str() != "-");
        let mut logs: Vec<OsString> = files.map(|log| absolute(log)).collect();
        if !logs.is_empty() {
            logs.insert(0, "--log".into());
        }
        Self { site: words, logs }
    }

    /// `sifcache SUBCOMMAND REST`, with the options that select the settings.
    pub(crate) fn of(&self, subcommand: &str, rest: &[&OsStr]) -> String {
        self.line(subcommand, &[], rest)
    }

    /// Like [`Self::of`], for a subcommand that also reads the logs. `rest` has only options.
    pub(crate) fn with_logs(&self, subcommand: &str, rest: &[&OsStr]) -> String {
        self.line(subcommand, &self.logs, rest)
    }

    fn line(&self, subcommand: &str, logs: &[OsString], rest: &[&OsStr]) -> String {
        let mut words: Vec<&OsStr> = vec!["sifcache".as_ref(), subcommand.as_ref()];
        words.extend(self.site.iter().chain(logs).map(OsString::as_os_str));
        words.extend(rest);
        plain(&words)
    }
}

/// A command line.
pub(crate) fn plain(words: &[&OsStr]) -> String {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    quoted(&words)
}

/// A path that does not depend on the working directory.
fn absolute(path: &Path) -> OsString {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into_os_string()
}

#[cfg(test)]
mod tests {
    use super::CommandLines;
    use crate::options::{Site, Untrusted};
    use std::ffi::OsStr;

    fn site(root: Option<&str>, plugstack: Option<&str>, untrusted: Untrusted) -> Site {
        let (root, plugstack) = (root.map(Into::into), plugstack.map(Into::into));
        Site { root, plugstack, untrusted }
    }

    #[test]
    fn command_lines_repeat_the_options() {
        let words = ["--into", "/s/a b"].map(OsStr::new);
        let none = CommandLines::new(&site(None, None, Untrusted::Refuse), &["-".into()]);
        assert_eq!(none.with_logs("gc", &words), "sifcache gc --into '/s/a b'");
        let root = site(Some("/s:/t"), None, Untrusted::Accept);
        let lines = CommandLines::new(&root, &["/l/it's".into(), "/l/2".into()]);
        let expected = "sifcache gc --root /s:/t --untrusted accept --log \"/l/it's\" /l/2";
        assert_eq!(lines.with_logs("gc", &["--yes".as_ref()]), format!("{expected} --yes"));
        assert_eq!(lines.of("list", &[]), "sifcache list --root /s:/t --untrusted accept");
        let plugstack = site(None, Some("/etc/p.conf"), Untrusted::Refuse);
        let lines = CommandLines::new(&plugstack, &[]);
        assert_eq!(
            lines.of("add", &["o/i:1".as_ref()]),
            "sifcache add --plugstack /etc/p.conf o/i:1"
        );
    }
}
