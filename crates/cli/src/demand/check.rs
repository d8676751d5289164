//! `sifcache fill --check REF`: the policy's answer for one image, and why.

use crate::cache::fill_level::FillLevel;
use crate::demand::policy::identity::System;
use crate::demand::policy::{Asked, Policy, Verdict};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::escape::escape_for_terminal;
use crate::ui::{format, output};
use jiff::Zoned;
use serde::Serialize;
use sifcache_core::reference::Reference;
use std::path::Path;

/// The JSON object.
#[derive(Debug, Serialize)]
struct Object {
    reference: String,
    /// `allowed`, `not-yet` or `refused`.
    verdict: &'static str,
    /// Why it is not allowed.
    reason: Option<String>,
    /// The pattern that allows it.
    rule: Option<String>,
    user: Option<String>,
    askers: u32,
    window_seconds: i64,
    per_hour: Option<u32>,
    parallel: u32,
    max_size: u64,
    quiet: Vec<String>,
    quiet_now: bool,
    space: SpaceObject,
    keep_days: i64,
}

/// The space of the image root.
#[derive(Debug, Serialize)]
struct SpaceObject {
    used: Option<u64>,
    total: Option<u64>,
    high: String,
    low: String,
    max: Option<u64>,
}

/// Prints the policy's answer for an image if `user` asks for it, or without a user, if as many
/// permitted users as needed ask for it. The registry is not queried.
///
/// # Errors
/// There is no such user, or standard output fails.
pub(crate) fn check(
    policy: &Policy,
    root: &Path,
    reference: &Reference,
    user: Option<&str>,
    json: bool,
) -> Result<Exit, Failure> {
    let verdict = verdict(policy, reference, user)?;
    let object = object(policy, root, reference, user, &verdict);
    match json {
        true => output::json(&object)?,
        false => output::print(&text(&object))?,
    }
    Ok(if verdict == Verdict::Allowed { Exit::OK } else { Exit::PROBLEMS })
}

fn verdict(policy: &Policy, reference: &Reference, user: Option<&str>) -> Result<Verdict, Failure> {
    let Some(name) = user else {
        return Ok(policy.rule(reference).map_or_else(Verdict::Refused, |_| Verdict::Allowed));
    };
    let system = System::new();
    let uid = system.uid(name).ok_or_else(|| Failure::NoUser(name.to_owned()))?;
    let asked = Asked { uids: [uid].into(), unidentified: false };
    Ok(policy.judge(reference, &asked, &system))
}

fn object(
    policy: &Policy,
    root: &Path,
    reference: &Reference,
    user: Option<&str>,
    verdict: &Verdict,
) -> Object {
    let limits = policy.limits();
    let (word, reason) = match verdict {
        Verdict::Allowed => ("allowed", None),
        Verdict::NotYet(reason) => ("not-yet", Some(reason.clone())),
        Verdict::Refused(reason) => ("refused", Some(reason.clone())),
    };
    let level = FillLevel::of(root).ok().map(|level| level.space);
    let marks = limits.space.bytes;
    Object {
        reference: reference.to_string(),
        verdict: word,
        reason,
        rule: policy.rule(reference).ok(),
        user: user.map(str::to_owned),
        askers: limits.askers,
        window_seconds: limits.window.as_secs(),
        per_hour: limits.per_hour(reference.registry()),
        parallel: limits.parallel,
        max_size: limits.max_size,
        quiet: policy.quiet_hours(),
        quiet_now: policy.is_quiet(&Zoned::now()),
        space: SpaceObject {
            used: level.map(|level| level.used),
            total: level.map(|level| level.total),
            high: marks.high.to_string(),
            low: marks.low.to_string(),
            max: limits.space.max,
        },
        keep_days: limits.keep.as_hours() / 24,
    }
}

/// The answer for people.
fn text(object: &Object) -> String {
    let answer = match (object.verdict, &object.reason) {
        (verdict, Some(reason)) => format!("{verdict}: {reason}"),
        (verdict, None) => verdict.to_owned(),
    };
    let mut lines = vec![format!("{}: {answer}", object.reference)];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<12} {value}"));
    if let Some(rule) = &object.rule {
        row("rule", format!("allow has {rule}"));
    }
    let window = duration(object.window_seconds);
    row("users", format!("{} must ask within {window}", object.askers));
    let rate = object.per_hour.map_or("no limit".to_owned(), |number| number.to_string());
    row("rate", format!("{rate} per hour from this registry, {} at a time", object.parallel));
    row("size", format!("at most {}", format::size(object.max_size)));
    if !object.quiet.is_empty() {
        let now = if object.quiet_now { ", now" } else { "" };
        row("quiet", format!("{}{now}", object.quiet.join(", ")));
    }
    row("space", space(object));
    let text = lines.join("\n");
    // Names and patterns come from users and files.
    text.lines().map(|line| escape_for_terminal(line.as_ref()) + "\n").collect()
}

fn space(object: &Object) -> String {
    let space = &object.space;
    let used = match (space.used, space.total) {
        (Some(used), Some(total)) => {
            format!("{} of {} are used; ", format::size(used), format::size(total))
        }
        _ => "the file system does not answer; ".to_owned(),
    };
    let budget = space.max.map(|max| format!(" or {} of images", format::size(max)));
    let (high, low, days) = (&space.high, &space.low, object.keep_days);
    format!(
        "{used}above {high}{}, images unused for {days} d are removed, down to {low}",
        budget.unwrap_or_default()
    )
}

/// A number of seconds in the largest unit that divides it.
fn duration(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let unit = units.into_iter().find(|(length, _)| seconds % length == 0);
    unit.map_or_else(String::new, |(length, name)| format!("{} {name}", seconds / length))
}

#[cfg(test)]
mod tests;
