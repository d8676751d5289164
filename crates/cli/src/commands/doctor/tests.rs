//! Tests with simulated hosts in a directory: a correct host, and one for each kind of damage.

mod areas;
mod elf;
mod login_node;
mod pulls;
mod runtime;
mod site;
mod views;
mod waiting;

use super::facts::Facts;
use super::finding::{Finding, Level};
use super::host::Host;
use super::{AREAS, exit};
use crate::demand::message;
use crate::error::Failure;
use crate::exit::Exit;
use crate::system::process::{Answer, Call, Run, RunError};
use sifcache_core::settings::Filler;
use std::cell::OnceCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use tempfile::TempDir;

/// The output of programs, each with the beginning of the command line that prints it.
struct Answers {
    all: Vec<(&'static str, String)>,
    /// The output of login shells other than bash, if it differs.
    login: Option<&'static str>,
}

impl Run for Answers {
    fn run(&self, call: &Call) -> Result<Answer, RunError> {
        let words = [&[call.program.to_string_lossy().into_owned()], &call.arguments[..]].concat();
        let words = words.join(" ");
        if let Some(text) = self.login.filter(|_| call.zeroth.is_some_and(|name| name != "-bash")) {
            return Ok(Answer { success: true, stdout: text.to_owned(), ..Answer::default() });
        }
        let answer = self.all.iter().rev().find(|(start, _)| words.starts_with(start));
        // If getent has predefined output for some accounts, it finds no others.
        let knows = self.all.iter().any(|(start, _)| start.starts_with("getent"));
        let nobody = ("", String::new());
        let unknown = (knows && words.starts_with("getent")).then_some(&nobody);
        let (_, stdout) = answer.or(unknown).ok_or(RunError::Missing)?;
        Ok(Answer { success: true, stdout: stdout.clone(), stderr: String::new() })
    }
}

/// A correct host, which tests then damage.
struct Tree {
    directory: TempDir,
    arguments: String,
    answers: Vec<(&'static str, String)>,
    login: Option<&'static str>,
    in_job: bool,
    /// The answer of the filler's listener.
    ask: fn(&Filler) -> Result<message::Answer, Failure>,
    /// `LOADEDMODULES`.
    loaded: String,
    /// `PATH`.
    search: &'static str,
    _syslog: UnixDatagram,
}

impl Tree {
    /// `None`, with a message, if the test cannot create files owned by root.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root, to make files that root owns");
            return None;
        }
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(directory.path().join("dev")).unwrap();
        let syslog = UnixDatagram::bind(directory.path().join("dev/log")).unwrap();
        let arguments = "image_root=/sif".to_owned();
        let tree = Self {
            directory,
            arguments,
            answers: answers(),
            login: None,
            in_job: true,
            ask: |_| Ok(message::Answer::Accepted),
            loaded: String::new(),
            search: "/usr/libexec/sifcache/bin:/usr/bin",
            _syslog: syslog,
        };
        tree.write(
            "/etc/apptainer/apptainer.conf",
            "allow setuid = yes\nallow container sif = yes\n",
        );
        tree.write("/etc/profile.d/zz-sifcache.sh", "");
        tree.write("/proc/sys/user/max_user_namespaces", "9");
        tree.write("/dev/fuse", "");
        tree.mode("/dev/fuse", 0o666);
        let shims = "/usr/libexec/sifcache";
        let programs =
            ["apptainer", "squashfuse_ll", "bash"].map(|name| format!("/usr/bin/{name}"));
        let own = ["sifcache-shim", "sifcache"].map(|name| format!("{shims}/{name}"));
        for program in programs.into_iter().chain(own) {
            tree.program(&program);
        }
        tree.shims();
        tree.write("/lib/spank_sifcache.so", elf::plugin(0x1a_0500));
        fs::create_dir(tree.at("/sif")).unwrap();
        Some(tree)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn program(&self, path: &str) {
        self.write(path, "");
        self.mode(path, 0o755);
    }

    /// Installs all shims.
    fn shims(&self) {
        for name in ["apptainer", "singularity"] {
            for directory in ["bin".to_owned(), format!("bin-{name}")] {
                self.shim(&directory, name);
            }
        }
        self.shim("bin-linked", "apptainer");
        self.link("/usr/libexec/sifcache/bin-linked/singularity", "apptainer");
    }

    /// Installs the shim of a runtime.
    fn shim(&self, directory: &str, name: &str) {
        let path = format!("/usr/libexec/sifcache/{directory}/{name}");
        self.write(&path, sifcache_core::nested::shims::label(name));
        self.mode(&path, 0o755);
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.at(path)).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.at(path)).unwrap();
    }

    /// Changes the output of a program.
    fn answer(&mut self, start: &'static str, stdout: &str) {
        self.answers.push((start, stdout.to_owned()));
    }

    fn host(&self) -> Host {
        let plugstack = self.at("/etc/slurm/plugstack.conf");
        if !plugstack.exists() {
            let line = format!("optional spank_sifcache.so {}\n", self.arguments);
            self.write("/etc/slurm/plugstack.conf", line);
        }
        Host {
            prefix: self.directory.path().to_owned(),
            search: self.search.into(),
            modules: false,
            loaded_modules: self.loaded.clone(),
            in_job: self.in_job,
            uid: 0,
            site: Facts::from_plugstack(Ok(plugstack)),
            processes: Box::new(Answers { all: self.answers.clone(), login: self.login }),
            ask: Box::new(self.ask),
            config: OnceCell::new(),
        }
    }

    /// Level, area and check of each finding other than "ok" and "skipped".
    fn problems(&self) -> Vec<String> {
        let host = self.host();
        let areas = AREAS.map(|(area, check)| (area, check(&host)));
        let is_problem = |f: &&Finding| matches!(f.level, Level::Note | Level::Warn | Level::Fail);
        let line = |area: &str, f: &Finding| format!("{:?} {area}: {}", f.level, f.check);
        let lines = |(area, found): &(&str, Vec<Finding>)| -> Vec<String> {
            found.iter().filter(is_problem).map(|finding| line(area, finding)).collect()
        };
        areas.iter().flat_map(lines).collect()
    }

    /// Text and advice of one finding.
    fn advice(&self, area: &str, check: &str) -> String {
        let host = self.host();
        let (_, of) = AREAS.iter().find(|(name, _)| *name == area).unwrap();
        let finding = of(&host).into_iter().find(|f| f.check == check && f.level > Level::Skipped);
        finding.map(|f| format!("{}; {}", f.message, f.advice.unwrap_or_default())).unwrap()
    }
}

fn answers() -> Vec<(&'static str, String)> {
    [
        ("srun --version", "slurm 26.05.5\n"),
        ("srun --help", "      --sif-cache=auto|off|wait|require\n"),
        ("scontrol show config", "PluginDir = /lib\nSlurmUser = slurm(64030)\n"),
        ("/usr/bin/apptainer --version", "apptainer version 1.4.5\n"),
        (
            "/usr/bin/apptainer buildcfg",
            "LIBEXECDIR=/usr/libexec\nAPPTAINER_CONFDIR=/etc/apptainer\n\
             APPTAINER_CONF_FILE=/etc/apptainer/apptainer.conf\n",
        ),
        ("/usr/bin/bash -c", "hello\n\n/usr/libexec/sifcache/bin:/usr/bin"),
        ("getent passwd root", "root:x:0:0:root:/root:/bin/bash\n"),
        ("getent group root", "root:x:0:\n"),
        ("getent group alice", "alice:x:1001:\n"),
        ("getent passwd alice", "alice:x:1001:1001::/home/alice:/bin/bash\n"),
    ]
    .map(|(start, stdout)| (start, stdout.to_owned()))
    .into()
}

#[test]
fn a_correct_host_has_no_problems() {
    let Some(tree) = Tree::new() else { return };
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    assert_eq!(tree.advice("runtime", "found"), "no singularity in PATH; ");
    assert!(!tree.at("/sif/.sifcache").exists());
}

#[test]
fn exit_statuses_follow_the_worst_finding() {
    let Some(mut tree) = Tree::new() else { return };
    let of =
        |tree: &Tree, finding: Finding, strict| exit(&tree.host(), &[("a", vec![finding])], strict);
    assert_eq!(of(&tree, Finding::note("a", ""), true), Exit::OK);
    assert_eq!(of(&tree, Finding::warn("a", ""), false), Exit::OK);
    assert_eq!(of(&tree, Finding::warn("a", ""), true), Exit::PROBLEMS);
    assert_eq!(of(&tree, Finding::fail("a", ""), false), Exit::PROBLEMS);
    tree.remove("/etc/slurm/plugstack.conf");
    tree.arguments = String::new();
    assert_eq!(of(&tree, Finding::ok("a", ""), false), Exit::CONFIG);
}
