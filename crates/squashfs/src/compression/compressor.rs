//! Compresses blocks, one after the other, on one thread.
//!
//! gzip is libdeflate, which compresses whole blocks and needs no stream. Blocks of 128 KiB of
//! shared libraries, one core, MB of input a second and size of the result:
//!
//! | level | libdeflate | | zlib-rs | | zstd | |
//! | --: | --: | --: | --: | --: | --: | --: |
//! | 1 | 198 | 45.7 % | 220 | 54.6 % | 568 | 47.1 % |
//! | 3 | | | | | 357 | 44.3 % |
//! | 4 | 137 | 43.2 % | 90 | 44.4 % | | |
//! | 5 | 116 | 42.3 % | | | | |
//! | 6 | 101 | 42.1 % | 75 | 44.0 % | | |
//! | 9 | 42 | 42.0 % | 27 | 42.5 % | | |

use super::Compression;
use super::incompressible::Detector;
use libdeflater::CompressionLvl;
use std::io;

/// The state of a compression; each thread has its own.
pub(crate) struct Compressor {
    engine: Engine,
    detector: Detector,
}

enum Engine {
    Gzip(libdeflater::Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Compressor {
    /// # Errors
    /// There is not enough memory, or the library does not have this level.
    pub(crate) fn new(compression: Compression) -> io::Result<Self> {
        let engine = match compression {
            Compression::Gzip(level) => {
                let level = i32::try_from(level).map_err(io::Error::other)?;
                let level = CompressionLvl::new(level);
                let level = level.map_err(|_| io::Error::other("this level does not exist"))?;
                Engine::Gzip(libdeflater::Compressor::new(level))
            }
            Compression::Zstd(level) => Engine::Zstd(zstd::bulk::Compressor::new(level)?),
        };
        Ok(Self { engine, detector: Detector::new()? })
    }

    /// Compresses `input` into `output`, which grows if necessary. Returns the length of the result
    /// at its beginning, or `None` if it is not smaller by enough: the block is then stored as it
    /// is.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut Vec<u8>) -> Option<usize> {
        let most = input.len().checked_sub(1)?;
        // A buffer that was used before has this size, so that nothing is cleared.
        if output.len() < most {
            output.resize(most, 0);
        }
        let output = output.get_mut(..most)?;
        match &mut self.engine {
            _ if self.detector.is_incompressible(input, output) => None,
            // Both compressions fail if the result does not fit.
            Engine::Gzip(engine) => engine.zlib_compress(input, output).ok(),
            Engine::Zstd(engine) => engine.compress_to_buffer(input, output).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random bytes: xorshift64.
    fn random(count: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            for (left, by) in [(true, 13), (false, 7), (true, 17)] {
                state ^= if left { state << by } else { state >> by };
            }
            state.to_le_bytes()
        };
        (0..count.div_ceil(8)).flat_map(|_| next()).take(count).collect()
    }

    #[test]
    fn blocks_that_save_too_little_are_stored() {
        for compression in [Compression::GZIP, Compression::ZSTD] {
            let mut compressor = Compressor::new(compression).unwrap();
            let (mut block, mut output) = (random(128 << 10), Vec::new());
            for (repeated, compresses) in [(0, false), (700, false), (20_000, true)] {
                block.copy_within(..repeated, 25_000);
                let length = compressor.compress(&block, &mut output);
                assert_eq!(length.is_some(), compresses, "{compression} {repeated} {length:?}");
            }
            let text = b"text".repeat(1000);
            let length = compressor.compress(&text, &mut output).unwrap();
            assert!(length < 100, "{compression} {length}");
            assert!(output.len() > 100 << 10, "a larger buffer stays as it is");
        }
    }
}
