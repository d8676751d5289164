//! Opens the files of a log at the places that were saved.

use super::{Generation, OpenFile, Place};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

/// The files that were found for places.
pub(super) struct Opened {
    pub(super) files: Vec<(OpenFile, bool)>,
    /// Whether the file of the last place is among them.
    pub(super) has_last: bool,
    /// The number of places that were not found.
    pub(super) lost: u64,
    /// The number of files that cannot be read.
    pub(super) unreadable: u64,
    pub(super) problem: Option<String>,
}

/// Opens the files of these places, and all later ones; without places, those that were changed after
/// `since`. Files in `closed` continue after the part that was read.
///
/// # Errors
/// The current file cannot be read.
pub(super) fn open_all(
    all: &[Generation],
    places: &[Place],
    since: SystemTime,
    closed: &[Place],
) -> io::Result<Opened> {
    let mut opened =
        Opened { files: Vec::new(), has_last: true, lost: 0, unreadable: 0, problem: None };
    let mut found: Vec<(usize, OpenFile)> = Vec::new();
    // The earliest time at which a file was changed whose lines have not been read.
    let mut boundary = places.is_empty().then_some(since);
    // Files that were empty come last, because only their inodes identify them, and another file can
    // have the inode of one that was removed.
    let mut order: Vec<(usize, &Place)> = places.iter().enumerate().collect();
    order.sort_by_key(|(number, place)| (place.offset == 0, *number));
    for (number, place) in order {
        let used: BTreeSet<usize> = found.iter().map(|(index, _)| *index).collect();
        let file = resume(all, place, &used)?;
        opened.lost += u64::from(file.is_none() && place.offset > 0);
        let is_current = file.as_ref().and_then(|(index, _)| Some(all.get(*index)?.is_current));
        let is_last = number + 1 == places.len();
        if is_last {
            opened.has_last = file.is_some();
        }
        if is_current.is_none_or(|is_current| is_last && !is_current) {
            let changed = SystemTime::from(place.changed);
            boundary = Some(boundary.map_or(changed, |boundary| boundary.min(changed)));
        }
        found.extend(file);
    }
    opened.add_later(all, found, boundary, closed)?;
    Ok(opened)
}

impl Opened {
    /// Adds the files that were found, and opens those that were changed after `boundary`.
    fn add_later(
        &mut self,
        all: &[Generation],
        mut found: Vec<(usize, OpenFile)>,
        boundary: Option<SystemTime>,
        closed: &[Place],
    ) -> io::Result<()> {
        for (index, one) in all.iter().enumerate() {
            if let Some(at) = found.iter().position(|(other, _)| *other == index) {
                self.files.push((found.swap_remove(at).1, one.is_current));
            } else if one.is_current || boundary.is_some_and(|boundary| one.modified >= boundary) {
                match begin(&one.path, closed) {
                    Ok(file) => self.files.push((file, one.is_current)),
                    Err(error) if one.is_current => return Err(error),
                    Err(error) => {
                        self.unreadable += 1;
                        self.problem = Some(format!("{}: {error}", one.path.display()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Opens a file at its beginning, or after the part that was read before it was closed.
fn begin(path: &Path, closed: &[Place]) -> io::Result<OpenFile> {
    for place in closed.iter().rev().filter(|place| place.offset > 0) {
        if let Some(file) = OpenFile::resume(path, place)? {
            return Ok(file);
        }
    }
    OpenFile::begin(path)
}

/// Opens the file that has this place. The newest is tried first.
fn resume(
    all: &[Generation],
    place: &Place,
    used: &BTreeSet<usize>,
) -> io::Result<Option<(usize, OpenFile)>> {
    let unused = all.iter().enumerate().rev().filter(|(index, _)| !used.contains(index));
    // Nothing identifies the content of a file that was empty. If it is still the current one,
    // lines may have been written, copied to another file and removed meanwhile.
    let changed = SystemTime::from(place.changed);
    let may_be =
        |one: &Generation| place.offset > 0 || (!one.is_current && one.modified >= changed);
    for (index, one) in unused.filter(|(_, one)| may_be(one)) {
        match OpenFile::resume(&one.path, place) {
            Ok(Some(file)) => return Ok(Some((index, file))),
            Err(error) if one.is_current && error.kind() != ErrorKind::NotFound => {
                return Err(error);
            }
            // A file that cannot be read, for example because it is compressed in another way.
            Ok(None) | Err(_) => {}
        }
    }
    Ok(None)
}
