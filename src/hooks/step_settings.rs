//! The settings of a step: slurmstepd parses them once, and its tasks inherit them.
//!
//! Slurm passes the same arguments to every hook of a step. A task still compares them: if
//! `slurm_spank_init` did not run, or had other arguments, the task parses its own.

use crate::spank::Spank;
use sifcache_core::settings::Settings;
use std::sync::OnceLock;

/// Valid settings, and the arguments that they come from.
pub(crate) struct StepSettings {
    pub(crate) settings: Settings,
    /// The arguments, separated by blanks, as the shim gets them.
    pub(crate) arguments: Vec<u8>,
}

impl StepSettings {
    // The code that tasks rarely run must not be between the code that every task runs.
    #[cold]
    #[inline(never)]
    fn parse(arguments: &[&[u8]]) -> Option<Self> {
        let settings = Settings::parse(arguments).ok()?;
        Some(Self { settings, arguments: arguments.join(&b' ') })
    }

    /// Whether these settings come from `arguments`. False if one of `arguments` contains a blank.
    fn are_from(&self, arguments: &[&[u8]]) -> bool {
        self.arguments.split(|byte| *byte == b' ').eq(arguments.iter().copied())
    }
}

/// The first valid settings of a process.
struct Kept(OnceLock<StepSettings>);

impl Kept {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Keeps these settings, unless others are kept already.
    fn keep(&self, settings: StepSettings) {
        let _ = self.0.set(settings);
    }

    /// The kept settings, if they come from `arguments`.
    fn get(&self, arguments: &[&[u8]]) -> Option<&StepSettings> {
        self.0.get().filter(|kept| kept.are_from(arguments))
    }
}

/// The settings for the tasks of slurmstepd. A static is not dropped when the library is unloaded, but
/// its memory is from the arena (`spank/arena.rs`), which is unloaded too. Only settings that are too
/// long for the arena stay in memory.
#[cfg(not(test))]
static KEPT: Kept = Kept::new();

#[cfg(test)]
thread_local! {
    /// In tests, each thread has its own state, like a process.
    static KEPT: Kept = const { Kept::new() };
}

#[cfg(not(test))]
impl Kept {
    fn with<R>(&self, work: impl FnOnce(&Self) -> R) -> R {
        work(self)
    }
}

/// Keeps the settings of this step for the tasks that are forked later. Valid only in slurmstepd.
pub(crate) fn keep(spank: &dyn Spank, settings: Settings) {
    // Without the arena, a memory checker would report these as a leak.
    if cfg!(all(watched_memory, not(test))) {
        return;
    }
    let arguments = spank.arguments();
    // Joined with the others, an argument with a blank would look like two.
    if arguments.iter().any(|argument| argument.contains(&b' ')) {
        return;
    }
    let arguments = arguments.join(&b' ');
    KEPT.with(|kept| kept.keep(StepSettings { settings, arguments }));
}

/// Calls `work` with the settings of the step; `None` if they are invalid.
pub(crate) fn with(spank: &dyn Spank, work: impl FnOnce(Option<&StepSettings>)) {
    let arguments = spank.arguments();
    KEPT.with(|kept| {
        let parsed;
        let settings = match kept.get(&arguments) {
            Some(kept) => Some(kept),
            None => {
                parsed = StepSettings::parse(&arguments);
                parsed.as_ref()
            }
        };
        work(settings);
    });
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Kept, StepSettings, keep};
    use crate::Hook;
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::test_double::Double;
    use sifcache_core::settings::Settings;

    const ROOT: &str = "image_root=/nowhere";

    #[test]
    fn settings_are_kept_with_their_arguments() {
        let kept = Kept::new();
        let words = |line: &'static str| line.split('|').map(str::as_bytes).collect::<Vec<_>>();
        let arguments = words("image_root=/sif|nested=off|syslog=off");
        assert!(kept.get(&arguments).is_none());
        kept.keep(StepSettings::parse(&arguments).unwrap());
        let settings = Settings::parse(&arguments).unwrap();
        assert_eq!(kept.get(&arguments).map(|kept| &kept.settings), Some(&settings));
        assert!(kept.get(&[]).is_none());
        for others in [
            "",
            "image_root=/sif",
            "image_root=/sif|nested=off",
            "nested=off|syslog=off",
            "image_root=/sif|syslog=off|nested=off",
            "image_root=/sif|nested=off|syslog=on",
            "image_root=/sif|nested=off|syslog=off|",
            "image_root=/sif|nested=off|syslog=off|pull=off",
            "image_root=/sif|nested=off syslog=off",
            "image_root=/sif nested=off syslog=off",
        ] {
            assert!(kept.get(&words(others)).is_none(), "{others:?}");
        }
        // The first settings stay.
        kept.keep(StepSettings::parse(&arguments[..1]).unwrap());
        assert!(kept.get(&arguments).is_some() && kept.get(&arguments[..1]).is_none());
    }

    #[test]
    fn only_slurmstepd_keeps_settings() {
        let is_kept = || KEPT.with(|kept| kept.0.get().is_some());
        let init = |context, line: &[&str]| {
            captured(|| crate::dispatch(Hook::Init, &Double::new(context, line)));
        };
        for context in [Context::Local, Context::Allocator, Context::Slurmd, Context::Other] {
            init(context, &[ROOT]);
            assert!(!is_kept(), "{context:?}");
        }
        init(Context::Remote, &[ROOT, "on_mis=fail"]);
        assert!(!is_kept());
        init(Context::Remote, &["image_root=/no where", "on_miss=fail"]);
        assert!(!is_kept());
        init(Context::Remote, &[ROOT, "on_miss=fail"]);
        let arguments = [ROOT.as_bytes(), b"on_miss=fail"];
        let kept = KEPT.with(|kept| kept.get(&arguments).map(|kept| kept.settings.clone()));
        assert_eq!(kept, Settings::parse(&arguments).ok());
    }

    /// How a task with these arguments ends, if its image is missing.
    fn end(arguments: &[&str]) -> Option<i32> {
        let mut task = Double::new(Context::Remote, arguments);
        task.command = ["apptainer", "run", "docker://o/i"].map(|w| w.as_bytes().to_vec()).into();
        captured(|| crate::dispatch(Hook::TaskInit, &task));
        task.ended.get()
    }

    #[test]
    fn a_task_uses_the_kept_settings_only_for_the_same_arguments() {
        assert_eq!(end(&[ROOT, "syslog=off"]), None);
        // These settings differ from what the arguments say, so they show which ones are used.
        let fail = Settings::parse(&[ROOT, "on_miss=fail"]).unwrap();
        keep(&Double::new(Context::Remote, &[ROOT, "syslog=off"]), fail);
        assert_eq!(end(&[ROOT, "syslog=off"]), Some(66));
        assert_eq!(end(&[ROOT]), None);
        assert_eq!(end(&[ROOT, "on_miss=fail"]), Some(66));
    }
}
