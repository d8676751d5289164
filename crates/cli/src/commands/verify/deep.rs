//! `--deep`: reads all images completely, and has the runtime check their signatures.

use super::signature;
use crate::cache::squashfs;
use crate::cache::store;
use crate::error::Failure;
use crate::inspect::file::File;
use crate::inspect::finding::{DIGEST_MISMATCH, Finding, NOT_VERIFIED};
use crate::inspect::survey;
use crate::pull::runtime::Runtime;
use crate::system::pool;
use crate::system::timeout::{self, Outcome, Watchdog};
use crate::ui::progress::{Progress, Task};
use sha2::{Digest as _, Sha256};
use sifcache_core::image::{self, State};
use sifcache_core::settings::Settings;
use sifcache_core::sif::descriptors::has_signature;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Number of files to read in parallel; more would only cause seeks on a single disk.
const AT_ONCE: usize = 4;
/// Buffer size in bytes.
const CHUNK: usize = 1 << 20;

/// One file to read, which may have several names.
#[derive(Debug)]
struct Job {
    path: PathBuf,
    size: u64,
    /// The recorded SHA-256.
    expected: Option<String>,
    /// Whether its root file system is already known to be damaged.
    damaged: bool,
}

/// Data that all readers share.
#[derive(Debug, Clone)]
struct Shared {
    task: Arc<Task>,
    findings: Arc<Mutex<Vec<Finding>>>,
}

/// Reads the images among `files`, and returns findings about them. `all` are all files of the
/// survey.
///
/// # Errors
/// A signal asked the command to stop, or the runtime could not be started.
pub(crate) fn read(
    files: &[&File],
    all: &[File],
    settings: &Settings,
    timeout: Duration,
    progress: &Progress,
) -> Result<Vec<Finding>, Failure> {
    let jobs = jobs(files, all);
    let bytes = jobs.iter().map(|job| job.size).sum();
    let task = progress.bytes("reading the images", bytes);
    let shared = Shared { task: Arc::new(task), findings: Arc::default() };
    let worker = shared.clone();
    let outcome = timeout::wait(timeout, move |watchdog| worker.all(&jobs, watchdog))?;
    let signed = match outcome {
        Outcome::Done(signed) => signed,
        Outcome::Stuck(paths) => {
            paths.iter().for_each(|path| shared.add(survey::stuck(path, timeout)));
            Vec::new()
        }
    };
    let mut findings = std::mem::take(&mut *lock(&shared.findings));
    findings.extend(signatures(&signed, settings)?);
    Ok(findings)
}

/// Has the runtime check the signed images. The timeout does not apply to these checks.
fn signatures(signed: &[PathBuf], settings: &Settings) -> Result<Vec<Finding>, Failure> {
    if signed.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(runtime) = Runtime::find(settings, None) else {
        let what = "it is signed, and no runtime is in PATH to verify the signature";
        let advice = "load the runtime's module";
        let note = |path: &PathBuf| Finding::note(NOT_VERIFIED, path, what, advice);
        return Ok(signed.iter().map(note).collect());
    };
    let checked = pool::each(AT_ONCE, signed, &|path| signature::check(&runtime, path));
    checked.into_iter().filter_map(Result::transpose).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn jobs(files: &[&File], all: &[File]) -> Vec<Job> {
    let mut seen = HashSet::new();
    let whole = |file: &&&File| {
        matches!(file.state(), State::Image | State::WrongArchitecture(_) | State::Untrusted(_))
            && file.target.is_some_and(|target| target.is_file)
    };
    let job = |file: &&File| Job {
        path: file.path().to_path_buf(),
        size: file.size(),
        expected: file.record(all).map(|record| record.sha256),
        damaged: file.damage().is_some(),
    };
    files.iter().filter(whole).filter(|file| seen.insert(file.identity())).map(job).collect()
}

impl Shared {
    fn add(&self, finding: Finding) {
        lock(&self.findings).push(finding);
    }

    /// Reads all files, and returns the paths of the signed ones.
    fn all(&self, jobs: &[Job], watchdog: &Watchdog) -> Vec<PathBuf> {
        let one = |job: &Job| self.one(job, watchdog).then(|| job.path.clone());
        pool::each(AT_ONCE, jobs, &one).into_iter().flatten().collect()
    }

    /// Reads one file, and returns whether it is signed.
    fn one(&self, job: &Job, watchdog: &Watchdog) -> bool {
        let mut done = 0;
        let sha256 = match watchdog.at(&job.path, || self.sum(job, watchdog, &mut done)) {
            Ok(sha256) => sha256,
            Err(error) => {
                let what = format!("reading fails after {done} bytes: {error}");
                let token = State::Failed(0).token();
                let advice = "check the disk and the kernel log, and pull or copy the image again";
                self.add(Finding::problem(token, &job.path, what, advice));
                return false;
            }
        };
        if job.expected.as_ref().is_some_and(|expected| *expected != sha256) {
            let what = "its content does not match its record: it was modified in place";
            self.add(Finding::problem(
                DIGEST_MISMATCH,
                &job.path,
                what,
                "pull or copy the image again",
            ));
        }
        // The survey has already reported known damage.
        if !job.damaged
            && let Err(damage) =
                watchdog.at(&job.path, || squashfs::read(&job.path, &|| watchdog.progress()))
        {
            self.add(Finding::damaged(&job.path, &damage));
        }
        is_signed(&job.path)
    }

    /// Reads the file, and returns its SHA-256, which is only valid if one is recorded; `done`
    /// counts the bytes that were read.
    fn sum(&self, job: &Job, watchdog: &Watchdog, done: &mut u64) -> io::Result<String> {
        let mut file = fs::File::open(&job.path)?;
        let (mut buffer, mut sha256) = (vec![0; CHUNK], Sha256::new());
        loop {
            let length = match file.read(&mut buffer) {
                Ok(0) => return Ok(store::hex(&sha256.finalize())),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if job.expected.is_some() {
                sha256.update(buffer.get(..length).unwrap_or_default());
            }
            *done += length as u64;
            self.task.advance(length as u64);
            watchdog.progress();
        }
    }
}

/// Whether the file has a signature. A file that cannot be read has already been reported.
fn is_signed(path: &Path) -> bool {
    let table = fs::File::open(path).map_err(State::from);
    table.and_then(|file| image::descriptor_table(&file)).is_ok_and(|table| has_signature(&table))
}

#[cfg(test)]
mod tests {
    use super::{Job, Shared};
    use crate::system::timeout::Watchdog;
    use crate::ui::progress::Progress;
    use std::sync::Arc;

    #[test]
    fn an_unreadable_file_is_a_finding() {
        let task = Arc::new(Progress::new(true).bytes("", 0));
        let shared = Shared { task, findings: Arc::default() };
        // This file can be opened, but reading from its start fails.
        let job = Job { path: "/proc/self/mem".into(), size: 0, expected: None, damaged: false };
        assert!(!shared.one(&job, &Watchdog::default()));
        let findings = super::lock(&shared.findings);
        let expected = "reading fails after 0 bytes: Input/output error (os error 5)";
        assert_eq!((findings[0].token, findings[0].what.as_str()), ("io-error", expected));
    }
}
