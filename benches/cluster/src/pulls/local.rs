//! Pulls on this machine, without a cluster.

use super::{Pair, SIZE};
use crate::testbed::output;
use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use sif_fixture::Sif;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The name of the image with a digest.
const PINNED: &str = "o/i@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// A directory with the shim, a stub of the runtime, and an image root.
pub(super) struct Local {
    directory: tempfile::TempDir,
}

impl Local {
    pub(super) fn new(shim: &Path) -> Result<Self> {
        // Unlike /tmp, /var/tmp is on a disk.
        let local = Self { directory: tempfile::tempdir_in("/var/tmp")? };
        for name in ["shims", "real", "work"] {
            fs::create_dir(local.path(name))?;
        }
        symlink(fs::canonicalize(shim)?, local.path("shims/apptainer"))?;
        fs::write(local.path("real/apptainer"), "#!/bin/sh\nexit 1\n")?;
        fs::set_permissions(local.path("real/apptainer"), fs::Permissions::from_mode(0o755))?;
        write_image(&local.path("roots/o/i:1"))?;
        Ok(local)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A pull of the image in `top`/roots into `top`/work.
    fn pull(&self, top: &Path, setting: &str) -> Command {
        let mut command = Command::new("apptainer");
        command.args(["pull", "--force", "pulled", "docker://o/i:1"]).current_dir(top.join("work"));
        let paths = [self.path("shims"), self.path("real")].map(|path| path.display().to_string());
        command.env("PATH", format!("{}:/usr/bin:/bin", paths.join(":")));
        let root = top.join("roots");
        let settings =
            format!("image_root={} untrusted=accept syslog=off {setting}", root.display());
        command.env("SINGULARITY_SIFCACHE", settings);
        command
    }

    /// The times of the shim and of cp(1), which take turns. Each creates a new file.
    pub(super) fn copy(&self, rounds: usize) -> Result<Pair> {
        let mut pair = Pair { ours: Vec::new(), other: Vec::new() };
        let (image, target) = (self.path("roots/o/i:1"), self.path("work/pulled"));
        for round in 0..=rounds {
            let ours = self.timed(&mut self.pull(self.directory.path(), "pull=copy"))?;
            let mut cp = Command::new("cp");
            let other = self.timed(cp.arg("--reflink=never").arg(&image).arg(&target))?;
            // The first round reads the image into the page cache.
            if round > 0 {
                pair.ours.push(ours);
                pair.other.push(other);
            }
        }
        Ok(pair)
    }

    /// Runs a command that creates the target, and returns the seconds.
    fn timed(&self, command: &mut Command) -> Result<f64> {
        let _ = fs::remove_file(self.path("work/pulled"));
        output(&mut Command::new("sync"), "")?;
        let start = Instant::now();
        output(command, "")?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(self.path("work/pulled").metadata()?.len() > 1_000_000_000, "{command:?}");
        Ok(seconds)
    }

    /// The peak memory of the shim in MB: the largest of all children of this process, which are
    /// small except for the shim.
    pub(super) fn peak_memory(&self) -> Result<f64> {
        self.timed(&mut self.pull(self.directory.path(), "pull=copy"))?;
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        Ok(usage.max_rss() as f64 * 1024.0 / 1e6)
    }

    pub(super) fn link(&self, rounds: usize) -> Result<Vec<f64>> {
        fs::hard_link(self.path("roots/o/i:1"), self.path("roots").join(PINNED))?;
        (0..rounds)
            .map(|_| self.timed(&mut self.pull(self.directory.path(), "pull=link")))
            .collect()
    }

    /// The shim on a file system that shares blocks, in a file of this machine.
    ///
    /// # Errors
    /// The machine cannot make or mount such a file system.
    pub(super) fn reflink(&self, kind: &str, rounds: usize) -> Result<Vec<f64>> {
        let (disk, top) = (self.path("disk"), self.path(kind));
        fs::create_dir(&top)?;
        File::create(&disk)?.set_len(3 << 30)?;
        output(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&disk), "")?;
        output(Command::new("mount").args(["-o", "loop"]).arg(&disk).arg(&top), "")?;
        let seconds = self.reflink_in(&top, rounds);
        output(Command::new("umount").arg(&top), "")?;
        fs::remove_file(disk)?;
        seconds
    }

    fn reflink_in(&self, top: &Path, rounds: usize) -> Result<Vec<f64>> {
        fs::create_dir(top.join("work"))?;
        fs::create_dir_all(top.join("roots/o"))?;
        fs::copy(self.path("roots/o/i:1"), top.join("roots/o/i:1"))?;
        output(&mut Command::new("sync"), "")?;
        (0..rounds)
            .map(|_| {
                let start = Instant::now();
                output(&mut self.pull(top, "pull=copy"), "")?;
                Ok(start.elapsed().as_secs_f64())
            })
            .collect()
    }
}

/// Writes an image of the size, without holes, which cp(1) would not copy.
fn write_image(path: &Path) -> Result<()> {
    Sif::image_of(1 << 20).write(path).context("the image")?;
    let mut file = File::options().append(true).open(path)?;
    let mut state: u64 = 1;
    let mut block = Vec::with_capacity(1 << 20);
    for _ in 0..(1 << 17) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        block.extend_from_slice(&state.to_le_bytes());
    }
    for _ in 0..SIZE {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    Ok(())
}
