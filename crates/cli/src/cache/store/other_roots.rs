//! The other image roots of the site. Roots can be nested, also through symbolic links: with
//! `image_root=/sif:/sif/local`, or with a link in `/sif` to another root. A file then belongs to the
//! innermost root only, so that `gc` of the outer one does not remove it.

use crate::system::helper;
use sifcache_core::settings::Settings;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The device and inode of a directory.
pub(crate) type Id = (u64, u64);

/// The image roots of the site as seen from one of them. Empty if that one is the only one, or the
/// only one that exists here: nothing is then read from the file system.
#[derive(Debug, Clone, Default)]
pub(crate) struct OtherRoots {
    /// The directory of the root itself.
    own: Option<Id>,
    others: Vec<(Id, PathBuf)>,
}

impl OtherRoots {
    /// The roots of the site except `root`, also those that other tools fill. A root that does not
    /// answer within `lookup_timeout=` is left out: it must not delay a change of another one.
    pub(crate) fn of(settings: &Settings, root: &Path) -> Self {
        let roots = settings.search_path().map(|(path, _)| path);
        let answers = |path: &&Path| {
            let limit = settings.lookup_timeout;
            *path == root || limit.is_none_or(|limit| helper::root_answers(path, limit))
        };
        Self::among(roots.filter(answers), root)
    }

    /// Like [`Self::of`], without waiting: the caller passes only roots that answer.
    pub(crate) fn among<'a>(roots: impl Iterator<Item = &'a Path>, root: &Path) -> Self {
        let mut paths: Vec<&Path> = roots.filter(|path| *path != root).collect();
        paths.dedup();
        if paths.is_empty() {
            return Self::default();
        }
        let own = id(root);
        let other = |path: &Path| Some((id(path).filter(|one| Some(*one) != own)?, path.into()));
        Self { own, others: paths.into_iter().filter_map(other).collect() }
    }

    /// Like [`Self::among`], for roots whose directories are known. No root is accessed.
    pub(crate) fn known<'a>(roots: impl Iterator<Item = (&'a Path, Id)>, root: &Path) -> Self {
        let (own, others): (Vec<_>, Vec<_>) = roots.partition(|(path, _)| *path == root);
        let own = own.first().map(|(_, id)| *id);
        let others = others.into_iter().filter(|(_, id)| Some(*id) != own);
        Self { own, others: others.map(|(path, id)| (id, path.to_owned())).collect() }
    }

    /// The other root that this directory is, reached from the root without a symbolic link as the
    /// last component.
    pub(crate) fn at(&self, directory: &Path) -> Option<&Path> {
        // Usually there is none, and the directory is not examined.
        if self.others.is_empty() { None } else { self.find(id(directory)?) }
    }

    /// The other root to which the content of `directory` belongs, if `directory` is a symbolic
    /// link: the innermost root that the target is in. `None` if that is the root itself, or if the
    /// target is in no root.
    pub(crate) fn behind(&self, link: &Path) -> Option<&Path> {
        if self.others.is_empty() {
            return None;
        }
        let target = fs::canonicalize(link).ok()?;
        let is_root = |id: &Id| Some(*id) == self.own || self.find(*id).is_some();
        self.find(target.ancestors().filter_map(id).find(is_root)?)
    }

    /// The other root to which a file in this directory of the root would belong. The directory
    /// need not exist.
    pub(crate) fn around(&self, directory: &Path) -> Option<&Path> {
        if self.others.is_empty() {
            return None;
        }
        self.behind(directory.ancestors().find(|path| path.exists())?)
    }

    fn find(&self, id: Id) -> Option<&Path> {
        self.others.iter().find(|(other, _)| *other == id).map(|(_, path)| path.as_path())
    }
}

/// `None` if there is no directory.
pub(crate) fn id(path: &Path) -> Option<Id> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::OtherRoots;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_innermost_root_owns_a_directory() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        for directory in ["r/o", "r/nest/o", "r/nest/deep/o", "far/o", "none"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        let link = |name: &str, target: &str| symlink(at(target), at(name)).unwrap();
        link("r/to-far", "far/o");
        link("r/to-none", "none");
        link("r/nest/to-own", "r/nest/o");
        link("r/nest/to-outer", "r/o");
        link("far-link", "far");
        link("r-again", "r");
        let roots = ["r", "r/nest", "r/nest/deep", "far-link", "r-again", "absent"].map(at);
        let of = |root: &Path| OtherRoots::among(roots.iter().map(PathBuf::as_path), root);
        let (outer, nest) = (of(&roots[0]), of(&roots[1]));
        assert_eq!(outer.at(&at("r/nest")), Some(roots[1].as_path()));
        assert_eq!(outer.at(&at("r/o")), None);
        assert_eq!(outer.at(&at("r-again")), None, "the root itself");
        assert_eq!(outer.behind(&at("r/to-far")), Some(roots[3].as_path()));
        assert_eq!(outer.behind(&at("r/to-none")), None);
        assert_eq!(nest.behind(&at("r/nest/to-own")), None);
        assert_eq!(nest.behind(&at("r/nest/to-outer")), Some(roots[0].as_path()));
        assert_eq!(outer.around(&at("r/nest/new/o")), Some(roots[1].as_path()));
        assert_eq!(outer.around(&at("r/nest/deep/new")), Some(roots[2].as_path()));
        assert_eq!(outer.around(&at("r/to-far/new")), Some(roots[3].as_path()));
        assert_eq!(outer.around(&at("r/new")), None);
        assert_eq!(nest.around(&at("r/nest/new")), None);
        let ids = roots.iter().filter_map(|root| Some((root.as_path(), super::id(root)?)));
        let known = OtherRoots::known(ids, &roots[0]);
        assert_eq!((known.own, &known.others), (outer.own, &outer.others));
        let only = OtherRoots::among([at("r").as_path()].into_iter(), &at("r"));
        assert_eq!(only.at(&at("r/nest")), None);
    }
}
