//! The least that a conversion takes: separate programs that only compute digests, decompress and
//! compress, on this machine.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Processor seconds. On all processors together, the time is at least their sum divided by the
/// number of processors.
pub(super) struct Bound {
    pub(super) digest: f64,
    pub(super) decompress: f64,
    pub(super) compress: f64,
}

impl Bound {
    /// The least time on this machine.
    pub(super) fn seconds(&self) -> f64 {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        (self.digest + self.decompress + self.compress) / processors as f64
    }
}

/// Measures the programs with the layers of a layout, in the page cache.
///
/// # Errors
/// A program is missing or fails.
pub(super) fn bound(layout: &Path) -> Result<Bound> {
    let files = layers(layout)?;
    let cpu = |pipeline: &str| seconds(&format!("cat {files} >/dev/null; {pipeline}"));
    Ok(Bound {
        digest: cpu(&format!("T sha256sum {files} >/dev/null"))?,
        decompress: cpu(&format!("for f in {files}; do T igzip -dc -S '' $f >/dev/null; done"))?,
        compress: cpu(&format!(
            "for f in {files}; do igzip -dc -S '' $f; done | T zstd -q -3 -c >/dev/null"
        ))?,
    })
}

/// The layers' files, separated by blanks.
fn layers(layout: &Path) -> Result<String> {
    let blob = |descriptor: &Value| {
        let digest = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
        layout.join("blobs").join(digest.replace(':', "/")).display().to_string()
    };
    let read = |path: &str| -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(path).with_context(|| path.to_owned())?)?)
    };
    let index = read(&layout.join("index.json").display().to_string())?;
    let manifest = read(&blob(index.pointer("/manifests/0").context("no manifest")?))?;
    let layers = manifest.get("layers").and_then(Value::as_array).context("no layers")?;
    Ok(layers.iter().map(blob).collect::<Vec<_>>().join(" "))
}

/// The processor seconds of the commands that begin with `T`.
fn seconds(script: &str) -> Result<f64> {
    let time = "set -eo pipefail; T() { /usr/bin/time -a -o \"$times\" -f '%U %S' \"$@\"; }
        times=$(mktemp); trap 'rm $times' EXIT";
    let sum = "awk '{ sum += $1 + $2 } END { print sum }' \"$times\"";
    let output = Command::new("bash").args(["-c", &format!("{time}\n{script}\n{sum}")]).output()?;
    ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
