//! `sifcache doctor`: it reports no problem on a correctly configured cluster, and reports each
//! kind of damage with advice.

mod report;

use crate::kit::{IMAGE, LOCAL, Output, SHARED, Site, built, plugin_directory};
use report::{ALL, As, doctor};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

const CONFIGURATION: &str = "/etc/apptainer/apptainer.conf";

/// Runs a shell command on a host. When this is dropped, runs a second command that undoes the
/// first.
struct Damage<'a>(&'a Site, &'static str, String);

impl<'a> Damage<'a> {
    fn new(site: &'a Site, host: &'static str, does: &str, undoes: &str) -> Self {
        Self::shell(site, host, does);
        Self(site, host, undoes.to_owned())
    }

    /// Renames a file or directory until this is dropped.
    fn without(site: &'a Site, host: &'static str, path: &str) -> Self {
        let (does, undoes) = (format!("mv {path} {path}.away"), format!("mv {path}.away {path}"));
        Self::new(site, host, &does, &undoes)
    }

    fn shell(site: &Site, host: &str, command: &str) {
        let output = site.exec(&["--on", host], &["bash", "-c", command], "");
        assert_eq!(output.status, 0, "{command}: {output:#?}");
    }
}

impl Drop for Damage<'_> {
    fn drop(&mut self) {
        Self::shell(self.0, self.1, &self.2);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_correct_cluster_has_no_findings() {
    let site = Site::new("on_miss=warn");
    site.store(IMAGE, "o/i:1");
    for who in ALL {
        doctor(&site, who).is_fine();
    }
    assert!(!site.at("ctl", SHARED).join(".sifcache").exists(), "doctor leaves no files behind");
    let strict = site.alice(&["sifcache", "doctor", "--strict"]);
    assert_eq!((strict.status, strict.stderr.as_str()), (0, ""), "{strict:#?}");
    assert!(strict.stdout.contains("\n  ok      srun has loaded it"), "{strict:#?}");
    // Checks that only root can perform are reported as skipped.
    let skipped = |who| {
        let report = doctor(&site, who);
        report.findings.iter().filter(|f| f["level"] == "skipped").count()
    };
    assert_eq!((skipped(As::RootOnCtl), skipped(As::AliceOnN1)), (0, 2));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn settings_that_are_wrong_or_missing() {
    let site = Site::with_line("optional spank_sifcache.so image_rot=/shared/sif\n");
    for who in ALL {
        let report = doctor(&site, who);
        report.names(&["fail plugstack.conf: settings"], "unknown key 'image_rot'; valid keys: ");
        assert!(report.status == 78 || report.status == 1, "{report:#?}");
    }
    assert_eq!(doctor(&site, As::RootOnCtl).status, 78);
    site.plugstack("# nothing\n");
    let wrong = ["fail plugstack.conf: line", "fail plugin: loaded"];
    doctor(&site, As::AliceOnCtl).names(&wrong, "optional spank_sifcache.so image_root=DIR");
    let _away = Damage::without(&site, "ctl", "/etc/slurm/plugstack.conf");
    doctor(&site, As::AliceOnCtl).names(&wrong, "no plugstack.conf found");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_writable_plugstack_conf_is_reported() {
    let site = Site::new("");
    let file = "/etc/slurm/plugstack.conf";
    let wrong = ["fail plugstack.conf: writable"];
    for (does, undoes, advice) in [
        ("chmod 0666", "chmod 0644", "chmod o-w /etc/slurm/plugstack.conf"),
        ("chown alice", "chown root", "chown root:root /etc/slurm/plugstack.conf"),
    ] {
        let (does, undoes) = (format!("{does} {file}"), format!("{undoes} {file}"));
        let _damage = Damage::new(&site, "ctl", &does, &undoes);
        doctor(&site, As::RootOnCtl).names(&wrong, advice);
        doctor(&site, As::AliceOnN1).names(&wrong, advice);
    }
    doctor(&site, As::RootOnCtl).is_fine();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_plugin_for_another_slurm() {
    let site = Site::new("");
    let mut library = fs::read(built("libspank_sifcache.so")).unwrap();
    let release = site.exec(&[], &["srun", "--version"], "").stdout;
    let numbers: Vec<u8> =
        release.split([' ', '.', '\n']).filter_map(|word| word.parse().ok()).collect();
    let version = [0, numbers[1], numbers[0], 0];
    let places: Vec<usize> =
        (0..library.len() - 4).filter(|at| library[*at..*at + 4] == version).collect();
    // One of these places is `plugin_version`. Slurm's own message shows which place it is.
    let path = "/shared/other/spank_sifcache.so";
    site.plugstack(&format!("optional {path} image_root={LOCAL}:{SHARED}\n"));
    fs::create_dir_all(site.at("ctl", "/shared/other")).unwrap();
    let refused = || site.srun(&["-vvv", "true"]).stderr.contains("Incompatible Slurm plugin");
    let found = places.into_iter().any(|at| {
        library[at + 2] = numbers[0] - 1;
        fs::write(site.at("ctl", path), &library).unwrap();
        library[at + 2] = numbers[0];
        refused()
    });
    assert!(found);
    let advice = format!("make plugin SLURM_VERSION={}.{:02}", numbers[0], numbers[1]);
    for who in ALL {
        doctor(&site, who).names(&["fail plugin: release", "fail plugin: loaded"], &advice);
    }
    fs::write(site.at("ctl", path), "no library").unwrap();
    let report = doctor(&site, As::AliceOnN1);
    report.names(&["fail plugin: library", "fail plugin: loaded"], "is not a shared library");
    fs::remove_file(site.at("ctl", path)).unwrap();
    let report = doctor(&site, As::RootOnN1);
    let wrong = ["fail plugin: file", "fail plugin: loaded"];
    report.names(&wrong, "make install plugindir=/shared/other");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn no_plugin_on_a_node() {
    let site = Site::new("");
    let plugin = format!("{}/spank_sifcache.so", plugin_directory());
    let _away = Damage::without(&site, "n1", &plugin);
    let advice = format!("make install plugindir={}", plugin_directory());
    let wrong = ["fail plugin: file", "fail plugin: loaded"];
    doctor(&site, As::AliceOnN1).names(&wrong, &advice);
    doctor(&site, As::AliceOnCtl).is_fine();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn image_roots() {
    let site = Site::new("");
    let mode =
        |mode| fs::set_permissions(site.at("ctl", SHARED), Permissions::from_mode(mode)).unwrap();
    for who in ALL {
        mode(0o777);
        doctor(&site, who).names(&["fail image roots: trusted"], "chmod o-w /shared/sif");
        mode(0o700);
        doctor(&site, who).names(&["fail image roots: readable"], "chmod o+rx /shared/sif");
        mode(0o755);
    }
    let local = Damage::without(&site, "n1", LOCAL);
    doctor(&site, As::AliceOnN1).names(&["warn image roots: there"], "mkdir -p /local/sif");
    {
        let _shared = Damage::without(&site, "ctl", SHARED);
        let wrong = ["fail image roots: there", "fail image roots: there"];
        doctor(&site, As::RootOnN1).names(&wrong, "mkdir -p /shared/sif");
    }
    drop(local);
    // On a host that runs no jobs, the image root on the node's own disk may be missing.
    let _local = Damage::without(&site, "ctl", LOCAL);
    doctor(&site, As::AliceOnCtl).is_fine();
}

/// `pull=link` needs names by digest, and the logs of all nodes.
#[test]
#[ignore = "needs a testbed: make test"]
fn pulls_that_link() {
    let site = Site::new("pull=link");
    site.store(IMAGE, "o/i:1");
    let (names, grace) =
        ("warn pulls and builds: digest-names", "warn pulls and builds: link-grace");
    for who in ALL {
        doctor(&site, who).names(&[names, grace], "sifcache knows all its flags of pull and build");
    }
    let root = site.at("ctl", SHARED);
    let pinned = root.join(format!("o/i@sha256:{}", "0f".repeat(32)));
    fs::hard_link(root.join("o/i:1"), pinned).unwrap();
    for who in ALL {
        doctor(&site, who).names(&[grace], "`sifcache hits` has saved no logs, so `sifcache gc`");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_file_system_that_is_full() {
    let site = Site::new("");
    let mount = format!("mount -t tmpfs -o size=1m,mode=0755 tmpfs {LOCAL}");
    let full = Damage::new(&site, "n1", &mount, &format!("umount {LOCAL}"));
    doctor(&site, As::RootOnN1).names(&["warn image roots: space"], "/local/sif: tmpfs, ");
    Damage::shell(&site, "n1", &format!("mount -o remount,ro {LOCAL}"));
    doctor(&site, As::RootOnN1).is_fine();
    drop(full);
    let mount = format!("mount -t tmpfs -o size=20g,nr_inodes=10,mode=0755 tmpfs {LOCAL}");
    let _few = Damage::new(&site, "n1", &mount, &format!("umount {LOCAL}"));
    Damage::shell(&site, "n1", &format!("touch {LOCAL}/{{1..9}}"));
    doctor(&site, As::AliceOnN1).names(&["warn image roots: inodes"], "0 % of its inodes");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_shim_and_login_shells() {
    let site = Site::new("");
    {
        let _away = Damage::without(&site, "n1", "/usr/libexec/sifcache/sifcache-shim");
        let area = "fail launches in job scripts";
        doctor(&site, As::AliceOnN1).names(&[&format!("{area}: shim")], "make install");
        doctor(&site, As::AliceOnCtl).is_fine();
    }
    {
        let _away = Damage::without(&site, "ctl", "/usr/libexec/sifcache/bin/apptainer");
        let wrong = ["warn launches in job scripts: link"];
        doctor(&site, As::RootOnCtl).names(&wrong, "make install");
    }
    let _away = Damage::without(&site, "n1", "/etc/profile.d/zz-sifcache.sh");
    doctor(&site, As::AliceOnN1).names(&["fail login shells: bash"], "zz-sifcache.sh there");
    drop(_away);
    // The user's own profile overrides the site's profile.
    let home = "/home/alice/.bash_profile";
    let _own =
        Damage::new(&site, "ctl", &format!("echo PATH=/usr/bin >{home}"), &format!("rm {home}"));
    doctor(&site, As::AliceOnN1).names(&["warn login shells: bash"], "user's own profile");
    doctor(&site, As::RootOnN1).is_fine();
}

/// Shell, start file of the site, and a line that resets `PATH`.
const START_FILES: [(&str, &str, &str); 5] = [
    ("tcsh", "/etc/csh.login", "setenv PATH /usr/bin:/bin"),
    ("zsh", "/etc/zsh/zprofile", "PATH=/usr/bin:/bin"),
    ("zsh", "/etc/zsh/zshenv", "PATH=/usr/bin:/bin"),
    ("fish", "/etc/fish/config.fish", "set -gx PATH /usr/bin /bin"),
    ("fish", "/etc/fish/conf.d/site.fish", "set -gx PATH /usr/bin /bin"),
];

/// The advice works in the real shells.
#[test]
#[ignore = "needs a testbed: make test"]
fn login_shells_that_need_another_line() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let findings_for = |shell: &str| -> Vec<(String, String, String)> {
        let findings = doctor(&site, As::AliceOnN1).findings;
        let text =
            |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let ours = findings.iter().filter(|f| f["area"] == "login shells" && f["check"] == shell);
        ours.map(|f| (text(f, "level"), text(f, "message"), text(f, "advice"))).collect()
    };
    for (shell, file, line) in START_FILES {
        let keeps = format!("a login shell ({shell}) keeps the shims first in PATH");
        let fine = vec![("ok".to_owned(), keeps, String::new())];
        assert_eq!(findings_for(shell), fine, "{shell} before the change");
        let does = format!("! test -e {file} || cp -a {file} {file}.away; echo '{line}' >>{file}");
        let undoes = format!("rm {file}; ! test -e {file}.away || mv {file}.away {file}");
        let _damage = Damage::new(&site, "n1", &does, &undoes);
        let found = findings_for(shell);
        let (level, what, advice) = &found[0];
        assert_eq!(level, "note", "{found:#?}");
        assert!(what.contains("loses the shims"), "{found:#?}");
        let (place, more) = match advice.strip_prefix("add at the end of ") {
            Some(advice) => advice.split_once(": ").unwrap(),
            None => {
                advice.split_once(" at the end of ").map(|(more, place)| (place, more)).unwrap()
            }
        };
        let place = place.split(" or ").next().unwrap();
        let does = format!("cp -a {place} /tmp/place; cat >>{place} <<'END'\n{more}\nEND");
        let _followed =
            Damage::new(&site, "n1", &does, &format!("cp -a /tmp/place {place}; rm /tmp/place"));
        let after = findings_for(shell);
        assert_eq!(after[0], fine[0], "{shell} {file}: {after:#?}\n{found:#?}");
        let launch = "apptainer exec docker://o/i:1 cat /etc/image-name";
        let output = site.sbatch(&[], &format!("exec {shell} -l <<'END'\n{launch}\nEND"));
        // tcsh first reports that it has no terminal.
        assert_eq!(output.stdout.lines().last(), Some(IMAGE), "{shell}: {output:#?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn no_interposer() {
    let site = Site::new("nested=preload");
    doctor(&site, As::AliceOnN1).is_fine();
    let _away = Damage::without(&site, "n1", "/usr/libexec/sifcache/libsifcache_preload.so");
    let wrong = ["fail launches in job scripts: interposer"];
    doctor(&site, As::RootOnN1).names(&wrong, "make install");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn no_syslog() {
    let site = Site::new("");
    {
        let _away = Damage::without(&site, "n1", "/dev/log");
        doctor(&site, As::AliceOnN1).names(&["warn syslog: socket"], "start rsyslog");
    }
    site.plugstack(&format!("optional spank_sifcache.so image_root={SHARED} syslog=off\n"));
    let _away = Damage::without(&site, "n1", "/dev/log");
    doctor(&site, As::AliceOnN1).is_fine();
}

/// Launches the image by its path, like the command after the plugin has changed it.
fn starts(site: &Site) -> Output {
    site.srun(&["-w", "n1", "apptainer", "exec", "/shared/sif/o/i:1", "true"])
}

/// A setting of the runtime, with the level and the check of the expected finding; `None` if the
/// runtime still starts the image.
const SETTINGS: [(&str, Option<(&str, &str)>); 11] = [
    ("allow container sif = no", Some(("fail", "sif"))),
    ("limit container paths = /usr", Some(("fail", "paths"))),
    ("limit container paths = /usr, /shared, /local", None),
    ("limit container paths = /not/there, /shared, /local", Some(("fail", "paths"))),
    ("limit container owners = alice", Some(("warn", "owners"))),
    ("limit container owners = alice, root", None),
    ("limit container owners = nobody-here, root", Some(("fail", "owners"))),
    ("limit container owners = root, nobody-here", None),
    ("limit container groups = alice", Some(("warn", "owners"))),
    ("limit container groups = root", None),
    ("allow container squashfs = no", None),
];

/// The finding agrees with the behaviour of the runtime.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_configuration_of_the_runtime() {
    let site = Site::with_line(&format!("optional spank_sifcache.so image_root={SHARED}\n"));
    site.store(IMAGE, "o/i:1");
    assert_eq!(starts(&site).status, 0);
    for (setting, finding) in SETTINGS {
        let key = setting.split(" =").next().unwrap();
        let does = format!(
            "cp {CONFIGURATION} /tmp/saved; sed -i '/^{key} =/d' {CONFIGURATION}; \
             echo '{setting}' >>{CONFIGURATION}"
        );
        let _damage = Damage::new(&site, "n1", &does, &format!("cp /tmp/saved {CONFIGURATION}"));
        let (report, started) = (doctor(&site, As::AliceOnN1), starts(&site));
        assert_eq!(started.status == 0, finding.is_none(), "{setting}: {started:#?}");
        let wrong =
            finding.map(|(level, check)| format!("{level} configuration of the runtime: {check}"));
        assert_eq!(report.wrong(), Vec::from_iter(wrong), "{setting}: {report:#?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_execution_control_list() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let list = "/etc/apptainer/ecl.toml";
    let group = "[[execgroup]]\\ntagname = \"a\"\\nmode = \"whitelist\"\\ndirpath = \"/shared\"\\nkeyfp = [\"5994BE54C31CF1B5E1994F987C52CF6D055F072B\"]";
    let does = format!("cp {list} /tmp/saved; printf 'activated = true\\n{group}\\n' >{list}");
    let _damage = Damage::new(&site, "n1", &does, &format!("cp /tmp/saved {list}"));
    assert_ne!(starts(&site).status, 0);
    doctor(&site, As::AliceOnN1).names(&["warn configuration of the runtime: ecl"], "unsigned");
}
