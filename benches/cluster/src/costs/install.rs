//! Installs what is compared on the node: the present files, those of an older commit, and the
//! floors.

use crate::site::LAUNCHER;
use crate::testbed::{self, INSIDE};
use anyhow::{Context, Result};
use sif_fixture::Sif;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The image root.
pub(super) const ROOT: &str = "/shared/sif";
/// An image root that is not on a local disk, as on a file server: a lookup in it needs the helper
/// process.
pub(super) const IN_MEMORY: &str = "/dev/shm/sif";
/// The reference of the only image.
pub(super) const IMAGE: &str = "docker://bench/env:10";
/// A runtime that exits at once: benches/host/nothing.c.
pub(super) const NOTHING: &str = "/opt/nothing/apptainer";
/// An empty library for `LD_PRELOAD`: benches/host/preload.c.
pub(super) const PRELOAD: &str = "/opt/nothing/preload.so";
/// benches/host/bare_plugin.c.
pub(super) const BARE_PLUGIN: &str = "/opt/nothing/bare.so";
/// benches/host/bare_shim.c.
pub(super) const BARE_SHIM: &str = "/opt/nothing/bare-shim";
/// benches/firewall.
pub(super) const FIREWALL: &str = "/opt/nothing/firewall.so";
/// The file of [`IMAGE`] below [`ROOT`].
pub(super) const FILE: &str = "bench/env:10";
/// benches/host/host.c.
pub(super) const HOST: &str = "/usr/local/libexec/host";
/// benches/host/programs.c.
pub(super) const PROGRAMS: &str = "/usr/local/libexec/programs";

/// Where the parts of one build of sifcache are on the node.
pub(super) struct Installed {
    /// The commit of an older build; `None` for the present one.
    pub(super) older: Option<String>,
    /// The plugin.
    pub(super) plugin: String,
    /// The directory of the shims for `PATH`.
    pub(super) shims: String,
    /// The interposer.
    pub(super) interposer: String,
    /// The same plugin, shim and interposer outside the cluster, in this order.
    pub(super) files: [PathBuf; 3],
}

/// The directories of the files to install.
#[derive(clap::Args)]
pub(crate) struct Files {
    /// The directory of the built plugin, shim and interposer.
    #[arg(long)]
    pub(crate) build: PathBuf,
    /// The directory of the programs of benches/host/build.
    #[arg(long)]
    pub(crate) host: PathBuf,
    /// The directory that benches/baseline printed, to measure an older commit too.
    #[arg(long)]
    pub(crate) baseline: Option<PathBuf>,
}

impl Files {
    /// Installs everything. Returns the present build and the older one.
    ///
    /// # Errors
    /// A file is missing or cannot be copied.
    pub(super) fn install(&self) -> Result<Vec<Installed>> {
        for (name, path, mode) in [
            ("host", HOST, "755"),
            ("programs", PROGRAMS, "755"),
            ("launcher", LAUNCHER, "755"),
            ("nothing", NOTHING, "755"),
            ("preload.so", PRELOAD, "644"),
            ("bare.so", BARE_PLUGIN, "644"),
            ("bare-shim", BARE_SHIM, "755"),
            ("firewall.so", FIREWALL, "644"),
        ] {
            testbed::push(&self.host.join(name), path, mode)?;
        }
        testbed::push(&std::env::current_exe()?, INSIDE, "755")?;
        let plugins = testbed::plugin_directory()?;
        testbed::push(&self.host.join("empty.so"), &format!("{plugins}/empty.so"), "644")?;
        image()?;
        let mut all = vec![self.present(&plugins)?];
        if let Some(baseline) = &self.baseline {
            all.push(past(baseline)?);
        }
        read_again()?;
        Ok(all)
    }

    fn present(&self, plugins: &str) -> Result<Installed> {
        let libexec = "/usr/libexec/sifcache";
        let files = ["libspank_sifcache.so", "sifcache-shim", "libsifcache_preload.so"]
            .map(|name| self.build.join(name));
        let [plugin, shim, interposer] = &files;
        // Below the temporary directory, which only its owner can enter.
        let temporary = tempfile::tempdir()?;
        let tree = temporary.path().join("tree");
        let mut shims = Command::new(testbed::project().join("packaging/shims"));
        shims.arg(shim).arg(tree.join(libexec.trim_start_matches('/')));
        testbed::output(&mut shims, "")?;
        testbed::push(&tree, "/", "")?;
        let paths = [
            (plugin, format!("{plugins}/spank_sifcache.so"), "644"),
            (shim, format!("{libexec}/sifcache-shim"), "755"),
            (interposer, format!("{libexec}/libsifcache_preload.so"), "644"),
        ];
        for (file, path, mode) in &paths {
            testbed::push(file, path, mode)?;
        }
        let [(_, plugin, _), _, (_, interposer, _)] = paths;
        let shims = format!("{libexec}/bin");
        Ok(Installed { older: None, plugin, shims, interposer, files })
    }
}

/// The name of the older commit in the directory that benches/baseline printed.
///
/// # Errors
/// benches/baseline did not finish.
pub(super) fn name(baseline: &Path) -> Result<String> {
    let path = baseline.join("name");
    let name = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(name.trim().to_owned())
}

/// Installs the older build, which has its own directory on the node.
fn past(baseline: &Path) -> Result<Installed> {
    let tree = baseline.join("tree");
    testbed::push(&tree, "/", "")?;
    let names = [
        "/opt/baseline/slurm/spank_sifcache.so",
        "/opt/baseline/sifcache/sifcache-shim",
        "/opt/baseline/sifcache/libsifcache_preload.so",
    ];
    let [plugin, _, interposer] = names.map(str::to_owned);
    Ok(Installed {
        older: Some(name(baseline)?),
        plugin,
        shims: "/opt/baseline/sifcache/bin".to_owned(),
        interposer,
        files: names.map(|name| tree.join(name.trim_start_matches('/'))),
    })
}

/// Makes the kernel read all files again, as after a boot. A file that has just been written is in
/// memory in smaller pieces than one that was read, and each page fault then takes longer: the shim
/// is slower by a third.
fn read_again() -> Result<()> {
    testbed::output(&mut Command::new("sync"), "")?;
    fs::write("/proc/sys/vm/drop_caches", "1").context("/proc/sys/vm/drop_caches")
}

fn image() -> Result<()> {
    let path = testbed::at("ctl", ROOT)?.join(FILE);
    fs::create_dir_all(path.parent().context("no directory")?)?;
    Sif::image().write(&path).with_context(|| path.display().to_string())?;
    // A launch reads the first 8 KiB, which are in each file of the runtimes. The file of the fixture
    // ends after one descriptor.
    File::options().write(true).open(&path)?.set_len(64 << 10)?;
    let copy = format!("mkdir -p {IN_MEMORY} && cp -r {ROOT}/. {IN_MEMORY}");
    testbed::on("n1", &copy).map(drop)
}
