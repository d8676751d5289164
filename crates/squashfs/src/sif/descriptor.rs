//! An object of a SIF file: its descriptor in the table, and its data.

use super::Error;

/// The length of a descriptor in bytes.
pub const DESCRIPTOR: usize = 585;

const PARTITION: i32 = 0x4004;
const PRIMARY: i32 = 2;

/// An object with its descriptor.
#[derive(Debug, Clone)]
pub struct Object {
    descriptor: [u8; DESCRIPTOR],
    /// The data, which may be replaced; empty for the primary partition.
    pub data: Vec<u8>,
}

impl Object {
    pub(super) fn new(descriptor: [u8; DESCRIPTOR]) -> Self {
        Self { descriptor, data: Vec::new() }
    }

    /// The bytes of the descriptor.
    #[must_use]
    pub fn descriptor(&self) -> &[u8; DESCRIPTOR] {
        &self.descriptor
    }

    /// The code of the data type: 0x4001 is a definition file, 0x4004 a partition, 0x4006 JSON.
    #[must_use]
    pub fn data_type(&self) -> i32 {
        self.code(0)
    }

    /// The name, up to its first zero byte.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let name = self.descriptor.get(73..201).unwrap_or_default();
        name.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Whether this is the primary system partition.
    #[must_use]
    pub fn is_primary_partition(&self) -> bool {
        self.is_in_use() && self.data_type() == PARTITION && self.code(205) == PRIMARY
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.descriptor.get(4).is_some_and(|used| *used != 0)
    }

    /// The offset and size of the data in bytes; `None` if one of them is invalid.
    #[must_use]
    pub fn place(&self) -> Option<(u64, u64)> {
        let number = |at: usize| {
            let bytes = self.descriptor.get(at..)?.first_chunk()?;
            u64::try_from(i64::from_le_bytes(*bytes)).ok()
        };
        let (offset, size) = (number(17)?, number(25)?);
        offset.checked_add(size).map(|_| (offset, size))
    }

    /// Sets offset and size. The padding begins at `end`, where the object before ends.
    pub(super) fn set_place(&mut self, offset: u64, size: u64, end: u64) -> Result<(), Error> {
        for (at, value) in [(17, offset), (25, size), (33, size + offset.saturating_sub(end))] {
            let value = i64::try_from(value).map_err(|_| Error::TooLarge)?;
            self.set(at, &value.to_le_bytes());
        }
        Ok(())
    }

    pub(super) fn set_architecture(&mut self, code: [u8; 2]) {
        self.set(209, &code);
    }

    fn set(&mut self, at: usize, bytes: &[u8]) {
        self.descriptor.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    }

    fn code(&self, at: usize) -> i32 {
        let bytes = self.descriptor.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| i32::from_le_bytes(*bytes))
    }
}
