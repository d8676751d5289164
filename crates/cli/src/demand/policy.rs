//! The policy: which images are added when jobs ask for them.

mod askers;
mod file;
pub(crate) mod identity;
mod limits;
mod pattern;
mod quiet;
pub(crate) mod reload;
mod values;
mod wildcard;

use crate::error::Failure;
use askers::Askers;
use jiff::Zoned;
pub(crate) use limits::{Limits, Space};
use pattern::Pattern;
use quiet::QuietHours;
use serde::{Deserialize, Serialize};
use sifcache_core::reference::Reference;
use std::collections::BTreeSet;
use std::path::Path;

/// The path of the policy file.
pub(crate) const FILE: &str = "/etc/sifcache/fill.toml";

/// A valid policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
    askers: Askers,
    limits: Limits,
    quiet: Vec<QuietHours>,
}

/// The users who asked for an image within the window of the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The IDs of the users that the kernel or munge confirms.
    pub(crate) uids: BTreeSet<u32>,
    /// Whether there are requests whose user appears only in the text of a log.
    pub(crate) unidentified: bool,
}

/// The policy's answer to the requests for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The image may be added.
    Allowed,
    /// More users have to ask. The text says how many did.
    NotYet(String),
    /// The image is not added for the users who asked so far. The text names the rule. A request by
    /// another user can change the answer.
    Refused(String),
}

/// Looks up users in the system's and Slurm's data. Implementations may cache.
pub(crate) trait Identity {
    /// The name of the user, if there is such a user.
    fn user(&self, uid: u32) -> Option<String>;
    /// The names of the user's groups.
    fn groups(&self, uid: u32) -> Vec<String>;
    /// The names of the user's accounts in Slurm.
    fn accounts(&self, uid: u32) -> Vec<String>;
}

impl Policy {
    /// Reads the policy file.
    ///
    /// # Errors
    /// The file cannot be read, or it is not a valid policy. The message names the file, and the
    /// line, the key and the allowed values where that applies.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        file::load(path)
    }

    /// Judges the requests for an image. The result depends only on the arguments.
    pub(crate) fn judge(
        &self,
        reference: &Reference,
        asked: &Asked,
        identity: &dyn Identity,
    ) -> Verdict {
        if let Err(reason) = self.rule(reference) {
            return Verdict::Refused(reason);
        }
        let needed = usize::try_from(self.limits.askers).unwrap_or(usize::MAX);
        match self.askers.count(asked, identity) {
            0 => Verdict::Refused(self.askers.refusal(asked, identity)),
            count if count < needed => {
                Verdict::NotYet(format!("{count} of {needed} users asked for it"))
            }
            _ => Verdict::Allowed,
        }
    }

    /// The pattern that allows the image.
    ///
    /// # Errors
    /// The image is denied, or no pattern allows it, or its registry is not in the normal form; the
    /// message names the rule.
    pub(crate) fn rule(&self, reference: &Reference) -> Result<String, String> {
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.denies(reference)) {
            return Err(format!("deny has {pattern}"));
        }
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.may_deny(reference)) {
            let why = "the digest may be the one of such a tag: ask for a tag";
            return Err(format!("deny has {pattern}, and {why}"));
        }
        // The cache would get a file for each spelling.
        if let Some(normal) = pattern::other_spelling(reference) {
            return Err(format!("request it as {normal}"));
        }
        let allowed = self.allow.iter().find(|pattern| pattern.allows(reference));
        allowed.map(ToString::to_string).ok_or_else(|| "no pattern in allow matches it".to_owned())
    }

    /// The limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether nothing is pulled at this time, which is interpreted in the time zone of `now`.
    pub(crate) fn is_quiet(&self, now: &Zoned) -> bool {
        self.quiet.iter().any(|hours| hours.contains(now.time()))
    }

    /// The periods in which nothing is pulled, as in the file.
    pub(crate) fn quiet_hours(&self) -> Vec<String> {
        self.quiet.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests;
