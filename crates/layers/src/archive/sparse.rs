//! Sparse files in pax archives: formats 0.0 and 0.1 have the map in the pax header, 1.0 has it in
//! front of the data (<https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>).

use super::header::Fields;
use super::number::decimal;
use super::pax::Records;
use super::{BLOCK, Entries};
use crate::error::Failure;
use std::collections::VecDeque;
use std::io::Read;
use tar::EntryType;

/// The most fragments of one sparse file.
const MOST: i64 = 1 << 20;

/// A range of a sparse file that has data. Everything else is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Where the data of a sparse file belongs.
#[derive(Debug)]
pub(super) struct Map {
    /// The fragments that are not read yet, in order.
    pub(super) fragments: VecDeque<Fragment>,
    /// The size of the file.
    pub(super) size: u64,
    /// How much of the file was read.
    pub(super) position: u64,
}

impl Map {
    /// The map of the current entry; `None` if it is not a sparse file. Corrects the name and the size.
    pub(super) fn read<R: Read>(
        entries: &mut Entries<R>,
        fields: &mut Fields,
        records: &Records,
    ) -> Result<Option<Self>, Failure> {
        if fields.kind == EntryType::GNUSparse {
            return Ok(None);
        }
        let Some(in_data) = is_in_data(records) else { return Ok(None) };
        if let Some(name) = records.get("GNU.sparse.name") {
            fields.name = name.to_vec();
        }
        let wrong = || Failure::damaged("a sparse map is not valid");
        if let Some(size) = records.get("GNU.sparse.size").or(records.get("GNU.sparse.realsize")) {
            fields.size = decimal(size).ok_or_else(wrong)?;
        }
        let pairs =
            if in_data { from_data(entries) } else { from_records(records).ok_or_else(wrong) };
        let pairs = pairs?;
        let size = fields.size()?;
        if !fields.has_data() || size > entries.allowance {
            return Err(if fields.has_data() { entries.too_large() } else { wrong() });
        }
        entries.allowance = entries.allowance.saturating_sub(size);
        let fragments = fragments(&pairs, size).ok_or_else(wrong)?;
        Ok(Some(Self { fragments, size, position: 0 }))
    }
}

/// Whether the map is in front of the data. `None` if the records describe no sparse file, or one
/// in an unknown format, which is read as a regular file.
fn is_in_data(records: &Records) -> Option<bool> {
    match (records.get("GNU.sparse.major"), records.get("GNU.sparse.minor")) {
        (Some(b"0"), Some(b"0" | b"1")) => Some(false),
        (Some(b"1"), Some(b"0")) => Some(true),
        (None, None) => {
            let has_map = records.get("GNU.sparse.map").is_some() || !records.pairs.is_empty();
            has_map.then_some(false)
        }
        _ => None,
    }
}

/// The numbers of format 0.1, or of 0.0, where each has a record of its own.
fn from_records(records: &Records) -> Option<Vec<i64>> {
    let count = decimal(records.get("GNU.sparse.numblocks")?).filter(|count| *count >= 0)?;
    let pairs = match records.get("GNU.sparse.map") {
        _ if !records.pairs.is_empty() => records.pairs.clone(),
        None => Vec::new(),
        Some(map) => map.split(|byte| *byte == b',').map(decimal).collect::<Option<_>>()?,
    };
    (i64::try_from(pairs.len()) == Ok(count.checked_mul(2)?)).then_some(pairs)
}

/// The numbers of format 1.0: the count and then the pairs, each on a line of its own, padded to a
/// block.
fn from_data<R: Read>(entries: &mut Entries<R>) -> Result<Vec<i64>, Failure> {
    let wrong = || Failure::damaged("a sparse map is not valid");
    let mut lines = Lines { block: [0; BLOCK], at: BLOCK };
    let count = lines.number(entries)?;
    if !(0..=MOST).contains(&count) {
        return Err(wrong());
    }
    (0..count * 2).map(|_| lines.number(entries)).collect()
}

/// Numbers in lines, read in blocks.
struct Lines {
    block: [u8; BLOCK],
    at: usize,
}

impl Lines {
    fn number<R: Read>(&mut self, entries: &mut Entries<R>) -> Result<i64, Failure> {
        let mut line = Vec::new();
        loop {
            match self.block.get(self.at) {
                Some(b'\n') => break,
                Some(byte) if line.len() < 20 => line.push(*byte),
                Some(_) => return Err(Failure::damaged("a sparse map is not valid")),
                None => {
                    self.at = 0;
                    let mut content = entries.content();
                    let read = content.read_exact(&mut self.block);
                    if let (Err(error), failure) = (read, content.finish()) {
                        return Err(failure.unwrap_or_else(|| Failure::damaged(error)));
                    }
                    continue;
                }
            }
            self.at += 1;
        }
        self.at += 1;
        decimal(&line).ok_or_else(|| Failure::damaged("a sparse map is not valid"))
    }
}

/// The fragments in order, if they are in the file and do not overlap.
fn fragments(pairs: &[i64], size: u64) -> Option<VecDeque<Fragment>> {
    let mut fragments = VecDeque::new();
    let mut before = 0;
    for pair in pairs.chunks_exact(2) {
        let &[start, length] = pair else { return None };
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(length).ok()?)?;
        if end > size || start < before {
            return None;
        }
        before = end;
        fragments.push_back(Fragment { start, end });
    }
    Some(fragments)
}
