//! Notes on a decision, the same for text and JSON.

use super::starter::Starters;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::cache_mode::{CacheMode, ENVIRONMENT};
use sifcache_core::decision::{Decision, Kind, Verdict};
use sifcache_core::image::Root;
use sifcache_core::lookup::Inline;
use sifcache_core::nested::{COMMAND, installed};
use sifcache_core::pull::link;
use sifcache_core::pull::target::Target;
use sifcache_core::settings::{Nested, Pull, Settings};
use std::fs;

/// The notes in the order of output.
pub(super) fn of(
    decision: &Decision,
    settings: &Settings,
    mode: CacheMode,
    starters: &Starters,
) -> Vec<String> {
    let is_looked_up = decision.uri.is_some();
    let mut notes = Vec::new();
    if is_looked_up {
        notes.extend(roots(settings));
    }
    if mode != CacheMode::Auto {
        notes.push(format!("{ENVIRONMENT}={} in the environment", mode.as_str()));
    }
    notes.extend(request(decision, settings));
    notes.extend(file_of_pull(decision, settings));
    notes.extend(coverage(settings, starters));
    if is_looked_up && rustix::process::geteuid().is_root() {
        let text = "looked up as root; a job looks up as its own user, which may have fewer \
                    permissions";
        notes.push(text.to_owned());
        if decision.kind() == Kind::Build {
            notes.push("a build by root is left to the runtime".to_owned());
        }
    }
    notes
}

/// With `filler=`, whether a miss is sent to the listener of the filler.
fn request(decision: &Decision, settings: &Settings) -> Option<String> {
    let filler = settings.filler.as_ref().filter(|_| decision.verdict == Verdict::Miss)?;
    let program = installed(COMMAND);
    Some(match fs::metadata(&program) {
        Ok(_) => format!("{program} sends the miss to the listener at {filler}"),
        Err(error) => {
            format!("the miss is not sent to the listener at {filler}: {program}: {error}")
        }
    })
}

/// With `pull=link`, whether the file of a pull is a link.
fn file_of_pull(decision: &Decision, settings: &Settings) -> Option<String> {
    let (Some(pull), Some(image), Pull::Link) = (&decision.pull, decision.hit(), settings.pull)
    else {
        return None;
    };
    let uri = decision.uri.as_ref()?;
    let file = Target::new(uri, pull.file.as_deref(), pull.dir.as_deref())?.path;
    let target = link::target(image, &file, uri.reference(), settings, &Inline);
    Some(match target {
        Ok(path) => format!("pull=link: the file links to {}", escape_for_terminal(&path)),
        Err(why) => format!("pull=link: the file is a copy: {why}"),
    })
}

/// Problems that affect a whole root; the line of an absent candidate does not show them.
fn roots(settings: &Settings) -> impl Iterator<Item = String> {
    settings.search_path().filter_map(|(path, _)| {
        let root = Root::enter(path, settings.untrusted);
        // A missing root is already reported with its candidates.
        let state = root.problem().filter(|_| !root.is_missing())?;
        Some(format!("image root {}: {state}", escape_for_terminal(path)))
    })
}

/// The plugin only handles the command that srun starts; all other commands are handled by the shim
/// or the interposer.
fn coverage(settings: &Settings, starters: &Starters) -> Option<String> {
    let other = starters.names.iter().find(|name| *name != "srun")?;
    match settings.nested {
        Nested::Off => {
            Some(format!("nested=off: commands that {other} starts are left alone in a job"))
        }
        Nested::Path if starters.empty => Some(
            "env without the job's PATH: the shims are not found, and the command is left alone"
                .to_owned(),
        ),
        Nested::Preload if starters.empty => {
            Some("env without the job's LD_PRELOAD: the command is left alone".to_owned())
        }
        Nested::Path | Nested::Preload => None,
    }
}
