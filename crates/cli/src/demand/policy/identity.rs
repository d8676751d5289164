//! Looks up users with getent and id, and their accounts with sacctmgr.
//!
//! These programs query the same sources as the C library. Unlike a call of the C library, a program
//! that waits for a dead directory server can be terminated.

use super::Identity;
use crate::system::process::{Answer, Call, Processes, Run};
use crate::system::slurm;
use crate::ui::stderr;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is cached.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long no program is started after a failure, for any user. A slurmdbd that does not answer would
/// otherwise cost ten seconds for each user.
const RETRY: Duration = Duration::from_secs(60);
/// The maximum number of users whose data are cached.
const MOST: usize = 10_000;

/// The user database of this host and Slurm's accounting database.
#[derive(Debug)]
pub(crate) struct System<R = Processes> {
    run: R,
    names: Mutex<Cache<Option<String>>>,
    groups: Mutex<Cache<Vec<String>>>,
    accounts: Mutex<Cache<Vec<String>>>,
    /// The last failure that was reported.
    reported: Mutex<Option<String>>,
}

impl System {
    /// The data of this host.
    pub(crate) fn new() -> Self {
        Self::with(Processes)
    }
}

impl<R: Run> System<R> {
    fn with(run: R) -> Self {
        let (names, groups, accounts) = Default::default();
        Self { run, names, groups, accounts, reported: Mutex::default() }
    }

    /// The user of this name, if there is one.
    pub(crate) fn uid(&self, name: &str) -> Option<u32> {
        let line = self.answer("getent", &["passwd", "--", name]).ok()?.stdout;
        let mut fields = line.split(':');
        let is_name = fields.next() == Some(name);
        fields.nth(1).filter(|_| is_name)?.parse().ok()
    }

    /// Runs a program.
    fn answer(&self, program: &str, arguments: &[&str]) -> Result<Answer, String> {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        let call = Call { program: program.into(), arguments, ..Call::default() };
        self.run.run(&call).map_err(|error| error.describe(program))
    }

    /// Reports a failure, unless it was the last one that was reported.
    fn report(&self, problem: String) {
        let mut last = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&problem) {
            stderr::message(&problem);
            *last = Some(problem);
        }
    }

    fn query_name(&self, uid: u32) -> Result<Option<String>, String> {
        let line = self.answer("getent", &["passwd", &uid.to_string()])?.stdout;
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty()).map(str::to_owned);
        // If the number is also the name of a user, getent looks up that name.
        let is_same = fields.nth(1).and_then(|text| text.parse().ok()) == Some(uid);
        Ok(name.filter(|_| is_same))
    }

    fn query_groups(&self, uid: u32) -> Result<Vec<String>, String> {
        // The sign keeps id from taking the number as a name. Names can contain blanks. A group
        // without a name is a failure of id, which then prints its number.
        let arguments = ["--groups", "--name", "--zero", &format!("+{uid}")];
        Ok(words(&self.answer("id", &arguments)?.stdout, '\0'))
    }

    fn query_accounts(&self, uid: u32) -> Result<Vec<String>, String> {
        let Some(user) = self.user(uid).filter(|name| is_plain(name)) else {
            return Ok(Vec::new());
        };
        let filter = format!("user={user}");
        let arguments = ["-nP", "show", "assoc", "where", &filter, "format=account"];
        let without = "so nobody has an account in Slurm for the policy";
        match self.answer("sacctmgr", &arguments) {
            Ok(answer) if answer.success => Ok(words(&answer.stdout, '\n')),
            Ok(answer) => {
                let reason = slurm::last_message(answer.stderr.lines());
                Err(format!("sacctmgr: {reason}, {without}"))
            }
            Err(problem) => Err(format!("{problem}, {without}")),
        }
    }

    /// The cached or new answer to a query.
    fn cached<T: Clone + Default>(
        &self,
        cache: &Mutex<Cache<T>>,
        uid: u32,
        query: impl Fn(u32) -> Result<T, String>,
    ) -> T {
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match cache.answers.get(&uid) {
            Some((until, answer)) if *until > now => return answer.clone(),
            _ if cache.retry.is_some_and(|retry| retry > now) => return T::default(),
            _ => {}
        }
        match query(uid) {
            Ok(answer) => {
                if cache.answers.len() >= MOST {
                    cache.answers.clear();
                }
                cache.answers.insert(uid, (now + LIFETIME, answer.clone()));
                answer
            }
            Err(problem) => {
                self.report(problem);
                cache.retry = Some(Instant::now() + RETRY);
                T::default()
            }
        }
    }
}

/// The answers to one kind of question.
#[derive(Debug, Default)]
struct Cache<T> {
    /// By user, each with the time until which it is used.
    answers: BTreeMap<u32, (Instant, T)>,
    /// No program is started before this time, because one has failed.
    retry: Option<Instant>,
}

impl<R: Run> Identity for System<R> {
    fn user(&self, uid: u32) -> Option<String> {
        self.cached(&self.names, uid, |uid| self.query_name(uid))
    }

    fn groups(&self, uid: u32) -> Vec<String> {
        self.cached(&self.groups, uid, |uid| self.query_groups(uid))
    }

    fn accounts(&self, uid: u32) -> Vec<String> {
        self.cached(&self.accounts, uid, |uid| self.query_accounts(uid))
    }
}

/// The words between separators, without empty ones and each once.
fn words(text: &str, separator: char) -> Vec<String> {
    let mut words: Vec<String> = text.split(separator).map(|word| word.trim().to_owned()).collect();
    words.sort_unstable();
    words.dedup();
    words.retain(|word| !word.is_empty());
    words
}

/// Whether sacctmgr interprets the name as one name: a comma would separate several.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+$\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{Identity as _, System};
    use crate::system::process::{Answer, Call, Run, RunError};
    use std::cell::RefCell;

    /// Answers for the user 1001, and the calls.
    #[derive(Default)]
    struct Programs {
        name: &'static str,
        without_accounting: bool,
        calls: RefCell<Vec<String>>,
    }

    impl Run for Programs {
        fn run(&self, call: &Call) -> Result<Answer, RunError> {
            let program = call.program.to_str().unwrap();
            let line = format!("{program} {}", call.arguments.join(" "));
            self.calls.borrow_mut().push(line.clone());
            let stdout = match program {
                "getent" if line.ends_with("1001") || line.ends_with(self.name) => {
                    format!("{}:x:1001:1001:,,,:/home:/bin/sh\n", self.name)
                }
                "getent" if line.ends_with("1002") => "bob:x:1002:1002:::\n".to_owned(),
                "id" if line.ends_with("+1001") => "users\0domain users\0".to_owned(),
                "sacctmgr" if self.without_accounting => return Err(RunError::Missing),
                "sacctmgr" => "physics\nphysics\nbio\n".to_owned(),
                _ => return Ok(Answer::default()),
            };
            Ok(Answer { success: true, stdout, stderr: String::new() })
        }
    }

    fn system(name: &'static str, without_accounting: bool) -> System<Programs> {
        System::with(Programs { name, without_accounting, ..Programs::default() })
    }

    #[test]
    fn each_user_is_looked_up_once() {
        let system = system("alice", false);
        for _ in 0..2 {
            assert_eq!(system.user(1001).as_deref(), Some("alice"));
            assert_eq!(system.groups(1001), ["domain users", "users"]);
            assert_eq!(system.accounts(1001), ["bio", "physics"]);
            assert_eq!(system.user(4242), None);
            assert!(system.groups(4242).is_empty() && system.accounts(4242).is_empty());
        }
        let calls = [
            "getent passwd 1001",
            "id --groups --name --zero +1001",
            "sacctmgr -nP show assoc where user=alice format=account",
            "getent passwd 4242",
            "id --groups --name --zero +4242",
        ];
        assert_eq!(*system.run.calls.borrow(), calls);
        assert_eq!(system.uid("alice"), Some(1001));
        assert_eq!(system.uid("bob"), None);
    }

    #[test]
    fn a_user_whose_name_is_a_list_has_no_accounts() {
        let system = system("alice,bob", false);
        assert!(system.accounts(1001).is_empty());
    }

    #[test]
    fn without_accounting_nobody_has_an_account() {
        let system = system("alice", true);
        let all = [1001, 1002, 1001].map(|uid| system.accounts(uid));
        assert!(all.iter().all(Vec::is_empty), "{all:?}");
        let names = [1001, 1002].map(|uid| system.user(uid));
        assert_eq!(names, ["alice", "bob"].map(|name| Some(name.to_owned())));
        let reported = system.reported.lock().unwrap().clone().unwrap();
        assert!(reported.starts_with("sacctmgr is not in PATH, so nobody has"), "{reported}");
        let calls = system.run.calls.borrow();
        assert_eq!(calls.iter().filter(|call| call.starts_with("sacctmgr")).count(), 1);
    }

    /// The real programs of the host, for root, who is on every host.
    #[test]
    fn root_has_a_name_and_groups() {
        let system = super::System::new();
        assert_eq!(system.user(0).as_deref(), Some("root"));
        assert!(system.groups(0).contains(&"root".to_owned()), "{:?}", system.groups(0));
        assert_eq!(system.uid("root"), Some(0));
        assert_eq!(system.uid("no:such"), None);
    }
}
