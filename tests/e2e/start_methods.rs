//! Ways to start a runtime that do not involve the cache: each has the same result with sifcache as
//! without it. `docs/launch-shapes.md` has a table of them.
//!
//! Each way is a script. One batch job runs them all, once without the plugin and once with each
//! value of `nested=`; the test compares their output and exit status. With `SIFCACHE_BLESS=1` the
//! table is written instead.

mod table;

use crate::kit::{IMAGE, Site};
use std::collections::BTreeMap;
use std::fs;

/// Arguments that print the name of the image that is started.
const RUN: &str = "exec $HOME/case.sif cat /etc/image-name";

/// Prints whether a shell finds the runtime `$r`.
const HAS: &str = "command -v $r >/dev/null && echo $r: yes || echo $r: no";

/// The ways on a node that has both runtimes: the name in the table, and a script in which `RUN`
/// stands for a launch of a SIF.
const WAYS: [(&str, &str); 24] = [
    ("`$(readlink -f $(which apptainer))`", "$(readlink -f $(which apptainer)) RUN"),
    ("`$(realpath $(which singularity)) --version`", "$(realpath $(which singularity)) --version"),
    (
        "the target of `singularity`: `basename $(readlink -f …)`",
        "basename $(readlink -f $(which singularity))",
    ),
    ("a symbolic link with another name", "ln -sf $(which apptainer) ~/sing; ~/sing RUN"),
    (
        "a symbolic link to the resolved path",
        "ln -sf $(readlink -f $(which singularity)) ~/sing; ~/sing RUN",
    ),
    (
        "a symbolic link in the user's `PATH` with the name of the other runtime",
        "mkdir -p ~/own; ln -sf $(which apptainer) ~/own/singularity; PATH=~/own:$PATH\n\
         singularity RUN; rm -r ~/own",
    ),
    (
        "a copy with another name",
        "rm -f ~/sing; cp $(which apptainer) ~/sing; ~/sing RUN; rm ~/sing",
    ),
    (
        "a copy under `env -i`",
        "rm -f ~/sing; cp $(which singularity) ~/sing; env -i HOME=$HOME ~/sing RUN; rm ~/sing",
    ),
    ("a hard link", "ln $(which apptainer) /tmp/sing 2>/dev/null && /tmp/sing RUN"),
    ("`PATH=$(dirname $(which apptainer))`", "PATH=$(dirname $(which apptainer)) apptainer RUN"),
    (
        "`PATH=$(dirname $(which apptainer))`, the other runtime by name",
        "PATH=$(dirname $(which apptainer)) singularity RUN",
    ),
    (
        "`PATH=$(dirname $(which apptainer))`, the `PATH` in the container",
        "PATH=$(dirname $(which apptainer)) apptainer exec $HOME/case.sif \
         sh -c 'echo \"$PATH $USER_PATH\"'",
    ),
    (
        "`dirname $(command -v …)` in a configuration file",
        "echo \"dir=$(dirname $(command -v apptainer))\" >~/conf; . ~/conf; $dir/apptainer RUN\n\
         $dir/singularity RUN; PATH=$dir:$PATH apptainer RUN",
    ),
    ("a relative path", "cd $(dirname $(which apptainer)); ./apptainer --version"),
    (
        "a path relative to another directory",
        "cd /tmp; $(realpath --relative-to=/tmp $(which apptainer)) RUN",
    ),
    ("`env -i` with a path", "env -i HOME=$HOME $(which apptainer) RUN"),
    (
        "`env -i PATH=$(dirname …)`",
        "env -i HOME=$HOME PATH=$(dirname $(which apptainer)) singularity RUN",
    ),
    ("`env -i` without `HOME`", "env -i $(which apptainer) --version"),
    ("`exec -c`", "exec -c $(which apptainer) --version"),
    ("`exec -a NAME`", "exec -a name apptainer RUN"),
    ("`unset PATH`", "a=$(which apptainer); unset PATH; $a RUN"),
    (
        "the runtimes that Python finds",
        "python3 -c 'import shutil\nfor r in \"apptainer\", \"singularity\", \"sing\":\n \
         print(r, bool(shutil.which(r)))'",
    ),
    (
        "another program in the runtime's directory",
        "$(dirname $(which apptainer))/cat /etc/debian_version",
    ),
    (
        "the installation directory, derived from the runtime's path",
        "ls -d $(dirname $(dirname $(which apptainer)))/lib*/*/apptainer/bin/starter | wc -l",
    ),
];

/// The ways on a node that lacks one or both runtimes. `HAS` prints whether a runtime is found.
const FEWER: [(&str, &str); 7] = [
    ("the runtimes that `command -v` finds", "for r in apptainer singularity; do HAS; done"),
    (
        "the runtimes that Python finds",
        "python3 -c 'import shutil\nfor r in \"apptainer\", \"singularity\":\n \
         print(r, bool(shutil.which(r)))'",
    ),
    (
        "the first available runtime, as workflow engines select it",
        "r=$(command -v singularity || command -v apptainer) && $r RUN",
    ),
    ("a runtime that is not installed", "for r in apptainer singularity; do $r RUN; done 2>&1"),
    (
        "the runtimes that a login shell finds",
        "bash -lc 'for r in apptainer singularity; do HAS; done'; \
         tcsh -lc 'which apptainer singularity' | grep -c '^/'",
    ),
    (
        "the runtimes that a login shell of zsh or fish finds",
        "zsh -lc 'for r in apptainer singularity; do HAS; done'\n\
         fish -lc 'for r in apptainer singularity; command -q $r; and echo $r; end'",
    ),
    (
        "a runtime that a module adds later",
        "bash -lc 'for r in apptainer singularity; do HAS; done; module use /shared/modules; \
         module load one/1; for r in apptainer singularity; do HAS; done; apptainer RUN'",
    ),
];

/// The ways through sudo. alice may use it to run every program as any user, and only the runtime
/// as www-data.
const SUDO: [(&str, &str); 19] = [
    ("`sudo apptainer`", "sudo -n apptainer RUN"),
    ("`sudo -E apptainer`", "sudo -n -E apptainer RUN"),
    ("`sudo -u bob singularity`", "cd /; sudo -n -u bob singularity RUN"),
    ("`sudo -E -u bob singularity`", "cd /; sudo -n -E -u bob singularity RUN"),
    ("`sudo PATH=$PATH apptainer`", "sudo -n PATH=$PATH apptainer RUN"),
    ("`sudo --preserve-env=PATH apptainer`", "sudo -n --preserve-env=PATH apptainer RUN"),
    ("`sudo env PATH=$PATH apptainer`", "sudo -n env PATH=$PATH apptainer RUN"),
    ("`sudo sh -c 'apptainer …'`", "sudo -n sh -c \"apptainer RUN\""),
    ("`sudo -E -u bob sh -c 'apptainer …'`", "cd /; sudo -n -E -u bob sh -c \"apptainer RUN\""),
    ("`sudo -E bash -lc 'apptainer …'`", "sudo -n -E bash -lc \"apptainer RUN\""),
    ("`sudo -i apptainer`", "sudo -n -i apptainer RUN"),
    ("`sudo -u bob -i apptainer`", "sudo -n -u bob -i apptainer RUN"),
    ("`sudo $(which apptainer)`", "sudo -n $(which apptainer) RUN"),
    (
        "`sudo -u bob $(readlink -f $(which apptainer))`",
        "cd /; sudo -n -u bob $(readlink -f $(which apptainer)) RUN",
    ),
    ("`sudo su bob -c 'apptainer …'`", "cd /; sudo -n su bob -c \"apptainer RUN\""),
    ("`sudo -E su - bob -c 'apptainer …'`", "cd /; sudo -n -E su - bob -c \"apptainer RUN\""),
    (
        "the runtimes that another user finds",
        "cd /; sudo -n -E -u bob sh -c 'for r in apptainer singularity sing; do HAS; done'",
    ),
    (
        "`sudo apptainer`, with a rule only for `/usr/bin/apptainer`",
        "cd /; sudo -n -u www-data apptainer --version",
    ),
    (
        "`sudo $(which apptainer)`, with the same rule",
        "cd /; sudo -n -u www-data $(which apptainer) --version",
    ),
];

const RULES: &str = "alice ALL=(ALL) NOPASSWD:SETENV: ALL
alice ALL=(www-data) PASSWD: ALL
alice ALL=(www-data) NOPASSWD: /usr/bin/apptainer
";

/// The ways through shells that also read start files for scripts.
const SHELLS: [(&str, &str); 11] = [
    ("`zsh -c`", "zsh -c 'apptainer RUN; for r in apptainer singularity sing; do HAS; done'"),
    ("`zsh -c` with `=apptainer`", "zsh -c '=apptainer RUN'"),
    ("`zsh -lc`", "zsh -lc 'apptainer RUN; singularity --version'"),
    (
        "`zsh -lc` with start files that read /etc/profile",
        "mkdir -p ~/z; echo \"emulate sh -c '. /etc/profile'\" >~/z/.zprofile\n\
         ZDOTDIR=~/z zsh -lc 'apptainer RUN; singularity --version'; rm -r ~/z",
    ),
    (
        "the same, without `emulate`",
        "mkdir -p ~/z; echo '. /etc/profile' >~/z/.zprofile\n\
         ZDOTDIR=~/z zsh -lc 'apptainer RUN; singularity --version'; rm -r ~/z",
    ),
    (
        "`zsh -c` with a start file that replaces `PATH`",
        "mkdir -p ~/z; echo 'path=(/usr/bin /bin)' >~/z/.zshenv\n\
         ZDOTDIR=~/z zsh -c 'apptainer RUN; singularity --version'; rm -r ~/z",
    ),
    ("`env -i zsh -lc`", "env -i HOME=$HOME zsh -lc 'apptainer RUN'"),
    (
        "`fish -c`",
        "fish -c 'apptainer RUN; for r in apptainer singularity sing; command -q $r; and echo $r; end'",
    ),
    ("`fish -lc`", "fish -lc 'apptainer RUN; singularity --version'"),
    (
        "`fish -c` with a start file that extends `PATH`",
        "mkdir -p ~/f/fish; echo 'fish_add_path --path --move /usr/bin' >~/f/fish/config.fish\n\
         XDG_CONFIG_HOME=~/f fish -c 'apptainer RUN; singularity --version'; rm -r ~/f",
    ),
    ("`env -i fish -lc`", "env -i HOME=$HOME fish -lc 'apptainer RUN'"),
];

/// Standard output and standard error of a way, with its exit status.
type Ended = String;

/// Runs these ways in a batch job on n1.
fn run(site: &Site, ways: &[(&'static str, &str)]) -> BTreeMap<&'static str, Ended> {
    let directory = site.at("ctl", "/home/alice/ways");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    std::os::unix::fs::chown(&directory, Some(1001), Some(1001)).unwrap();
    for (number, (_, text)) in ways.iter().enumerate() {
        let text = text.replace("RUN", RUN).replace("HAS", HAS);
        fs::write(directory.join(number.to_string()), text).unwrap();
    }
    let script = format!(
        "cd ~/ways\nfor i in $(seq 0 {}); do bash $i >out.$i 2>&1; echo \"status $?\" >>out.$i; done",
        ways.len() - 1
    );
    let output = site.sbatch(&["-w", "n1"], &script);
    assert_eq!(output.status, 0, "{output:#?}");
    let read = |number: usize| fs::read_to_string(directory.join(format!("out.{number}"))).unwrap();
    ways.iter().enumerate().map(|(number, (name, _))| (*name, read(number))).collect()
}

/// Compares these ways without the plugin and with each value of `nested=`, on a node that the
/// command `change` has changed; `back` restores it.
#[track_caller]
fn compare(place: &str, ways: &[(&'static str, &str)], [change, back]: [&str; 2]) {
    let site = Site::with_line("# nothing\n");
    let case = site.at("ctl", "/home/alice/case.sif");
    fs::copy(crate::kit::sif(IMAGE), &case).unwrap();
    modulefile(&site);
    let _changed = Changed::new(&site, change, back);
    let without = run(&site, ways);
    let with = ["path", "preload"].map(|nested| {
        let line = format!("optional spank_sifcache.so image_root=/shared/sif nested={nested}\n");
        site.plugstack(&line);
        run(&site, ways)
    });
    fs::remove_file(case).unwrap();
    // Checks that at least one image was started.
    assert!(without.values().any(|ended| ended.contains(IMAGE)), "{without:#?}");
    for (name, _) in ways {
        let ended = with.each_ref().map(|with| &with[name]);
        let same = ended.map(|ended| *ended == without[name]);
        table::compare(place, name, same, &format!("{}\n{ended:#?}", without[name]));
    }
}

/// Creates a module that provides only `apptainer`.
fn modulefile(site: &Site) {
    let bin = site.at("ctl", "/shared/one/bin");
    fs::create_dir_all(&bin).unwrap();
    // Finds the program at the path to which the test has moved it.
    let text = "#!/bin/bash\nfor a in apptainer.away apptainer singularity; do\n\
                test -x /usr/bin/$a && exec -a apptainer /usr/bin/$a \"$@\"\ndone\n";
    crate::kit::program(&bin.join("apptainer"), text);
    let directory = site.at("ctl", "/shared/modules/one");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("1"), "#%Module1.0\nprepend-path PATH /shared/one/bin\n").unwrap();
}

/// A node on which a command has changed the runtimes, until this is dropped.
struct Changed<'a>(&'a Site, &'a str);

impl<'a> Changed<'a> {
    fn new(site: &'a Site, change: &str, back: &'a str) -> Self {
        Self::shell(site, change);
        Self(site, back)
    }

    fn shell(site: &Site, command: &str) {
        let output = site.exec(&["--on", "n1"], &["sh", "-ec", command], "");
        assert_eq!(output.status, 0, "{output:#?}");
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        Self::shell(self.0, self.1);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn nodes_with_both_runtimes() {
    compare(table::BOTH, &WAYS, ["true", "true"]);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn nodes_without_a_runtime() {
    compare(
        table::APPTAINER,
        &FEWER,
        [
            "mv /usr/bin/singularity /usr/bin/singularity.away",
            "mv /usr/bin/singularity.away /usr/bin/singularity",
        ],
    );
    compare(
        table::SINGULARITY,
        &FEWER,
        [
            "cd /usr/bin; mv singularity singularity.away; mv apptainer singularity",
            "cd /usr/bin; mv singularity apptainer; mv singularity.away singularity",
        ],
    );
    compare(
        table::NONE,
        &FEWER,
        [
            "cd /usr/bin; mv singularity singularity.away; mv apptainer apptainer.away",
            "cd /usr/bin; mv apptainer.away apptainer; mv singularity.away singularity",
        ],
    );
}

#[test]
#[ignore = "needs a testbed: make test"]
fn runtimes_through_sudo() {
    let remove = "rm /etc/sudoers.d/ways";
    let rules = |defaults: &str| {
        let write = "umask 0227; cat >/etc/sudoers.d/ways";
        format!("{write} <<'END'\n{defaults}{RULES}END\nvisudo -cq")
    };
    compare(table::SECURE_PATH, &SUDO, [&rules(""), remove]);
    let own = "Defaults !secure_path\n";
    compare(table::OWN_PATH, &SUDO, [&rules(own), remove]);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn runtimes_through_other_shells() {
    compare(table::BOTH, &SHELLS, ["true", "true"]);
}

/// A job's `PATH` is passed to each node, and contains the shims of the node where the `PATH` was
/// created.
#[test]
#[ignore = "needs a testbed: make test"]
fn nodes_with_different_configurations() {
    let site = Site::new("");
    let away = [
        "mv /usr/bin/singularity /usr/bin/singularity.away",
        "mv /usr/bin/singularity.away /usr/bin/singularity",
    ];
    let _changed = Changed::new(&site, away[0], away[1]);
    let each = format!("for r in apptainer singularity; do echo $(hostname) $({HAS}); done");
    for first in ["n1", "n2"] {
        let nodes = ["-N2", "-w", "n1,n2"];
        let script = format!(
            "srun -N1 -n1 -w {first} bash -c 'srun --overlap -N2 -n2 -w n1,n2 bash -c \"$0\"' \
             '{each}' | sort"
        );
        let output = site.sbatch(&nodes, &script);
        let expected =
            "n1 apptainer: yes\nn1 singularity: no\nn2 apptainer: yes\nn2 singularity: yes\n";
        assert_eq!(output.stdout, expected, "{output:#?}");
    }
}

/// A runtime that is only in the job's own `PATH`, started by a script that clears its environment.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_runtime_outside_of_the_system_directories() {
    let site = Site::new("");
    fs::copy(crate::kit::sif(IMAGE), site.at("ctl", "/home/alice/case.sif")).unwrap();
    modulefile(&site);
    let away = "cd /usr/bin; mv singularity singularity.away; mv apptainer apptainer.away";
    let back = "cd /usr/bin; mv apptainer.away apptainer; mv singularity.away singularity";
    let _changed = Changed::new(&site, away, back);
    let job = format!(
        "#!/bin/bash\na=$(command -v apptainer); echo $a\nenv -i HOME=$HOME $a {RUN}\n\
         PATH=$(dirname $a) apptainer {RUN}\n"
    );
    fs::write(site.at("ctl", "/home/alice/job.sh"), job).unwrap();
    let path = "PATH=/shared/one/bin:/usr/bin:/bin";
    let words =
        ["env", path, "sbatch", "--wait", "-w", "n1", "--output=/home/alice/own.out", "job.sh"];
    let output = site.alice(&words);
    let printed = fs::read_to_string(site.at("ctl", "/home/alice/own.out")).unwrap();
    let expected = format!("/usr/libexec/sifcache/bin-apptainer/apptainer\n{IMAGE}\n{IMAGE}\n");
    assert_eq!((output.status, printed), (0, expected), "{output:#?}");
}
