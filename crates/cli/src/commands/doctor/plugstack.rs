//! Checks plugstack.conf: whether it exists, has a valid sifcache line, and can be changed only by
//! the system.

use super::finding::Finding;
use super::host::{Host, remedy};
use super::plugin;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::{Settings, escape_root};
use sifcache_plugstack::{Entry, Error, no_line as no_line_error};
use std::path::{Path, PathBuf};
use std::ptr;

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let path = match &host.site.plugstack {
        None => {
            return vec![Finding::skipped("line", "--root is given: plugstack.conf is not read")];
        }
        Some(Err(error)) => return vec![not_found(error)],
        Some(Ok(path)) => path,
    };
    let entries = match &host.site.entries {
        Ok(entries) => entries,
        Err(error) => return vec![cannot_read(error)],
    };
    let mut findings = Vec::new();
    match host.site.ours() {
        Some(ours) => {
            findings.push(line(ours));
            findings.extend(several(host, ours, entries));
            findings.push(settings(host, ours));
            findings.extend(order(ours, entries));
        }
        None => findings.push(no_line(path)),
    }
    findings.extend(files(path, entries).iter().map(|file| writable(host, file)));
    findings
}

fn not_found(error: &Error) -> Finding {
    Finding::fail("line", error.to_string()).advice(
        "create it beside slurm.conf, with: optional spank_sifcache.so image_root=DIR; \
         or name it with --plugstack FILE",
    )
}

fn cannot_read(error: &Error) -> Finding {
    let advice = "srun reads it as the user, so it must be readable by all users";
    Finding::fail("line", error.to_string()).advice(advice)
}

fn no_line(path: &Path) -> Finding {
    let error = no_line_error(path);
    let finding = Finding::fail("line", error.to_string());
    if matches!(error, Error::LineEnds(_)) {
        return finding;
    }
    finding.advice(format!(
        "add to {}, the same on all hosts: optional spank_sifcache.so image_root=DIR",
        escape_for_terminal(path)
    ))
}

fn line(ours: &Entry) -> Finding {
    let file = escape_for_terminal(&ours.file);
    match ours.required {
        false => Finding::ok("line", format!("{file}: has the plugin's line")),
        true => Finding::note("line", format!("{file}: the plugin is 'required'")).advice(
            "where it is missing or built for another Slurm release, no job starts; with \
             'optional', jobs start without it",
        ),
    }
}

fn settings(host: &Host, ours: &Entry) -> Finding {
    match &host.site.wrong {
        None => Finding::ok("settings", describe(host.site.settings.as_ref())),
        Some(error) => {
            Finding::fail("settings", format!("{}: {error}", escape_for_terminal(&ours.file)))
                .advice(
                    "the plugin is inactive until this is fixed; a change takes effect for the \
                     next step",
                )
        }
    }
}

fn describe(settings: Option<&Settings>) -> String {
    let roots: Vec<String> = settings
        .iter()
        .flat_map(|settings| settings.search_path())
        .map(|(root, layout)| {
            let prefix = layout.map_or(String::new(), |layout| format!("{layout}="));
            format!("{prefix}{}", escape_root(&escape_for_terminal(root)))
        })
        .collect();
    format!("settings are valid, image_root={}", roots.join(":"))
}

/// Reports several lines for the plugin. Slurm loads the plugin once per line, but the plugin only
/// uses one of the lines.
fn several(host: &Host, ours: &Entry, entries: &[Entry]) -> Option<Finding> {
    let others = entries.iter().filter(|entry| entry.is_ours() && !ptr::eq(*entry, ours));
    let others: Vec<String> = others
        .map(|entry| match plugin::are_copies(host, &ours.plugin, &entry.plugin) {
            true => format!("{} (another copy of the library: also used)", shown(entry)),
            false => format!("{} (ignored)", shown(entry)),
        })
        .collect();
    (!others.is_empty()).then(|| {
        let message =
            format!("several lines for the plugin: {} (used), {}", shown(ours), others.join(", "));
        Finding::fail("several", message).advice(
            "keep one line, the same on all hosts: remove the others, or the include that \
             leads to them",
        )
    })
}

/// A line as written in its file.
fn shown(entry: &Entry) -> String {
    let kind = if entry.required { "required" } else { "optional" };
    let words = [&[kind.to_owned(), entry.plugin.clone()], &entry.arguments[..]].concat();
    format!(
        "{}: {}",
        escape_for_terminal(&entry.file),
        escape_for_terminal(Path::new(&words.join(" ")))
    )
}

/// Reports plugins that are listed before sifcache: once such a plugin has prepended to the
/// command, the argv that Slurm passes to sifcache is not the one that Slurm executes.
fn order(ours: &Entry, entries: &[Entry]) -> Option<Finding> {
    let before = entries.iter().take_while(|entry| !ptr::eq(*entry, ours));
    let before: Vec<&str> =
        before.filter(|entry| !entry.is_ours()).map(|entry| entry.plugin.as_str()).collect();
    (!before.is_empty()).then(|| {
        Finding::note("order", format!("listed before the plugin's line: {}", before.join(", ")))
            .advice("plugins that prepend to the task command must be listed after it")
    })
}

/// plugstack.conf, and the included files that contain plugin lines.
fn files(path: &Path, entries: &[Entry]) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    for entry in entries {
        if !files.contains(&entry.file) {
            files.push(entry.file.clone());
        }
    }
    files
}

/// Checks who can write to the file, because it determines what every job loads.
fn writable(host: &Host, file: &Path) -> Finding {
    // The path is already the real path, even in tests, so no prefix is added.
    match host.writer_of_real(file) {
        Some(reason) => Finding::fail("writable", reason.to_string()).advice(format!(
            "every account that can write there controls what all jobs load: {}",
            remedy(&reason)
        )),
        None => Finding::ok(
            "writable",
            format!("{}: only the system can write to it", escape_for_terminal(file)),
        ),
    }
}
