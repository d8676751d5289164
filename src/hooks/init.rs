//! `slurm_spank_init`: checks the settings and registers the option `--sif-cache`.
//!
//! The settings are checked here so that admins see a mistake as soon as a daemon starts or a
//! command is typed. In slurmstepd, they are kept for the tasks (`step_settings.rs`). This hook does
//! not access an image root in any context.

use crate::decide::report;
use crate::fault;
use crate::hooks::nested;
use crate::hooks::srun;
use crate::hooks::step_settings;
use crate::spank::{Context, Spank};
use sifcache_core::launch;
use sifcache_core::settings::{Settings, Untrusted};
use sifcache_core::trust::ids;

/// Registers the option and checks the settings and the shim.
#[inline(never)]
pub(crate) fn run(spank: &dyn Spank, context: Context) {
    fault::point("init");
    // The option is registered before the settings are checked: even if the settings are invalid,
    // jobs that use the option must start.
    if context != Context::Slurmd
        && let Err(error) = spank.register_option()
    {
        log::warn!("cannot register --sif-cache: {error}");
    }
    let settings = Settings::parse(&spank.arguments());
    if context == Context::Local {
        srun::run(spank, settings.as_ref().ok());
    }
    match (settings, context) {
        (Ok(settings), _) => {
            if context == Context::Remote {
                prepare_tasks(spank, &settings);
            }
            check_shim(spank, context, &settings);
            if context == Context::Remote {
                step_settings::keep(spank, settings);
            }
        }
        // slurmstepd forwards errors to the user's stderr. Only the admin can fix this error, so it
        // is logged as a warning.
        (Err(error), Context::Remote) => log::warn!("inactive: plugstack.conf: {error}"),
        (Err(error), _) => log::error!("inactive: plugstack.conf: {error}"),
    }
}

/// Does once what otherwise each task of the step would do.
fn prepare_tasks(spank: &dyn Spank, settings: &Settings) {
    let is_runtime = |program: &&[u8]| launch::is_runtime(program, &settings.runtimes);
    let is_launch = spank.command().first().is_some_and(is_runtime);
    spank.look_up_symbols();
    if is_launch {
        report::use_syslog(settings);
    }
    if is_launch && settings.untrusted == Untrusted::Refuse {
        // With this, a hit needs no system call for it.
        ids::read_overflow_id();
    }
}

/// Logs that a further line for the plugin is ignored, because it would make the plugin register
/// the option again and decide on each command again.
pub(crate) fn ignore(context: Context) {
    let line = "plugstack.conf has several lines for this plugin: only the first one is used, this \
                one is ignored; remove one of them (sifcache doctor shows both)";
    match context {
        Context::Slurmd => log::error!("{line}"),
        Context::Remote => log::warn!("{line}"),
        // Users cannot change plugstack.conf.
        _ => log::debug!("{line}"),
    }
}

/// Checks on compute nodes that the shim is installed. If it is missing, this is logged once by
/// slurmd and once per step. Tasks inherit the result, and the runtimes of the node, from
/// slurmstepd.
fn check_shim(spank: &dyn Spank, context: Context, settings: &Settings) {
    if !matches!(context, Context::Slurmd | Context::Remote) {
        return;
    }
    let Some(why) = nested::missing(spank, settings.nested) else {
        if context == Context::Remote {
            nested::prepare(spank, settings);
        }
        return;
    };
    let line = format!(
        "launches inside job scripts are not covered on this node: {why}; install the shim or \
         set nested=off"
    );
    match context {
        Context::Slurmd => log::error!("{line}"),
        _ => log::warn!("{line}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::Hook;
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::test_double::Double;

    const EVERY: [Context; 4] =
        [Context::Local, Context::Allocator, Context::Slurmd, Context::Remote];

    #[test]
    fn registers_the_option_in_every_context_but_slurmd() {
        for context in EVERY {
            for arguments in [["image_root=/sif"], ["imag_root=/sif"]] {
                let double = Double::new(context, &arguments);
                crate::dispatch(Hook::Init, &double);
                assert_eq!(double.registered.get(), context != Context::Slurmd, "{context:?}");
            }
        }
    }

    #[test]
    fn logs_invalid_settings() {
        for context in EVERY {
            let double = Double::new(context, &["image_root=/sif", "on_mis=fail"]);
            let lines = captured(|| crate::dispatch(Hook::Init, &double));
            let level = if context == Context::Remote { "WARN" } else { "ERROR" };
            let start = format!(
                "{level} inactive: plugstack.conf: unknown key 'on_mis'; valid keys: image_root,"
            );
            assert!(lines.iter().any(|line| line.starts_with(&start)), "{lines:?}");
        }
    }

    #[test]
    fn a_second_line_is_ignored() {
        for (context, level) in EVERY.into_iter().zip(["DEBUG", "DEBUG", "ERROR", "WARN"]) {
            let mut double = Double::new(context, &["image_root=/sif", "on_mis=fail"]);
            double.is_second_line = true;
            let lines = captured(|| crate::dispatch(Hook::Init, &double));
            let start = format!("{level} plugstack.conf has several lines for this plugin: ");
            assert!(lines.len() == 1 && lines[0].starts_with(&start), "{lines:?}");
            assert!(!double.registered.get(), "{context:?}");
        }
        let mut double = Double::new(Context::Remote, &["image_root=/nowhere", "on_miss=fail"]);
        double.is_second_line = true;
        double.command = ["apptainer", "run", "docker://o/i"].map(|w| w.as_bytes().to_vec()).into();
        let lines = captured(|| crate::dispatch(Hook::TaskInit, &double));
        assert_eq!((lines.len(), double.ended.get(), double.get("PATH")), (0, None, None));
        double.is_second_line = false;
        captured(|| crate::dispatch(Hook::TaskInit, &double));
        assert_eq!(double.ended.get(), Some(66));
    }

    #[test]
    fn slurmstepd_looks_symbols_up_for_its_tasks() {
        for context in EVERY {
            let double = Double::new(context, &["image_root=/sif"]);
            captured(|| crate::dispatch(Hook::Init, &double));
            assert_eq!(double.looked_up.get(), context == Context::Remote, "{context:?}");
        }
    }

    #[test]
    fn valid_settings_log_nothing() {
        for context in EVERY {
            let double = Double::new(context, &["image_root=/sif"]);
            let lines = captured(|| crate::dispatch(Hook::Init, &double));
            assert_eq!(lines, Vec::<String>::new());
        }
    }
}
