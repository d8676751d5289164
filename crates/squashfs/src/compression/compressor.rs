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
pub(crate) struct Compressor(Engine);

enum Engine {
    Gzip(libdeflater::Compressor, Detector),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Compressor {
    /// # Errors
    /// There is not enough memory, or the library does not have this level.
    pub(crate) fn new(compression: Compression) -> io::Result<Self> {
        Ok(Self(match compression {
            Compression::Gzip(level) => {
                let level = i32::try_from(level).map_err(io::Error::other)?;
                let level = CompressionLvl::new(level);
                let level = level.map_err(|_| io::Error::other("this level does not exist"))?;
                Engine::Gzip(libdeflater::Compressor::new(level), Detector::new()?)
            }
            Compression::Zstd(level) => Engine::Zstd(zstd::bulk::Compressor::new(level)?),
        }))
    }

    /// Compresses `input` into `output`, whose content is replaced. Returns whether the result is
    /// smaller; otherwise `output` is of no use, and the block is stored as it is.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool {
        let Some(most) = input.len().checked_sub(1) else { return false };
        output.resize(most, 0);
        let length = match &mut self.0 {
            // Both compressions fail if the result does not fit.
            Engine::Gzip(engine, detector) => match detector.is_incompressible(input, output) {
                true => None,
                false => engine.zlib_compress(input, output).ok(),
            },
            Engine::Zstd(engine) => engine.compress_to_buffer(input, output.as_mut_slice()).ok(),
        };
        output.truncate(length.unwrap_or(0));
        length.is_some()
    }
}
