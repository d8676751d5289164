//! Prints one line for each path of a squashfs: `walk FILE [OFFSET [SIZE]]`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use sifcache_squashfs::listing::listing;
use sifcache_squashfs::reader::Reader;
use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let file = File::open(words.next().ok_or("usage: walk FILE [OFFSET [SIZE]]")?)?;
    let mut number = || words.next().map(|word| word.to_string_lossy().parse::<u64>()).transpose();
    let (offset, size) = (number()?.unwrap_or(0), number()?);
    let size = size.unwrap_or(file.metadata()?.len().saturating_sub(offset));
    let mut output = io::stdout().lock();
    for line in listing(&Reader::open(file, offset, size)?)? {
        writeln!(output, "{line}")?;
    }
    Ok(())
}
