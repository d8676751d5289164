//! A sink that keeps contents in memory and counts their uses.

use sifcache_layers::ContentSink;
use sifcache_squashfs::tree::{ContentId, Kind, Tree};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;

/// Contents and how often each is in use. Equal contents have the same number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Contents {
    known: HashMap<Vec<u8>, ContentId>,
    contents: Vec<(Vec<u8>, i64)>,
    /// The paths that contents were stored for, in order.
    pub(crate) paths: Vec<Vec<u8>>,
    /// Fails at this call of `store`.
    pub(crate) breaks_at: Option<usize>,
}

/// The error of a sink that breaks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the sink is broken")
    }
}

impl ContentSink for Contents {
    type Error = Broken;

    fn store(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<Option<ContentId>, Broken> {
        if self.breaks_at == Some(self.paths.len()) {
            return Err(Broken);
        }
        self.paths.push(path.to_vec());
        let mut content = Vec::new();
        data.take(size).read_to_end(&mut content).map_err(|_| Broken)?;
        if content.len() as u64 != size {
            return Err(Broken);
        }
        if size == 0 {
            return Ok(None);
        }
        let next = ContentId(u32::try_from(self.contents.len()).expect("few contents"));
        let id = *self.known.entry(content.clone()).or_insert(next);
        if id == next {
            self.contents.push((content, 0));
        }
        self.contents[id.0 as usize].1 += 1;
        Ok(Some(id))
    }

    fn forget(&mut self, content: ContentId) {
        self.contents[content.0 as usize].1 -= 1;
    }
}

impl Contents {
    /// The bytes of a content.
    pub(crate) fn get(&self, id: ContentId) -> &[u8] {
        &self.contents[id.0 as usize].0
    }

    /// Checks that each content has as many uses as there are files with it in the tree.
    pub(crate) fn check(&self, tree: &Tree) {
        let mut uses = BTreeMap::new();
        let mut todo = vec![Tree::ROOT];
        let mut seen = vec![false; tree.len()];
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            match &tree.get(id).expect("an inode").kind {
                Kind::Directory(names) => todo.extend(names.values()),
                Kind::File { content: Some(content), size } => {
                    assert_eq!(self.get(*content).len() as u64, *size);
                    *uses.entry(content.0).or_insert(0) += 1;
                }
                _ => {}
            }
        }
        for (id, (content, counted)) in self.contents.iter().enumerate() {
            let id = u32::try_from(id).expect("few contents");
            let used = uses.get(&id).copied().unwrap_or(0);
            assert_eq!(used, *counted, "uses of {:?}", content.escape_ascii().to_string());
        }
    }
}
