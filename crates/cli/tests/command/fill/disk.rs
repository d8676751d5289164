//! The file system of the image root is full, over its quota, read-only, or does not answer.
//!
//! Each test runs `sifcache fill --follow` in a mount namespace of its own, in which the image root
//! is another file system, and reads that file system through `/proc/PID/root`.
#![allow(clippy::print_stderr)]

use super::{POLICY, PULLS, Running, Site, end, signal};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Frequent attempts, and no removal of images at any fill level.
const LIMITS: &str = "backoff = { first = \"1s\", longest = \"1d\" }\n\
    space = { high = \"100%\", low = \"99%\", inodes-high = \"100%\", inodes-low = \"99%\" }\n";
/// File systems that are mounted at `$1`, of at most some MiB.
const TMPFS: &str = "mount -t tmpfs -o size=2m,mode=755 none \"$1\"";
/// A user cannot exceed the quota of 8 MiB, and the file system has more space.
const QUOTA: &str = "truncate -s 200M disk && mkfs.btrfs -q disk && mount -o loop disk \"$1\" && \
    btrfs quota enable \"$1\" && btrfs qgroup limit 8M \"$1\"";
/// If the file system exists, it is repaired.
const EXT4: &str = "if [ -e disk ]; then e2fsck -fy disk || [ $? -lt 4 ]; \
    else truncate -s 20M disk && mkfs.ext4 -q disk; fi && \
    mount -o loop,errors=remount-ro disk \"$1\"";

/// A filler whose image root is another file system.
struct Mounted {
    site: Site,
    child: Running,
}

impl Mounted {
    /// Starts a filler, after this script has mounted the image root. `None` without the rights or
    /// the programs to do that.
    fn new(script: &str) -> Option<Self> {
        let site = Site::new(PULLS);
        fs::write(site.path("fill.toml"), format!("{POLICY}{LIMITS}")).unwrap();
        fs::write(site.path("log"), "").unwrap();
        Self::of(site, script)
    }

    fn of(site: Site, script: &str) -> Option<Self> {
        let fill = site.command(&["--follow"]);
        let mut command = Command::new("unshare");
        let script = format!("{{ {script}; }} >&2 || exit 99; shift; exec \"$@\"");
        command.args(["--mount", "--", "sh", "-c", &script, "sh"]).arg(site.path("root"));
        command.arg(fill.get_program()).args(fill.get_args());
        command.envs(fill.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(site.directory.path()).stdin(Stdio::null());
        command.stdout(File::create(site.path("stdout")).unwrap());
        command.stderr(File::create(site.path("stderr")).unwrap());
        let mut mounted = Self { child: Running(Some(command.spawn().unwrap())), site };
        let child = mounted.child.0.as_mut().unwrap();
        let queue = PathBuf::from(format!("/proc/{}/root", child.id()));
        let queue =
            queue.join(mounted.site.path("root/.sifcache/queue/beat").strip_prefix("/").unwrap());
        loop {
            if queue.exists() {
                return Some(mounted);
            }
            if let Some(status) = child.try_wait().unwrap() {
                let why = mounted.text("stderr");
                assert!([Some(1), Some(99)].contains(&status.code()), "{status}: {why}");
                assert!(std::env::var_os("CI").is_none(), "{why}");
                eprintln!("skipped: needs root, loop devices and mkfs: {why}");
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// A path below the image root, as the filler sees it.
    fn root(&self, name: &str) -> PathBuf {
        let path = self.site.path("root").join(name);
        let root = PathBuf::from(format!("/proc/{}/root", self.child.id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// Runs a command in the filler's namespace; the last argument is the image root.
    fn mount(&self, words: &[&str]) {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.child.id().to_string(), "--mount", "--"]);
        let status = command.args(words).arg(self.site.path("root")).status().unwrap();
        assert!(status.success(), "{words:?}");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.site.path(name)).unwrap()
    }

    /// Writes zeros until that fails.
    fn fill_up(&self) {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.root("rest"));
        let mut file = file.unwrap();
        for size in [1 << 16, 1 << 9] {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok()
                && file.sync_all().is_ok()
            {}
        }
    }

    #[track_caller]
    fn waits(&self, what: &str, is_it: impl Fn(&Self) -> bool) {
        self.site.wait(&format!("{what}: {} {}", self.text("stdout"), self.text("stderr")), || {
            is_it(self)
        });
    }

    fn has(&self, name: &str) -> bool {
        self.root(&format!("127.0.0.1:1/{name}")).exists()
    }

    /// Two attempts to add an image fail. Then `repair` ends the fault, and the image is added.
    fn survives(self, errors: &[&str], repair: impl FnOnce(&Self)) {
        self.site.miss(1001, "o/i:1");
        let fails = "127.0.0.1:1/o/i:1  ";
        self.waits("two attempts", |it| it.text("stdout").matches(fails).count() > 1);
        assert!(!self.has("o/i:1"));
        repair(&self);
        self.waits("the image", |it| it.has("o/i:1"));
        // What was asked for meanwhile, and what is asked for now, is not lost.
        self.site.miss(1002, "o/i:2");
        self.waits("the next image", |it| it.has("o/i:2"));
        let text = self.text("stdout") + &self.text("stderr");
        assert!(errors.iter().any(|error| text.contains(error)), "{text}");
        // The pause does not grow: the disk is not the fault of the image.
        assert!(
            text.contains("next attempt in 1s") && !text.contains("next attempt in 2s"),
            "{text}"
        );
        self.waits("state", |it| {
            let state = fs::read(it.root(".sifcache/fill/state.json")).unwrap();
            let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
            state["schedule"]["items"].as_array().unwrap().is_empty()
        });
        // One line about the state or the queue, not one each second.
        let lines = self.text("stderr").lines().count();
        assert!(lines < 12, "{text}");
        signal(&self.child, "-TERM");
        assert_eq!(end(self.child).status, Some(143));
    }
}

#[test]
fn a_full_disk() {
    let Some(mounted) = Mounted::new(TMPFS) else { return };
    mounted.fill_up();
    mounted.survives(&["No space left on device"], |it| {
        fs::remove_file(it.root("rest")).unwrap();
    });
}

#[test]
fn a_quota_that_is_exceeded() {
    let Some(mounted) = Mounted::new(QUOTA) else { return };
    mounted.fill_up();
    mounted
        .survives(&["Disk quota exceeded"], |it| it.mount(&["btrfs", "qgroup", "limit", "none"]));
}

/// As ext4 becomes after an error. The filler goes on, and a restart after the repair loses nothing.
#[test]
fn a_file_system_that_becomes_read_only() {
    let Some(mounted) = Mounted::new(EXT4) else { return };
    mounted.site.miss(1001, "o/i:1");
    mounted.waits("the first image", |it| it.has("o/i:1"));
    let fail = "device=$(basename \"$(findmnt -nro SOURCE \"$1\")\") && \
        echo 1 >/sys/fs/ext4/$device/trigger_fs_error";
    mounted.mount(&["sh", "-c", fail, "sh"]);
    mounted.site.miss(1001, "o/i:2");
    let fails = "failed      127.0.0.1:1/o/i:2  ";
    mounted.waits("two attempts", |it| it.text("stdout").matches(fails).count() > 1);
    let text = mounted.text("stdout");
    assert!(text.contains("Read-only file system"), "{text}");
    assert!(!text.contains("next attempt in 2s"), "{text}");
    signal(&mounted.child, "-TERM");
    let Mounted { site, child } = mounted;
    assert_eq!(end(child).status, Some(143));
    let mounted = Mounted::of(site, EXT4).unwrap();
    mounted.waits("the second image", |it| it.has("o/i:1") && it.has("o/i:2"));
    assert_eq!(mounted.site.calls(), 2);
    signal(&mounted.child, "-TERM");
    assert_eq!(end(mounted.child).status, Some(143));
}

/// Every change blocks, as on a file server that does not answer. Nothing is lost when it answers.
#[test]
fn a_file_server_that_hangs() {
    let Some(mounted) = Mounted::new(EXT4) else { return };
    mounted.mount(&["fsfreeze", "--freeze"]);
    mounted.site.miss(1001, "o/i:1");
    mounted.waits("a change that blocks", |it| !is_idle(it));
    assert!(!mounted.has("o/i:1"));
    mounted.mount(&["fsfreeze", "--unfreeze"]);
    mounted.waits("the image", |it| it.has("o/i:1"));
    signal(&mounted.child, "-TERM");
    assert_eq!(end(mounted.child).status, Some(143));
}

/// Whether no thread of the filler waits uninterruptibly.
fn is_idle(mounted: &Mounted) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", mounted.child.id())).unwrap();
    !tasks.flatten().any(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('D'))
    })
}
