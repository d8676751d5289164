//! Stands in for the parts that are developed at the same time.

/// `policy.rs`
pub(crate) mod policy {
    use crate::error::Failure;
    use jiff::{SignedDuration, Zoned};
    use sifcache_core::reference::Reference;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// A policy that allows everything whose repository does not begin with `forbidden`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Policy(Limits);

    /// What the policy says.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) enum Verdict {
        /// Yes.
        Allowed,
        /// Not now.
        NotYet(String),
        /// No.
        Refused(String),
    }

    /// Who asked.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct Asked {
        /// Identified users.
        pub(crate) uids: BTreeSet<u32>,
        /// Whether others did.
        pub(crate) unidentified: bool,
    }

    /// Limits.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Limits {
        pub(crate) parallel: u32,
        pub(crate) window: SignedDuration,
        pub(crate) backoff: Backoff,
        pub(crate) max_size: u64,
    }

    /// Pauses.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Backoff {
        pub(crate) first: SignedDuration,
        pub(crate) longest: SignedDuration,
    }

    impl Limits {
        pub(crate) fn per_hour(&self, _: &str) -> Option<u32> {
            None
        }
    }

    /// Names of users.
    pub(crate) trait Identity {
        fn user(&self, uid: u32) -> Option<String>;
        fn groups(&self, uid: u32) -> Vec<String>;
        fn accounts(&self, uid: u32) -> Vec<String>;
    }

    pub(crate) const FILE: &str = "/etc/sifcache/fill.toml";

    pub(crate) mod identity {
        /// This host.
        #[derive(Debug, Default)]
        pub(crate) struct System;

        impl System {
            pub(crate) fn new() -> Self {
                Self
            }
        }
    }

    pub(crate) mod reload {
        use super::Policy;
        use crate::error::Failure;
        use std::path::{Path, PathBuf};

        /// The policy file.
        pub(crate) struct Reloader(PathBuf, Policy);

        impl Reloader {
            pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
                Ok(Self(path.to_owned(), Policy::load(path)?))
            }

            pub(crate) fn current(&mut self) -> (&Policy, Option<String>) {
                let mut message = None;
                match Policy::load(&self.0) {
                    Ok(new) if new != self.1 => {
                        self.1 = new;
                        message = Some("changed".to_owned());
                    }
                    _ => {}
                }
                (&self.1, message)
            }
        }
    }

    impl Identity for identity::System {
        fn user(&self, uid: u32) -> Option<String> {
            Some(uid.to_string())
        }
        fn groups(&self, _: u32) -> Vec<String> {
            Vec::new()
        }
        fn accounts(&self, _: u32) -> Vec<String> {
            Vec::new()
        }
    }

    impl Policy {
        pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::read(path, error))?;
            let number = |key: &str| -> Option<u64> {
                let mut lines = text.lines().filter_map(|line| line.split_once('='));
                lines.find(|(name, _)| name.trim() == key)?.1.trim().parse().ok()
            };
            let seconds = |key, default: u64| {
                SignedDuration::from_secs(number(key).unwrap_or(default).cast_signed())
            };
            Ok(Self(Limits {
                parallel: number("parallel").and_then(|n| n.try_into().ok()).unwrap_or(2),
                window: SignedDuration::from_hours(168),
                backoff: Backoff {
                    first: seconds("backoff-first", 300),
                    longest: seconds("backoff-longest", 86_400),
                },
                max_size: number("max-size").unwrap_or(50 << 30),
            }))
        }

        pub(crate) fn judge(&self, reference: &Reference, _: &Asked, _: &dyn Identity) -> Verdict {
            match reference.repository().starts_with("forbidden") {
                true => Verdict::Refused("deny: forbidden/**".to_owned()),
                false => Verdict::Allowed,
            }
        }

        pub(crate) fn limits(&self) -> &Limits {
            &self.0
        }

        pub(crate) fn is_quiet(&self, _: &Zoned) -> bool {
            false
        }
    }
}

/// `space.rs`
pub(crate) mod space {
    use super::policy::Limits;
    use crate::error::Failure;
    use sifcache_core::settings::Settings;
    use std::path::Path;

    pub(crate) fn make_room(
        _: &Settings,
        _: &Path,
        _: &Limits,
        _: u64,
    ) -> Result<Result<(), String>, Failure> {
        Ok(Ok(()))
    }
}

/// `check.rs`
pub(crate) mod check {
    use super::policy::Policy;
    use crate::error::Failure;
    use crate::exit::Exit;
    use sifcache_core::reference::Reference;
    use std::path::Path;

    pub(crate) fn check(
        _: &Policy,
        _: &Path,
        _: &Reference,
        _: Option<&str>,
        _: bool,
    ) -> Result<Exit, Failure> {
        Ok(Exit::OK)
    }
}
