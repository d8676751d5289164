//! Login shells set `PATH` anew: are the shims still in front in one that is started in a job?

use super::finding::Finding;
use super::host::Host;
use crate::process::Call;
use sifcache_core::nested::shims::alone;
use sifcache_core::nested::{SETTINGS, SHIMS, installed, is_shims};
use sifcache_core::settings::Nested;
use std::path::{Path, PathBuf};

/// A shell, how it is called to be one for a login, and the snippet that it should read.
struct Shell {
    program: &'static str,
    zeroth: &'static str,
    command: &'static str,
    snippet: &'static str,
}

const SHELLS: [Shell; 2] = [
    Shell {
        program: "bash",
        zeroth: "-bash",
        command: "printf '\\n%s' \"$PATH\"",
        snippet: "/etc/profile.d/zz-sifcache.sh",
    },
    Shell {
        program: "tcsh",
        zeroth: "-tcsh",
        command: "echo ''; printenv PATH",
        snippet: "/etc/profile.d/zz-sifcache.csh",
    },
];

/// Variables that name a file which a shell reads though nobody logs in with them.
const FILES: [&str; 2] = ["BASH_ENV", "ENV"];

/// The checks.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let settings = host.site.settings.as_ref();
    if settings.is_none_or(|settings| settings.nested != Nested::Path) {
        let why = "only nested=path needs PATH to be kept";
        return vec![Finding::skipped("bash", why)];
    }
    let runtimes = host.site.runtimes();
    let shim = |name: &&String| PathBuf::from(installed(&alone(name))).join(name);
    let shims: Vec<_> = runtimes.iter().filter(|name| host.is_program(&shim(name))).collect();
    if shims.is_empty() {
        return vec![Finding::skipped("bash", "there are no shims to be kept in PATH")];
    }
    if !shims.iter().any(|name| host.find(name).is_some()) {
        let why = "no runtime is in PATH, so a job gets no shim";
        return vec![Finding::skipped("bash", why)];
    }
    SHELLS.iter().filter_map(|shell| one(host, shell)).collect()
}

fn one(host: &Host, shell: &Shell) -> Option<Finding> {
    let program = host.find(shell.program)?;
    let shims = installed(SHIMS);
    let mut path = std::ffi::OsString::from(&shims);
    path.push(":");
    path.push(&host.search);
    // The snippet wants some settings, and does not care which.
    let usual = || "image_root=/".to_owned();
    let arguments = host.site.ours().map_or_else(usual, |ours| ours.arguments.join(" "));
    let answer = host.call(&Call {
        program,
        zeroth: Some(shell.zeroth),
        arguments: vec!["-c".to_owned(), shell.command.to_owned()],
        set: [("PATH", path), (SETTINGS, arguments.into())].into_iter().chain(home(host)).collect(),
        unset: FILES.to_vec(),
    });
    // What profiles print comes before.
    Some(match answer.map(|answer| answer.stdout) {
        Err(silence) => Finding::skipped(shell.program, silence.said_of(shell.program)),
        Ok(text) => judge(host, shell, text.trim_end().lines().last().unwrap_or_default()),
    })
}

/// root's own home: who has come by sudo or su may still have that of a user, whose
/// profile root is not to run.
fn home(host: &Host) -> Option<(&'static str, std::ffi::OsString)> {
    let accounts = host.is_root().then(|| host.read("/etc/passwd")).flatten()?;
    let mut accounts = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let root = accounts.find(|fields| fields.get(2) == Some(&"0"))?;
    Some(("HOME", (*root.get(5)?).into()))
}

fn judge(host: &Host, shell: &Shell, path: &str) -> Finding {
    let name = shell.program;
    let user = host.uid;
    let mut before = path.split(':').take_while(|entry| !is_shims(entry.as_bytes()));
    let first = before.clone().find_map(|directory| {
        let mut runtimes = host.site.runtimes().into_iter().map(|n| Path::new(directory).join(n));
        runtimes.find(|runtime| host.is_program(runtime))
    });
    let kept = path.split(':').any(|entry| is_shims(entry.as_bytes()));
    match (kept, first) {
        (true, None) => {
            Finding::ok(name, format!("a login shell ({name}) keeps the shims in front"))
        }
        (true, Some(runtime)) => behind(name, user, &runtime),
        (false, _) if before.next().is_none_or(str::is_empty) => {
            Finding::skipped(name, format!("a login shell ({name}) prints no PATH"))
        }
        (false, _) => lost(host, shell),
    }
}

fn behind(name: &str, user: u32, runtime: &Path) -> Finding {
    let runtime = crate::output::plain(runtime);
    let what = format!("in a login shell ({name}) of user {user}, {runtime} is before the shims");
    Finding::warn(name_of(name), what).advice(format!(
        "the profile of the site or the user's own prepends its directory: \
         let it prepend {} after that",
        installed(SHIMS)
    ))
}

fn lost(host: &Host, shell: &Shell) -> Finding {
    let (name, snippet) = (shell.program, shell.snippet);
    let what = format!("a login shell ({name}) loses the shims: launches in it are not covered");
    if !host.path(snippet).exists() {
        let advice = format!("make install puts {snippet} there, which puts them back");
        return Finding::fail(name, what).advice(advice);
    }
    if name == "tcsh" {
        // Not all systems let it read /etc/profile.d.
        let advice = format!("source {snippet} at the end of /etc/csh.login");
        return Finding::note(name, what).advice(advice);
    }
    Finding::warn(name, what).advice(format!(
        "{snippet} is there: is it read last by /etc/profile, or does the user's own profile set \
         PATH anew?"
    ))
}

/// The check is named after the shell.
fn name_of(name: &str) -> &'static str {
    SHELLS.iter().find(|shell| shell.program == name).map_or("bash", |shell| shell.program)
}
