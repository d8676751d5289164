//! Tests of plugstack.conf and the plugin.

use super::super::{finding::Level, plugin};
use super::{Tree, elf};
use std::os::unix::fs::chown;

#[test]
fn settings() {
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments = "image_root=/sif on_mis=fail".to_owned();
    assert_eq!(tree.problems(), ["Fail plugstack.conf: settings", "Note runtime: found"]);
    let advice = tree.advice("plugstack.conf", "settings");
    assert!(advice.contains("unknown key 'on_mis'; valid keys: image_root"), "{advice}");
}

#[test]
fn the_line_is_found_and_checked() {
    let Some(tree) = Tree::new() else { return };
    let stack = "/etc/slurm/plugstack.conf";
    tree.write(stack, "optional other.so\ninclude more\n");
    tree.write("/etc/slurm/more", "required spank_sifcache.so image_root=/sif\n");
    let expected =
        ["Note plugstack.conf: line", "Note plugstack.conf: order", "Note runtime: found"];
    assert_eq!(tree.problems(), expected);
    assert!(
        tree.advice("plugstack.conf", "order")
            .contains("listed before the plugin's line: other.so; ")
    );
    // Included files are checked too, because their plugins are loaded by the jobs of all users.
    tree.mode("/etc/slurm/more", 0o666);
    assert!(tree.problems().contains(&"Fail plugstack.conf: writable".to_owned()));
    tree.write(stack, "optional other.so\n");
    assert_eq!(tree.problems()[0], "Fail plugstack.conf: line");
    let advice = tree.advice("plugstack.conf", "line");
    assert!(advice.contains("optional spank_sifcache.so image_root=DIR"), "{advice}");
}

/// Slurm loads the plugin for each line; the plugin uses the first line that Slurm can load.
#[test]
fn several_lines_are_reported() {
    let Some(tree) = Tree::new() else { return };
    let expected = ["Fail plugstack.conf: several", "Note runtime: found"];
    let stack = "/etc/slurm/plugstack.conf";
    tree.write(stack, "include more*\noptional other.so\noptional spank_sifcache.so nonsense\n");
    tree.write("/etc/slurm/more.conf", "optional spank_sifcache.so image_root=/sif\n");
    assert_eq!(tree.problems(), expected);
    let advice = tree.advice("plugstack.conf", "several");
    for text in [
        "more.conf: optional spank_sifcache.so image_root=/sif (used), ",
        "plugstack.conf: optional spank_sifcache.so nonsense (ignored); keep one line",
    ] {
        assert!(advice.contains(text), "{advice}");
    }
    // The same file is found by two patterns.
    tree.write(stack, "include more*\ninclude *.conf.d\ninclude *re.conf\n");
    assert_eq!(tree.problems(), expected);
    tree.write(stack, "optional /none/spank_sifcache.so nonsense\ninclude more*\n");
    assert_eq!(tree.problems(), expected);
    let advice = tree.advice("plugstack.conf", "several");
    assert!(advice.contains("/none/spank_sifcache.so nonsense (ignored)"), "{advice}");
    // Each copy of the library uses its own first line; a link leads to the same library.
    let lines = "include more*\noptional /lib/copy/spank_sifcache.so nonsense\n";
    tree.write(stack, lines);
    tree.write("/lib/copy/spank_sifcache.so", elf::plugin(0x1a_0500));
    let advice = tree.advice("plugstack.conf", "several");
    assert!(advice.contains("nonsense (another copy of the library: also used)"), "{advice}");
    tree.remove("/lib/copy/spank_sifcache.so");
    tree.link("/lib/copy/spank_sifcache.so", "../spank_sifcache.so");
    let advice = tree.advice("plugstack.conf", "several");
    assert!(advice.contains("spank_sifcache.so nonsense (ignored)"), "{advice}");
    // The first line is used even if its settings are invalid.
    tree.write(stack, "optional spank_sifcache.so nonsense\ninclude more*\n");
    assert_eq!(tree.problems()[..2], [expected[0], "Fail plugstack.conf: settings"]);
}

#[test]
fn slurm_user_may_own_plugstack_conf() {
    let Some(tree) = Tree::new() else { return };
    drop(tree.host());
    chown(tree.at("/etc/slurm/plugstack.conf"), Some(64030), None).unwrap();
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    chown(tree.at("/etc/slurm/plugstack.conf"), Some(64031), None).unwrap();
    assert_eq!(tree.problems()[0], "Fail plugstack.conf: writable");
}

#[test]
fn the_plugin() {
    let Some(mut tree) = Tree::new() else { return };
    let file = "/lib/spank_sifcache.so";
    let one = |tree: &Tree, check: &str, text: &str| {
        assert_eq!(
            tree.problems(),
            [format!("Fail plugin: {check}"), "Note runtime: found".into()]
        );
        let advice = tree.advice("plugin", check);
        assert!(advice.contains(text), "{advice}");
    };
    tree.write(file, elf::plugin(0x18_0b05));
    one(&tree, "release", "make plugin SLURM_VERSION=26.05, then make install plugindir=/lib");
    tree.write(file, elf::plugin(0x1a_0b00));
    one(&tree, "release", "make plugin SLURM_VERSION=26.05");
    // Only the third number of the version may differ.
    tree.write(file, elf::plugin(0x1a_0509));
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    tree.write(file, elf::library(8, 0x1a_0500));
    one(&tree, "library", "Mips");
    // The ELF type of an executable file (ET_EXEC).
    let mut program = elf::plugin(0x1a_0500);
    program[16] = 2;
    tree.write(file, program);
    one(&tree, "library", "is not a shared library");
    tree.write(file, "text");
    one(&tree, "library", "is not a shared library");
    tree.write(file, elf::plugin(0x1a_0500));
    tree.mode(file, 0o600);
    one(&tree, "file", "chmod 0755 /lib/spank_sifcache.so");
    tree.mode(file, 0o646);
    one(&tree, "file", "chmod o-w ");
    tree.remove(file);
    one(&tree, "file", "make install plugindir=/lib");
    tree.write(file, elf::plugin(0x1a_0500));
    tree.answer("srun --help", "--usage");
    one(&tree, "loaded", "srun -vvv true");
}

/// With `--root`, nothing indicates that the plugin should be installed.
#[test]
fn a_missing_plugin_is_skipped_with_root() {
    let Some(mut tree) = Tree::new() else { return };
    let loaded = |tree: &Tree, level: Level| {
        let mut host = tree.host();
        host.site.plugstack = None;
        host.site.entries = Ok(Vec::new());
        let found = plugin::check(&host);
        assert!(found.iter().any(|f| f.check == "loaded" && f.level == level), "{found:#?}");
    };
    loaded(&tree, Level::Ok);
    tree.answer("srun --help", "--usage");
    loaded(&tree, Level::Skipped);
}

/// If Slurm's programs do not respond, nothing is reported as a problem.
#[test]
fn unavailable_slurm_commands_are_not_reported() {
    let Some(mut tree) = Tree::new() else { return };
    tree.answers.retain(|(start, _)| !start.starts_with("srun") && !start.starts_with("scontrol"));
    tree.write("/etc/slurm/slurm.conf", "PluginDir=/lib:/lib2\n");
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    tree.remove("/lib/spank_sifcache.so");
    assert!(tree.advice("plugin", "file").contains("make install plugindir=/lib"));
    tree.remove("/etc/slurm/slurm.conf");
    assert_eq!(tree.problems(), ["Note runtime: found"]);
}
