//! The decision on one command, its effect and its report. The plugin and the shim share this room.

pub mod apply;
pub(crate) mod ask;
pub mod lookup_timeout;
pub(crate) mod report;
pub mod requested_mode;
pub mod unknown_program;
pub(crate) mod wait;
