//! Shows how much memory a merged tree takes: merges a layer with many small files and prints the
//! bytes for each path, as the kernel counts them.
//!
//! ```text
//! cargo run --release -p sifcache-layers --example memory -- [SHAPE [PATHS]]
//! ```
//!
//! `flat` has all files in one directory, `scattered` too, in random order; `tree` has a hundred in
//! each, `single` one in each, and `replaced` is `tree` with a second layer that has the same paths.

use sifcache_layers::{ContentSink, Limits, Merger};
use sifcache_squashfs::tree::ContentId;
use std::error::Error;
use std::io::{self, BufReader, Read, Write as _};

/// Contents that are not kept.
struct Nothing(u32);

impl ContentSink for Nothing {
    type Error = io::Error;

    fn store(
        &mut self,
        _path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> io::Result<Option<ContentId>> {
        io::copy(data, &mut io::sink())?;
        self.0 += 1;
        Ok((size > 0).then_some(ContentId(self.0)))
    }

    fn forget(&mut self, _content: ContentId) {}
}

/// A layer whose entries are made while it is read.
struct Layer {
    shape: String,
    next: u64,
    count: u64,
    block: Vec<u8>,
}

impl Layer {
    fn new(shape: &str, count: u64) -> Self {
        Self { shape: shape.into(), next: 0, count, block: Vec::new() }
    }

    /// The header and the content of the next file.
    fn entry(&mut self) -> io::Result<Vec<u8>> {
        let index = self.next;
        self.next += 1;
        let name = match self.shape.as_str() {
            "flat" => format!("usr/share/file-{index:012}.txt"),
            "scattered" => {
                format!("usr/share/file-{:012}.txt", index.wrapping_mul(0x9e37_79b9) % (1 << 32))
            }
            "single" => format!("usr/share/directory-{index:08}/file"),
            _ => format!(
                "usr/share/d{:03}/e{:03}/file-{index:012}",
                index / 100_000,
                index / 100 % 1000
            ),
        };
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_mode(0o644);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_mtime(1_700_000_000);
        header.set_size(1);
        header.set_cksum();
        let mut entry = header.as_bytes().to_vec();
        entry.resize(1024, 0);
        Ok(entry)
    }
}

impl Read for Layer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() && self.next < self.count {
            self.block = self.entry()?;
        }
        let count = self.block.as_slice().read(buffer)?;
        self.block.drain(..count);
        Ok(count)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let shape = arguments.next().unwrap_or_else(|| "tree".into());
    let count = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let before = memory()?;
    let mut merger = Merger::new(Limits::default(), 0);
    let mut sink = Nothing(0);
    for _ in 0..if shape == "replaced" { 2 } else { 1 } {
        merger.layer(BufReader::new(Layer::new(&shape, count)), &mut sink)?;
    }
    let merged = merger.finish();
    let bytes = memory()?.saturating_sub(before);
    let paths = merged.tree.len() as u64;
    writeln!(io::stdout(), "{shape}: {paths} paths, {} bytes each at the peak", bytes / paths)?;
    Ok(())
}

/// The peak of the memory of this process in bytes.
fn memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: u64 =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?.parse()?;
    Ok(kibibytes * 1024)
}
