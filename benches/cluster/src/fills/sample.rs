//! One conversion on the login node: its times, its memory, its files.

use super::DIRECTORY;
use super::registry::ADDRESS;
use crate::testbed;
use anyhow::{Context, Result, bail};

/// A way to convert an image.
pub(super) struct Variant {
    pub(super) name: &'static str,
    /// The command. `IMAGE` is the reference, `OUT` the directory for the result.
    pub(super) command: &'static str,
}

/// The runtime comes first: the others are compared with it.
pub(super) const VARIANTS: [Variant; 3] = [
    Variant {
        name: "apptainer pull",
        command: "apptainer --silent pull --no-https --force OUT/image docker://IMAGE",
    },
    Variant {
        name: "sifcache, zstd",
        command: "sifcache add --no-https --engine native --compression zstd --root OUT --into OUT docker://IMAGE",
    },
    Variant {
        name: "sifcache, gzip",
        command: "sifcache add --no-https --engine native --compression gzip --root OUT --into OUT docker://IMAGE",
    },
];

/// The measurements of one conversion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Seconds from start to end.
    pub(super) seconds: f64,
    /// Processor seconds of all processes.
    pub(super) cpu: f64,
    /// The peak memory of the largest process, in MB.
    pub(super) memory: f64,
    /// The size of the new image, in MB.
    pub(super) size: f64,
}

impl Variant {
    /// Converts an image, without anything of an earlier conversion.
    pub(super) fn convert(&self, image: &str) -> Result<Sample> {
        let script = format!(
            "{}
            /usr/bin/time --output {DIRECTORY}/time --format '%e %U %S %M' {} >{DIRECTORY}/log 2>&1 || {{
                cat {DIRECTORY}/log >&2; exit 1; }}
            cat {DIRECTORY}/time
            find {DIRECTORY}/out -name .sifcache -prune -o -type f -size +100k -printf '%s\\n' | head -n 1",
            self.prepare(),
            self.line(image)
        );
        let output = testbed::on("ctl", &script).with_context(|| self.name)?;
        let numbers: Result<Vec<f64>, _> = output.split_whitespace().map(str::parse).collect();
        let [seconds, user, system, kibibytes, bytes] = *numbers? else { bail!("{output}") };
        Ok(Sample {
            seconds,
            cpu: user + system,
            memory: kibibytes * 1024.0 / 1e6,
            size: bytes / 1e6,
        })
    }

    /// The largest number of bytes on disk beside the image. `du` takes processor time, so this is
    /// a conversion of its own.
    pub(super) fn disk(&self, image: &str) -> Result<u64> {
        let script = format!(
            "{}
            {} >{DIRECTORY}/log 2>&1 & pid=$!
            most=0
            while kill -0 $pid 2>/dev/null; do
                used=$(du -sB1 {DIRECTORY}/out {DIRECTORY}/tmp 2>/dev/null | awk '{{ sum += $1 }} END {{ print sum }}')
                ((used <= most)) || most=$used
                sleep 0.02
            done
            wait $pid
            final=$(du -sB1 {DIRECTORY}/out | cut -f 1)
            echo $((most > final ? most - final : 0))",
            self.prepare(),
            self.line(image)
        );
        Ok(testbed::on("ctl", &script).with_context(|| self.name)?.trim().parse()?)
    }

    fn line(&self, image: &str) -> String {
        let image = format!("{ADDRESS}/fill/{image}:1");
        self.command.replace("IMAGE", &image).replace("OUT", &format!("{DIRECTORY}/out"))
    }

    /// The runtime's cache is off, enroot's is empty, and temporary files are on disk.
    fn prepare(&self) -> String {
        format!(
            "export APPTAINER_DISABLE_CACHE=1 APPTAINER_TMPDIR={DIRECTORY}/tmp TMPDIR={DIRECTORY}/tmp \
                ENROOT_ALLOW_HTTP=yes ENROOT_CACHE_PATH={DIRECTORY}/tmp/cache
            chmod -R u+rwx {DIRECTORY}/tmp {DIRECTORY}/out 2>/dev/null || :
            rm -rf {DIRECTORY}/out {DIRECTORY}/tmp
            install -d -m 755 {DIRECTORY}/out {DIRECTORY}/tmp
            sync -f {DIRECTORY}"
        )
    }
}

/// Keeps the result of the last conversion under this path on the login node.
pub(super) fn keep(path: &str) -> Result<()> {
    let script = format!(
        "find {DIRECTORY}/out -name .sifcache -prune -o -type f -size +100k -print | head -n 1 |
            xargs -I FILE mv FILE {path}
        chmod 644 {path}"
    );
    testbed::on("ctl", &script).map(drop)
}
