//! Leaves alone a step that Slurm runs in an OCI container (`--container=BUNDLE`): its command is a
//! pass.
//!
//! The command is executed inside the container, which has neither the shim nor the image roots. So
//! the command stays as typed, and every variable of sifcache is removed, including those that srun
//! inherited from a covered job. If a pull is forbidden (`require` or `on_miss=fail`), the launch
//! ends with a message, because the plugin cannot see whether the container has the image.

use crate::NAME;
use crate::decide::apply::MISSING;
use crate::decide::report;
use crate::decide::requested_mode::RequestedMode;
use crate::hooks::nested;
use crate::job::Job;
use crate::spank::Spank;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision::{self, Verdict};
use sifcache_core::lookup::Inline;
use sifcache_core::settings::{OnMiss, Pull, Settings};

/// Leaves the step alone, but ends a launch whose image must not be pulled.
#[cold]
pub(crate) fn leave(spank: &dyn Spank, job: &dyn Job, requested: &RequestedMode) {
    nested::remove(spank);
    let settings = Settings::parse(&spank.arguments()).ok();
    let mut without_roots = settings.unwrap_or_else(|| Settings::with_roots(Vec::new()));
    without_roots.image_roots.clear();
    without_roots.foreign_roots.clear();
    // The container has neither the shim, which answers pulls, nor the images for builds.
    without_roots.pull = Pull::Off;
    let variable = |name: &str| job.variable(name);
    let decision =
        decision::decide(&job.command(), &without_roots, requested.mode, &variable, &Inline);
    match decision.reference().filter(|_| decision.verdict == Verdict::Miss) {
        Some(reference) if decision::on_miss(requested.mode, &without_roots) == OnMiss::Fail => {
            refuse(job, requested.mode, &without_roots, &reference.to_string());
        }
        Some(_) => report::left_unchanged(job, WHY),
        None if requested.mode == CacheMode::Require && job.step().is_reporter() => job
            .write_stderr(&format!(
                "{NAME}: --sif-cache=require (or SIF_CACHE=require) has no effect: {WHY}\n"
            )),
        None => {}
    }
}

const WHY: &str = "the step runs in a container (--container), which has no image cache";

/// Ends a launch that must not pull, with a message.
fn refuse(job: &dyn Job, mode: CacheMode, settings: &Settings, reference: &str) {
    if job.step().is_reporter() {
        let of_site = format!("on_miss={} in plugstack.conf", settings.on_miss_value());
        let because = match mode {
            CacheMode::Require => "--sif-cache=require (or SIF_CACHE=require)",
            CacheMode::Auto | CacheMode::Wait | CacheMode::Off => &of_site,
        };
        job.write_stderr(&format!(
            "{NAME}: {reference} cannot be taken from the image cache: {WHY}\n{NAME}: the launch \
             fails because of {because}; use --sif-cache=off to start it without the cache\n"
        ));
    }
    job.end(MISSING);
}

#[cfg(test)]
mod tests {
    use crate::Hook;
    use crate::decide::apply::MISSING;
    use crate::hooks::broadcast::PROGRAM;
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::test_double::Double;
    use sif_fixture::{Object, Sif};
    use sifcache_core::nested::{INTERPOSER, SETTINGS, SHIMS, installed};

    const LAUNCH: &str = "singularity exec docker://o/i:1 true";

    /// A task in a container that inherits the variables of a covered job.
    fn task(settings: &[&str], command: &str, mode: Option<&str>) -> Double {
        let arguments = [&["syslog=off"], settings].concat();
        let mut double = Double::new(Context::Remote, &arguments);
        double.in_container = true;
        double.command = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        double.option = mode.map(str::to_owned);
        double.set("PATH", &format!("{}:/bin", installed(SHIMS)));
        double.set("LD_PRELOAD", &installed(INTERPOSER));
        double.set(SETTINGS, "image_root=/sif");
        double.set(PROGRAM, "singularity");
        captured(|| crate::dispatch(Hook::TaskInit, &double));
        double
    }

    #[test]
    fn the_command_stays_as_typed_and_our_variables_are_removed() {
        let several = "0 hostname\n1-3 apptainer run docker://o/i:1";
        let root = "image_root=/nowhere";
        for command in [LAUNCH, "bash -c true", several] {
            for settings in [&[root][..], &[root, "nested=preload"], &[root, "nested=off"], &["x"]]
            {
                let double = task(settings, command, None);
                assert_eq!(*double.replaced.borrow(), None, "{command}");
                assert!(double.prepended.borrow().is_empty(), "{command}");
                assert_eq!(double.get("PATH").as_deref(), Some("/bin"), "{command} {settings:?}");
                for removed in ["LD_PRELOAD", SETTINGS, PROGRAM, "SIF_CACHE"] {
                    assert_eq!(double.get(removed), None, "{command} {settings:?}");
                }
                assert_eq!((double.stderr.take().as_str(), double.ended.get()), ("", None));
            }
        }
    }

    /// The container does not have the image roots of the node, whatever their layout.
    #[test]
    fn no_image_root_is_searched() {
        let root = tempfile::tempdir().unwrap();
        let definition = Object::definition("bootstrap: docker\nfrom: o/i:1\n");
        Sif::image().with(definition).write(root.path().join("i_1.sif")).unwrap();
        Sif::image().write(root.path().join("o/i:1")).unwrap();
        for layout in ["", "pulls="] {
            let root = format!("image_root={layout}{}", root.path().display());
            let double = task(&[&root, "untrusted=accept", "on_miss=fail"], LAUNCH, None);
            assert_eq!(double.ended.get(), Some(MISSING), "{root}");
        }
    }

    #[test]
    fn a_launch_that_must_not_pull_ends_with_a_message() {
        let root = "image_root=/nowhere";
        let outcome = |settings: &[&str], command: &str, mode: Option<&str>| {
            let double = task(settings, command, mode);
            (double.ended.get(), double.stderr.take())
        };
        let fail = [root, "on_miss=fail"];
        for (settings, mode, because) in [
            (&[root][..], Some("require"), "--sif-cache=require"),
            (&["x"], Some("require"), "--sif-cache=require"),
            (&fail, None, "on_miss=fail"),
        ] {
            let (ended, stderr) = outcome(settings, LAUNCH, mode);
            assert_eq!(ended, Some(MISSING), "{settings:?}");
            assert!(stderr.starts_with("sifcache: docker.io/o/i:1 cannot be taken"), "{stderr}");
            assert!(stderr.contains(because) && stderr.contains("--container"), "{stderr}");
        }
        assert_eq!(outcome(&fail, LAUNCH, Some("off")), (None, String::new()));
        assert_eq!(outcome(&fail, "bash -c true", None), (None, String::new()));
        let (ended, stderr) = outcome(&[root], "bash -c true", Some("require"));
        assert_eq!(ended, None);
        assert!(stderr.starts_with("sifcache: --sif-cache=require (or SIF_CACHE"), "{stderr}");
    }
}
