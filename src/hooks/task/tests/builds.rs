//! Builds as the task's own command.

use super::{Root, run};
use crate::decide::apply::MISSING;

/// The plugin replaces the source, as it does in a launch.
#[test]
fn a_build_uses_the_image() {
    let root = Root::new("build");
    let path = root.0.join("o/i:1");
    for (settings, command, index) in [
        (&[] as &[&str], "apptainer build x docker://o/i:1", 3),
        (&["nested=off"], "/bin/singularity build --sandbox pull docker://o/i:1", 4),
    ] {
        let mut double = root.task(settings, command);
        (double.step.uid, double.step.tasks) = (1001, 2);
        double.option = Some("require".to_owned());
        let lines = run(&double);
        assert_eq!(*double.replaced.borrow(), Some((index, path.clone())), "{command}");
        let event = format!(
            "EVENT event=hit job=0 step=0 node=0 tasks=2 uid=1001 via=build reference=docker.io/o/i:1 image={}",
            path.display()
        );
        assert_eq!(lines.last(), Some(&event));
        assert_eq!((double.prepended.borrow().len(), double.get("SIF_CACHE")), (0, None));
    }
    let mut miss = root.task(&["on_miss=fail"], "apptainer build x docker://o/i:2");
    miss.step.uid = 1001;
    let lines = run(&miss);
    assert_eq!(miss.ended.get(), Some(MISSING));
    assert!(miss.stderr.borrow().contains("the build fails because of on_miss=fail"));
    let event =
        "EVENT event=miss job=0 step=0 node=0 tasks=1 uid=1001 via=build reference=docker.io/o/i:2";
    assert!(lines.iter().any(|line| line.starts_with(event)), "{lines:?}");
}

#[test]
fn builds_that_are_left_unchanged() {
    let root = Root::new("build-unchanged");
    for (uid, settings, mode, command, stderr) in [
        (1001, "pull=off", "auto", "apptainer build x docker://o/i:1", ""),
        (1001, "pull=copy", "off", "apptainer build x docker://o/i:1", ""),
        (1001, "pull=copy", "require", "apptainer build x o/i.def", ""),
        (
            1001,
            "pull=copy",
            "require",
            "apptainer build --fix-perms x docker://o/i:1",
            "argument 2",
        ),
        (0, "pull=copy", "auto", "apptainer build x docker://o/i:1", ""),
        (0, "pull=copy", "require", "apptainer build x docker://o/i:1", "a build by root keeps"),
    ] {
        let mut double = root.task(&[settings, "on_miss=fail"], command);
        double.step.uid = uid;
        double.option = Some(mode.to_owned());
        let lines = run(&double);
        assert!(!lines.iter().any(|line| line.contains("event=")), "{lines:?}");
        assert_eq!((double.replaced.take(), double.ended.get()), (None, None), "{command}");
        let printed = double.stderr.take();
        assert_eq!(printed.is_empty(), stderr.is_empty(), "{command}: {printed}");
        assert!(printed.contains(stderr), "{printed}");
    }
}
