//! The imports of a crate's files, read from their text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Module paths below the crate's root, such as `["cache", "store", "lock"]`.
pub(crate) type Module = Vec<String>;

/// Each module of a crate, with the paths of the same crate that it mentions. Unit tests are left
/// out.
pub(crate) fn read(root: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut all = BTreeMap::new();
    visit(root, &Module::new(), &mut all);
    all
}

fn visit(directory: &Path, above: &Module, all: &mut BTreeMap<Module, BTreeSet<Module>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" || name == "bin" {
            continue;
        }
        let module: Module = above.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            visit(&path, &module, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // A crate's root may import everything.
            if above.is_empty() && ["main", "lib"].contains(&name.as_str()) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            all.insert(module.clone(), paths(&text, &module));
        }
    }
}

/// The paths of the same crate in a module's text.
fn paths(text: &str, module: &Module) -> BTreeSet<Module> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join(" ");
    let mut found = BTreeSet::new();
    for (start, parent) in [("crate::", false), ("super::", true)] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut base = if parent { module[..module.len() - 1].to_vec() } else { Module::new() };
            let mut rest = &code[at + start.len()..];
            while let Some(further) = rest.strip_prefix("super::") {
                base.pop();
                rest = further;
            }
            expand(&base, rest, &mut found);
        }
    }
    found
}

/// Adds the paths of `a::b::{c, d::e}` to `found`. Returns the rest of the text.
fn expand<'a>(base: &Module, mut text: &'a str, found: &mut BTreeSet<Module>) -> &'a str {
    let mut path = base.clone();
    loop {
        text = text.trim_start();
        if let Some(group) = text.strip_prefix('{') {
            text = group;
            loop {
                text = expand(&path, text, found).trim_start();
                match text.strip_prefix(',') {
                    Some(more) => text = more,
                    None => return text.strip_prefix('}').unwrap_or(text),
                }
            }
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !name.is_empty() && name != "self" {
            path.push(name.to_owned());
        }
        match rest.strip_prefix("::") {
            Some(more) if !name.is_empty() => text = more,
            _ => {
                found.insert(path);
                return match rest.strip_prefix(" as ") {
                    Some(alias) => {
                        alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
                    }
                    None => rest,
                };
            }
        }
    }
}
