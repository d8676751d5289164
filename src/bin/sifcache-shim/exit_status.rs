//! Exit statuses of a shim that executes no program. A shell uses the same values.

/// The command was not found.
pub(crate) const NOT_FOUND: i32 = 127;
/// The command cannot be executed.
pub(crate) const FAILED: i32 = 126;
