//! Faults, injected on the testbed: `docs/faults.md` says what came of each.
//!
//! Each is met by the same command without the plugin and with it. No job that would have
//! run without the plugin may fail with it, slurmstepd never hangs on it, and no node is
//! drained.

mod table;
