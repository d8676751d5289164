//! A fast test for blocks that do not compress.
//!
//! deflate searches for matches at every position of a block, whether it finds any or not, so random
//! data takes as long as any other: it processes 128 MB a second, or 71 with zlib-rs. zstd skips ahead
//! while it finds no match. Its level 3 still processes only 1,000 MB of random data a second, because
//! it has two tables to fill; its level 1 processes 15,000. So level 1 is tried first, but only on
//! blocks in which a sample of the bytes is as evenly distributed as random data; on all other blocks,
//! its time would be wasted. Of compressed files (png, gz, xz), deflate saves 0.7 % and zstd 0.2 %.

use std::io;

/// The number of samples of a block, and the length of each in bytes.
const SAMPLES: usize = 16;
const SAMPLE: usize = 256;
/// Twice the expected sum of the squares of the counts of random bytes.
const LIMIT: u32 = 2 * (SAMPLES * SAMPLE * SAMPLES * SAMPLE / 256) as u32;

/// The detector with the state of zstd; each thread has its own.
pub(super) struct Detector(zstd::bulk::Compressor<'static>);

impl Detector {
    pub(super) fn new() -> io::Result<Self> {
        zstd::bulk::Compressor::new(1).map(Self)
    }

    /// Whether compression would save less than 1 byte in 128. `scratch` is overwritten.
    pub(super) fn is_incompressible(&mut self, block: &[u8], scratch: &mut [u8]) -> bool {
        let limit = block.len() - block.len() / 128;
        let scratch = scratch.get_mut(..limit.min(scratch.len())).unwrap_or_default();
        looks_random(block) && self.0.compress_to_buffer(block, scratch).is_err()
    }
}

/// Whether no value of a byte is much more frequent in a sample than in random data.
fn looks_random(block: &[u8]) -> bool {
    let step = block.len() / SAMPLES;
    if step < SAMPLE {
        return false;
    }
    let mut counts = [0_u32; 256];
    // The sum of squares is 16 * 4096 + 4096 for random bytes, give or take 2000. Text has ten
    // times as much, programs thirty times, so the sample of most blocks ends early.
    let mut squares = 0;
    for sample in block.chunks(step).filter_map(|chunk| chunk.get(..SAMPLE)) {
        for byte in sample {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                squares += 2 * *count + 1;
                *count += 1;
            }
        }
        if squares >= LIMIT {
            return false;
        }
    }
    true
}
