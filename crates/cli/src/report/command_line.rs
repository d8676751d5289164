//! The command lines that a report shows. They use the settings and logs of the report itself.

use crate::events::period::Period;
use crate::options::{Site, Untrusted};
use crate::site;
use crate::ui::shell_quote::quoted;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The options that all command lines have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandLines {
    site: Vec<OsString>,
    logs: Vec<OsString>,
    period: Vec<OsString>,
}

impl CommandLines {
    /// The options of this report.
    pub(crate) fn new(site: &Site, period: &Period) -> Self {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(root) = &site.root {
            let root = site::absolute(root).map_or_else(|_| root.clone(), OsString::from);
            words.extend(["--root".into(), root]);
            if site.untrusted == Untrusted::Accept {
                words.extend(["--untrusted".into(), "accept".into()]);
            }
        }
        if let Some(plugstack) = &site.plugstack {
            words.extend(["--plugstack".into(), absolute(plugstack)]);
        }
        // Standard input cannot be read again.
        let files = period.log.iter().filter(|log| log.as_os_str() != "-");
        let mut logs: Vec<OsString> = files.map(|log| absolute(log)).collect();
        if !logs.is_empty() {
            logs.insert(0, "--log".into());
        }
        let times = [("--since", period.since), ("--until", period.until)];
        let times = times
            .into_iter()
            .filter_map(|(option, time)| Some([option.into(), time?.to_string().into()]));
        Self { site: words, logs, period: times.flatten().collect() }
    }

    /// `sifcache SUBCOMMAND REST`, with the options that select the settings.
    pub(crate) fn of(&self, subcommand: &str, rest: &[&OsStr]) -> String {
        self.line(subcommand, [&[], &[]], rest)
    }

    /// Like [`Self::of`], for a subcommand that also reads the logs. `rest` has only options.
    pub(crate) fn with_logs(&self, subcommand: &str, rest: &[&OsStr]) -> String {
        self.line(subcommand, [&self.logs, &[]], rest)
    }

    /// Like [`Self::with_logs`], for the lines of the same time as the report.
    pub(crate) fn in_period(&self, subcommand: &str, rest: &[&OsStr]) -> String {
        self.line(subcommand, [&self.logs, &self.period], rest)
    }

    fn line(&self, subcommand: &str, logs: [&[OsString]; 2], rest: &[&OsStr]) -> String {
        let mut words: Vec<&OsStr> = vec!["sifcache".as_ref(), subcommand.as_ref()];
        let logs = logs.into_iter().flatten();
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
    use crate::events::period::Period;
    use crate::options::{Site, Untrusted};
    use std::ffi::OsStr;

    fn period(logs: &[&str]) -> Period {
        Period { log: logs.iter().map(Into::into).collect(), since: None, until: None }
    }

    fn site(root: Option<&str>, plugstack: Option<&str>, untrusted: Untrusted) -> Site {
        let (root, plugstack) = (root.map(Into::into), plugstack.map(Into::into));
        Site { root, plugstack, untrusted }
    }

    #[test]
    fn command_lines_repeat_the_options() {
        let words = ["--into", "/s/a b"].map(OsStr::new);
        let none = CommandLines::new(&site(None, None, Untrusted::Refuse), &period(&["-"]));
        assert_eq!(none.with_logs("gc", &words), "sifcache gc --into '/s/a b'");
        let root = site(Some("/s:/t"), None, Untrusted::Accept);
        let lines = CommandLines::new(&root, &period(&["/l/it's", "/l/2"]));
        let expected = "sifcache gc --root /s:/t --untrusted accept --log \"/l/it's\" /l/2";
        assert_eq!(lines.with_logs("gc", &["--yes".as_ref()]), format!("{expected} --yes"));
        assert_eq!(lines.of("list", &[]), "sifcache list --root /s:/t --untrusted accept");
        let plugstack = site(None, Some("/etc/p.conf"), Untrusted::Refuse);
        let lines = CommandLines::new(&plugstack, &period(&[]));
        assert_eq!(
            lines.of("add", &["o/i:1".as_ref()]),
            "sifcache add --plugstack /etc/p.conf o/i:1"
        );
    }

    /// The page is read in other directories than the one where it was made.
    #[test]
    fn roots_are_absolute() {
        let here = std::env::current_dir().unwrap();
        let lines = |root| {
            CommandLines::new(&site(Some(root), None, Untrusted::Refuse), &period(&[]))
                .of("list", &[])
        };
        let here = here.display();
        assert_eq!(lines("sif:/s"), format!("sifcache list --root {here}/sif:/s"));
        assert_eq!(lines("pulls=sif"), format!("sifcache list --root 'pulls={here}/sif'"));
    }

    /// A list of another time would have other images than the page.
    #[test]
    fn lists_are_of_the_same_time() {
        let [since, until] =
            ["2026-11-01T00:00:00Z", "2026-11-24T03:00:00Z"].map(|time| time.parse().ok());
        let period = Period { since, until, ..period(&["/l"]) };
        let lines = CommandLines::new(&site(None, None, Untrusted::Refuse), &period);
        assert_eq!(
            lines.in_period("misses", &["--refs".as_ref()]),
            "sifcache misses --log /l --since 2026-11-01T00:00:00Z --until 2026-11-24T03:00:00Z --refs"
        );
        assert_eq!(lines.with_logs("gc", &[]), "sifcache gc --log /l");
    }
}
