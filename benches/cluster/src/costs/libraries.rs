//! What the loader has to do for each file.

use super::install::Installed;
use crate::site::kilobytes;
use crate::testbed;
use anyhow::Result;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// A table of the files of each build: sizes, relocations, and libraries that they need.
///
/// # Errors
/// readelf fails.
pub(super) fn table(builds: &[Installed]) -> Result<String> {
    let mut text = "\n| file | commit | KB | relocations | of these relative | packed | needs |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for build in builds {
        let commit = build.older.as_deref().unwrap_or("today");
        for file in &build.files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let [all, relative, packed] = relocations(file)?;
            let (size, needs) = (kilobytes(file)?, needs(file)?);
            let _ = writeln!(
                text,
                "| {name} | {commit} | {size:.0} | {all} | {relative} | {packed} | {needs} |"
            );
        }
    }
    Ok(text)
}

/// The number of relocations, of relative ones, and of those that are packed (`DT_RELR`).
fn relocations(file: &Path) -> Result<[usize; 3]> {
    let said = readelf("--relocs", file)?;
    let lines = || said.lines().map(str::trim);
    let count = |wanted: &str| lines().filter(|line| line.contains(wanted)).count();
    // readelf lists the addresses of packed relocations, one in a line, after a heading.
    let packed = said.split_once(".relr.dyn").map_or(0, |(_, rest)| {
        let address = |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_hexdigit());
        rest.lines().map(str::trim).filter(address).count()
    });
    let relative = count("_RELATIV") + packed;
    Ok([count(" R_") + packed, relative, packed])
}

/// The libraries that a file needs.
fn needs(file: &Path) -> Result<String> {
    let said = readelf("--dynamic", file)?;
    let name =
        |line: &str| Some(line.split_once("Shared library: [")?.1.trim_end_matches(']').to_owned());
    let names: Vec<String> = said.lines().filter_map(name).collect();
    Ok(if names.is_empty() { "nothing".to_owned() } else { names.join(", ") })
}

fn readelf(what: &str, file: &Path) -> Result<String> {
    testbed::output(Command::new("readelf").args([what, "--wide"]).arg(file), "")
}
