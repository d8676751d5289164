//! Reads extended attributes.
//!
//! ```text
//! header of the table:  0  offset of the attributes    8  number of entries, 32 bit   16  index
//! attribute:  0  prefix, 16 bit   2  length of the name after the prefix, 16 bit   4  that name
//!             length of the value, 32 bit, and the value
//! prefix:     0 user.  1 trusted.  2 security.
//!             + 0x100: the value is elsewhere, and these 8 bytes are its reference
//! ```

use super::Damage;
use super::budget::Budget;
use super::bytes::{u16_at, u32_at, u64_at};
use super::metadata::{Metadata, Stream};
use super::table::Table;
use crate::tables::MISSING;
use crate::tree::Xattrs;

/// The prefixes of names, by their number.
const PREFIXES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
/// The bit of a prefix that marks a value that is stored elsewhere.
const ELSEWHERE: u16 = 0x100;
/// The maximum length of a value in bytes on Linux.
const LONGEST: usize = 65536;
/// The memory of a name and a value in a map, besides their bytes.
const ENTRY: usize = 64;

/// A full name, and its value.
type Attribute = (Box<[u8]>, Box<[u8]>);

/// The extended attributes of a file system.
#[derive(Debug)]
pub(super) struct Attributes {
    /// The start and the end of the attributes, in bytes from the superblock.
    range: (u64, u64),
    /// The attributes of each number that inodes have.
    table: Table,
}

impl Attributes {
    pub(super) fn new(metadata: &Metadata<'_>) -> Result<Self, Damage> {
        let reader = metadata.reader();
        let at = reader.superblock.tables.xattrs;
        if at == MISSING {
            return Ok(Self { range: (at, at), table: Table::new(MISSING, 0_u32, 16) });
        }
        let header = reader.bytes(at, 16)?;
        let (start, count) = (u64_at(&header, 0), u32_at(&header, 8));
        let table = Table::new(at.saturating_add(16), count, 16);
        let end = table.first(metadata)?.unwrap_or(at);
        Ok(Self { range: (start, end), table })
    }

    /// Reads everything, without looking at the attributes.
    pub(super) fn finish(&self, metadata: &Metadata<'_>) -> Result<(), Damage> {
        self.table.each(metadata, |_| Ok(()))?;
        metadata.stream(self.range.0, self.range.1).finish()
    }

    /// The attributes with this number.
    pub(super) fn get(
        &self,
        metadata: &Metadata<'_>,
        number: u32,
        budget: &mut Budget,
    ) -> Result<Xattrs, Damage> {
        let entry = self.table.get(metadata, number.into())?;
        let mut stream = metadata.stream_at(self.range, u64_at(&entry, 0))?;
        let mut xattrs = Xattrs::new();
        for _ in 0..u32_at(&entry, 8) {
            let (name, value) = self.attribute(metadata, &mut stream, budget)?;
            if xattrs.insert(name, value).is_some() {
                return Err(Damage::at(stream.here(), "an extended attribute with two values"));
            }
        }
        Ok(xattrs)
    }

    fn attribute(
        &self,
        metadata: &Metadata<'_>,
        stream: &mut Stream<'_>,
        budget: &mut Budget,
    ) -> Result<Attribute, Damage> {
        let head: [u8; 4] = stream.array()?;
        let (prefix, size) = (u16_at(&head, 0), usize::from(u16_at(&head, 2)));
        let Some(start) = PREFIXES.get(usize::from(prefix & !ELSEWHERE)) else {
            return Err(Damage::at(stream.here(), "an extended attribute of an unknown type"));
        };
        budget.take(stream.here(), ENTRY + start.len() + size)?;
        let name = [start, stream.take(size)?.as_slice()].concat();
        let value = value(stream, budget)?;
        if prefix & ELSEWHERE == 0 {
            return Ok((name.into(), value.into()));
        }
        let Ok(reference) = <[u8; 8]>::try_from(value.as_slice()).map(u64::from_le_bytes) else {
            return Err(Damage::at(stream.here(), "an invalid reference of an extended attribute"));
        };
        let mut elsewhere = metadata.stream_at(self.range, reference)?;
        let value = self::value(&mut elsewhere, budget)?;
        Ok((name.into(), value.into()))
    }
}

fn value(stream: &mut Stream<'_>, budget: &mut Budget) -> Result<Vec<u8>, Damage> {
    let size = u32::from_le_bytes(stream.array()?) as usize;
    if size > LONGEST {
        return Err(Damage::at(stream.here(), "an extended attribute that is too long"));
    }
    budget.take(stream.here(), size)?;
    stream.take(size)
}
