//! What the runtime says of an image's signatures.

use super::finding::{BAD_SIGNATURE, Finding, UNKNOWN_SIGNER};
use super::patience::Pulse;
use crate::failure::Failure;
use crate::stop;
use sifcache_core::nested::{self, SHIMS};
use std::env;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// How soon the end of the runtime is seen, and Ctrl-C.
const TICK: Duration = Duration::from_millis(20);

/// How the runtimes' words for a key that this host does not have begin or go on. That
/// says nothing about the image.
const UNKNOWN: [&str; 5] = [
    "signature made by unknown entity",
    "key material not provided",
    "failed to get key material",
    "no key found",
    "certificate signed by unknown authority",
];

/// The first of these runtimes in `PATH`, not the shim in its place.
pub(crate) fn runtime(names: &[String]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let shims = nested::installed(SHIMS);
    let directories: Vec<PathBuf> = env::split_paths(&path)
        .filter(|directory| !nested::is_entry(directory.as_os_str().as_bytes(), &shims))
        .collect();
    let all = names.iter().flat_map(|name| directories.iter().map(move |path| path.join(name)));
    all.into_iter().find(|program| program.is_file())
}

/// Lets the runtime verify a file.
///
/// # Errors
/// That it could not be started, or that a signal asked the command to end.
pub(crate) fn check(
    runtime: &Path,
    file: &Path,
    pulse: &Pulse,
) -> Result<Option<Finding>, Failure> {
    let mut command = Command::new(runtime);
    command.arg("verify").arg(file).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stderr = child.stderr.take();
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        stderr.map(|mut pipe| pipe.read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Err(failure) = stop::check() {
            child.kill()?;
            child.wait()?;
            return Err(failure);
        }
        pulse.beat();
        thread::sleep(TICK);
    };
    let said = reader.join().unwrap_or_default();
    Ok(if status.success() { None } else { Some(judge(file, &said)) })
}

/// What it means that the runtime did not like a signature.
fn judge(file: &Path, said: &str) -> Finding {
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word why");
    let last = last.trim_start_matches("FATAL:").trim();
    if UNKNOWN.iter().any(|unknown| said.contains(unknown)) {
        let what = format!("signed with a key that is not known here: {last}");
        return Finding::note(UNKNOWN_SIGNER, file, what, "import the key with `key import`");
    }
    let what = format!("its signature does not hold: {last}");
    Finding::problem(BAD_SIGNATURE, file, what, "do not use it; get the image again")
}

#[cfg(test)]
mod tests {
    use super::judge;
    use std::path::Path;

    /// In the words of Apptainer 1.4.5.
    #[test]
    fn an_unknown_key_is_no_wrong_signature() {
        let tampered = "\
INFO:    Verifying image with PGP key material
Error encountered during signature verification: data object integrity compromised: 4
FATAL:   Failed to verify container: integrity: data object integrity compromised: 4
";
        let unknown = "\
WARNING: failed to get key material: Get \"https://keys.example.org/\": connection refused

FATAL:   Failed to verify container: integrity: signature object 5 not valid: openpgp: signature made by unknown entity
";
        let pem = "\
FATAL:   Failed to verify container: integrity: key material not provided for DSSE envelope signature
";
        let token = |said| judge(Path::new("/i"), said).token;
        assert_eq!(token(tampered), "bad-signature");
        assert_eq!((token(unknown), token(pem)), ("unknown-signer", "unknown-signer"));
        let what = judge(Path::new("/i"), tampered).what;
        let end = "Failed to verify container: integrity: data object integrity compromised: 4";
        assert_eq!(what, format!("its signature does not hold: {end}"));
        assert_eq!(token(""), "bad-signature");
    }
}
