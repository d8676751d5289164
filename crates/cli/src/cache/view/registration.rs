//! The record of the views: `.sifcache/views.json` in the last image root of each view.

use super::View;
use crate::cache::store::{STATE, Store, cannot_write, metadata, path_trust};
use crate::error::Failure;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Registered {
    views: Vec<View>,
}

/// The path of the record under an image root.
pub(crate) fn path(root: &Path) -> PathBuf {
    root.join(STATE).join("views.json")
}

/// The views that are registered in one of these image roots.
///
/// # Errors
/// The same as for [`in_root`].
pub(crate) fn all(roots: &[PathBuf]) -> Result<Vec<View>, Failure> {
    let mut views: Vec<View> = Vec::new();
    for root in roots {
        for view in in_root(root)? {
            if !views.contains(&view) {
                views.push(view);
            }
        }
    }
    Ok(views)
}

/// The views that are registered in this image root.
///
/// # Errors
/// The record cannot be read or is damaged, or an ordinary user other than the caller could have
/// written it: a command would create links in directories that this user has chosen.
pub(crate) fn in_root(root: &Path) -> Result<Vec<View>, Failure> {
    let path = path(root);
    let bytes = match metadata::read(&path) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Failure::read(&path, error)),
        Ok(bytes) => bytes,
    };
    path_trust::refuse(&root.join(STATE))?;
    let registered: Registered =
        serde_json::from_slice(&bytes).map_err(|error| Failure::Views { path, error })?;
    Ok(registered.views)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Registers `view` in `store`, which is its last image root, in place of a view with the same
/// directory.
///
/// # Errors
/// The record cannot be read or written.
pub(crate) fn add(store: &Store, view: &View) -> Result<(), Failure> {
    change(store, |views| match views.iter_mut().find(|one| one.directory == view.directory) {
        Some(one) => *one = view.clone(),
        None => views.push(view.clone()),
    })
}

/// Removes the view in this directory from the record in `store`.
///
/// # Errors
/// The record cannot be read or written.
pub(crate) fn remove(store: &Store, directory: &Path) -> Result<(), Failure> {
    change(store, |views| views.retain(|one| one.directory != directory))
}

fn change(store: &Store, change: impl FnOnce(&mut Vec<View>)) -> Result<(), Failure> {
    let _lock = store.lock("views registered here", &|| ())?;
    let mut views = in_root(store.root())?;
    let before = views.clone();
    change(&mut views);
    if views == before {
        return Ok(());
    }
    let path = path(store.root());
    let bytes = serde_json::to_vec_pretty(&Registered { views }).map_err(io::Error::from);
    let written = bytes.and_then(|bytes| metadata::write(store, &path, &bytes));
    written.map_err(|error| cannot_write(&path, error))
}
