mod builds;
mod copies;
mod pulls;

use crate::Hook;
use crate::decide::apply::MISSING;
use crate::logging::captured;
use crate::spank::Context;
use crate::spank::test_double::Double;
use sif_fixture::Sif;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// An image root with one image, `o/i:1`. The tests use `untrusted=accept`, so its owner does not
/// matter.
struct Root(PathBuf);

impl Root {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sifcache-{}-{test}", std::process::id()));
        Sif::image().write(path.join("o/i:1")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn task(&self, more: &[&str], command: &str) -> Double {
        let root = format!("image_root={}", self.0.display());
        let arguments = [&[root.as_str(), "untrusted=accept", "syslog=off"], more].concat();
        let mut double = Double::new(Context::Remote, &arguments);
        double.command = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        double
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(double: &Double) -> Vec<String> {
    captured(|| crate::dispatch(Hook::TaskInit, double))
}

const HIT: &str = "apptainer exec docker://o/i:1 true";
const MISS: &str = "apptainer exec docker://o/i:2 true";

#[test]
fn a_hit_replaces_image_and_is_reported_once() {
    let root = Root::new("hit");
    let mut double = root.task(&[], HIT);
    double.step.id = Some((7, 0));
    let lines = run(&double);
    let path = root.0.join("o/i:1");
    assert_eq!(*double.replaced.borrow(), Some((2, path.clone())));
    let path = path.display();
    assert_eq!(
        lines,
        [
            format!("INFO docker://o/i:1 is replaced by {path}"),
            format!(
                "EVENT event=hit job=7 step=0 node=0 tasks=1 uid=0 reference=docker.io/o/i:1 image={path}"
            )
        ]
    );
    assert_eq!((double.stderr.borrow().as_str(), double.ended.get()), ("", None));
    double.step.task = 1;
    assert!(run(&double).is_empty(), "only the first task of a node reports");
}

#[test]
fn srun_v_shows_one_line() {
    let root = Root::new("verbose");
    let hit =
        format!("sifcache: docker://o/i:1 is replaced by {}\n", root.0.join("o/i:1").display());
    let miss = "sifcache: docker://o/i:2 is not in the image cache\n";
    let off = "sifcache: the command is left unchanged: the cache is turned off by --sif-cache=off \
               or SIF_CACHE=off\n";
    for (command, mode, line) in
        [(HIT, "auto", hit.as_str()), (MISS, "auto", miss), (HIT, "off", off), ("echo", "off", "")]
    {
        for (level, shown) in [("3", ""), ("4", line), ("6", line), ("", ""), ("x", "")] {
            let mut double = root.task(&[], command);
            double.option = Some(mode.to_owned());
            double.set("SRUN_DEBUG", level);
            run(&double);
            assert_eq!(double.stderr.borrow().as_str(), shown, "{command} {level}");
        }
    }
}

#[test]
fn a_pass_is_explained_with_srun_v_and_require() {
    let root = Root::new("left-alone");
    let stderr = |command: &str, mode: &str, level: &str| {
        let mut double = root.task(&[], command);
        double.option = Some(mode.to_owned());
        double.set("SRUN_DEBUG", level);
        run(&double);
        double.stderr.take()
    };
    let unknown = "apptainer exec --gpus docker://o/i:1 true";
    let why = "unknown flag in argument 2\n";
    assert_eq!(stderr(unknown, "auto", "3"), "");
    assert_eq!(
        stderr(unknown, "auto", "4"),
        format!("sifcache: the command is left unchanged: {why}")
    );
    let no_effect = format!("sifcache: --sif-cache=require has no effect on this command: {why}");
    assert_eq!(stderr(unknown, "require", "3"), no_effect);
    for other in
        ["echo docker://o/i:1", "apptainer exec /x.sif echo docker://o/i:1", "apptainer version"]
    {
        assert_eq!(stderr(other, "require", "4"), "", "{other}");
    }
}

#[test]
fn other_nodes_print_with_vv() {
    let root = Root::new("nodes");
    for (level, printed) in [("4", false), ("5", true)] {
        let mut double = root.task(&[], HIT);
        double.step.node = 1;
        double.set("SLURMD_NODENAME", "n2");
        double.set("SRUN_DEBUG", level);
        run(&double);
        assert_eq!(double.stderr.borrow().starts_with("sifcache: n2: docker://o/i:1 is "), printed);
    }
}

#[test]
fn a_failed_replacement_leaves_the_command_unchanged() {
    let root = Root::new("refuses");
    for (setting, ended) in [("on_miss=pull", None), ("on_miss=fail", Some(MISSING))] {
        let mut double = root.task(&[setting], HIT);
        double.refuses_replacement = true;
        let lines = run(&double);
        assert!(lines[0].starts_with("WARN cannot put"), "{lines:?}");
        assert_eq!((lines.len(), double.ended.get()), (1, ended));
        assert_eq!(double.stderr.borrow().contains("cannot put"), ended.is_some());
    }
}

#[test]
fn other_contexts_do_nothing() {
    let root = Root::new("contexts");
    for context in [Context::Local, Context::Allocator, Context::Slurmd, Context::Other] {
        let template = root.task(&["on_miss=fail"], MISS);
        let mut double = Double::new(context, &["image_root=/sif"]);
        double.command = template.command;
        assert!(run(&double).is_empty());
        assert_eq!(double.ended.get(), None);
    }
}

#[test]
fn on_miss() {
    let root = Root::new("miss");
    for (setting, printed, ended) in [
        ("on_miss=pull", false, None),
        ("on_miss=warn", true, None),
        ("on_miss=fail", true, Some(MISSING)),
    ] {
        let double = root.task(&[setting], MISS);
        let lines = run(&double);
        assert!(lines.iter().any(|l| l.starts_with("EVENT event=miss ")), "{lines:?}");
        let message = double.stderr.borrow();
        assert_eq!(!message.is_empty(), printed, "{setting}");
        if printed {
            let root = root.0.display().to_string();
            for part in ["docker.io/o/i:2 is not in", &root, "in the cache: 1\n"] {
                assert!(message.contains(part), "{part}: {message}");
            }
            assert!(message.lines().all(|line| line.starts_with("sifcache: ")));
        }
        assert_eq!(double.ended.get(), ended, "{setting}");
        assert_eq!(*double.replaced.borrow(), None);
    }
}

#[test]
fn problems_of_a_root_are_logged_and_shown_with_v() {
    let root = Root::new("wrong");
    fs::write(root.0.join("o/i:2"), "").unwrap();
    let more = format!("image_root={}:/nowhere", root.0.display());
    let mut double = Double::new(Context::Remote, &[&more, "untrusted=accept", "syslog=off"]);
    double.command = root.task(&[], MISS).command;
    double.set("SRUN_DEBUG", "4");
    let (lines, path) = (run(&double), root.0.display());
    let file = format!("{path}/o/i:2 is refused: an empty file");
    let nowhere = "the image root /nowhere does not exist";
    let miss = "docker://o/i:2 is not in the image cache";
    let expected = [format!("WARN {file}"), format!("WARN {nowhere}"), format!("INFO {miss}")];
    assert_eq!(lines[..3], expected);
    let refused = format!("refused={path}/o/i:2 why=empty refused=/nowhere why=no-root");
    assert!(lines[3].starts_with("EVENT event=miss ") && lines[3].ends_with(&refused), "{lines:?}");
    let expected = format!("sifcache: {miss}\nsifcache: {file}\nsifcache: {nowhere}\n");
    assert_eq!(*double.stderr.borrow(), expected);
}

#[test]
fn one_task_of_each_node_prints_and_every_task_ends() {
    let root = Root::new("tasks");
    for (task, node, lines) in [(0, 0, 4), (1, 0, 0), (0, 1, 1), (1, 1, 0)] {
        let mut double = root.task(&["on_miss=fail"], MISS);
        double.set("SLURMD_NODENAME", "n2");
        (double.step.task, double.step.node) = (task, node);
        run(&double);
        let stderr = double.stderr.borrow();
        assert_eq!(stderr.lines().count(), lines, "task {task} of node {node}: {stderr}");
        assert_eq!(stderr.starts_with("sifcache: n2: "), node == 1 && task == 0);
        assert_eq!(double.ended.get(), Some(MISSING));
    }
}

#[test]
fn the_cache_mode_of_the_user() {
    let root = Root::new("wish");
    let with = |command: &str, option: Option<&str>, environment: Option<&str>| {
        let mut double = root.task(&["on_miss=pull"], command);
        double.option = option.map(str::to_owned);
        if let Some(value) = environment {
            double.set("SIF_CACHE", value);
        }
        run(&double);
        (double.replaced.borrow().is_some(), double.ended.get().is_some())
    };
    assert_eq!(with(HIT, None, None), (true, false));
    assert_eq!(with(HIT, Some("off"), None), (false, false));
    assert_eq!(with(HIT, None, Some("off")), (false, false));
    assert_eq!(with(HIT, Some("auto"), Some("off")), (true, false));
    assert_eq!(with(MISS, Some("require"), None), (false, true));
    assert_eq!(with(MISS, None, Some("require")), (false, true));
    assert_eq!(with(MISS, Some("auto"), Some("require")), (false, false));
}

#[test]
fn an_invalid_cache_mode_is_reported_for_launches() {
    let root = Root::new("misspelt");
    for (command, printed) in [(HIT, true), (MISS, true), ("echo docker://o/i:1", false)] {
        let double = root.task(&[], command);
        double.set("SIF_CACHE", "requird");
        run(&double);
        let line =
            "sifcache: SIF_CACHE=requird is ignored: valid values are auto, off, wait, require\n";
        assert_eq!(double.stderr.borrow().as_str(), if printed { line } else { "" });
    }
}

#[test]
fn a_command_that_is_no_launch_exports_the_option() {
    let root = Root::new("hand-on");
    for (command, option, handed) in [
        ("/tmp/slurm_script", Some("require"), Some("require")),
        ("/tmp/slurm_script", None, None),
        (HIT, Some("require"), None),
        ("apptainer exec /x.sif true", Some("require"), None),
    ] {
        let mut double = root.task(&[], command);
        double.option = option.map(str::to_owned);
        run(&double);
        assert_eq!(double.get("SIF_CACHE").as_deref(), handed, "{command}");
    }
    let mut full = root.task(&["nested=off"], "/tmp/slurm_script");
    (full.option, full.room) = (Some("require".to_owned()), "SIF_CACHE=require".len() + 8);
    let lines = run(&full);
    assert_eq!(full.get("SIF_CACHE"), None);
    assert!(
        lines[0].starts_with("WARN cannot pass --sif-cache on to launches of the task: "),
        "{lines:?}"
    );
    full.room += 1;
    run(&full);
    assert_eq!(full.get("SIF_CACHE").as_deref(), Some("require"));
}

#[test]
fn with_invalid_settings_only_require_has_an_effect() {
    for (option, command, ended) in [
        (None, HIT, None),
        (Some("require"), HIT, Some(MISSING)),
        (Some("require"), "echo x", None),
        (Some("require"), "apptainer exec /local.sif true", None),
    ] {
        let mut double = Double::new(Context::Remote, &["imag_root=/sif"]);
        double.command = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        double.option = option.map(str::to_owned);
        run(&double);
        assert_eq!(*double.replaced.borrow(), None);
        assert_eq!(double.ended.get(), ended, "{command}");
        let advice = "plugstack.conf on this node\nsifcache: the launch fails because of \
                      --sif-cache=require (or SIF_CACHE=require); tell the admins, or use \
                      --sif-cache=off\n";
        assert_eq!(double.stderr.borrow().ends_with(advice), ended.is_some(), "{command}");
    }
}

#[test]
fn unusual_commands_are_left_alone() {
    let root = Root::new("strange");
    let mut double = root.task(&["on_miss=fail"], HIT);
    double.command = Vec::new();
    run(&double);
    assert_eq!(double.ended.get(), None);
    double.command = vec![b"apptainer".to_vec(), b"run".to_vec(), b"docker://\xff\n".to_vec()];
    assert!(run(&double).iter().all(|line| !line.contains('\n')));
    assert_eq!((double.ended.get(), double.replaced.borrow().is_some()), (None, false));
}
