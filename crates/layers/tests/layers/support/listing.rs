//! Lists a tree, one line for each file.

use super::sink::Contents;
use sifcache_squashfs::tree::{InodeId, Kind, Tree};
use std::collections::HashMap;

/// Path, type with mode, owner, time, and what else there is: the content in quotes, `-> target`,
/// `= first name` of a hard link, attributes. The time of implied directories is `now`.
pub(crate) fn listing(tree: &Tree, contents: &Contents) -> Vec<String> {
    walk(tree, |path, first, id| {
        let inode = tree.get(id).expect("an inode");
        let metadata = &inode.metadata;
        let time =
            if metadata.mtime == super::NOW { "now".into() } else { metadata.mtime.to_string() };
        let (kind, body) = kind(tree, id, contents);
        let mut line = format!(
            "{path} {kind}{:o} {}:{} {time}{body}",
            metadata.mode, metadata.uid, metadata.gid
        );
        for (name, value) in metadata.xattrs.iter().flat_map(|xattrs| xattrs.iter()) {
            let (name, value) = (name.escape_ascii(), value.escape_ascii());
            line += &format!(" {name}={value}");
        }
        if first != path {
            line += &format!(" = {first}");
        }
        line
    })
}

/// Path, type and body only.
pub(crate) fn names(tree: &Tree, contents: &Contents) -> Vec<String> {
    walk(tree, |path, first, id| {
        let (kind, body) = kind(tree, id, contents);
        let link = if first == path { String::new() } else { format!(" = {first}") };
        format!("{path} {kind}{body}{link}")
    })
}

fn kind(tree: &Tree, id: InodeId, contents: &Contents) -> (char, String) {
    match &tree.get(id).expect("an inode").kind {
        Kind::Directory(_) => ('d', String::new()),
        Kind::File { content: None, .. } => ('f', String::new()),
        Kind::File { content: Some(content), .. } => {
            ('f', format!(" \"{}\"", contents.get(*content).escape_ascii()))
        }
        Kind::Symlink(target) => ('l', format!(" -> {}", target.escape_ascii())),
        Kind::BlockDevice(device) => ('b', format!(" {}:{}", device.major, device.minor)),
        Kind::CharDevice(device) => ('c', format!(" {}:{}", device.major, device.minor)),
        Kind::Fifo => ('p', String::new()),
        Kind::Socket => ('s', String::new()),
    }
}

/// One line for each file below the root, sorted by path. `line` gets the path, the first path of
/// the inode, and the inode.
fn walk(tree: &Tree, line: impl Fn(&str, &str, InodeId) -> String) -> Vec<String> {
    let mut paths = Vec::new();
    let mut todo = vec![(String::new(), Tree::ROOT)];
    while let Some((path, id)) = todo.pop() {
        for (name, child) in tree.names(id).into_iter().flatten() {
            let slash = if path.is_empty() { "" } else { "/" };
            let path = format!("{path}{slash}{}", name.escape_ascii());
            paths.push((path.clone(), *child));
            todo.push((path, *child));
        }
    }
    paths.sort();
    let mut first = HashMap::new();
    for (path, id) in &paths {
        first.entry(*id).or_insert(path);
    }
    paths.iter().map(|(path, id)| line(path, first[id], *id)).collect()
}
