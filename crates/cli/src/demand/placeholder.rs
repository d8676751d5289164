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

/// `source.rs`
pub(crate) mod source {
    use crate::demand::request::Request;
    use crate::error::Failure;
    use crate::events::event;
    use jiff::Timestamp;
    use serde::{Deserialize, Serialize};
    use std::path::PathBuf;
    use std::time::Duration;

    /// A place in the logs.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Cursor(usize);

    /// Counters.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
    pub(crate) struct Counters {
        pub(crate) lines: u64,
    }

    /// The lines of one file.
    pub(crate) struct Source {
        log: PathBuf,
        at: usize,
        follow: bool,
    }

    impl Source {
        pub(crate) fn open(
            logs: &[PathBuf],
            state: Option<&Cursor>,
            _: Timestamp,
            follow: bool,
        ) -> Result<Self, Failure> {
            let log = logs.first().cloned().ok_or(Failure::NoLog)?;
            Ok(Self { log, at: state.map_or(0, |cursor| cursor.0), follow })
        }

        pub(crate) fn next(
            &mut self,
            _: usize,
            wait: Duration,
        ) -> Result<Option<Vec<Request>>, Failure> {
            let text = std::fs::read_to_string(&self.log)
                .map_err(|error| Failure::read(&self.log, error))?;
            let rest = text.get(self.at..).unwrap_or_default();
            self.at = text.len();
            if rest.is_empty() {
                if !self.follow {
                    return Ok(None);
                }
                std::thread::sleep(wait);
            }
            let request = |line: &str| {
                let event = event::parse(line.split_once("sifcache: ")?.1)?;
                event.image.is_none().then_some(Request {
                    reference: event.reference,
                    asker: (event.uid >= 1000).then_some(event.uid),
                    host: String::new(),
                    time: Timestamp::now(),
                })
            };
            Ok(Some(rest.lines().filter_map(request).collect()))
        }

        pub(crate) fn cursor(&self) -> Cursor {
            Cursor(self.at)
        }

        pub(crate) fn counters(&self) -> Counters {
            Counters::default()
        }

        pub(crate) fn problems(&self) -> Vec<String> {
            Vec::new()
        }
    }
}
