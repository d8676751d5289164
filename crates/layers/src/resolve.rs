//! Follows the symbolic links in the path of an entry, below the root of the image.
//!
//! umoci resolves the directory of each entry with `securejoin.SecureJoinVFS`: absolute links start
//! at the root of the image, `..` is removed without looking at the file before it, and components
//! that do not exist stay in the path. The last component is not followed.

use crate::error::Failure;
use crate::nodes::Nodes;
use crate::path::LONGEST_NAME;
use sifcache_squashfs::tree::{InodeId, Kind, Tree};

/// The most links in one path; `maxSymlinkLimit` in securejoin.
const MOST_LINKS: u32 = 255;
/// How many components behind a link may be looked up for an image without entries.
const COMPONENTS: u64 = 1 << 20;
/// How many more for each entry.
const COMPONENTS_PER_ENTRY: u64 = 64;

/// A path without links: what it leads to, component by component.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// The components, each after a slash.
    path: Vec<u8>,
    /// For each component its offset in `path`, and its inode if it exists.
    steps: Vec<(usize, Option<InodeId>)>,
}

impl Place {
    /// The inode; `None` if it does not exist.
    pub(crate) fn id(&self) -> Option<InodeId> {
        self.steps.last().map_or(Some(Tree::ROOT), |(_, id)| *id)
    }

    /// The number of components.
    pub(crate) fn depth(&self) -> usize {
        self.steps.len()
    }

    /// The name and the inode of a component.
    pub(crate) fn step(&self, index: usize) -> Option<(&[u8], Option<InodeId>)> {
        let (start, id) = *self.steps.get(index)?;
        let end = self.steps.get(index + 1).map_or(self.path.len(), |(next, _)| *next);
        Some((self.path.get(start + 1..end)?, id))
    }

    /// Notes the inode of a component that was made.
    pub(crate) fn made(&mut self, index: usize, id: InodeId) {
        if let Some(step) = self.steps.get_mut(index) {
            step.1 = Some(id);
        }
    }

    /// The path of a name in this directory, without a leading slash.
    pub(crate) fn join(&self, name: &[u8]) -> Vec<u8> {
        let directory = self.path.strip_prefix(b"/").unwrap_or_default();
        if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
    }

    fn push(&mut self, name: &[u8], id: Option<InodeId>) {
        self.steps.push((self.path.len(), id));
        self.path.push(b'/');
        self.path.extend_from_slice(name);
    }

    fn pop(&mut self) {
        if let Some((start, _)) = self.steps.pop() {
            self.path.truncate(start);
        }
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.path.clear();
    }
}

/// Follows links, with a bound on the work for the whole image: an entry can lead through 255
/// links of 4095 bytes each, and an image can have millions of such entries.
#[derive(Debug)]
pub(crate) struct Resolver {
    allowance: u64,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { allowance: COMPONENTS }
    }
}

/// The path that is being resolved, and its limit.
#[derive(Debug, Clone, Copy)]
struct Path<'a> {
    /// The path in the layer, for messages.
    whole: &'a [u8],
    /// The longest resolved path in bytes.
    longest: usize,
}

impl Resolver {
    /// Follows all links in the components.
    pub(crate) fn resolve(
        &mut self,
        nodes: &Nodes,
        components: &[&[u8]],
        whole: &[u8],
        longest: usize,
    ) -> Result<Place, Failure> {
        let path = Path { whole, longest };
        self.allowance = self.allowance.saturating_add(COMPONENTS_PER_ENTRY);
        let mut place = Place::default();
        for (index, component) in components.iter().enumerate() {
            if let Some(target) = step(nodes, &mut place, component, path)? {
                let rest = components.get(index + 1..).unwrap_or_default();
                self.follow(nodes, &mut place, target, rest, path)?;
                break;
            }
        }
        Ok(place)
    }

    /// Follows a link, and goes on with the components behind it.
    fn follow(
        &mut self,
        nodes: &Nodes,
        place: &mut Place,
        target: &[u8],
        rest: &[&[u8]],
        path: Path<'_>,
    ) -> Result<(), Failure> {
        let mut links = 1;
        // Targets that are not fully followed, and how far.
        let mut todo: Vec<&[u8]> = rest.iter().rev().copied().collect();
        push_target(place, &mut todo, target);
        while let Some(next) = todo.pop() {
            let (component, behind) = split(next);
            if let Some(behind) = behind {
                todo.push(behind);
            }
            self.allowance = self.allowance.checked_sub(1).ok_or_else(|| {
                Failure::invalid(path.whole, "its path leads through too many symbolic links")
            })?;
            if let Some(target) = step(nodes, place, component, path)? {
                links += 1;
                if links > MOST_LINKS {
                    let what = "its path leads through more than 255 symbolic links";
                    return Err(Failure::invalid(path.whole, what));
                }
                push_target(place, &mut todo, target);
            }
        }
        Ok(())
    }
}

/// Follows one component. If it is a link, returns the target and does not add the link to the place.
fn step<'a>(
    nodes: &'a Nodes,
    place: &mut Place,
    component: &[u8],
    path: Path<'_>,
) -> Result<Option<&'a [u8]>, Failure> {
    match component {
        b"" | b"." => return Ok(None),
        b".." => {
            place.pop();
            return Ok(None);
        }
        _ => {}
    }
    let id = place.id().and_then(|directory| nodes.child(directory, component));
    if let Some(Kind::Symlink(target)) = id.and_then(|id| nodes.tree.get(id)).map(|it| &it.kind) {
        return Ok(Some(target));
    }
    place.push(component, id);
    if component.len() > LONGEST_NAME || place.path.len() > path.longest {
        return Err(Failure::unsupported(path.whole, "its path or name is too long"));
    }
    Ok(None)
}

/// Continues at the target of a link.
fn push_target<'a>(place: &mut Place, todo: &mut Vec<&'a [u8]>, target: &'a [u8]) {
    if target.starts_with(b"/") {
        place.clear();
    }
    todo.push(target);
}

/// The first component, and the path behind it.
fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match path.iter().position(|byte| *byte == b'/') {
        Some(slash) => (path.get(..slash).unwrap_or_default(), path.get(slash + 1..)),
        None => (path, None),
    }
}
