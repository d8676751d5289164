//! The plugins that `make plugins` builds, from one source for every release of Slurm.

use crate::kit::{IMAGE, Site, plugin_directory, slurm_release, target};
use object::{Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::{Path, PathBuf};

/// The directories that `make plugins` made, one for each release.
fn plugins() -> Vec<PathBuf> {
    let directory = target().join("plugins");
    let entries = fs::read_dir(&directory).expect("make plugins");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The version that Slurm compares with its own: `SLURM_VERSION_NUM(MAJOR, MINOR, 0)`.
fn plugin_version(library: &Path) -> u32 {
    let bytes = fs::read(library).unwrap();
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

/// A release that no testbed suite uses.
const OTHER: &str = "23.02";

/// Slurm's own message about such a plugin.
fn refusal(path: &str) -> String {
    format!("Incompatible Slurm plugin {path} version (23.02.0)")
}

/// Installs the plugin of another release on a host until this is dropped.
struct Other(PathBuf, Vec<u8>);

impl Other {
    fn on(site: &Site, host: &str) -> Self {
        let installed = format!("{}/spank_sifcache.so", plugin_directory());
        let path = site.at(host, &installed);
        let before = fs::read(&path).unwrap();
        let other = plugins().into_iter().find(|one| one.ends_with(OTHER)).unwrap();
        Self::put(&path, &fs::read(other.join("spank_sifcache.so")).unwrap());
        Self(path, before)
    }

    /// Replaces the file by renaming, because running processes may have mapped it.
    fn put(path: &Path, bytes: &[u8]) {
        let new = path.with_extension("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, path).unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        Self::put(&self.0, &self.1);
    }
}

#[test]
#[ignore = "needs a testbed and the built libraries: make test"]
fn a_plugin_for_another_release_is_refused_by_slurm() {
    assert_ne!(slurm_release(), (23, 2));
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let path = format!("{}/spank_sifcache.so", plugin_directory());
    let _other = Other::on(&site, "ctl");
    let run = |kind: &str| {
        site.plugstack(&format!("{kind} spank_sifcache.so image_root=/shared/sif\n"));
        site.srun(&["-w", "n1", "echo", "fine"])
    };
    let optional = run("optional");
    assert_eq!((optional.status, optional.stdout.as_str()), (0, "fine\n"), "{optional:#?}");
    assert!(optional.stderr.contains(&refusal(&path)), "{optional:#?}");
    // The nodes have the right plugin, and a hit there does not depend on srun's plugin.
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    let required = run("required");
    assert_eq!((required.status, required.stdout.as_str()), (1, ""), "{required:#?}");
    assert!(required.stderr.contains(&refusal(&path)), "{required:#?}");
    assert!(required.stderr.contains("Failed to load plugin"), "{required:#?}");
}

/// A node that has not been upgraded yet, or that was upgraded before the others.
#[test]
#[ignore = "needs a testbed and the built libraries: make test"]
fn a_wrong_plugin_on_one_node_does_not_affect_the_others() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let path = format!("{}/spank_sifcache.so", plugin_directory());
    let other = Other::on(&site, "n1");
    site.launch(&["-w", "n1"], "docker://o/i:1").tried_the_registry();
    site.logged("n1", &refusal(&path));
    site.launch(&["-w", "n2"], "docker://o/i:1").ran(IMAGE);
    site.plugstack("required spank_sifcache.so image_root=/shared/sif\n");
    // srun's exit status depends on the release: with 22.05 it is 0.
    let required = site.srun(&["-w", "n1", "echo", "fine"]);
    assert_eq!(required.stdout, "", "{required:#?}");
    site.logged("n1", "Failed to load plugin");
    drop(other);
    site.launch(&["-w", "n1"], "docker://o/i:1").ran(IMAGE);
}
