//! Surveys all image roots, as far as possible without reading the complete images.

use super::file::{Directory, File, Place};
use super::finding::{
    ABSENT, BAD_DECLARATION, Finding, GROUP_ONLY, NO_ANSWER, NOT_A_DIRECTORY, UNREADABLE_FOR_USERS,
};
use super::fix::Fix;
use super::names::Names;
use super::paths::Paths;
use super::{duplicates, hidden, misnamed, orphans, records, tree, views};
use crate::cache::access::{Access, DirectoryAccess};
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::store::other_roots::OtherRoots;
use crate::error::Failure;
use crate::system::timeout::{self, Outcome, Watchdog};
use rayon::prelude::*;
use sifcache_core::image::{Root, State};
use sifcache_core::settings::{Settings, Untrusted};
use sifcache_core::sif::host_architecture;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The files under the roots, and the findings about them.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Those of each root are sorted by path.
    pub(crate) files: Vec<File>,
    /// Problems and notes of all roots.
    pub(crate) findings: Vec<Finding>,
    /// The indices of the roots whose files are all in `files`.
    pub(crate) whole: Vec<u32>,
}

/// Surveys all roots. A root that does not respond in time is reported as a finding.
///
/// # Errors
/// A signal asked the command to stop.
pub(crate) fn survey(settings: &Settings, timeout: Duration) -> Result<Survey, Failure> {
    let mut all = Survey::default();
    let answering = answering(settings, timeout)?;
    for (index, root) in settings.image_roots.iter().enumerate() {
        if !answering.contains(root) {
            all.findings.push(stuck(root, timeout));
            continue;
        }
        let (path, untrusted, roots) = (root.clone(), settings.untrusted, answering.clone());
        let work = move |watchdog: &Watchdog| one_root(index, &path, &roots, untrusted, watchdog);
        match timeout::wait(timeout, work)? {
            Outcome::Done(survey) => {
                all.add_files(survey.files);
                all.findings.extend(survey.findings);
                all.whole.extend(survey.whole);
            }
            // If no thread is busy with a path, the root itself is reported.
            Outcome::Stuck(paths) if paths.is_empty() => all.findings.push(stuck(root, timeout)),
            Outcome::Stuck(paths) => {
                all.findings.extend(paths.iter().map(|path| stuck(path, timeout)));
            }
        }
    }
    all.judge_absent_roots(&settings.image_roots);
    all.findings.extend(duplicates::judge(&mut all.files, settings.image_roots.len()));
    let owned = settings.clone();
    match timeout::wait(timeout, move |watchdog| views::judge(&owned, watchdog))? {
        Outcome::Done(findings) => all.findings.extend(findings),
        // A root that does not respond has been reported already.
        Outcome::Stuck(paths) => {
            let is_new = |path: &&PathBuf| !all.findings.iter().any(|one| one.path == **path);
            let new: Vec<&PathBuf> = paths.iter().filter(is_new).collect();
            all.findings.extend(new.into_iter().map(|path| stuck(path, timeout)));
        }
    }
    Ok(all)
}

/// The roots of the site that respond, also those that other tools fill. A walk compares directories
/// with the other roots, and a root that hangs must not delay the walk of another one.
///
/// # Errors
/// A signal asked the command to stop.
fn answering(settings: &Settings, timeout: Duration) -> Result<Vec<PathBuf>, Failure> {
    let roots = settings.search_path().map(|(path, _)| path.to_owned());
    let roots: Vec<PathBuf> = roots.collect();
    if roots.len() < 2 {
        return Ok(roots);
    }
    let mut answering = Vec::new();
    for root in roots {
        let path = root.clone();
        if let Outcome::Done(_) = timeout::wait(timeout, move |_| fs::metadata(path).is_ok())? {
            answering.push(root);
        }
    }
    Ok(answering)
}

/// The finding for a path that did not respond in time.
pub(crate) fn stuck(path: &Path, timeout: Duration) -> Finding {
    let what = format!("no answer within {} s", timeout.as_secs());
    Finding::problem(NO_ANSWER, path, what, "check the file server and the mount")
}

impl Survey {
    /// The files of the root with this index, sorted by path.
    pub(crate) fn of_root(&self, index: u32) -> &[File] {
        let start = self.files.partition_point(|file| file.root < index);
        let end = self.files.partition_point(|file| file.root <= index);
        self.files.get(start..end).unwrap_or_default()
    }

    /// Adds the files of another root.
    fn add_files(&mut self, mut files: Vec<File>) {
        let offset = u32::try_from(self.files.len()).unwrap_or_default();
        for recorded in files.iter_mut().filter_map(|file| file.recorded.as_mut()) {
            *recorded = recorded.saturating_add(offset);
        }
        // Usually there is only one root, and the files are not copied.
        match self.files.is_empty() {
            true => self.files = files,
            false => self.files.extend(files),
        }
    }

    /// An absent root may exist on other hosts, so it is only a problem if all roots are absent.
    fn judge_absent_roots(&mut self, roots: &[PathBuf]) {
        let is_absent = |finding: &Finding| finding.token == ABSENT;
        let absent = self.findings.iter().filter(|finding| is_absent(finding)).count();
        for finding in self.findings.iter_mut().filter(|finding| is_absent(finding)) {
            finding.is_problem = absent == roots.len();
        }
    }
}

fn one_root(
    index: usize,
    path: &Path,
    roots: &[PathBuf],
    untrusted: Untrusted,
    watchdog: &Watchdog,
) -> Survey {
    let others = OtherRoots::among(roots.iter().map(PathBuf::as_path), path);
    // Each root has its own thread pool, so that hung threads of one root do not reduce the number
    // of threads for the next root.
    let work = || look(index, (path, &others), untrusted, watchdog);
    match rayon::ThreadPoolBuilder::new().build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

fn look(
    index: usize,
    (path, others): (&Path, &OtherRoots),
    untrusted: Untrusted,
    watchdog: &Watchdog,
) -> Survey {
    if watchdog.at(path, || fs::metadata(path).is_ok_and(|found| !found.is_dir())) {
        return Survey { findings: vec![no_directory(path)], ..Survey::default() };
    }
    let root = watchdog.at(path, || Root::enter(path, untrusted));
    let tree = tree::walk(path, others, watchdog);
    let (findings, is_partial) = (tree.findings, tree.is_partial);
    let mut directory_access = access(path, &tree.paths, watchdog);
    let declared = watchdog.at(path, || architecture::declared(path));
    let architecture = declared.clone().ok().flatten().unwrap_or(host_architecture());
    let index = u32::try_from(index).unwrap_or_default();
    let place = Place {
        index,
        root: &root,
        access: &directory_access,
        architecture,
        valid: Mutex::default(),
    };
    let mut files = files(place, tree.paths, watchdog);
    records::load_all(path, &mut files, watchdog);
    let names = Names::new(path, &files);
    let mut judge = Judge::new(path, &names, architecture);
    judge.found.extend(declared.err().map(|error| {
        let file = architecture::path(path);
        let advice = "write the name of one architecture into it, or remove it";
        Finding::problem(BAD_DECLARATION, &file, error, advice)
    }));
    judge.found.extend(findings);
    judge.root(&root);
    judge.access(&watchdog.at(path, || directory_access.directory(path)), &State::Image, None);
    files.iter().for_each(|file| judge.file(file));
    judge.found.extend(hidden::scratches(path, watchdog));
    judge.found.extend(hidden::kept_files(path, watchdog));
    judge.found.extend(orphans::judge(path, &files, watchdog));
    let findings = judge.all();
    let whole = if is_partial { Vec::new() } else { vec![index] };
    Survey { files, findings, whole }
}

/// The finding for an image root that is a file.
fn no_directory(root: &Path) -> Finding {
    let advice = "put a directory in its place, or remove it from image_root";
    Finding::problem(NOT_A_DIRECTORY, root, "this image root is not a directory", advice)
}

/// Inspects the files with these paths.
fn files(place: Place<'_>, paths: Paths, watchdog: &Watchdog) -> Vec<File> {
    let paths = Arc::new(paths);
    let look = |directory: &mut Directory, number: u32| {
        watchdog.at(paths.get(number), || File::look(&place, directory, &paths, number))
    };
    let numbers = (0..paths.len()).into_par_iter();
    let mut files: Vec<File> = numbers.map_init(Directory::default, look).collect();
    // These files were deleted during the survey.
    files.retain(|file| *file.state() != State::Absent);
    files
}

/// Examines the directory of each path.
fn access(root: &Path, paths: &Paths, watchdog: &Watchdog) -> DirectoryAccess {
    let mut access = DirectoryAccess::default();
    let mut last = None;
    for number in 0..paths.len() {
        let directory = paths.get(number).parent().unwrap_or(root);
        // A comparison of `Path` values would compare all components.
        if last.replace(directory.as_os_str()) != Some(directory.as_os_str()) {
            watchdog.at(directory, || access.directory(directory));
        }
    }
    access
}

/// Collects findings about one root. A problem of a directory is reported once, not for each file.
struct Judge<'a> {
    root: &'a Path,
    names: &'a Names<'a>,
    architecture: Architecture,
    real: PathBuf,
    found: Vec<Finding>,
    shared: BTreeMap<(PathBuf, &'static str), Finding>,
}

impl<'a> Judge<'a> {
    fn new(root: &'a Path, names: &'a Names<'a>, architecture: Architecture) -> Self {
        let real = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        Self { root, names, architecture, real, found: Vec::new(), shared: BTreeMap::new() }
    }

    fn all(self) -> Vec<Finding> {
        self.found.into_iter().chain(self.shared.into_values()).collect()
    }

    fn root(&mut self, root: &Root<'_>) {
        match root.problem() {
            None => {}
            Some(State::Absent) => {
                let what = "this image root does not exist";
                self.found.push(Finding::note(
                    ABSENT,
                    self.root,
                    what,
                    "create it, or remove it from image_root",
                ));
            }
            Some(State::Untrusted(reason)) => {
                let finding = Finding::untrusted(&reason).with_fix(Fix::close(&reason, &self.real));
                self.share(finding, None);
            }
            Some(state) => self.found.push(Finding::refused(self.root, &state)),
        }
    }

    fn file(&mut self, file: &File) {
        if file.key.is_none() {
            return self.found.push(self.names.judge(file));
        }
        self.access(file.access(), file.state(), Some(file));
        self.found.extend(records::report_mismatch(file));
        self.found.extend(misnamed::judge(file, self.names));
        match file.state() {
            State::Untrusted(reason) => {
                let finding = Finding::untrusted(reason).with_fix(Fix::close(reason, &self.real));
                self.share(finding, Some(file));
            }
            // Already reported for the same file, or for the directory that blocks access.
            State::Unreadable if *file.access() != Access::Everybody => {}
            state @ State::DanglingLink
                if file.reference().is_some_and(|one| one.digest().is_some()) =>
            {
                let fix = file.path().is_symlink().then(|| Fix::Unlink(file.path().to_path_buf()));
                self.found.push(Finding::refused(file.path(), state).with_fix(fix));
            }
            State::Image => {
                self.found.extend(file.damage().map(|damage| Finding::damaged(file.path(), damage)))
            }
            State::WrongArchitecture(actual) => {
                let finding =
                    Finding::wrong_architecture(file.path(), actual, self.architecture, self.root);
                self.found.push(finding);
            }
            state if state.is_refusal() => self.found.push(Finding::refused(file.path(), state)),
            _ => {}
        }
    }

    /// Reports a file that not everybody can read, or a root in which not everybody can look up
    /// names.
    fn access(&mut self, access: &Access, state: &State, file: Option<&File>) {
        match access {
            Access::Everybody => {}
            Access::Group(path, gid) => {
                let what = format!("accessible only to the group {gid}");
                self.share(Finding::note(GROUP_ONLY, path, what, ""), file);
            }
            Access::Closed(path, gid) => {
                let what = match gid {
                    None => "users may not read it".to_owned(),
                    Some(gid) => format!("users may not read it, only the group {gid}"),
                };
                let advice = if path.is_dir() { "chmod a+rx" } else { "chmod a+r" };
                let finding = Finding::problem(UNREADABLE_FOR_USERS, path, what, advice);
                // Only a valid image is made readable. Any other file may come from an ordinary
                // user, so an administrator should look at it first.
                let fix = match state {
                    State::Image => Fix::open(path, &self.real),
                    _ => None,
                };
                self.share(finding.with_fix(fix), file);
            }
        }
    }

    fn share(&mut self, finding: Finding, file: Option<&File>) {
        let key = (finding.path.clone(), finding.token);
        let entry = self.shared.entry(key).or_insert_with(|| finding.clone());
        entry.fix = entry.fix.take().or(finding.fix);
        // A finding about the file itself does not list it as affected.
        entry
            .affected
            .extend(file.map(|file| file.path().to_path_buf()).filter(|path| *path != entry.path));
    }
}
