//! The decision on a command, made with the code of the plugin.

use crate::environment::Environment;
use crate::launch::Launch;
use crate::log_sink;
use crate::pull::Pull;
use sifcache_core::decision::{Pass, Verdict, on_miss};
use sifcache_core::launch::NotLaunch;
use sifcache_core::settings::{OnMiss, Settings};
use spank_sifcache::decide::apply;
use spank_sifcache::decide::requested_mode::RequestedMode;
use spank_sifcache::decide::unknown_program;
use std::ffi::CString;
use std::panic::{self, AssertUnwindSafe};

/// The outcome of a decision.
#[derive(Default)]
pub(crate) struct Decided {
    /// Whether the command is a launch, a pull or a build. No shim needs to decide on it again.
    pub(crate) is_final: bool,
    /// The exit status of a pull that was answered, so that no runtime runs.
    pub(crate) answered: Option<i32>,
    /// The index of the argv entry to replace, and the path of the image.
    pub(crate) image: Option<(usize, CString)>,
    /// Whether the launch must not start without the image.
    pub(crate) requires_image: bool,
}

/// Decides on a command, which `program` would run otherwise. After a panic, the command is left
/// unchanged.
pub(crate) fn decide(
    command: Vec<&[u8]>,
    program: &CString,
    settings: Option<Settings>,
    requested: &RequestedMode,
    environment: &Environment,
) -> Decided {
    let work = || {
        log_sink::install();
        let Some(settings) = settings else {
            apply::without_settings(&Launch::new(command, environment, None), requested);
            return Decided::default();
        };
        let pull = Pull::new(&command, program, &settings, environment);
        let launch = Launch::new(command, environment, pull);
        let decision = apply::apply(&launch, &settings, requested);
        if decision.verdict == Verdict::Pass(Pass::NotLaunch(NotLaunch::NotRuntime)) {
            unknown_program::warn(&launch, &settings, requested, false);
        }
        Decided {
            is_final: decision.image_index().is_some(),
            answered: launch.answered.get(),
            image: launch.replaced.take(),
            requires_image: on_miss(requested.mode, &settings) == OnMiss::Fail,
        }
    };
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_default()
}
