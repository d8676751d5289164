//! The policy file: TOML, with strict keys.

use super::Policy;
use super::askers::{Askers, Unidentified};
use super::limits::{Backoff, Limits, Space};
use super::pattern::{self, Pattern};
use super::quiet::QuietHours;
use super::values::{Age, Size};
use crate::cache::fill_level::{Marks, Percent};
use crate::error::Failure;
use crate::events::logs;
use crate::ui::escape::escape_for_terminal;
use jiff::SignedDuration;
use rustix::process::geteuid;
use serde::Deserialize;
use sifcache_core::trust::{self, Stop};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroU32;
use std::path::Path;

/// The maximum size of a policy file in bytes.
const LONGEST: u64 = 1 << 20;
/// The maximum number of pulls at a time.
const MOST_PARALLEL: u32 = 64;
/// The maximum of `keep-days`: a hundred years.
const MOST_DAYS: u32 = 36_500;
/// The smallest useful file.
const EXAMPLE: &str = "allow = [\"docker.io/library/*\"]";

/// The keys of the file. Those that are missing have their default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    allow: Option<Vec<Pattern>>,
    #[serde(default)]
    deny: Vec<Pattern>,
    users: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    accounts: Option<Vec<String>>,
    #[serde(default)]
    unidentified: Unidentified,
    askers: Option<NonZeroU32>,
    window: Option<Age>,
    max_size: Option<Size>,
    #[serde(default)]
    space: SpaceKeys,
    keep_days: Option<u32>,
    parallel: Option<NonZeroU32>,
    stall_timeout: Option<Age>,
    pull_timeout: Option<Age>,
    #[serde(default)]
    registries: BTreeMap<String, RegistryKeys>,
    #[serde(default)]
    backoff: BackoffKeys,
    #[serde(default)]
    quiet: Vec<QuietHours>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SpaceKeys {
    high: Option<Percent>,
    low: Option<Percent>,
    inodes_high: Option<Percent>,
    inodes_low: Option<Percent>,
    max: Option<Size>,
    #[serde(default)]
    without_nodes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RegistryKeys {
    per_hour: Option<NonZeroU32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BackoffKeys {
    first: Option<Age>,
    longest: Option<Age>,
}

/// Reads the policy file.
///
/// # Errors
/// The file cannot be read, or it is not a valid policy; the message names the file.
pub(super) fn load(path: &Path) -> Result<Policy, Failure> {
    let wrong = |problem: String| Failure::Policy { file: path.to_owned(), problem };
    let bytes = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(wrong(format!(
                "there is no policy, so nothing is filled: write one that names the images that \
                 may be added, such as {EXAMPLE}"
            )));
        }
        other => other.map_err(|error| Failure::read(path, error))?,
    };
    trusted(path).map_err(wrong)?;
    parse(&bytes).map_err(wrong)
}

/// Checks that only the system or the caller can change the file.
///
/// # Errors
/// Another user can; the message names the user.
fn trusted(path: &Path) -> Result<(), String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let place = trust::enter_as(geteuid().as_raw(), directory);
    match place.and_then(|place| trust::find(&place, &name.to_string_lossy())) {
        Err(Stop::Untrusted(reason)) => Err(format!(
            "{}, so other users could change the policy: chown it to root and chmod go-w",
            escape_for_terminal(reason.to_string().as_ref())
        )),
        _ => Ok(()),
    }
}

/// Reads the file, up to one byte more than its maximum size.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Parses the content of a policy file.
///
/// # Errors
/// The content is not a valid policy. The message has the line and the key, if there is one.
pub(super) fn parse(bytes: &[u8]) -> Result<Policy, String> {
    if bytes.len() as u64 > LONGEST {
        return Err("it is longer than 1 MiB".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        format!("line {}: it is not UTF-8", line(before))
    })?;
    let keys: Keys = toml::from_str(text).map_err(|error| locate(text, error))?;
    policy(keys)
}

/// The number of the line that follows these bytes.
fn line(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The parser's message with the line and the key.
fn locate(text: &str, mut error: toml::de::Error) -> String {
    let span = error.span();
    let before = span.and_then(|span| text.as_bytes().get(..span.start)).unwrap_or_default();
    let message = error.message().to_owned();
    // Only the display form without the input contains the key.
    error.set_input(None);
    let printed = error.to_string();
    let key = printed.strip_prefix(&message).and_then(|rest| rest.trim().strip_prefix("in `"));
    let key = key.and_then(|key| key.strip_suffix('`')).map(|key| format!("{key}: "));
    // The message may span several lines.
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    format!("line {}: {}{message}", line(before), key.unwrap_or_default())
}

fn policy(keys: Keys) -> Result<Policy, String> {
    let Some(allow) = keys.allow else {
        return Err(format!("the key allow is missing: write {EXAMPLE}"));
    };
    if keys.keep_days == Some(0) {
        return Err("keep-days: it must be at least 1".to_owned());
    }
    let limits = Limits {
        parallel: at_most("parallel", keys.parallel.map_or(2, NonZeroU32::get), MOST_PARALLEL)?,
        max_size: keys.max_size.map_or(50 << 30, |size| size.0),
        stall: keys.stall_timeout.map_or(SignedDuration::from_mins(10), |age| age.0),
        pull: keys.pull_timeout.map_or(SignedDuration::from_hours(12), |age| age.0),
        space: space(keys.space)?,
        keep: days(at_most("keep-days", keys.keep_days.unwrap_or(30), MOST_DAYS)?),
        backoff: backoff(&keys.backoff)?,
        window: keys.window.map_or(days(7), |age| age.0),
        askers: keys.askers.map_or(1, NonZeroU32::get),
        per_hour: registries(keys.registries)?,
    };
    let askers = Askers::new(keys.users, keys.groups, keys.accounts, keys.unidentified)?;
    Ok(Policy { allow, deny: keys.deny, askers, limits, quiet: keys.quiet })
}

fn days(number: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(number))
}

fn at_most(key: &str, number: u32, most: u32) -> Result<u32, String> {
    if number > most {
        return Err(format!("{key}: {number} is more than {most}"));
    }
    Ok(number)
}

fn space(keys: SpaceKeys) -> Result<Space, String> {
    let marks = |key: &str, (high, low): (Option<Percent>, Option<Percent>), default: u8| {
        let high = high.unwrap_or(Percent::new(90));
        let low = low.unwrap_or(Percent::new(default).min(high.less_one()));
        match low < high {
            true => Ok(Marks { high, low }),
            false => Err(format!("space: {key}low, {low}, is not below {key}high, {high}")),
        }
    };
    let (bytes, inodes) = ((keys.high, keys.low), (keys.inodes_high, keys.inodes_low));
    Ok(Space {
        bytes: marks("", bytes, 80)?,
        inodes: marks("inodes-", inodes, 85)?,
        max: keys.max.map(|size| size.0),
        without_nodes: keys.without_nodes.iter().map(|name| logs::host_name(name)).collect(),
    })
}

fn backoff(keys: &BackoffKeys) -> Result<Backoff, String> {
    let first = keys.first.map_or(SignedDuration::from_mins(5), |age| age.0);
    let longest = keys.longest.map_or(days(1).max(first), |age| age.0);
    match first <= longest {
        true => Ok(Backoff { first, longest }),
        false => Err("backoff: first is longer than longest".to_owned()),
    }
}

fn registries(keys: BTreeMap<String, RegistryKeys>) -> Result<BTreeMap<String, u32>, String> {
    let mut all = BTreeMap::new();
    for (name, keys) in keys {
        if name.is_empty() || name.contains(['/', '*', ' ']) {
            return Err(format!(
                "registries: {name:?} is not the name of a registry; write it as docker.io or \
                 registry.example.org:5000"
            ));
        }
        if let Some(number) = keys.per_hour {
            all.insert(pattern::registry(&name), number.get());
        }
    }
    Ok(all)
}
