//! The users who may ask for images, and how they are counted.

use super::wildcard;
use super::{Asked, Identity};
use serde::Deserialize;

/// The users that may ask. If none of the three lists is in the file, everybody may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Askers {
    users: Vec<String>,
    groups: Vec<String>,
    accounts: Vec<String>,
    unidentified: Unidentified,
}

/// The effect of requests whose user is not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Unidentified {
    /// They have no effect.
    #[default]
    Refuse,
    /// They count as one user that may ask.
    Count,
}

impl Askers {
    /// The lists of the policy file. Entries may contain `*` and `?`.
    ///
    /// # Errors
    /// An entry is empty or contains white space.
    pub(super) fn new(
        users: Option<Vec<String>>,
        groups: Option<Vec<String>>,
        accounts: Option<Vec<String>>,
        unidentified: Unidentified,
    ) -> Result<Self, String> {
        for (key, list) in [("users", &users), ("groups", &groups), ("accounts", &accounts)] {
            let is_wrong = |name: &&String| name.is_empty() || name.contains(char::is_control);
            if let Some(name) = list.iter().flatten().find(is_wrong) {
                return Err(format!("{key}: {name:?} is not a valid name"));
            }
        }
        let everybody = users.is_none() && groups.is_none() && accounts.is_none();
        let users = if everybody { vec!["*".to_owned()] } else { users.unwrap_or_default() };
        let (groups, accounts) = (groups.unwrap_or_default(), accounts.unwrap_or_default());
        Ok(Self { users, groups, accounts, unidentified })
    }

    /// The number of users who asked and may ask. All requests of unproven users together count at
    /// most as one user, and not in addition to proven users, any of whom could have written them.
    pub(super) fn count(&self, asked: &Asked, identity: &dyn Identity) -> usize {
        let proven = asked.uids.iter().filter(|uid| self.may_ask(**uid, identity)).count();
        let unproven = asked.unidentified && self.unidentified == Unidentified::Count;
        proven.max(usize::from(unproven))
    }

    /// Whether the user may ask. A user needs an entry in one of the lists. Groups and accounts are
    /// only looked up if they matter.
    pub(super) fn may_ask(&self, uid: u32, identity: &dyn Identity) -> bool {
        let any = |list: &[String], name: &str| {
            list.iter().any(|pattern| wildcard::component(pattern, name))
        };
        let has = |list: &[String], names: &dyn Fn() -> Vec<String>| {
            !list.is_empty() && names().iter().any(|name| any(list, name))
        };
        // A user without a name, for example one that was deleted, is one of "*".
        let name = || vec![identity.user(uid).unwrap_or_default()];
        self.users.iter().any(|name| name == "*")
            || has(&self.users, &name)
            || has(&self.groups, &|| identity.groups(uid))
            || has(&self.accounts, &|| identity.accounts(uid))
    }

    /// Why none of the users who asked counts.
    pub(super) fn refusal(&self, asked: &Asked, identity: &dyn Identity) -> String {
        match asked.uids.first() {
            None if asked.unidentified => {
                "it is not proven who asked: unidentified = \"refuse\"".to_owned()
            }
            None => "nobody asked".to_owned(),
            Some(uid) => {
                let name = identity.user(*uid).unwrap_or_else(|| format!("uid {uid}"));
                format!("{name} is not in {}", self.lists())
            }
        }
    }

    /// The keys of the lists that are in use.
    fn lists(&self) -> String {
        let all = [("users", &self.users), ("groups", &self.groups), ("accounts", &self.accounts)];
        let used: Vec<&str> =
            all.iter().filter(|(_, list)| !list.is_empty()).map(|(key, _)| *key).collect();
        if used.is_empty() { "users".to_owned() } else { used.join(", ") }
    }
}
