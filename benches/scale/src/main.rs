//! `scale-inputs root DIR IMAGES` makes an image root, and `scale-inputs log FILE LINES NODES ROOT
//! IMAGES` makes a log about it.

use scale_inputs::{log::Log, root};
use std::error::Error;
use std::path::Path;

const USAGE: &str = "usage: scale-inputs root DIR IMAGES | log FILE LINES NODES ROOT IMAGES";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["root", directory, images] => root::write(Path::new(directory), images.parse()?)?,
        ["log", file, lines, nodes, root, images] => {
            let (lines, nodes, images) = (lines.parse()?, nodes.parse()?, images.parse()?);
            Log { lines, nodes, images, root: Path::new(root) }.write(Path::new(file))?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
