//! The flags of the runtimes, in all releases that docs/launch-grammar.md covers.
//!
//! The source is `runtime-flags.tsv` with one row per flag; a test below compares the two. This
//! table only contains the properties on which all releases agree: whether a flag takes a value,
//! its letter, and the commands that accept it.

use crate::name::Name;

/// One flag of the runtimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    name: Name,
    /// The letter of the short form, if there is one.
    pub short: Option<u8>,
    /// Whether the flag takes a value; otherwise it is a boolean.
    pub takes_value: bool,
    /// The commands that accept the flag, as a bitwise OR of the constants below.
    pub commands: u16,
}

impl Flag {
    /// The long name without `--`.
    #[must_use]
    pub fn long(&self) -> &str {
        self.name.as_str()
    }
}

/// The flag stands before the subcommand.
pub const GLOBAL: u16 = 1;
/// `run`
pub const RUN: u16 = 1 << 1;
/// `exec`
pub const EXEC: u16 = 1 << 2;
/// `shell`
pub const SHELL: u16 = 1 << 3;
/// `test`
pub const TEST: u16 = 1 << 4;
/// `instance start`
pub const INSTANCE_START: u16 = 1 << 5;
/// `instance run`
pub const INSTANCE_RUN: u16 = 1 << 6;
/// `pull`
pub const PULL: u16 = 1 << 7;
/// `build`
pub const BUILD: u16 = 1 << 8;

const ACTIONS: u16 = RUN | EXEC | SHELL | TEST;
const INSTANCES: u16 = INSTANCE_START | INSTANCE_RUN;
const ALL: u16 = ACTIONS | INSTANCES;
const VALUE: bool = true;
const BOOL: bool = false;

const fn flag(long: &str, short: Option<u8>, takes_value: bool, commands: u16) -> Flag {
    Flag { name: Name::new(long), short, takes_value, commands }
}

/// The flag `--name` of `command`, which is one of the constants above.
#[must_use]
pub fn by_name(command: u16, name: &[u8]) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.commands & command != 0 && flag.name.as_bytes() == name)
}

/// The flag `-letter` of `command`, which is one of the constants above.
#[must_use]
pub fn by_letter(command: u16, letter: u8) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.commands & command != 0 && flag.short == Some(letter))
}

/// All flags, in the order of the table. The order has no meaning.
pub const FLAGS: &[Flag] = &[
    flag("build-config", None, BOOL, GLOBAL),
    flag("config", Some(b'c'), VALUE, GLOBAL),
    flag("debug", Some(b'd'), BOOL, GLOBAL),
    flag("nocolor", None, BOOL, GLOBAL),
    flag("quiet", Some(b'q'), BOOL, GLOBAL),
    flag("silent", Some(b's'), BOOL, GLOBAL),
    flag("tokenfile", Some(b't'), VALUE, GLOBAL),
    flag("verbose", Some(b'v'), BOOL, GLOBAL),
    flag("add-caps", None, VALUE, ALL),
    flag("allow-setuid", None, BOOL, ALL),
    flag("app", None, VALUE, ALL),
    flag("apply-cgroups", None, VALUE, ALL),
    flag("authfile", None, VALUE, ALL),
    flag("bind", Some(b'B'), VALUE, ALL),
    flag("blkio-weight", None, VALUE, ALL),
    flag("blkio-weight-device", None, VALUE, ALL),
    flag("boot", None, BOOL, INSTANCES),
    flag("cdi-dirs", None, VALUE, ACTIONS),
    flag("cleanenv", Some(b'e'), BOOL, ALL),
    flag("compat", None, BOOL, ALL),
    flag("compat32", None, BOOL, ALL),
    flag("contain", Some(b'c'), BOOL, ALL),
    flag("containall", Some(b'C'), BOOL, ALL),
    flag("containlibs", None, VALUE, ALL),
    flag("cpu-shares", None, VALUE, ALL),
    flag("cpus", None, VALUE, ALL),
    flag("cpuset-cpus", None, VALUE, ALL),
    flag("cpuset-mems", None, VALUE, ALL),
    flag("cwd", None, VALUE, ACTIONS),
    flag("data", None, VALUE, ALL),
    flag("device", None, VALUE, ACTIONS),
    flag("disable-cache", None, BOOL, ALL),
    flag("dmtcp-launch", None, VALUE, INSTANCES),
    flag("dmtcp-restart", None, VALUE, INSTANCES),
    flag("dns", None, VALUE, ALL),
    flag("docker-host", None, VALUE, ALL),
    flag("docker-login", None, BOOL, ALL),
    flag("docker-password", None, VALUE, ALL),
    flag("docker-username", None, VALUE, ALL),
    flag("drop-caps", None, VALUE, ALL),
    flag("env", None, VALUE, ALL),
    flag("env-file", None, VALUE, ALL),
    flag("fakeroot", Some(b'f'), BOOL, ALL),
    flag("fusemount", None, VALUE, ALL),
    flag("home", Some(b'H'), VALUE, ALL),
    flag("hostname", None, VALUE, ALL),
    flag("ignore-fakeroot-command", None, BOOL, ALL),
    flag("ignore-subuid", None, BOOL, ALL),
    flag("ignore-userns", None, BOOL, ALL),
    flag("intel-hpu", None, BOOL, ALL),
    flag("ipc", Some(b'i'), BOOL, ALL),
    flag("keep-layers", None, BOOL, ALL),
    flag("keep-privs", None, BOOL, ALL),
    flag("memory", None, VALUE, ALL),
    flag("memory-reservation", None, VALUE, ALL),
    flag("memory-swap", None, VALUE, ALL),
    flag("mount", None, VALUE, ALL),
    flag("net", Some(b'n'), BOOL, ALL),
    flag("netns-path", None, VALUE, ALL),
    flag("network", None, VALUE, ALL),
    flag("network-args", None, VALUE, ALL),
    flag("no-compat", None, BOOL, ALL),
    flag("no-env", None, VALUE, ALL),
    flag("no-eval", None, BOOL, ALL),
    flag("no-home", None, BOOL, ALL),
    flag("no-https", None, BOOL, ALL),
    flag("no-init", None, BOOL, ALL),
    flag("no-mount", None, VALUE, ALL),
    flag("no-nv", None, BOOL, ALL),
    flag("no-oci", None, BOOL, ALL),
    flag("no-pid", None, BOOL, ACTIONS),
    flag("no-privs", None, BOOL, ALL),
    flag("no-rocm", None, BOOL, ALL),
    flag("no-setgroups", None, BOOL, ALL),
    flag("no-tmp-sandbox", None, BOOL, ALL),
    flag("no-umask", None, BOOL, ALL),
    flag("nohttps", None, BOOL, ALL),
    flag("nonet", None, BOOL, ACTIONS),
    flag("nv", None, BOOL, ALL),
    flag("nvccli", None, BOOL, ALL),
    flag("oci", None, BOOL, ALL),
    flag("oom-kill-disable", None, BOOL, ALL),
    flag("overlay", Some(b'o'), VALUE, ALL),
    flag("passphrase", None, BOOL, ALL),
    flag("pem-path", None, VALUE, ALL),
    flag("pid", Some(b'p'), BOOL, ACTIONS | INSTANCE_START),
    flag("pid-file", None, VALUE, INSTANCES),
    flag("pids-limit", None, VALUE, ALL),
    flag("proot", None, VALUE, ACTIONS),
    flag("pwd", None, VALUE, ACTIONS),
    flag("rocm", None, BOOL, ALL),
    flag("runscript-timeout", None, VALUE, RUN | INSTANCE_RUN),
    flag("scratch", Some(b'S'), VALUE, ALL),
    flag("security", None, VALUE, ALL),
    flag("sharens", None, BOOL, ACTIONS),
    flag("shell", Some(b's'), VALUE, SHELL),
    flag("sif-fuse", None, BOOL, ACTIONS),
    flag("syos", None, BOOL, SHELL),
    flag("tmp-sandbox", None, BOOL, ALL),
    flag("tmpdir", None, VALUE, ALL),
    flag("underlay", None, BOOL, ALL),
    flag("unsquash", None, BOOL, ALL),
    flag("userns", Some(b'u'), BOOL, ALL),
    flag("uts", None, BOOL, ALL),
    flag("vm", None, BOOL, ACTIONS),
    flag("vm-cpu", None, VALUE, ACTIONS),
    flag("vm-err", None, BOOL, ACTIONS),
    flag("vm-ip", None, VALUE, ACTIONS),
    flag("vm-ram", None, VALUE, ACTIONS),
    flag("workdir", Some(b'W'), VALUE, ALL),
    flag("writable", Some(b'w'), BOOL, ALL),
    flag("writable-tmpfs", None, BOOL, ALL),
    flag("allow-unauthenticated", None, BOOL, PULL),
    flag("allow-unsigned", Some(b'U'), BOOL, PULL),
    flag("arch", None, VALUE, PULL),
    flag("arch-variant", None, VALUE, PULL),
    flag("authfile", None, VALUE, PULL),
    flag("dir", None, VALUE, PULL),
    flag("disable-cache", None, BOOL, PULL),
    flag("docker-host", None, VALUE, PULL),
    flag("docker-login", None, BOOL, PULL),
    flag("docker-password", None, VALUE, PULL),
    flag("docker-username", None, VALUE, PULL),
    flag("force", Some(b'F'), BOOL, PULL),
    flag("keep-layers", None, BOOL, PULL),
    flag("library", None, VALUE, PULL),
    flag("name", None, VALUE, PULL),
    flag("no-cleanup", None, BOOL, PULL),
    flag("no-https", None, BOOL, PULL),
    flag("no-oci", None, BOOL, PULL),
    flag("nohttps", None, BOOL, PULL),
    flag("oci", None, BOOL, PULL),
    flag("platform", None, VALUE, PULL),
    flag("reproducible", None, BOOL, PULL),
    flag("sandbox", None, BOOL, PULL),
    flag("tmpdir", None, VALUE, PULL),
    flag("with-cosign", None, BOOL, PULL),
    flag("arch", None, VALUE, BUILD),
    flag("arch-variant", None, VALUE, BUILD),
    flag("authfile", None, VALUE, BUILD),
    flag("bind", Some(b'B'), VALUE, BUILD),
    flag("build-arg", None, VALUE, BUILD),
    flag("build-arg-file", None, VALUE, BUILD),
    flag("builder", None, VALUE, BUILD),
    flag("buildkit-host", None, VALUE, BUILD),
    flag("data", None, BOOL, BUILD),
    flag("detached", Some(b'd'), BOOL, BUILD),
    flag("disable-cache", None, BOOL, BUILD),
    flag("docker-host", None, VALUE, BUILD),
    flag("docker-login", None, BOOL, BUILD),
    flag("docker-password", None, VALUE, BUILD),
    flag("docker-username", None, VALUE, BUILD),
    flag("encrypt", Some(b'e'), BOOL, BUILD),
    flag("fakeroot", Some(b'f'), BOOL, BUILD),
    flag("fix-perms", None, BOOL, BUILD),
    flag("force", Some(b'F'), BOOL, BUILD),
    flag("ignore-fakeroot-command", None, BOOL, BUILD),
    flag("ignore-proot", None, BOOL, BUILD),
    flag("ignore-subuid", None, BOOL, BUILD),
    flag("ignore-userns", None, BOOL, BUILD),
    flag("json", None, BOOL, BUILD),
    flag("keep-layers", None, BOOL, BUILD),
    flag("library", None, VALUE, BUILD),
    flag("mksquashfs-args", None, VALUE, BUILD),
    flag("mount", None, VALUE, BUILD),
    flag("no-cleanup", None, BOOL, BUILD),
    flag("no-https", None, BOOL, BUILD),
    flag("no-oci", None, BOOL, BUILD),
    flag("no-setgroups", None, BOOL, BUILD),
    flag("nohttps", None, BOOL, BUILD),
    flag("notest", Some(b'T'), BOOL, BUILD),
    flag("nv", None, BOOL, BUILD),
    flag("nvccli", None, BOOL, BUILD),
    flag("oci", None, BOOL, BUILD),
    flag("passphrase", None, BOOL, BUILD),
    flag("pem-path", None, VALUE, BUILD),
    flag("remote", Some(b'r'), BOOL, BUILD),
    flag("reproducible", None, BOOL, BUILD),
    flag("rocm", None, BOOL, BUILD),
    flag("sandbox", Some(b's'), BOOL, BUILD),
    flag("section", None, VALUE, BUILD),
    flag("tmpdir", None, VALUE, BUILD),
    flag("update", Some(b'u'), BOOL, BUILD),
    flag("userns", None, BOOL, BUILD),
    flag("warn-unused-build-args", None, BOOL, BUILD),
    flag("writable-tmpfs", None, BOOL, BUILD),
];

#[cfg(test)]
mod tests {
    use super::{
        BUILD, EXEC, FLAGS, GLOBAL, INSTANCE_RUN, INSTANCE_START, PULL, RUN, SHELL, TEST,
        by_letter, by_name,
    };

    fn bit(command: &str) -> u16 {
        match command {
            "global" => GLOBAL,
            "run" => RUN,
            "exec" => EXEC,
            "shell" => SHELL,
            "test" => TEST,
            "instance start" => INSTANCE_START,
            "instance run" => INSTANCE_RUN,
            "pull" => PULL,
            "build" => BUILD,
            other => panic!("unknown command {other}"),
        }
    }

    #[test]
    fn flags_equal_the_table() {
        let rows: Vec<&str> = include_str!("../runtime-flags.tsv").lines().skip(1).collect();
        assert_eq!(rows.len(), FLAGS.len());
        for (row, flag) in rows.iter().zip(FLAGS) {
            let cells: Vec<&str> = row.split('\t').collect();
            assert_eq!(cells[1], format!("--{}", flag.long()), "{row}");
            let short = flag.short.map_or("-".to_owned(), |c| format!("-{}", char::from(c)));
            assert_eq!(cells[2], short, "{row}");
            assert_eq!(cells[3] == "yes", flag.takes_value, "{row}");
            let commands = cells[5].split(',').fold(0, |all, command| all | bit(command));
            assert_eq!(commands, flag.commands, "{row}");
        }
    }

    const COMMANDS: [u16; 9] =
        [GLOBAL, RUN, EXEC, SHELL, TEST, INSTANCE_START, INSTANCE_RUN, PULL, BUILD];

    #[test]
    fn each_command_has_its_own_bit() {
        let all = COMMANDS.iter().fold(0, |all, command| all | command);
        assert_eq!((COMMANDS.map(u16::count_ones), all.count_ones()), ([1; 9], 9));
    }

    #[test]
    fn names_and_letters_are_unique_within_a_command() {
        for command in COMMANDS {
            for flag in FLAGS.iter().filter(|flag| flag.commands & command != 0) {
                assert_eq!(by_name(command, flag.long().as_bytes()), Some(flag));
                if let Some(letter) = flag.short {
                    assert_eq!(by_letter(command, letter), Some(flag));
                }
            }
        }
    }
}
