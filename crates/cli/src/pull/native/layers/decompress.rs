//! Decompresses a layer.
//!
//! The format is recognized by the first bytes, as the runtimes do it: the media type of a layer
//! is often wrong. gzip may have several members (RFC 1952, section 2.2) and zstd several frames,
//! also skippable ones (RFC 8878, section 3.1), but not as the first frame. Checksums inside of the
//! compressed data are checked, and anything else after them is an error.

use super::pipe::{Receiver, Sender};
use super::{LayerError, PART};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of a tar header in bytes.
const HEADER: usize = 512;

/// The limit for the decompressed bytes of all layers.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    most: u64,
    /// The bytes of all layers so far.
    bytes: Arc<AtomicU64>,
}

impl Limit {
    pub(super) fn new(most: u64) -> Self {
        Self { most, bytes: Arc::default() }
    }

    fn add(&self, bytes: usize) -> Result<(), LayerError> {
        let bytes = bytes as u64;
        let sum = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if sum > self.most { Err(LayerError::TooLarge(self.most)) } else { Ok(()) }
    }
}

/// Decompresses a layer. An error is reported to the reader.
pub(super) fn run(data: Receiver, sender: &Sender, limit: &Limit) {
    sender.end(reader(data).and_then(|reader| copy(reader, sender, limit)));
}

fn reader(mut data: Receiver) -> Result<Box<dyn Read>, LayerError> {
    let head = data.peek(HEADER)?;
    Ok(match head {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(data)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(data)?),
        head if is_tar(head) => Box::new(data),
        _ => return Err(LayerError::Format),
    })
}

/// Whether this is the beginning of a tar archive: a header with a valid checksum, or the zeros of
/// an empty archive.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..HEADER) else { return false };
    let is_checksum = |index: &usize| (148..156).contains(index);
    let bytes = header.iter().enumerate().map(|(index, byte)| match is_checksum(&index) {
        true => u32::from(b' '),
        false => u32::from(*byte),
    });
    let stated = header.get(148..156).and_then(|text| str::from_utf8(text).ok());
    let stated = stated.map(|text| text.trim_matches([' ', '\0']));
    let stated = stated.and_then(|text| u32::from_str_radix(text, 8).ok());
    stated == Some(bytes.sum()) || header.iter().all(|byte| *byte == 0)
}

fn copy(mut reader: impl Read, sender: &Sender, limit: &Limit) -> Result<(), LayerError> {
    loop {
        let mut part = sender.part();
        // An error after some data is reported after them.
        let result = fill(&mut reader, &mut part);
        limit.add(part.len())?;
        let is_end = part.is_empty();
        if !is_end && sender.send(part).is_err() {
            // The reader does not need the rest, so this error is not reported.
            return Err(LayerError::Lost);
        }
        result?;
        if is_end {
            return Ok(());
        }
    }
}

/// Replaces the content of `part` with the next [`PART`] bytes, or with all that there are. After
/// an error, the bytes before it are in `part`.
fn fill(reader: &mut impl Read, part: &mut Vec<u8>) -> io::Result<()> {
    // A part that was used before has this size, so that nothing is cleared.
    part.resize(PART, 0);
    let mut length = 0;
    let result = loop {
        let Some(rest) = part.get_mut(length..).filter(|rest| !rest.is_empty()) else {
            break Ok(());
        };
        match reader.read(rest) {
            Ok(0) => break Ok(()),
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    part.truncate(length);
    result
}

#[cfg(test)]
mod tests;
