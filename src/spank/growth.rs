//! Whether a task's command and environment may be longer, and whether there is memory to
//! work on them at all.

use super::handle::Handle;
use super::{environment, memory, room};
use crate::job::Job as _;
use crate::spank::Spank as _;

/// Commands and settings up to this size are worked on in memory of our own.
const FEW_WORDS: usize = 1000;
const FEW_SETTINGS: usize = 512;
/// What a word, and a byte of the settings, take at most while a decision is made.
const FOR_WORD: usize = 64;
const FOR_SETTING: usize = 512;

/// Slurm takes 256 KiB for a moment to set a variable, and sets more of them after us.
const FOR_SLURM: u64 = 1 << 20;

/// Whether Slurm has the memory for what we are about to have it do, and for what it does
/// after us.
pub(super) fn is_memory_for_slurm() -> bool {
    memory::may_take(FOR_SLURM)
}

impl Handle {
    /// Whether there is memory for a decision on this command with these settings.
    pub(super) fn has_memory(&self) -> bool {
        let words = self.job_argv().map_or(0, |(argc, _)| usize::try_from(argc).unwrap_or(0));
        let settings: usize = self.arguments().iter().map(|argument| argument.len()).sum();
        let few = words <= FEW_WORDS && settings <= FEW_SETTINGS;
        few || memory::may_take((words * FOR_WORD).max(settings * FOR_SETTING) as u64)
    }

    /// Whether the kernel takes a command or an environment that is so many bytes longer.
    pub(super) fn may_grow(&self, bytes: usize) -> bool {
        let limits = || {
            let then = self.variable("SLURM_RLIMIT_STACK");
            room::stack_now().into_iter().chain(then.as_deref().and_then(room::stack_then))
        };
        bytes == 0 || room::is_enough(self.length().saturating_add(bytes), limits)
    }

    /// What the command and the environment take of what an `execve` may be given.
    fn length(&self) -> usize {
        let command = self.command();
        // SAFETY: Slurm's own array, which ends with a null pointer, as execve wants it.
        let environment = unsafe { environment::strings(self.environment()) };
        let environment: usize = environment.map(|string| room::of_string(string.len())).sum();
        environment + command.iter().map(|word| room::of_string(word.len())).sum::<usize>()
    }
}
