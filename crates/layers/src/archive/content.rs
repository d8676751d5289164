//! The content of the current entry.

use super::Entries;
use crate::error::Failure;
use std::io::{Error, ErrorKind, Read, Result};

/// The content of the current entry. Reading it to its end checks that the archive has all of it.
#[derive(Debug)]
pub struct Content<'a, R> {
    entries: &'a mut Entries<R>,
    failure: Option<Failure>,
}

impl<'a, R: Read> Content<'a, R> {
    pub(super) fn new(entries: &'a mut Entries<R>) -> Self {
        Self { entries, failure: None }
    }

    /// Why reading failed, if it failed. For a sparse file that was read to its end, checks that
    /// the archive has no further data of it.
    #[must_use]
    pub fn finish(mut self) -> Option<Failure> {
        if self.failure.is_none() && self.entries.sparse.is_some() {
            // A failure is kept in the field.
            let _: Result<usize> = self.read(&mut [0]);
        }
        self.failure
    }

    /// Bytes of the data of the entry in the archive.
    fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.entries.data).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        match self.entries.read_some(buffer) {
            Ok(0) => self.fail(Failure::damaged("it ends in the content of a file")),
            Ok(read) => {
                self.entries.data = self.entries.data.saturating_sub(read as u64);
                Ok(read)
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// Bytes of a sparse file: data in a fragment, zeros between fragments.
    fn read_sparse(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(map) = &mut self.entries.sparse else { return Ok(0) };
        while map.fragments.front().is_some_and(|next| next.end <= map.position) {
            map.fragments.pop_front();
        }
        let next = map.fragments.front().copied();
        let is_hole = next.is_none_or(|next| map.position < next.start);
        let end = next.map_or(map.size, |next| if is_hole { next.start } else { next.end });
        let left = usize::try_from(end.saturating_sub(map.position)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let Some(part) = buffer.get_mut(..most).filter(|part| !part.is_empty()) else {
            return self.end_of_sparse(map_is_read(self.entries));
        };
        let read = if is_hole {
            part.fill(0);
            most
        } else {
            self.read_data(part)?
        };
        if read == 0 {
            return self.fail(Failure::damaged("a sparse file has less data than its map"));
        }
        if let Some(map) = &mut self.entries.sparse {
            map.position = map.position.saturating_add(read as u64);
        }
        Ok(read)
    }

    /// The end of a sparse file. Data that the map does not mention is an error.
    fn end_of_sparse(&mut self, is_read: bool) -> Result<usize> {
        if is_read && self.entries.data > 0 {
            return self.fail(Failure::damaged("a sparse file has more data than its map"));
        }
        Ok(0)
    }

    fn fail(&mut self, failure: Failure) -> Result<usize> {
        let error = Error::new(ErrorKind::InvalidData, failure.to_string());
        self.failure = Some(failure);
        Err(error)
    }
}

fn map_is_read<R>(entries: &Entries<R>) -> bool {
    entries.sparse.as_ref().is_none_or(|map| map.position >= map.size)
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.entries.sparse.is_some() {
            self.read_sparse(buffer)
        } else {
            self.read_data(buffer)
        }
    }
}
