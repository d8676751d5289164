//! Output for people and scripts: escaping, progress, formats, prompts.

pub(crate) mod escape;
pub(crate) mod format;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod shell_quote;
pub(crate) mod stderr;
pub(crate) mod terminal;
