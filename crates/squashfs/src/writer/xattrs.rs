//! Extended attributes.
//!
//! ```text
//! a stream of metadata blocks:
//!     for each set, for each attribute of it:
//!         namespace 2 (0 user, 1 trusted, 2 security), length 2, name without namespace
//!         length 4, value
//! a table, one entry a set: position of the first attribute 8, number of attributes 4, size 4
//! ```
//!
//! Inodes refer to a set by its index in the table. Inodes with equal attributes share a set.

use super::error::Error;
use super::metadata::Stream;
use crate::compression::compressor::Compressor;
use crate::tree::Xattrs;
use std::collections::HashMap;

/// The index in inodes without attributes.
pub(super) const NONE: u32 = u32::MAX;
const NAMESPACES: [(&[u8], u16); 3] = [(b"user.", 0), (b"trusted.", 1), (b"security.", 2)];
/// The longest name with its namespace, and the longest value, in bytes: the limits of Linux.
const LONGEST_NAME: usize = 255;
const LONGEST_VALUE: usize = 65536;

/// All sets of attributes.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) attributes: Stream,
    /// The table.
    pub(super) table: Vec<u8>,
    pub(super) count: u32,
    known: HashMap<[u8; 32], u32>,
    /// The number of attributes that were left out: squashfs has three namespaces only.
    pub(super) left_out: u64,
}

impl Sets {
    /// The index of a set, [`NONE`] if it is empty.
    ///
    /// # Errors
    /// A name or value is too long, or there are too many sets.
    pub(super) fn index(
        &mut self,
        compressor: &mut Compressor,
        xattrs: Option<&Xattrs>,
    ) -> Result<u32, Error> {
        let (bytes, number) = self.encode(xattrs)?;
        if number == 0 {
            return Ok(NONE);
        }
        let hash = blake3::hash(&bytes).into();
        if let Some(index) = self.known.get(&hash) {
            return Ok(*index);
        }
        let too_many = || Error::TooMany("extended attributes");
        let size = u32::try_from(bytes.len()).map_err(|_| too_many())?;
        self.table.extend_from_slice(&self.attributes.position().reference().to_le_bytes());
        self.table.extend_from_slice(&number.to_le_bytes());
        self.table.extend_from_slice(&size.to_le_bytes());
        self.attributes.put(compressor, &bytes);
        let index = self.count;
        self.count = index.checked_add(1).filter(|count| *count < NONE).ok_or_else(too_many)?;
        self.known.insert(hash, index);
        Ok(index)
    }

    fn encode(&mut self, xattrs: Option<&Xattrs>) -> Result<(Vec<u8>, u32), Error> {
        let (mut bytes, mut number) = (Vec::new(), 0);
        for (full, value) in xattrs.into_iter().flatten() {
            let split = NAMESPACES.iter().find_map(|(prefix, code)| {
                full.strip_prefix(*prefix)
                    .map(|name| (name, code))
                    .filter(|(name, _)| !name.is_empty())
            });
            let Some((name, code)) = split else {
                self.left_out += 1;
                continue;
            };
            let too_long = |_| Error::Xattr(String::from_utf8_lossy(full).into_owned());
            let (length, size) = (
                u16::try_from(name.len()).map_err(too_long)?,
                u32::try_from(value.len()).map_err(too_long)?,
            );
            if full.len() > LONGEST_NAME || value.len() > LONGEST_VALUE {
                return Err(Error::Xattr(String::from_utf8_lossy(full).into_owned()));
            }
            bytes.extend_from_slice(&code.to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.extend_from_slice(value);
            number += 1;
        }
        Ok((bytes, number))
    }
}
