//! Launches and pulls on a login node, outside of any job and with the registry stopped: through
//! the snippet for login shells, and through the module, with Environment Modules or Lmod.
//!
//! The login node runs no slurmd. It has plugstack.conf.

use crate::kit::tree::sha256;
use crate::kit::{IMAGE, Output, SHARED, Site, inside};
use std::fs;

/// With this file, the snippet puts the shims first.
const MARKER: &str = "/etc/sifcache/login-node";
const MODULES: &str = "/usr/local/share/sifcache/modulefiles";
/// Pulls an image, and then starts it.
const PULL: &str = "cd && rm -f x.sif && apptainer -q pull x.sif docker://o/i:1 && \
                    apptainer exec docker://o/i:1 cat /etc/image-name";

/// A file on the login node that has another content until this is dropped.
struct Changed(std::path::PathBuf, Option<Vec<u8>>);

impl Changed {
    /// Appends a text to the file, which need not exist.
    fn new(site: &Site, path: &str, text: &str) -> Self {
        let path = site.at("ctl", path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = fs::read(&path).ok();
        let after = [before.as_deref().unwrap_or_default(), text.as_bytes()].concat();
        fs::write(&path, after).unwrap();
        Self(path, before)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        match &self.1 {
            Some(before) => fs::write(&self.0, before).unwrap(),
            None => fs::remove_file(&self.0).unwrap(),
        }
    }
}

/// The lines in the login node's syslog about a pull.
fn logged(site: &Site) -> usize {
    let log = fs::read_to_string(site.at("ctl", "/var/log/syslog")).unwrap_or_default();
    let line = "event=hit uid=1001 via=pull reference=docker.io/o/i:1 image=/shared/sif/o/i:1";
    log.lines().filter(|entry| entry.contains(line)).count()
}

/// Asserts that the image was pulled and started, and that the pull was logged.
#[track_caller]
fn answered(site: &Site, run: impl Fn() -> Output) {
    pulled(site, run);
    let image = sha256(&site.at("ctl", SHARED).join("o/i:1"));
    assert_eq!(sha256(&site.at("ctl", "/home/alice/x.sif")), image);
}

/// Does the same, but does not compare the file, which may be a link.
#[track_caller]
fn pulled(site: &Site, run: impl Fn() -> Output) {
    let before = logged(site);
    let output = run();
    // tcsh first prints that it has no terminal.
    assert_eq!((output.status, output.stdout.lines().last()), (0, Some(IMAGE)), "{output:#?}");
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while logged(site) == before {
        assert!(std::time::Instant::now() < limit, "the pull was not logged: {output:#?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Runs a script in a login shell. Only bash reads the snippet without another line in a start file
/// of Debian: docs/login-nodes.md.
fn login(site: &Site, shell: &str, script: &str) -> Output {
    site.alice(&[shell, "-l", "-c", script])
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_profile_snippet() {
    let site = Site::new("nested=off");
    site.store(IMAGE, "o/i:1");
    let emulate = "emulate sh -c '. /etc/profile.d/zz-sifcache.sh'\n";
    let fish = "set -gx PATH (string split : -- (sh -c '. /etc/profile.d/zz-sifcache.sh; printenv \
                PATH'))\n";
    let _lines = [
        Changed::new(&site, "/etc/zsh/zprofile", emulate),
        Changed::new(&site, "/etc/csh.login", "source /etc/profile.d/zz-sifcache.csh\n"),
        Changed::new(&site, "/etc/fish/config.fish", fish),
    ];
    for shell in ["bash", "sh", "zsh", "tcsh", "fish"] {
        // tcsh only takes -l as its single argument.
        let run = || match shell {
            "tcsh" => site.exec(&["--user", "alice"], &["tcsh", "-l"], PULL),
            shell => login(&site, shell, PULL),
        };
        let off = run();
        assert!(off.status != 0 && off.stderr.contains("connection refused"), "{shell} {off:#?}");
        let _marker = Changed::new(&site, MARKER, "");
        answered(&site, run);
    }
}

/// A job gets the shims that `nested=` and its own node require, whatever the login node has.
#[test]
#[ignore = "needs a testbed: make test"]
fn jobs_from_a_login_node_with_the_snippet() {
    let path = "srun -w n1 printenv PATH";
    for (nested, shims) in [("path", true), ("preload", false), ("off", false)] {
        let site = Site::new(&format!("nested={nested}"));
        site.store(IMAGE, "o/i:1");
        let _marker = Changed::new(&site, MARKER, "");
        let output = login(&site, "bash", path);
        assert_eq!(output.stdout.contains("/sifcache/"), shims, "{nested} {output:#?}");
        let launch = "srun -w n1 apptainer exec docker://o/i:1 cat /etc/image-name";
        login(&site, "bash", launch).ran(IMAGE);
        let own = "apptainer exec docker://o/i:1 sh -c 'echo $USER_PATH; env' | grep -i sifcache";
        let traces = login(&site, "bash", own);
        assert_eq!((traces.status, traces.stdout.as_str()), (1, ""), "{traces:#?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_login_node_without_the_line() {
    let site = Site::with_line("# nothing\n");
    site.store(IMAGE, "o/i:1");
    let _marker = Changed::new(&site, MARKER, "");
    login(&site, "bash", "apptainer pull --force x.sif docker://o/i:1").tried_the_registry();
    let output = login(&site, "bash", "command -v apptainer; apptainer --version");
    assert!(output.stdout.starts_with("/usr/libexec/sifcache/bin"), "{output:#?}");
    assert!(output.status == 0 && output.stdout.contains("apptainer version"), "{output:#?}");
}

/// On a configless login node, sackd writes Slurm's configuration to /run/slurm/conf.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_configless_login_node() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _marker = Changed::new(&site, MARKER, "");
    let script = "mkdir -p /run/slurm/conf /tmp/empty
        cp /etc/slurm/slurm.conf /etc/slurm/plugstack.conf /run/slurm/conf
        mount --bind /tmp/empty /etc/slurm
        exec setpriv --reuid 1001 --regid 1001 --clear-groups env HOME=/home/alice bash -lc \"$0\"";
    let run = || site.exec(&[], &["unshare", "-m", "sh", "-ec", script, PULL], "");
    answered(&site, run);
    site.exec(&[], &["rm", "-r", "/run/slurm/conf"], "");
    assert!(!site.at("ctl", "/run/slurm/conf").exists());
}

/// The beginning of a script for a shell in which the module is available.
fn with_modules(shell: &str) -> String {
    // Debian's zsh does not read /etc/profile.d.
    let start = match shell {
        "zsh" => {
            "if test -e /usr/share/lmod; then . /etc/profile.d/lmod.sh; else \
             . /usr/share/modules/init/zsh; fi; "
        }
        _ => "",
    };
    format!("{start}module use {MODULES} /shared/modules; before=$PATH\n")
}

/// Creates a module that provides `apptainer`.
fn other_module(site: &Site) {
    let bin = site.at("ctl", "/shared/one/bin");
    fs::create_dir_all(&bin).unwrap();
    crate::kit::program(&bin.join("apptainer"), "#!/bin/sh\nexec /usr/bin/apptainer \"$@\"\n");
    let directory = site.at("ctl", "/shared/modules/one");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("1"), "#%Module1.0\nprepend-path PATH /shared/one/bin\n").unwrap();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_module() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    for shell in ["bash", "zsh"] {
        let start = with_modules(shell);
        let off = login(&site, shell, &format!("{start}{PULL}"));
        assert!(off.stderr.contains("connection refused"), "{shell} {off:#?}");
        let load = format!("{start}module load sifcache\n{PULL}");
        answered(&site, || login(&site, shell, &load));
        // The container sees neither the shims nor the module's own variable.
        let own = "apptainer exec docker://o/i:1 sh -c 'echo $USER_PATH; env | grep -c SIFCACHE'";
        let output = login(&site, shell, &format!("{start}module load sifcache\n{own}"));
        let seen = (output.status, output.stdout.contains("libexec/sifcache"));
        assert!(seen == (1, false) && output.stdout.ends_with("\n0\n"), "{shell} {output:#?}");
        // Unloading restores PATH exactly, even if another module was loaded in between.
        other_module(&site);
        let unload = format!(
            "{start}module load sifcache; test \"$PATH\" != \"$before\" || exit 1
            module load one/1; module unload sifcache; module unload one/1
            echo \"$PATH $(printenv | grep -c SIFCACHE)\"; echo \"$before 0\""
        );
        let output = login(&site, shell, &unload);
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert!(lines.len() == 2 && lines[0] == lines[1], "{shell} {output:#?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn modules_of_runtimes() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    other_module(&site);
    let start = with_modules("bash");
    let shims = "/usr/libexec/sifcache/bin-apptainer/apptainer";
    let before = format!("{start}module load one/1; module load sifcache; command -v apptainer\n");
    let output = login(&site, "bash", &before);
    assert_eq!(output.stdout.trim_end(), shims, "{output:#?}");
    answered(&site, || login(&site, "bash", &format!("exec 3>&1 >&2\n{before}\nexec >&3\n{PULL}")));
    let after = format!("{start}module load sifcache; module load one/1; command -v apptainer");
    let output = login(&site, "bash", &after);
    assert_eq!(output.stdout.trim_end(), "/shared/one/bin/apptainer", "{output:#?}");
    // The line that the site adds to the modulefile of its runtime.
    let option = site.option_for_duplicates();
    let line = format!("prepend-path {option} PATH /usr/libexec/sifcache/bin-apptainer\n");
    let _line = Changed::new(&site, "/shared/modules/one/1", &line);
    let output = login(&site, "bash", &after);
    assert_eq!(output.stdout.trim_end(), shims, "{output:#?}");
    let none = format!("{start}PATH=/nowhere; module load sifcache 2>&1; module list 2>&1");
    let output = login(&site, "bash", &none);
    assert!(output.stdout.contains("load its module before this one"), "{output:#?}");
    assert!(!output.stdout.contains("1) sifcache"), "{output:#?}");
}

/// A job script that unloads all modules keeps the shims of the plugin.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_that_unloads_all_modules() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let job = "module purge\\nmodule list 2>&1 | grep sifcache\\n\
               apptainer exec docker://o/i:1 cat /etc/image-name";
    let script = format!(
        "{}module load sifcache; cd\nprintf '#!/bin/bash -l\\n{job}' >purge.sh
        sbatch -Q -w n1 --wait --output=purge.out purge.sh; cat purge.out",
        with_modules("bash")
    );
    login(&site, "bash", &script).ran(IMAGE);
}

/// With `pull=link`, both ways give a link to the name by digest, which the runtime itself starts.
#[test]
#[ignore = "needs a testbed: make test"]
fn links_instead_of_copies() {
    let site = Site::new("nested=off pull=link");
    let digest = format!("sha256:{}", "0f".repeat(32));
    let import = ["sifcache", "import", "--digest", &digest, &inside(IMAGE), "o/i:1"];
    let imported = site.exec(&[], &import, "");
    assert_eq!(imported.status, 0, "{imported:#?}");
    let pinned = format!("{SHARED}/o/i@{digest}");
    let linked = |start: &str| {
        pulled(&site, || login(&site, "bash", &format!("{start}{PULL}")));
        let target = fs::read_link(site.at("ctl", "/home/alice/x.sif")).unwrap();
        assert_eq!(target.to_str(), Some(pinned.as_str()), "{start}");
        let own = ["/usr/bin/apptainer", "exec", "/home/alice/x.sif", "cat", "/etc/image-name"];
        site.alice(&own).ran(IMAGE);
    };
    linked(&format!("{}module load sifcache\n", with_modules("bash")));
    site.logged("ctl", &format!("image={SHARED}/o/i:1 link={pinned}\n"));
    let off = login(&site, "bash", PULL);
    assert!(off.stderr.contains("connection refused"), "{off:#?}");
    let _marker = Changed::new(&site, MARKER, "");
    linked("");
}

/// The findings in one area, without their advice.
fn doctor(site: &Site, start: &str, area: &str) -> Vec<String> {
    let output = login(site, "bash", &format!("{start}\nsifcache doctor"));
    let lines = output.stdout.lines().skip_while(|line| *line != area).skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    lines.filter(|line| !line.starts_with("   ")).map(|line| line.trim().to_owned()).collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn doctor_on_a_login_node() {
    let site = Site::new("");
    let area = "outside of jobs";
    let programs = |path: &str, is: &str| {
        let line = |name| format!("ok      {name} in PATH is {is}{path}/{name}");
        ["singularity", "apptainer"]
            .map(|name| line(name) + if is.is_empty() { ", not the shim" } else { "" })
    };
    let shims = programs("/usr/libexec/sifcache/bin-linked", "the shim, ");
    let off = doctor(&site, "", area);
    assert!(off[0].starts_with("ok      neither the profile snippet nor the module"), "{off:#?}");
    assert_eq!(off[1..], programs("/usr/bin", ""), "{off:#?}");
    let module = doctor(&site, &format!("{}module load sifcache", with_modules("bash")), area);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(module[0], format!("ok      module: sifcache/{version} is loaded"));
    assert_eq!(module[1..], shims, "{module:#?}");
    let _marker = Changed::new(&site, MARKER, "");
    let snippet = doctor(&site, "", area);
    assert_eq!(snippet[0], format!("ok      profile snippet: {MARKER} exists"));
    assert_eq!(snippet[1..], shims, "{snippet:#?}");
    let shells = doctor(&site, "", "login shells");
    let bash = "ok      a login shell (bash) outside of jobs puts the shims first in PATH";
    assert!(shells.contains(&bash.to_owned()), "{shells:#?}");
    // Debian's zsh needs another line.
    let zsh = shells.iter().find(|line| line.contains("(zsh) outside of jobs")).unwrap();
    assert!(zsh.starts_with("note    ") && zsh.contains("has no shims in PATH"), "{zsh}");
    let json = login(&site, "bash", "sifcache doctor --json");
    assert!(json.stdout.contains(r#""area":"outside of jobs","check":"way","level":"ok""#));
}
