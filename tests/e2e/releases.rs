//! One source, every release of Slurm: what `make plugins` builds.

use object::{Object, ObjectSection, ObjectSymbol};
use std::path::{Path, PathBuf};

/// `target/plugins`, a directory for each release.
fn plugins() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins");
    let entries = std::fs::read_dir(&directory).expect("make plugins");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// What Slurm compares with its own: `SLURM_VERSION_NUM(MAJOR, MINOR, 0)`.
fn plugin_version(library: &Path) -> u32 {
    let bytes = std::fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol = file.dynamic_symbols().find(|one| one.name() == Ok("plugin_version")).unwrap();
    let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
    let data = section.data_range(symbol.address(), 4).unwrap().unwrap();
    u32::from_le_bytes(data.try_into().unwrap())
}

#[test]
#[ignore = "needs the built libraries: make plugins"]
fn each_has_its_own_plugin() {
    let releases: Vec<String> = plugins()
        .iter()
        .map(|directory| {
            let version = plugin_version(&directory.join("spank_sifcache.so"));
            assert_eq!(version & 0xff, 0, "{directory:?}");
            let release = format!("{}.{:02}", version >> 16, version >> 8 & 0xff);
            assert_eq!(directory.file_name().unwrap().to_str(), Some(release.as_str()));
            release
        })
        .collect();
    let served = "20.11 21.08 22.05 23.02 23.11 24.05 24.11 25.05 25.11 26.05";
    assert_eq!(releases.join(" "), served);
}
