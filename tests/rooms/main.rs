//! The rooms of each crate: a room imports only those that the layout allows, and no imports form a
//! circle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

mod imports;
mod literals;

use imports::{Module, read};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A crate, its rooms with the rooms that each of them may import, and the length of the module
/// paths that must not form a circle. Modules outside of the rooms may import every room, and every
/// room may import them.
struct Layout {
    root: &'static str,
    rooms: &'static [(&'static str, &'static [&'static str])],
    depth: usize,
}

const LAYOUTS: [Layout; 4] = [
    Layout {
        root: "crates/cli/src",
        rooms: &[
            (
                "commands",
                &[
                    "metrics", "report", "demand", "pull", "inspect", "cache", "events", "ui",
                    "system",
                ],
            ),
            ("metrics", &["demand", "cache", "events", "ui", "system"]),
            ("report", &["demand", "inspect", "cache", "events", "ui", "system"]),
            ("inspect", &["cache", "ui", "system"]),
            ("demand", &["pull", "cache", "events", "ui", "system"]),
            ("pull", &["cache", "ui", "system"]),
            // `usage` saves the information from the logs.
            ("cache", &["events", "ui", "system"]),
            // Reading a log shows its progress.
            ("events", &["ui"]),
            ("ui", &[]),
            ("system", &[]),
        ],
        depth: 2,
    },
    Layout {
        root: "src",
        rooms: &[
            ("hooks", &["decide", "logging", "spank"]),
            ("decide", &["logging", "spank"]),
            ("logging", &["spank"]),
            ("spank", &[]),
        ],
        depth: 1,
    },
    Layout { root: "src/bin/sifcache-shim", rooms: &[], depth: 1 },
    Layout { root: "crates/core/src", rooms: &[], depth: 1 },
];

/// The room of the subcommands. No subcommand may import another one.
const COMMANDS: &str = "commands";

type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// Imports that the layout does not allow.
fn forbidden(imports: &Imports, layout: &Layout) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = layout.rooms.iter().copied().collect();
    let mut found = Vec::new();
    for (module, paths) in imports {
        let Some(may) = allowed.get(module[0].as_str()) else { continue };
        for path in paths.iter().filter(|path| !path.is_empty()) {
            let other_room = path[0] != module[0] && allowed.contains_key(path[0].as_str());
            let other_command = module[0] == COMMANDS
                && path[0] == COMMANDS
                && path.get(1).is_some_and(|command| module.get(1) != Some(command));
            if other_command || (other_room && !may.contains(&path[0].as_str())) {
                found.push(format!("{} imports {}", module.join("::"), path.join("::")));
            }
        }
    }
    found
}

/// A circle of imports between modules, whose paths are cut to `depth` names.
fn circle(imports: &Imports, depth: usize) -> Option<Vec<Module>> {
    let known: BTreeSet<&[String]> = imports.keys().map(|module| cut(module, depth)).collect();
    let mut graph: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for (module, paths) in imports {
        let from = cut(module, depth);
        for path in paths {
            let to = (1..=depth.min(path.len())).rev().map(|n| &path[..n]);
            if let Some(to) = to.into_iter().find(|to| known.contains(to) && *to != from) {
                graph.entry(from).or_default().insert(to);
            }
        }
    }
    // A module that imports none of the remaining modules is in no circle.
    loop {
        let left: BTreeSet<&[String]> = graph.keys().copied().collect();
        let before = graph.len();
        graph.retain(|_, to| to.iter().any(|to| left.contains(to)));
        if graph.len() == before {
            break;
        }
    }
    let mut at = *graph.keys().next()?;
    let mut way = vec![at];
    loop {
        at = graph[at].iter().copied().find(|to| graph.contains_key(to))?;
        if let Some(start) = way.iter().position(|module| *module == at) {
            return Some(way[start..].iter().map(|module| module.to_vec()).collect());
        }
        way.push(at);
    }
}

fn cut(module: &Module, depth: usize) -> &[String] {
    &module[..depth.min(module.len())]
}

#[test]
fn imports_follow_the_layout() {
    for layout in LAYOUTS {
        let imports = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(layout.root));
        assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 5, "{}", layout.root);
        for (room, _) in layout.rooms {
            assert!(imports.keys().any(|module| module[0] == *room), "{}/{room}", layout.root);
        }
        assert_eq!(forbidden(&imports, &layout), [""; 0], "{}", layout.root);
        assert_eq!(circle(&imports, layout.depth), None, "{}", layout.root);
    }
}

/// The violations that the test above must find.
#[test]
fn violations_are_found() {
    let layout = Layout { root: "", rooms: LAYOUTS[0].rooms, depth: 2 };
    let found = |files: &[(&str, &str)]| {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let imports = read(root.path());
        let circle = circle(&imports, layout.depth);
        let names = circle.unwrap_or_default();
        (
            forbidden(&imports, &layout),
            names.iter().map(|module| module.join("::")).collect::<Vec<_>>(),
        )
    };
    let (none, nothing) = (Vec::<String>::new(), Vec::<String>::new());
    let fine = ("commands/add.rs", "use crate::ui::{output::{plain, lines}, self as shown};");
    assert_eq!(found(&[fine, ("ui/output.rs", "use crate::error::Failure;")]), (none, nothing));
    let upwards = ("ui/output.rs", "fn f() { crate::cache::store::open() }");
    assert_eq!(found(&[upwards]).0, ["ui::output imports cache::store::open"]);
    let grouped = ("system/pool.rs", "use crate::{error::{self, Failure}, pull::puller};");
    assert_eq!(found(&[grouped]).0, ["system::pool imports pull::puller"]);
    let sideways = ("commands/gc.rs", "use super::stage::nodes;");
    assert_eq!(found(&[sideways]).0, ["commands::gc imports commands::stage::nodes"]);
    let test = ("ui/output.rs", "#[cfg(test)]\nmod tests { use crate::cache::store; }");
    assert_eq!(found(&[test]).0, [""; 0]);
    let comment = ("ui/output.rs", "// as crate::cache::store does\n");
    assert_eq!(found(&[comment]).0, [""; 0]);
    let round = [
        ("cache/a.rs", "use super::b;"),
        ("cache/b.rs", "use crate::cache::c::d;"),
        ("cache/c.rs", "use crate::cache::a;"),
        ("cache/e.rs", "use crate::cache::a;"),
    ];
    assert_eq!(found(&round).1, ["cache::a", "cache::b", "cache::c"]);
}

/// Files with help texts, whose examples show such URIs to the user.
const HELP: [&str; 4] = [
    "crates/cli/src/commands/explain.rs",
    "crates/cli/src/commands/import.rs",
    "src/bin/sifcache-shim/help.rs",
    "src/spank/handle.rs",
];

/// The client of registries, whose requests are URLs, and the files with the addresses of proxies.
const WEB_CLIENT: &str = "crates/cli/src/pull/";

/// Only `transport.rs` may contain text that parses or formats a URI of a transport.
#[test]
fn only_one_file_spells_a_transport() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = "crates/core/src/transport.rs";
    let mut found = Vec::new();
    let mut files = 0;
    for root in ["src", "crates"] {
        for (name, code) in literals::product_code(top, root) {
            files += 1;
            let has = |text: &String| {
                let is_url = text.contains("http") && name.starts_with(WEB_CLIENT);
                !is_url && literals::spells_transport(text, HELP.contains(&&*name))
            };
            found.extend(
                literals::read(&code).into_iter().filter(has).map(|text| (name.clone(), text)),
            );
        }
    }
    assert!(files > 100, "{files}");
    let others: Vec<_> = found.iter().filter(|(name, _)| name != home).collect();
    assert!(others.is_empty(), "{others:#?}");
    let code =
        "a(\"docker://\"); // \"docker:\"\nb(r#\"docker:\"#, '\"', \"x\\\"docker:y\", \"\");";
    let all = literals::read(code);
    assert_eq!(all, ["docker://", "docker:", "x\\\"docker:y", ""]);
    let spells = |text: &str, in_help| literals::spells_transport(text, in_help);
    assert!(spells("found as docker://{name}", true) && spells("docker://", true));
    assert!(!spells("apptainer run docker://ubuntu", true) && !spells("docker", false));
    assert!(spells("apptainer run docker://ubuntu", false));
    assert!(spells("oras:x", false) && spells("https://h.io", false));
    assert!(!spells("a copy of the library: x", false));
}
