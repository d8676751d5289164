//! Merges layers and lists the result, one file a line, to compare it with what a runtime makes:
//!
//! ```text
//! cargo run -p sifcache-layers --example merge -- [--user] LAYER.tar...
//! ```
//!
//! The columns are path, type, mode, owner, group, time, the first name of a hard link, extended
//! attributes, and the SHA-256 of the content, the target or the device. `--user` applies the rules
//! of Apptainer 1.4.5 for an ordinary user.

use sha2::{Digest as _, Sha256};
use sifcache_layers::rules::Rules;
use sifcache_layers::{ContentSink, Limits, Merged, Merger};
use sifcache_squashfs::tree::{ContentId, InodeId, Kind, Tree, Xattrs};
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};

/// Keeps the digests of contents.
#[derive(Default)]
struct Digests(Vec<String>);

impl ContentSink for Digests {
    type Error = io::Error;

    fn store(
        &mut self,
        _path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> io::Result<Option<ContentId>> {
        let mut digest = Sha256::new();
        io::copy(data, &mut digest)?;
        if size == 0 {
            return Ok(None);
        }
        let id = u32::try_from(self.0.len()).map_err(io::Error::other)?;
        self.0.push(format!("{size}:{}", hex(&digest.finalize())));
        Ok(Some(ContentId(id)))
    }

    fn forget(&mut self, _content: ContentId) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut layers: Vec<String> = std::env::args().skip(1).collect();
    let as_user = layers.first().is_some_and(|first| first == "--user");
    if as_user {
        layers.remove(0);
    }
    let mut digests = Digests::default();
    let mut merger = Merger::new(Limits::default(), u32::MAX);
    for layer in layers {
        merger.layer(BufReader::new(File::open(layer)?), &mut digests)?;
    }
    let mut merged = merger.finish();
    let rules = if as_user { Rules::USER } else { Rules::ROOT };
    rules.apply(&mut merged, &mut digests).map_err(|reason| reason.to_string())?;
    list(&merged, &digests, &mut io::stdout().lock())?;
    Ok(())
}

/// Lists all files below the root, and the root itself as `.`.
fn list(merged: &Merged, digests: &Digests, out: &mut impl Write) -> io::Result<()> {
    let mut first_names = HashMap::new();
    let mut todo = vec![(b".".to_vec(), Tree::ROOT)];
    while let Some((path, id)) = todo.pop() {
        let first = first_names.entry(id).or_insert_with(|| path.clone());
        let first = first.escape_ascii().to_string();
        line(&merged.tree, id, &path, &first, digests, out)?;
        for (name, child) in merged.tree.names(id).into_iter().flatten().rev() {
            let path =
                if id == Tree::ROOT { name.to_vec() } else { [&path, &b"/"[..], name].concat() };
            todo.push((path, *child));
        }
    }
    Ok(())
}

fn line(
    tree: &Tree,
    id: InodeId,
    path: &[u8],
    first: &str,
    digests: &Digests,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(inode) = tree.get(id) else { return Ok(()) };
    let (kind, body) = match &inode.kind {
        Kind::Directory(_) => ('d', String::new()),
        Kind::File { content, .. } => {
            let digest = content.and_then(|content| digests.0.get(content.0 as usize));
            ('f', digest.cloned().unwrap_or_default())
        }
        Kind::Symlink(target) => ('l', target.escape_ascii().to_string()),
        Kind::BlockDevice(device) => ('b', format!("{}:{}", device.major, device.minor)),
        Kind::CharDevice(device) => ('c', format!("{}:{}", device.major, device.minor)),
        Kind::Fifo => ('p', String::new()),
        Kind::Socket => ('s', String::new()),
    };
    let metadata = &inode.metadata;
    let time = if metadata.mtime == u32::MAX { "now".into() } else { metadata.mtime.to_string() };
    let xattrs = metadata.xattrs.as_deref().map(text).unwrap_or_default();
    writeln!(
        out,
        "{}\t{kind}\t{:o}\t{}\t{}\t{time}\t{first}\t{xattrs}\t{body}",
        path.escape_ascii(),
        metadata.mode,
        metadata.uid,
        metadata.gid,
    )
}

fn text(xattrs: &Xattrs) -> String {
    let pairs =
        xattrs.iter().map(|(name, value)| format!("{}={}", name.escape_ascii(), hex(value)));
    pairs.collect::<Vec<_>>().join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
