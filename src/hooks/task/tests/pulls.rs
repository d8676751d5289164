//! Pulls as the task's own command.

use super::{Root, run};

const PULL: &str = "apptainer pull docker://o/i:1";

/// The plugin does not look the image up: the shim does, and logs the outcome.
#[test]
fn a_pull_is_left_to_the_shim() {
    let root = Root::new("pull");
    for (settings, program, prepends) in [
        (&[] as &[&str], "apptainer", false),
        (&[], "/bin/apptainer", true),
        (&["nested=off"], "apptainer", true),
        (&["nested=preload"], "apptainer", true),
    ] {
        for image in ["docker://o/i:1", "docker://o/i:2"] {
            let mut double = root.task(settings, &format!("{program} pull {image}"));
            double.set("PATH", "/bin");
            double.option = Some("require".to_owned());
            assert!(run(&double).is_empty());
            assert_eq!((double.ended.get(), double.stderr.borrow().as_str()), (None, ""));
            assert_eq!(double.get("SIF_CACHE").as_deref(), Some("require"));
            let path = double.get("PATH").unwrap();
            let prepended = double.prepended.borrow();
            if prepends {
                assert_eq!((path.as_str(), prepended.len()), ("/bin", 4), "{settings:?}");
                assert_eq!(
                    (prepended[1].as_str(), prepended[3].as_str()),
                    ("--multi-prog", "require")
                );
            } else {
                assert!(path.ends_with("/sifcache/bin:/bin"), "{path}");
                assert!(prepended.is_empty() && double.get("SINGULARITY_SIFCACHE").is_some());
            }
        }
    }
}

/// The runtime then pulls, even if the site or the user forbids that.
#[test]
fn a_pull_that_the_shim_cannot_answer_runs_unchanged() {
    let root = Root::new("pull-unchanged");
    let pull = PULL.replace("apptainer", "/bin/apptainer");
    for missing in [None, Some("no shim".to_owned())] {
        let mut double = root.task(&["on_miss=fail"], &pull);
        double.cannot_prepend = missing.is_none();
        double.missing.clone_from(&missing);
        double.option = Some("require".to_owned());
        let lines = run(&double);
        assert!(lines.iter().all(|line| !line.contains("event=")), "{lines:?}");
        let why = missing.as_deref().unwrap_or("an old Slurm");
        let why = format!("has no effect on this command: the shim cannot answer the pull: {why}");
        assert!(double.stderr.borrow().contains(&why), "{:?}", double.stderr);
        assert_eq!((double.ended.get(), double.prepended.borrow().len()), (None, 0));
    }
}

#[test]
fn other_pulls_run_without_the_shim() {
    let root = Root::new("pull-other");
    for (settings, mode, command) in [
        ("pull=off", "require", PULL),
        ("pull=copy", "off", PULL),
        ("pull=copy", "auto", "apptainer pull shub://o/i:1"),
        ("pull=copy", "auto", "apptainer pull --arch arm64 docker://o/i:1"),
        ("pull=copy", "auto", "/bin/apptainer exec /a.sif pull docker://o/i:1"),
    ] {
        let mut double = root.task(&[settings, "on_miss=fail", "nested=off"], command);
        double.option = Some(mode.to_owned());
        let lines = run(&double);
        assert!(!lines.iter().any(|line| line.contains("event=")), "{lines:?}");
        assert_eq!((double.ended.get(), double.prepended.borrow().len()), (None, 0), "{command}");
    }
}
