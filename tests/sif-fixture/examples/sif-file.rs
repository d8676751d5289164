//! Writes the smallest valid SIF file, for tests that are not written in Rust: `sif-file FILE...`

use std::env;
use std::io;

fn main() -> io::Result<()> {
    env::args_os().skip(1).try_for_each(|path| sif_fixture::Sif::image().write(path))
}
