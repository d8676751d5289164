//! Writes random images, or compares two file systems:
//!
//! ```text
//! images write FIRST COUNT DIRECTORY    DIRECTORY/SEED becomes the OCI layout of each seed
//! images show SEED                      the entries of the layers
//! images compare A B                    both files are the output of `unsquashfs -pf -`
//! ```

use image_fixture::archive::Kind;
use image_fixture::{difference, generator, listing};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, io};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", first, count, directory] => {
            write(first.parse()?, count.parse()?, Path::new(directory))?;
        }
        ["show", seed] => show(seed.parse()?, &mut io::stdout())?,
        ["compare", a, b] => return compare(a, b, &mut io::stdout()),
        _ => return Err("images write|show|compare: see the source".into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn write(first: u64, count: u64, directory: &Path) -> Result<()> {
    for seed in first..first + count {
        let (blobs, named) = generator::image(seed).blobs("amd64")?;
        blobs.write(&named, &directory.join(seed.to_string()))?;
    }
    Ok(())
}

fn show(seed: u64, out: &mut impl io::Write) -> Result<()> {
    let image = generator::image(seed);
    for (number, layer) in image.layers.iter().enumerate() {
        writeln!(out, "layer {number}: {:?} {}", layer.compression, layer.media_type)?;
        for entry in &layer.entries {
            let kind = shown(&entry.kind);
            let name = String::from_utf8_lossy(&entry.path);
            let (mode, owner) = (entry.mode, (entry.uid, entry.gid));
            let xattrs: Vec<&str> = entry.xattrs.iter().map(|(name, _)| name.as_str()).collect();
            let time = (entry.mtime, entry.nanoseconds);
            let format = entry.format;
            writeln!(out, "  {name:?} {kind} {mode:o} {owner:?} {time:?} {xattrs:?} {format:?}")?;
        }
    }
    writeln!(out, "config: {}", image.config)?;
    Ok(())
}

fn compare(a: &str, b: &str, out: &mut impl io::Write) -> Result<ExitCode> {
    let read = |path: &str| -> Result<listing::Listing> {
        Ok(listing::parse(&fs::read(path)?).ok_or(path.to_owned())?)
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let lines = difference::differences(&read(a)?, &read(b)?, i64::try_from(now)?);
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    Ok(ExitCode::from(u8::from(!lines.is_empty())))
}

fn shown(kind: &Kind) -> String {
    match kind {
        Kind::File(content) => format!("File {} bytes", content.len()),
        Kind::Symlink(target) => format!("Symlink {:?}", String::from_utf8_lossy(target)),
        Kind::Hardlink(target) => format!("Hardlink {:?}", String::from_utf8_lossy(target)),
        Kind::Sparse(sparse) => {
            let segments = sparse.segments.iter().map(|(at, data)| (at, data.len()));
            format!("Sparse {} {:?}", sparse.size, segments.collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}
