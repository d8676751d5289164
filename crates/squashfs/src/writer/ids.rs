//! The owners and groups: inodes refer to them by their index in this table.

use super::error::Error;
use std::collections::HashMap;

/// The table, with each number once.
#[derive(Debug, Default)]
pub(super) struct Ids {
    list: Vec<u32>,
    index: HashMap<u32, u16>,
}

impl Ids {
    /// The index of a number.
    ///
    /// # Errors
    /// There are more than 65535 numbers: the superblock counts them with 16 bits.
    pub(super) fn index(&mut self, id: u32) -> Result<u16, Error> {
        if let Some(index) = self.index.get(&id) {
            return Ok(*index);
        }
        let index = u16::try_from(self.list.len()).ok().filter(|index| *index < u16::MAX);
        let index = index.ok_or(Error::TooMany("owners and groups"))?;
        self.list.push(id);
        self.index.insert(id, index);
        Ok(index)
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.list.len()).unwrap_or(u16::MAX)
    }

    /// The table: 4 bytes for each number.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.list.iter().flat_map(|id| id.to_le_bytes()).collect()
    }
}
