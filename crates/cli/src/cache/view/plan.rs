//! The links that a view has to contain.

use super::View;
use super::catalog::Catalog;
use super::engine::Layout;
use super::spelling::spellings;
use crate::cache::image_name;
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use std::path::Path;
use std::sync::Arc;

/// A link of a view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    /// The directory that holds it.
    pub(crate) layout: Layout,
    /// Its name, relative to that directory.
    pub(crate) name: String,
    /// The short name of the reference.
    pub(crate) reference: Arc<str>,
    /// The path of the image.
    pub(crate) target: Arc<Path>,
}

/// A name that several references share, or that leads to several files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shared {
    /// The directory that would hold it.
    pub(crate) layout: Layout,
    /// The name, relative to that directory.
    pub(crate) name: String,
    /// The short names of the references, sorted.
    pub(crate) references: Vec<Arc<str>>,
}

impl Shared {
    /// Why the name has no link, for a message.
    pub(crate) fn reason(&self) -> String {
        match self.references.as_slice() {
            [one] => format!("{one} leads to different files, depending on how it is typed"),
            all => format!("{} share this name", all.join(" and ")),
        }
    }
}

/// The links of a view, and the names that are refused.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The number of references that have links.
    pub(crate) references: usize,
    /// Sorted by layout and name.
    pub(crate) links: Vec<Link>,
    /// Sorted by layout and name.
    pub(crate) shared: Vec<Shared>,
}

/// The links that `view` has to contain for these images.
pub(crate) fn plan(view: &View, catalog: &Catalog) -> Plan {
    let layouts = view.layouts();
    let references = catalog.references();
    let of = |one: &&Reference| links(one, &layouts, catalog);
    let mut all: Vec<Link> = references.par_iter().flat_map_iter(of).collect();
    all.par_sort_unstable();
    all.dedup();
    let mut plan = Plan { references: references.len(), ..Plan::default() };
    let mut all = all.into_iter().peekable();
    while let Some(link) = all.next() {
        let is_same = |next: &Link| (next.layout, &next.name) == (link.layout, &link.name);
        let mut others: Vec<Arc<str>> = Vec::new();
        while let Some(next) = all.next_if(is_same) {
            others.push(next.reference);
        }
        if others.is_empty() {
            plan.links.push(link);
            continue;
        }
        let Link { layout, name, reference, .. } = link;
        let mut references = [vec![reference], others].concat();
        references.dedup();
        plan.shared.push(Shared { layout, name, references });
    }
    plan
}

fn links(reference: &Reference, layouts: &[Layout], catalog: &Catalog) -> Vec<Link> {
    let short: Arc<str> = image_name::short(reference).into();
    let mut links = Vec::new();
    for typed in spellings(reference) {
        let Some((target, digests)) = catalog.find(&typed) else { continue };
        for layout in layouts {
            for name in layout.names(typed.typed(), digests) {
                let (reference, target) = (Arc::clone(&short), Arc::clone(target));
                links.push(Link { layout: *layout, name, reference, target });
            }
        }
    }
    links
}

/// The reference, by its short name, whose link `name` with this target is ours; `None` if the link
/// is not ours.
pub(crate) fn reference_of(
    view: &View,
    layout: Layout,
    name: &str,
    target: &Path,
) -> Option<String> {
    let inside = view.roots.iter().find_map(|root| target.strip_prefix(root).ok())?;
    let reference = image_name::reference(inside.to_str()?)?;
    let digests: Vec<String> = layout.digest_in(name).into_iter().collect();
    let is_ours =
        |one: &Reference| layout.names(one.typed(), &digests).iter().any(|one| one == name);
    spellings(&reference).iter().any(is_ours).then(|| image_name::short(&reference))
}
