//! `slurm_spank_init`: the settings, and the option `--sif-cache`.
//!
//! The settings are only checked here, so that an admin reads about a mistake when
//! a daemon starts or a command is typed; the task reads them again. No image root
//! is touched, whatever the context.

use crate::fault;
use crate::hooks::nested;
use crate::hooks::srun;
use crate::spank::{Context, Spank};
use sifcache_core::settings::Settings;

pub(crate) fn run(spank: &dyn Spank, context: Context) {
    fault::point("init");
    // Before the settings: with bad ones, jobs that use the option must still start.
    if context != Context::Slurmd
        && let Err(error) = spank.register_option()
    {
        log::warn!("cannot register --sif-cache: {error}");
    }
    if context == Context::Local {
        srun::uncover(spank);
    }
    match (Settings::parse(&spank.arguments()), context) {
        (Ok(settings), _) => look_for_shim(spank, context, &settings),
        // What slurmstepd logs as an error, the user reads; this one is the admin's.
        (Err(error), Context::Remote) => log::warn!("inactive: plugstack.conf: {error}"),
        (Err(error), _) => log::error!("inactive: plugstack.conf: {error}"),
    }
}

/// Logs that a further plugin line is ignored. It would register the option a second time, and
/// decide a second time on each command.
pub(crate) fn ignore(context: Context) {
    let line = "plugstack.conf has several lines for this plugin: the first one counts, this one \
                is ignored; remove one of them (sifcache doctor shows both)";
    match context {
        Context::Slurmd => log::error!("{line}"),
        Context::Remote => log::warn!("{line}"),
        // A user cannot change it.
        _ => log::debug!("{line}"),
    }
}

/// Looks for the shim where jobs run, and says once for slurmd and once a step that it is
/// missing; the tasks know it, and the runtimes of the node, from here.
fn look_for_shim(spank: &dyn Spank, context: Context, settings: &Settings) {
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
    fn registers_the_option_wherever_jobs_are_made_or_run() {
        for context in EVERY {
            for arguments in [["image_root=/sif"], ["imag_root=/sif"]] {
                let double = Double::new(context, &arguments);
                crate::dispatch(Hook::Init, &double);
                assert_eq!(double.registered.get(), context != Context::Slurmd, "{context:?}");
            }
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_settings() {
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
    fn good_settings_say_nothing() {
        for context in EVERY {
            let double = Double::new(context, &["image_root=/sif"]);
            let lines = captured(|| crate::dispatch(Hook::Init, &double));
            assert_eq!(lines, Vec::<String>::new());
        }
    }
}
