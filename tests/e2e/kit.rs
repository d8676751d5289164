//! The test kit: one site, with its image roots, its settings and its users.
//!
//! Each test creates its own [`Site`] on the cluster of its process. Creating a site empties the
//! image roots and writes plugstack.conf. Tests in one process run one after the other.

mod cluster;
pub(crate) mod control_groups;
mod failure;
pub(crate) mod filler;
pub(crate) mod generated;
mod install;
mod jobs;
pub(crate) mod journal;
pub(crate) mod quiet;
pub(crate) mod registry;
pub(crate) mod signed;
pub(crate) mod singularity;
pub(crate) mod tree;

pub(crate) use cluster::{NODES, Output, crash_and_boot, hub, testbed, with_hub};
pub(crate) use install::{
    built, install, plugin_directory, plugins_can_prepend, push, slurm_release, target,
};

use cluster::{at, length, logs};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

/// The image that most tests run, which is also the content of its /etc/image-name.
pub(crate) const IMAGE: &str =
    "determinedai/environments:cuda-11.3-pytorch-1.10-tf-2.8-gpu-69f397f";
/// A second image, so that tests can see which of the two was started.
pub(crate) const OTHER: &str = "determinedai/environments:rocm-4.2-pytorch-1.9-tf-2.5-rocm-9119094";
/// Prints the name of the running image.
pub(crate) const WHICH: [&str; 2] = ["cat", "/etc/image-name"];

/// A pgrep(1) pattern for slurmd's process. After `scontrol reconfigure` the process has the name
/// of the file that Debian's symbolic link points to.
pub(crate) const SLURMD: &str = "slurmd(-wlm)?";

/// The shared image root, and the image root on each node's own disk.
pub(crate) const SHARED: &str = "/shared/sif";
/// A link to [`SHARED`]: see [`Site::link_root`].
pub(crate) const LINKED: &str = "/shared/linked";
pub(crate) const LOCAL: &str = "/local/sif";

/// The default directory in which the runtime unpacks layers for the command, if root runs it.
pub(crate) const SCRATCH: &str = "/tmp/sifcache-0";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The site: settings, roots and logs of the cluster, for one test.
pub(crate) struct Site {
    _turn: MutexGuard<'static, ()>,
    marks: Marks,
}

/// Node, log file, and the file's length in bytes when the site was created.
type Marks = Vec<(&'static str, &'static str, u64)>;

impl Site {
    /// A site with two empty image roots, and `settings` in addition to `image_root`.
    pub(crate) fn new(settings: &str) -> Self {
        Self::with_line(&format!(
            "optional spank_sifcache.so image_root={LOCAL}:{SHARED} {settings}\n"
        ))
    }

    /// A site with this text as plugstack.conf.
    pub(crate) fn with_line(plugstack: &str) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ready();
        let marks: Marks = logs().map(|(node, log)| (node, log, length(&at(node, log)))).collect();
        failure::watch(marks.iter().map(|&(node, log, from)| (at(node, log), from)).collect());
        let site = Self { _turn: turn, marks };
        let local = ["n1", "n2", "n3", "ctl"].map(|host| site.at(host, LOCAL));
        for root in local.into_iter().chain([site.at("ctl", SHARED)]) {
            let _ = fs::remove_dir_all(&root);
            fs::create_dir_all(&root).unwrap();
            fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // Removes what earlier tests have left: login shells add /home/alice/bin to PATH, and a
        // test that kills `add` leaves the runtime's scratch files.
        for left in ["/home/alice/bin", SCRATCH] {
            let _ = fs::remove_dir_all(site.at("ctl", left));
        }
        site.plugstack(plugstack);
        site
    }

    /// Writes plugstack.conf, which every step reads again.
    pub(crate) fn plugstack(&self, text: &str) {
        fs::write(self.at("ctl", "/etc/slurm/plugstack.conf"), text).unwrap();
    }

    /// Translates a path on a host to the path outside of the cluster.
    pub(crate) fn at(&self, host: &str, path: &str) -> PathBuf {
        at(host, path)
    }

    /// The option of `prepend-path` that moves an existing entry to the front. Lmod does so without
    /// an option, and refuses this one.
    pub(crate) fn option_for_duplicates(&self) -> &'static str {
        if self.at("ctl", "/usr/share/lmod").exists() { "" } else { "--duplicates" }
    }

    /// Copies a SIF of `image` into the shared root under `name`, and returns its path outside of
    /// the cluster.
    pub(crate) fn store(&self, image: &str, name: &str) -> PathBuf {
        self.store_at("ctl", SHARED, image, name)
    }

    /// Makes [`LINKED`] an image root. With a timeout, a lookup in a root that is a link always takes
    /// a helper process.
    pub(crate) fn link_root(&self) {
        let link = self.at("ctl", LINKED);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(SHARED, link).unwrap();
    }

    /// Copies a SIF of `image` into a root on a host, and returns its path outside of the cluster.
    pub(crate) fn store_at(&self, host: &str, root: &str, image: &str, name: &str) -> PathBuf {
        let path = self.at(host, root).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(sif(image), &path).unwrap();
        path
    }

    /// Writes an arbitrary file into the shared root, and returns its path outside of the cluster.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.at("ctl", SHARED).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Creates a symbolic link in the shared root.
    pub(crate) fn link(&self, target: &str, name: &str) {
        let path = self.at("ctl", SHARED).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Runs a command on the login node as alice.
    pub(crate) fn alice<S: AsRef<OsStr>>(&self, words: &[S]) -> Output {
        testbed("exec", &["--user", "alice"], words, "")
    }

    /// Like [`Self::alice`], but with flags of `testbed exec` (such as another user) and standard
    /// input.
    pub(crate) fn exec<S: AsRef<OsStr>>(&self, flags: &[&str], words: &[S], input: &str) -> Output {
        testbed("exec", flags, words, input)
    }

    /// Runs `srun WORDS` as alice.
    pub(crate) fn srun<S: AsRef<OsStr>>(&self, words: &[S]) -> Output {
        let words: Vec<&OsStr> =
            [OsStr::new("srun")].into_iter().chain(words.iter().map(AsRef::as_ref)).collect();
        self.alice(&words)
    }

    /// Runs `srun [FLAGS] apptainer exec IMAGE cat /etc/image-name` as alice.
    pub(crate) fn launch(&self, flags: &[&str], image: &str) -> Output {
        self.srun(&[on_n1(flags), flags, &["apptainer", "exec", image], &WHICH].concat())
    }

    /// Waits until a text appears in the logs that a host has written since this site was created.
    /// syslog and slurmd write their lines with a short delay.
    #[track_caller]
    pub(crate) fn logged(&self, host: &str, text: &str) {
        let limit = Instant::now() + Duration::from_secs(5);
        while !self.log(host).contains(text) {
            assert!(Instant::now() < limit, "{host} did not log {text:?}:\n{}", self.log(host));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a node is idle.
    #[track_caller]
    pub(crate) fn idle(&self, node: &str) {
        let idle = ["sinfo", "-h", "-n", node, "-t", "idle", "-o", "%D"];
        let limit = Instant::now() + Duration::from_secs(60);
        while self.exec(&[], &idle, "").stdout.trim_end() != "1" {
            assert!(Instant::now() < limit, "{node} is not idle");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The text that a host has written to syslog and slurmd's log since this site was created.
    pub(crate) fn log(&self, host: &str) -> String {
        let mut all = String::new();
        for (_, log, from) in self.marks.iter().filter(|(node, ..)| *node == host) {
            all.push_str(&cluster::written_since(&at(host, log), *from));
        }
        all
    }
}

/// Selects n1 unless the flags select nodes. Otherwise Slurm would choose another node while n1
/// still cleans up, but the tests read the logs of n1.
fn on_n1<'a>(flags: &[&str]) -> &'a [&'a str] {
    let chosen = flags.iter().any(|flag| flag.starts_with("-w") || flag.starts_with("-N"));
    if chosen { &[] } else { &["-w", "n1"] }
}

/// Installs the plugin and the command, and makes the SIF files. This runs once per cluster in a
/// nextest run, otherwise once per process.
fn ready() {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        let run = std::env::var("NEXTEST_RUN_ID").ok();
        let marker = at("ctl", "/shared/made/ready");
        if run.is_some() && fs::read_to_string(&marker).ok() == run {
            return;
        }
        install(&[]);
        fs::create_dir_all(at("ctl", "/shared/made")).unwrap();
        with_hub(|| {
            for image in [IMAGE, OTHER] {
                let (file, uri) = (inside(image), format!("docker://{image}"));
                let words = ["apptainer", "pull", "--force", &file, &uri];
                let output = testbed("exec", &[], &words, "");
                assert_eq!(output.status, 0, "{output:#?}");
            }
        });
        if let Some(run) = run {
            fs::write(marker, run).unwrap();
        }
    });
}

/// Whether this is `make test-all`, which also runs the slow tests.
pub(crate) fn thorough() -> bool {
    std::env::var_os("SIFCACHE_THOROUGH").is_some()
}

/// The path of the SIF made from `image`, as seen inside the cluster.
pub(crate) fn inside(image: &str) -> String {
    format!("/shared/made/{}.sif", image.replace(['/', ':'], "_"))
}

/// The path of that SIF, as seen outside of the cluster.
pub(crate) fn sif(image: &str) -> PathBuf {
    at("ctl", &inside(image))
}

/// Writes an executable file with mode 755.
pub(crate) fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The sorted lines of `env`, without those that differ between any two jobs.
pub(crate) fn stable_variables(text: &str) -> Vec<String> {
    let stable = |line: &&str| {
        let name = line.split('=').next().unwrap();
        !matches!(
            name,
            "SLURM_JOBID"
                | "SLURM_JOB_ID"
                | "SLURM_JOB_SLUID"
                | "SLURM_TASK_PID"
                | "SLURM_SRUN_COMM_PORT"
                | "SLURM_STEP_LAUNCHER_PORT"
                | "SLURM_JOB_START_TIME"
                | "SLURM_JOB_END_TIME"
        )
    };
    let mut lines: Vec<String> = text.lines().filter(stable).map(str::to_owned).collect();
    lines.sort();
    lines
}
