//! Checks whether the shims are first in `PATH` in a login shell: in a job, because login shells
//! reset `PATH`, and on a login node where the site has enabled it.
//!
//! zsh, tcsh and fish also read start files whenever they run a script.

use super::finding::{Finding, Level};
use super::host::Host;
use super::login_node::{self, MARKER};
use crate::system::process::Call;
use sifcache_core::nested::shims::directory_for;
use sifcache_core::nested::{SETTINGS, SHIMS, installed, is_shims, without_shims};
use sifcache_core::settings::Nested;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// A shell, how to start it as a login shell, and the snippet that it should read.
struct Shell {
    program: &'static str,
    zeroth: &'static str,
    command: &'static str,
    snippet: &'static str,
    /// The start file in the user's home directory that scripts of this shell read, if there is
    /// one.
    start: Option<&'static str>,
    /// How to make the shell read the snippet if the system's start files do not do so.
    remedy: Option<&'static str>,
}

const SHELLS: [Shell; 4] = [
    Shell {
        program: "bash",
        zeroth: "-bash",
        command: "printf '\\n%s' \"$PATH\"",
        snippet: "/etc/profile.d/zz-sifcache.sh",
        start: None,
        remedy: None,
    },
    Shell {
        program: "tcsh",
        zeroth: "-tcsh",
        command: "echo ''; printenv PATH",
        snippet: "/etc/profile.d/zz-sifcache.csh",
        start: Some("~/.tcshrc or ~/.cshrc"),
        // Not all systems make tcsh read /etc/profile.d.
        remedy: Some("source /etc/profile.d/zz-sifcache.csh at the end of /etc/csh.login"),
    },
    Shell {
        program: "zsh",
        zeroth: "-zsh",
        command: "printf '\\n%s' \"$PATH\"",
        snippet: "/etc/profile.d/zz-sifcache.sh",
        start: Some("~/.zshenv"),
        remedy: Some(
            "add at the end of /etc/zsh/zprofile or /etc/zprofile: \
             emulate sh -c '. /etc/profile.d/zz-sifcache.sh'",
        ),
    },
    Shell {
        program: "fish",
        zeroth: "-fish",
        command: "echo ''; printenv PATH",
        snippet: "/etc/profile.d/zz-sifcache.sh",
        start: Some("~/.config/fish/config.fish"),
        remedy: Some(
            "add at the end of /etc/fish/config.fish: set -gx PATH (string split : -- \
             (sh -c '. /etc/profile.d/zz-sifcache.sh; printenv PATH'))",
        ),
    },
];

/// Variables that name a start file that is also read by shells other than login shells; they are
/// unset.
const FILES: [&str; 2] = ["BASH_ENV", "ENV"];

/// Variables other than `HOME` that determine where start files are. They are unset for root, which
/// must not run a user's start files.
const DIRECTORIES: [&str; 2] = ["ZDOTDIR", "XDG_CONFIG_HOME"];

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let settings = host.site.settings.as_ref();
    let job = settings.is_some_and(|settings| settings.nested == Nested::Path);
    let places = [(job, In::Job), (login_node::is_enabled(host), In::LoginNode)];
    let places: Vec<In> = places.iter().filter(|(checked, _)| *checked).map(|(_, i)| *i).collect();
    if places.is_empty() {
        let why = "only nested=path depends on PATH";
        return vec![Finding::skipped("bash", why)];
    }
    let runtimes = host.site.runtimes();
    let shim = |name: &&String| PathBuf::from(installed(&directory_for(name))).join(name);
    let shims: Vec<_> = runtimes.iter().filter(|name| host.is_program(&shim(name))).collect();
    if shims.is_empty() {
        return vec![Finding::skipped("bash", "no shims are installed for the runtimes")];
    }
    if !shims.iter().any(|name| host.find(name).is_some()) {
        let why = "no runtime is in PATH, so a job gets no shim";
        return vec![Finding::skipped("bash", why)];
    }
    let all = places.iter().flat_map(|place| SHELLS.iter().map(|shell| (*place, shell)));
    all.flat_map(|(place, shell)| one(host, shell, place)).collect()
}

/// Where a login shell is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    /// In a job with `nested=path`, which has the shims in `PATH`.
    Job,
    /// On a login node, without the shims in `PATH`.
    LoginNode,
}

impl In {
    /// The environment variables to set.
    fn variables(self, host: &Host) -> Vec<(&'static str, OsString)> {
        if self == Self::LoginNode {
            let path = without_shims(host.search.as_encoded_bytes()).unwrap_or_default();
            return vec![("PATH", OsString::from_vec(path.into_owned()))];
        }
        let mut path = OsString::from(installed(SHIMS));
        path.push(":");
        path.push(&host.search);
        // The snippet requires that the variable with the settings is set; its value does not
        // matter.
        let usual = || "image_root=/".to_owned();
        let arguments = host.site.ours().map_or_else(usual, |ours| ours.arguments.join(" "));
        vec![("PATH", path), (SETTINGS, arguments.into())]
    }

    /// The environment variables to remove.
    fn unset(self) -> &'static [&'static str] {
        if self == Self::LoginNode { &[SETTINGS, "SLURMD_NODENAME"] } else { &[] }
    }
}

/// How a shell is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Login,
    Script,
}

impl As {
    /// A description for messages.
    fn of(self, name: &str) -> String {
        match self {
            Self::Login => format!("a login shell ({name})"),
            Self::Script => format!("a script of {name}"),
        }
    }
}

fn one(host: &Host, shell: &Shell, place: In) -> Vec<Finding> {
    let Some(program) = host.find(shell.program) else { return Vec::new() };
    let mut findings = vec![started(host, shell, &program, As::Login, place)];
    if shell.start.is_some() && place == In::Job {
        // Reported only if it is neither "ok" nor "skipped".
        let script = started(host, shell, &program, As::Script, place);
        findings.extend(Some(script).filter(|finding| finding.level > Level::Skipped));
    }
    findings
}

fn started(host: &Host, shell: &Shell, program: &Path, how: As, place: In) -> Finding {
    let directories = if host.is_root() { &DIRECTORIES[..] } else { &[] };
    let answer = host.call(&Call {
        program: program.to_owned(),
        zeroth: (how == As::Login).then_some(shell.zeroth),
        arguments: vec!["-c".to_owned(), shell.command.to_owned()],
        set: place.variables(host).into_iter().chain(home(host)).collect(),
        unset: [&FILES[..], directories, place.unset()].concat(),
    });
    // Profiles may print text before the last line.
    match answer.map(|answer| answer.stdout) {
        Err(error) => Finding::skipped(shell.program, error.describe(shell.program)),
        Ok(text) => {
            let path = text.trim_end().lines().last().unwrap_or_default();
            judge(host, shell, (how, place), path)
        }
    }
}

/// root's own home directory. After sudo or su, `HOME` may still be the home directory of an
/// ordinary user, whose profile root must not run.
fn home(host: &Host) -> Option<(&'static str, OsString)> {
    let accounts = host.is_root().then(|| host.read("/etc/passwd")).flatten()?;
    let mut accounts = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let root = accounts.find(|fields| fields.get(2) == Some(&"0"))?;
    Some(("HOME", (*root.get(5)?).into()))
}

fn judge(host: &Host, shell: &Shell, (how, place): (As, In), path: &str) -> Finding {
    let name = shell.program;
    let mut before = path.split(':').take_while(|entry| !is_shims(entry.as_bytes()));
    let first = before.clone().find_map(|directory| {
        let mut runtimes = host.site.runtimes().into_iter().map(|n| Path::new(directory).join(n));
        runtimes.find(|runtime| host.is_program(runtime))
    });
    let kept = path.split(':').any(|entry| is_shims(entry.as_bytes()));
    match (kept, first) {
        (true, None) => {
            let does = if place == In::Job { "keeps" } else { "outside of jobs puts" };
            Finding::ok(name, format!("{} {does} the shims first in PATH", how.of(name)))
        }
        (true, Some(runtime)) => shims_behind(host, shell, how, &runtime),
        (false, _) if before.next().is_none_or(str::is_empty) => {
            Finding::skipped(name, format!("{} prints no PATH", how.of(name)))
        }
        (false, _) => shims_missing(host, shell, how, place),
    }
}

fn shims_behind(host: &Host, shell: &Shell, how: As, runtime: &Path) -> Finding {
    let runtime = crate::ui::escape::escape_for_terminal(runtime);
    let message =
        format!("in {} of user {}, {runtime} is before the shims", how.of(shell.program), host.uid);
    Finding::warn(shell.program, message).advice(format!(
        "a shell start file of the site or the user prepends its directory: make it prepend {} \
         after that",
        installed(SHIMS)
    ))
}

fn shims_missing(host: &Host, shell: &Shell, how: As, place: In) -> Finding {
    let (name, snippet) = (shell.program, shell.snippet);
    let message = match place {
        In::Job => {
            format!("{} loses the shims from PATH: its launches are not covered", how.of(name))
        }
        In::LoginNode => format!(
            "{} outside of jobs has no shims in PATH although {MARKER} exists: its launches are \
             not covered",
            how.of(name)
        ),
    };
    if !host.path(snippet).exists() {
        let advice = format!("make install puts {snippet} there, which adds them again");
        return Finding::fail(name, message).advice(advice);
    }
    match (how, shell.start, shell.remedy) {
        (As::Script, Some(start), _) => Finding::warn(name, message).advice(format!(
            "{start} or a start file of the site replaces PATH: make it extend PATH, or add the \
             shims again at its end, as {snippet} does"
        )),
        (_, _, Some(remedy)) => Finding::note(name, message).advice(remedy),
        _ => Finding::warn(name, message).advice(format!(
            "{snippet} exists: check that /etc/profile reads it last, and that the user's own \
             profile does not replace PATH"
        )),
    }
}
