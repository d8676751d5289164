//! `--deep`: reading the images, all of them, and asking the runtime about signatures.

use super::file::File;
use super::finding::{DIGEST_MISMATCH, Finding, NOT_VERIFIED};
use super::patience::{self, Outcome, Pulse};
use super::{descriptors, signature, survey};
use crate::failure::Failure;
use crate::{stop, store};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use sifcache_core::image::State;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Files that are read at once: more would only make one disk's head jump.
const AT_ONCE: usize = 4;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// One file to read, whatever names it has.
#[derive(Debug)]
struct Job {
    path: PathBuf,
    size: u64,
    /// SHA-256, as its record has it.
    expected: Option<String>,
}

/// What all readers share.
#[derive(Clone)]
struct Desk {
    runtime: Option<PathBuf>,
    bar: ProgressBar,
    findings: Arc<Mutex<Vec<Finding>>>,
}

/// Reads the images among `files`.
///
/// # Errors
/// That a signal asked the command to end, or that the runtime could not be started.
pub(crate) fn read(
    files: &[&File],
    runtimes: &[String],
    patience: Duration,
) -> Result<Vec<Finding>, Failure> {
    let jobs = jobs(files);
    let desk = Desk {
        runtime: signature::runtime(runtimes),
        bar: bar(jobs.iter().map(|job| job.size).sum()),
        findings: Arc::default(),
    };
    let theirs = desk.clone();
    let outcome = patience::wait(patience, move |pulse| {
        let all = || jobs.par_iter().try_for_each(|job| theirs.one(job, pulse));
        match rayon::ThreadPoolBuilder::new().num_threads(AT_ONCE).build() {
            Ok(pool) => pool.install(all),
            Err(_) => all(),
        }
    })?;
    desk.bar.finish_and_clear();
    match outcome {
        Outcome::Done(result) => result?,
        Outcome::Stuck(paths) => {
            paths.iter().for_each(|path| desk.add(survey::stuck(path, patience)))
        }
    }
    Ok(std::mem::take(&mut *desk.findings.lock().unwrap_or_else(PoisonError::into_inner)))
}

fn jobs(files: &[&File]) -> Vec<Job> {
    let mut seen = HashSet::new();
    let whole = |file: &&&File| {
        matches!(file.state, State::Image | State::WrongArchitecture(_) | State::Untrusted(_))
            && file.metadata.as_ref().is_some_and(fs::Metadata::is_file)
    };
    let job = |file: &&File| Job {
        path: file.path.clone(),
        size: file.size(),
        expected: file.known.as_ref().map(|known| known.sha256.clone()),
    };
    files.iter().filter(whole).filter(|file| seen.insert(file.identity())).map(job).collect()
}

fn bar(bytes: u64) -> ProgressBar {
    // Shows nothing where standard error is no terminal. The template is a constant of
    // ours: a wrong one would only look plainer.
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}");
    let bar = ProgressBar::new(bytes).with_message("reading");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Desk {
    fn add(&self, finding: Finding) {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    }

    fn one(&self, job: &Job, pulse: &Pulse) -> Result<(), Failure> {
        let mut done = 0;
        let sha256 = match pulse.at(&job.path, || self.sum(job, pulse, &mut done)) {
            Ok(sha256) => sha256,
            Err(error) => {
                stop::check()?;
                let what = format!("reading fails after {done} bytes: {error}");
                let token = State::Failed(0).token();
                let advice = "look at the disk and the kernel's log, and get the image again";
                self.add(Finding::problem(token, &job.path, what, advice));
                return Ok(());
            }
        };
        if job.expected.as_ref().is_some_and(|expected| *expected != sha256) {
            let what = "its content is not what its record says: it has changed in its place";
            self.add(Finding::problem(DIGEST_MISMATCH, &job.path, what, "get the image again"));
        }
        self.signature(job, pulse)
    }

    /// SHA-256 of the file; `done` counts the bytes.
    fn sum(&self, job: &Job, pulse: &Pulse, done: &mut u64) -> io::Result<String> {
        let mut file = fs::File::open(&job.path)?;
        let (mut buffer, mut sha256) = (vec![0; CHUNK], Sha256::new());
        loop {
            stop::check().map_err(|_| io::ErrorKind::Interrupted)?;
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
            self.bar.inc(length as u64);
            pulse.beat();
        }
    }

    fn signature(&self, job: &Job, pulse: &Pulse) -> Result<(), Failure> {
        if !descriptors::has_signature(&job.path).unwrap_or(false) {
            return Ok(());
        }
        match &self.runtime {
            Some(runtime) => {
                signature::check(runtime, &job.path, pulse)?
                    .into_iter()
                    .for_each(|finding| self.add(finding));
            }
            None => {
                let what = "it is signed, and there is no runtime in PATH to check that";
                self.add(Finding::note(NOT_VERIFIED, &job.path, what, "load the runtime's module"));
            }
        }
        Ok(())
    }
}
