//! The images that this node already has.

use super::receive;
use crate::cache::image_name;
use crate::cache::reserve;
use crate::cache::store::Store;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::scan::{self, Image};
use crate::commands::stage::message::{Copy, Item, Reply};
use crate::error::Failure;
use crate::ui::progress::Progress;
use std::fs;
use std::path::Path;

/// Whether an image with this content is present, and if not, whether there is space for it. `room`
/// is the space in bytes that remains after the previous images; `None` if it is unknown.
///
/// # Errors
/// There is not enough space, or another file has its name.
pub(super) fn query(store: &Store, item: &Item, room: &mut Option<u64>) -> Result<Reply, Failure> {
    let (reference, name) = (item.reference.clone(), item.name()?);
    store.can_hold(&name)?;
    if is_present(store, item, &name)? {
        return Ok(Reply::Present { reference });
    }
    if let Some(free) = room {
        if *free < item.size {
            return Err(reserve::too_little(store.root(), item.size, *free));
        }
        *free -= item.size;
    }
    Ok(Reply::Missing { reference })
}

/// Whether an image with this content is present. Compares the recorded SHA-256, or that of the file if
/// there is no record.
///
/// # Errors
/// The file cannot be read.
pub(super) fn is_present(store: &Store, item: &Item, name: &str) -> Result<bool, Failure> {
    let path = store.path(name);
    let metadata = fs::metadata(&path).ok();
    let Some(metadata) = metadata.filter(|metadata| metadata.len() == item.size) else {
        return Ok(false);
    };
    if !store.is_image(name) {
        return Ok(false);
    }
    let record = metadata::modified(&metadata)
        .and_then(|time| Record::load(store.root(), name, item.size, time));
    let sha256 = match record {
        Some(record) => record.sha256,
        None => receive::read(&path, &Progress::new(true))?.sha256,
    };
    Ok(sha256 == item.sha256)
}

/// Passes each image under the root to `say`.
///
/// # Errors
/// A directory cannot be read, or `say` failed.
pub(super) fn list(
    root: &Path,
    others: &OtherRoots,
    say: &mut dyn FnMut(Copy) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let images = scan::images(root, others).map_err(|(path, error)| Failure::read(&path, error))?;
    images.iter().try_for_each(|image| say(copy(image)))
}

fn copy(image: &Image) -> Copy {
    let name = || image.names.first().cloned().unwrap_or_default();
    Copy {
        reference: image.references().first().map_or_else(name, image_name::short),
        size: image.size,
        sha256: image.record.as_ref().map(|record| record.sha256.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::{OtherRoots, list, query};
    use crate::cache::store::tests::{sif, store};
    use crate::commands::stage::message::{Copy, Item, Reply};
    use crate::exit::Exit;
    use sif_fixture::SMALLEST;

    #[test]
    fn presence_and_space_are_reported() {
        let (_directory, store) = store();
        sif(&store.path("o/i:1"), 1);
        let content =
            super::receive::read(&store.path("o/i:1"), &super::Progress::new(true)).unwrap();
        let mut item = Item {
            reference: "o/i:1".to_owned(),
            size: SMALLEST,
            sha256: content.sha256,
            digests: Vec::new(),
            source: "-".to_owned(),
            runtime: None,
        };
        let mut room = Some(SMALLEST + 72);
        let reply = query(&store, &item, &mut room).unwrap();
        assert_eq!(
            (reply, room),
            (Reply::Present { reference: "o/i:1".to_owned() }, Some(SMALLEST + 72))
        );
        // The same size, but different content.
        sif(&store.path("o/i:1"), 2);
        let reply = query(&store, &item, &mut room).unwrap();
        assert_eq!((reply, room), (Reply::Missing { reference: "o/i:1".to_owned() }, Some(72)));
        item.reference = "o/i:2".to_owned();
        let failure = query(&store, &item, &mut room).unwrap_err();
        assert_eq!(failure.exit(), Exit::CANT_CREATE);
        assert!(failure.to_string().starts_with("not enough space: about 714 B"), "{failure}");
        // If the free space is unknown, it is assumed to be sufficient.
        assert!(query(&store, &item, &mut None).is_ok());
        let mut copies = Vec::new();
        list(store.root(), &OtherRoots::default(), &mut |copy| {
            copies.push(copy);
            Ok(())
        })
        .unwrap();
        assert_eq!(copies, [Copy { reference: "o/i:1".to_owned(), size: SMALLEST, sha256: None }]);
    }
}
