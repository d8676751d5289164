//! plugstack.conf, the plugin.

use super::super::{finding::Level, plugin};
use super::{Tree, elf};
use std::os::unix::fs::chown;

#[test]
fn settings() {
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments = "image_root=/sif on_mis=fail".to_owned();
    assert_eq!(tree.said(), ["Fail plugstack.conf: settings", "Note runtime: found"]);
    let advice = tree.advice("plugstack.conf", "settings");
    assert!(advice.contains("unknown key 'on_mis'; valid keys: image_root"), "{advice}");
}

#[test]
fn the_line() {
    let Some(tree) = Tree::new() else { return };
    let stack = "/etc/slurm/plugstack.conf";
    tree.write(stack, "optional other.so\ninclude more\n");
    tree.write("/etc/slurm/more", "required spank_sifcache.so image_root=/sif\n");
    let said = ["Note plugstack.conf: line", "Note plugstack.conf: order", "Note runtime: found"];
    assert_eq!(tree.said(), said);
    assert!(tree.advice("plugstack.conf", "order").contains("stands other.so; "));
    // Of what is included, too, everybody's jobs load what it says.
    tree.mode("/etc/slurm/more", 0o666);
    assert!(tree.said().contains(&"Fail plugstack.conf: writable".to_owned()));
    tree.write(stack, "optional other.so\n");
    assert_eq!(tree.said()[0], "Fail plugstack.conf: line");
    let advice = tree.advice("plugstack.conf", "line");
    assert!(advice.contains("optional spank_sifcache.so image_root=DIR"), "{advice}");
}

/// Slurm would follow each; the plugin follows the first that Slurm can load.
#[test]
fn several_lines() {
    let Some(tree) = Tree::new() else { return };
    let said = ["Fail plugstack.conf: several", "Note runtime: found"];
    let stack = "/etc/slurm/plugstack.conf";
    tree.write(stack, "include more*\noptional other.so\noptional spank_sifcache.so nonsense\n");
    tree.write("/etc/slurm/more.conf", "optional spank_sifcache.so image_root=/sif\n");
    assert_eq!(tree.said(), said);
    let advice = tree.advice("plugstack.conf", "several");
    for text in [
        "more.conf: optional spank_sifcache.so image_root=/sif (counts), ",
        "plugstack.conf: optional spank_sifcache.so nonsense (ignored); keep one line",
    ] {
        assert!(advice.contains(text), "{advice}");
    }
    // Found by two patterns.
    tree.write(stack, "include more*\ninclude *.conf.d\ninclude *re.conf\n");
    assert_eq!(tree.said(), said);
    tree.write(stack, "optional /none/spank_sifcache.so nonsense\ninclude more*\n");
    assert_eq!(tree.said(), said);
    let advice = tree.advice("plugstack.conf", "several");
    assert!(advice.contains("/none/spank_sifcache.so nonsense (ignored)"), "{advice}");
    // A copy of the library has its own idea of the first line; a link is the same library.
    let lines = "include more*\noptional /lib/copy/spank_sifcache.so nonsense\n";
    tree.write(stack, lines);
    tree.write("/lib/copy/spank_sifcache.so", elf::plugin(0x1a_0500));
    let advice = tree.advice("plugstack.conf", "several");
    assert!(advice.contains("nonsense (another copy of the library: counts too)"), "{advice}");
    tree.remove("/lib/copy/spank_sifcache.so");
    tree.link("/lib/copy/spank_sifcache.so", "../spank_sifcache.so");
    let advice = tree.advice("plugstack.conf", "several");
    assert!(advice.contains("spank_sifcache.so nonsense (ignored)"), "{advice}");
    // The first counts even where its settings are wrong.
    tree.write(stack, "optional spank_sifcache.so nonsense\ninclude more*\n");
    assert_eq!(tree.said()[..2], [said[0], "Fail plugstack.conf: settings"]);
}

#[test]
fn the_user_of_slurm_may_write() {
    let Some(tree) = Tree::new() else { return };
    drop(tree.host());
    chown(tree.at("/etc/slurm/plugstack.conf"), Some(64030), None).unwrap();
    assert_eq!(tree.said(), ["Note runtime: found"]);
    chown(tree.at("/etc/slurm/plugstack.conf"), Some(64031), None).unwrap();
    assert_eq!(tree.said()[0], "Fail plugstack.conf: writable");
}

#[test]
fn the_plugin() {
    let Some(mut tree) = Tree::new() else { return };
    let file = "/lib/spank_sifcache.so";
    let one = |tree: &Tree, check: &str, text: &str| {
        assert_eq!(tree.said(), [format!("Fail plugin: {check}"), "Note runtime: found".into()]);
        let advice = tree.advice("plugin", check);
        assert!(advice.contains(text), "{advice}");
    };
    tree.write(file, elf::plugin(0x18_0b05));
    one(&tree, "release", "make plugin SLURM_VERSION=26.05, then make install plugindir=/lib");
    tree.write(file, elf::plugin(0x1a_0b00));
    one(&tree, "release", "make plugin SLURM_VERSION=26.05");
    // Only the third number may differ.
    tree.write(file, elf::plugin(0x1a_0509));
    assert_eq!(tree.said(), ["Note runtime: found"]);
    tree.write(file, elf::library(8, 0x1a_0500));
    one(&tree, "library", "Mips");
    // As an executable file says of itself.
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

/// With `--root`, nobody has said that there is a plugin.
#[test]
fn a_plugin_that_need_not_be_there() {
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

/// No alarm where nobody can tell.
#[test]
fn slurm_that_does_not_answer() {
    let Some(mut tree) = Tree::new() else { return };
    tree.answers.retain(|(start, _)| !start.starts_with("srun") && !start.starts_with("scontrol"));
    tree.write("/etc/slurm/slurm.conf", "PluginDir=/lib:/lib2\n");
    assert_eq!(tree.said(), ["Note runtime: found"]);
    tree.remove("/lib/spank_sifcache.so");
    assert!(tree.advice("plugin", "file").contains("make install plugindir=/lib"));
    tree.remove("/etc/slurm/slurm.conf");
    assert_eq!(tree.said(), ["Note runtime: found"]);
}
