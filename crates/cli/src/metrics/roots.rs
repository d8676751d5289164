//! The present state of the image roots.

use super::catalog::{self, Metric};
use super::counters::seconds;
use super::page::{Number, Page};
use crate::cache::fill_level::FillLevel;
use crate::cache::runs::{self, Command, Run};
use crate::cache::select;
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::retention;
use crate::cache::store::scan::{self, Image};
use crate::cache::usage::UsageIndex;
use crate::demand::board;
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::settings::Settings;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a root may take to answer if the site has set no limit.
const LIMIT: Duration = Duration::from_secs(30);

/// An image root, and whether it answers.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    /// Whether another tool fills it. Its images are not listed.
    is_foreign: bool,
    level: Result<FillLevel, String>,
    /// Whether it is the same directory as a root before it, or has the same path. It is not shown,
    /// because it would be counted twice, but logs can name its images.
    is_repeated: bool,
}

/// The device and inode of a directory.
type Id = (u64, u64);

/// Checks whether each image root answers. All are checked at the same time, each by a thread that is
/// abandoned if the file server hangs.
pub(crate) fn ask(settings: &Settings) -> Vec<Root> {
    let own = settings.image_roots.iter().map(|path| (path.clone(), false));
    let foreign = settings.foreign_roots.iter().map(|root| (root.path.clone(), true));
    let limit = settings.lookup_timeout.unwrap_or(LIMIT);
    let asked = own.chain(foreign).map(|(path, is_foreign)| {
        let (sender, receiver) = mpsc::channel();
        let work = path.clone();
        thread::spawn(move || sender.send(answer(&work).map_err(|error| error.to_string())));
        (path, is_foreign, receiver)
    });
    let asked: Vec<_> = asked.collect();
    let (mut paths, mut ids) = (HashSet::new(), HashSet::new());
    let mut root = |(path, is_foreign, receiver): (PathBuf, bool, mpsc::Receiver<_>)| {
        let late = || Err(format!("no answer within {} s", limit.as_secs()));
        let answer: Result<(FillLevel, Id), String> =
            receiver.recv_timeout(limit).unwrap_or_else(|_| late());
        let is_known = answer.as_ref().is_ok_and(|(_, id)| !ids.insert(*id));
        let is_repeated = !paths.insert(path.clone()) || is_known;
        Root { path, is_foreign, level: answer.map(|(level, _)| level), is_repeated }
    };
    asked.into_iter().map(&mut root).collect()
}

fn answer(root: &Path) -> io::Result<(FillLevel, Id)> {
    fs::read_dir(root)?.next().transpose()?;
    let metadata = fs::metadata(root)?;
    Ok((FillLevel::of(root)?, (metadata.dev(), metadata.ino())))
}

/// The size in bytes of an image in a log; `None` if it is not in a root that answers. A log can contain
/// any path, so files outside of the roots are not accessed.
pub(crate) fn size(roots: &[Root], image: &Path) -> Option<u64> {
    let is_inside = |root: &Root| {
        let name = image.strip_prefix(&root.path);
        let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
        root.level.is_ok() && name.is_ok_and(|name| name.components().all(is_name))
    };
    let metadata = roots.iter().any(is_inside).then(|| fs::metadata(image))?.ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// Adds the samples of all image roots. Returns messages about those that cannot be read.
pub(crate) fn show(
    page: &mut Page,
    roots: &[Root],
    unused_for: SignedDuration,
    now: Timestamp,
) -> Vec<String> {
    let mut notes = Vec::new();
    let answering =
        || roots.iter().filter(|root| root.level.is_ok()).map(|root| root.path.as_path());
    for root in roots.iter().filter(|root| !root.is_repeated) {
        let shown = root.level.clone().and_then(|level| {
            let add = &mut |metric: &Metric, number: Number| {
                page.add(metric, &[&root.path.to_string_lossy()], number);
            };
            space(add, level);
            match root.is_foreign {
                true => Ok(()),
                false => {
                    let others = OtherRoots::among(answering(), &root.path);
                    content(add, (&root.path, &others), unused_for, now)
                        .map_err(|error| error.to_string())
                }
            }
        });
        let is_readable = shown.is_ok();
        page.add(&catalog::ROOT_READABLE, &[&root.path.to_string_lossy()], is_readable);
        if is_readable && !root.is_foreign {
            let commands = Command::ALL.map(|command| (command, runs::load(&root.path, command)));
            for (command, run) in commands {
                if let Ok(Some(run)) = run {
                    show_run(page, &root.path, command, &run);
                }
            }
        }
        if let Err(problem) = shown {
            notes.push(format!("image root {}: {problem}", escape_for_terminal(&root.path)));
        }
    }
    page.add(&catalog::UNUSED_AFTER, &[], unused_for.as_secs_f64());
    notes
}

type Add<'a> = &'a mut dyn FnMut(&Metric, Number);

fn space(add: Add<'_>, level: FillLevel) {
    let free = |part: crate::cache::fill_level::Part| part.total.saturating_sub(part.used);
    add(&catalog::ROOT_SIZE, level.space.total.into());
    add(&catalog::ROOT_FREE, free(level.space).into());
    if level.inodes.total > 0 {
        add(&catalog::ROOT_INODES, level.inodes.total.into());
        add(&catalog::ROOT_FREE_INODES, free(level.inodes).into());
    }
}

/// The data of an image that is counted.
struct Counted {
    size: u64,
    is_unused: bool,
    /// When its tag was last pulled or compared, if it has one that `refresh` can compare.
    checked: Option<Timestamp>,
}

fn content(
    add: Add<'_>,
    (root, others): (&Path, &OtherRoots),
    unused_for: SignedDuration,
    now: Timestamp,
) -> Result<(), Failure> {
    let files = select::accessible_files(root, others)?;
    let usage = UsageIndex::load(root);
    let tags = runs::load(root, Command::Refresh).ok().flatten().map(|run| run.tags);
    let (images, invalid) = scan::each(root, &files, &|_, image: Image| {
        let used = image.names.iter().filter_map(|name| usage.last(name)).max();
        let last = used.unwrap_or(Timestamp::MIN).max(image.added());
        Some(Counted {
            size: image.size,
            is_unused: now.duration_since(last) > unused_for,
            checked: image.has_tag().then(|| {
                let compared = tags
                    .as_ref()
                    .and_then(|tags| tags.checked(image.names.iter().map(String::as_str)));
                compared.unwrap_or(Timestamp::MIN).max(image.added())
            }),
        })
    });
    add(&catalog::INVALID_FILES, u64::try_from(invalid).unwrap_or(u64::MAX).into());
    sums(add, &images);
    let kept = retention::size(root);
    add(&catalog::KEPT_BYTES, kept.bytes.into());
    add(&catalog::KEPT_INODES, kept.inodes.into());
    if let Some(beat) = board::pulse(root) {
        add(&catalog::HEARTBEAT, beat.into());
    }
    Ok(())
}

fn sums(add: Add<'_>, images: &[Counted]) {
    let sum = |all: &mut dyn Iterator<Item = &Counted>| {
        all.fold((0_u64, 0_u64), |(count, bytes), one| (count + 1, bytes.saturating_add(one.size)))
    };
    let (count, bytes) = sum(&mut images.iter());
    let (unused, unused_bytes) = sum(&mut images.iter().filter(|one| one.is_unused));
    add(&catalog::IMAGES, count.into());
    add(&catalog::IMAGE_BYTES, bytes.into());
    add(&catalog::UNUSED_IMAGES, unused.into());
    add(&catalog::UNUSED_BYTES, unused_bytes.into());
    if let Some(oldest) = images.iter().filter_map(|one| one.checked).min() {
        add(&catalog::OLDEST_TAG, seconds(oldest).into());
    }
}

fn show_run(page: &mut Page, root: &Path, command: Command, run: &Run) {
    let root = root.to_string_lossy();
    let labels = [root.as_ref(), command.word()];
    page.add(&catalog::RUN, &labels, seconds(run.ended));
    page.add(&catalog::RUN_EXIT, &labels, u64::from(run.exit));
    if let Some(succeeded) = run.succeeded {
        page.add(&catalog::RUN_SUCCESS, &labels, seconds(succeeded));
    }
    page.add(&catalog::RUN_SECONDS, &labels, run.seconds);
}

#[cfg(test)]
mod tests {
    use super::{ask, show};
    use crate::metrics::page::{Format, Page};
    use jiff::{SignedDuration, Timestamp};
    use sifcache_core::settings::Settings;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_root_is_shown_once() {
        let directory = tempfile::tempdir().unwrap();
        let (root, link) = (directory.path().join("root"), directory.path().join("link"));
        let other = directory.path().join("other");
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&other).unwrap();
        symlink(&root, &link).unwrap();
        let missing = directory.path().join("missing");
        let all = [&root, &root, &link, &other, &missing, &missing];
        let image_roots = all.map(Clone::clone).to_vec();
        let settings = Settings::with_roots(image_roots);
        let mut page = Page::default();
        show(&mut page, &ask(&settings), SignedDuration::from_hours(1), Timestamp::now());
        let text = page.text(Format::Prometheus);
        let samples = text.lines().filter(|line| line.starts_with("sifcache_root_readable{"));
        let expected = [(root, 1), (other, 1), (missing, 0)].map(|(root, value)| {
            format!("sifcache_root_readable{{root=\"{}\"}} {value}", root.display())
        });
        assert_eq!(samples.collect::<Vec<_>>(), expected);
    }
}
