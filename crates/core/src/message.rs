//! The messages for users about a miss.

use crate::cache_mode::CacheMode;
use crate::decision::Decision;
use crate::image::Root;
use crate::layout::Layout;
use crate::settings::{OnMiss, Settings};
use crate::tags::{self, Tags};
use std::path::{Path, PathBuf};

/// The prefix of every line, so that users can see where the message comes from.
const NAME: &str = "sifcache: ";

/// The full message about a miss. It has several lines; each ends with a line feed.
///
/// The message names the missing reference, the image roots that were searched, the refused files
/// and similar tags, and it suggests what to do. Only the image roots in `readable` are read for
/// the message. The message is empty if the decision has no reference.
#[must_use]
pub fn miss(
    decision: &Decision,
    settings: &Settings,
    mode: CacheMode,
    on_miss: OnMiss,
    readable: &[PathBuf],
) -> String {
    let Some(reference) = decision.reference() else { return String::new() };
    let mut lines = vec![
        format!("{reference} is not in the image cache of this cluster"),
        format!("searched: {}", roots(decision, settings, readable)),
    ];
    for candidate in decision.refused() {
        lines.push(format!("refused: {}: {}", candidate.path.display(), candidate.state));
    }
    let is_web = reference.transport().is_web();
    if !readable.is_empty() && !is_web {
        // The names in other layouts do not show which of them are tags of this repository.
        let own: Vec<_> =
            readable.iter().filter(|root| settings.image_roots.contains(root)).cloned().collect();
        let tags = tags::similar(reference, &own, settings.untrusted);
        lines.push(available(&reference.short_repository(), &tags));
    }
    let next = next_step(mode, on_miss).replace("LAUNCH", decision.kind().as_str());
    let next = next.replace("ON_MISS", &settings.on_miss_value());
    lines.push(if is_web { of_file(&next) } else { next });
    lines.iter().flat_map(|line| [NAME, line, "\n"]).collect()
}

/// A one-line message about a miss, for the other nodes of a step.
#[must_use]
pub fn short_miss(
    decision: &Decision,
    settings: &Settings,
    node: &str,
    readable: &[PathBuf],
) -> String {
    let Some(reference) = decision.reference() else { return String::new() };
    let roots = roots(decision, settings, readable);
    format!("{NAME}{node}: {reference} is not in the image cache of this node ({roots})\n")
}

/// The image roots, separated by commas. A root that cannot be used is followed by the reason.
fn roots(decision: &Decision, settings: &Settings, readable: &[PathBuf]) -> String {
    let known = |path: &Path| {
        decision.unusable_roots().find(|root| root.path == path).map(|root| root.state.clone())
    };
    let problem = |path: &Path| match readable.iter().any(|root| root == path) {
        true => Root::enter(path, settings.untrusted).problem(),
        false => known(path),
    };
    let root = |(path, layout): (&Path, Option<Layout>)| {
        let prefix = layout.map_or(String::new(), |layout| format!("{layout}="));
        match problem(path) {
            None => format!("{prefix}{}", path.display()),
            Some(state) => format!("{prefix}{} ({state})", path.display()),
        }
    };
    settings.search_path().map(root).collect::<Vec<_>>().join(", ")
}

fn available(repository: &str, tags: &Tags) -> String {
    match (tags.shown.join(", "), tags.more) {
        (shown, 0) if shown.is_empty() => format!("no other tag of {repository} is in the cache"),
        (shown, more) if shown.is_empty() => {
            format!(
                "{more} files look like tags of {repository}; the first ones are not valid images"
            )
        }
        (shown, 0) => format!("tags of {repository} in the cache: {shown}"),
        (shown, more) => format!("tags of {repository} in the cache: {shown} and {more} more"),
    }
}

/// The next step for a URL, which has no tag and no registry.
fn of_file(next_step: &str) -> String {
    let without_tag =
        next_step.replace("use a tag in the cache, ", "").replace("; or ask", "; ask");
    without_tag.replace("pulls it from its registry", "downloads it")
}

/// What follows from the miss. `LAUNCH` stands for the kind of the command, and `ON_MISS` for the
/// site's value.
fn next_step(mode: CacheMode, on_miss: OnMiss) -> &'static str {
    match (on_miss, mode) {
        (OnMiss::Fail, CacheMode::Require) => {
            "the LAUNCH fails because of --sif-cache=require (or SIF_CACHE=require); use a tag in the \
             cache, ask the admins to add this image, or let the runtime pull it with --sif-cache=off"
        }
        (OnMiss::Fail, _) => {
            "the LAUNCH fails because of on_miss=ON_MISS in plugstack.conf; use a tag in the cache, \
             ask the admins to add this image, or let the runtime pull it with --sif-cache=off"
        }
        _ => {
            "the runtime now pulls it from its registry; use a tag in the cache, or ask the admins to \
             add this image"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tags, available, miss, short_miss};
    use crate::cache_mode::CacheMode;
    use crate::decision::decide;
    use crate::image::State;
    use crate::image::tests::{TestRoot, sif};
    use crate::lookup::{Answer, Inline, Probe, Prober};
    use crate::settings::{DEFAULT_WAIT, OnMiss, Settings};
    use std::cell::Cell;
    use std::path::PathBuf;

    #[test]
    fn a_miss_names_image_roots_refusals_tags_and_next_step() {
        let Some(root) = TestRoot::new() else { return };
        root.file("o/i:1", &sif());
        root.file("o/i:2", b"");
        let path = root.path().display();
        let settings =
            Settings::with_roots(vec![PathBuf::from("/nowhere"), root.path().to_owned()]);
        let argv = ["apptainer", "run", "docker://o/i:2"];
        let decision = decide(&argv, &settings, CacheMode::Auto, &|_| None, &Inline);
        let settings = Settings { on_miss: OnMiss::Fail, ..settings };
        let readable = &settings.image_roots;
        let text = miss(&decision, &settings, CacheMode::Auto, OnMiss::Fail, readable);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "sifcache: docker.io/o/i:2 is not in the image cache of this cluster",
                &format!("sifcache: searched: /nowhere (does not exist), {path}"),
                &format!("sifcache: refused: {path}/o/i:2: an empty file"),
                "sifcache: tags of o/i in the cache: 1",
            ]
        );
        for (mode, on_miss, part) in [
            (CacheMode::Auto, OnMiss::Fail, "because of on_miss=fail in plugstack.conf"),
            (CacheMode::Require, OnMiss::Fail, "because of --sif-cache=require"),
            (CacheMode::Auto, OnMiss::Warn, "the runtime now pulls it from its registry"),
        ] {
            let text = miss(&decision, &settings, mode, on_miss, readable);
            assert!(text.lines().last().unwrap().contains(part), "{text}");
        }
        let waited = Settings { wait: Some(DEFAULT_WAIT), ..settings.clone() };
        let text = miss(&decision, &waited, CacheMode::Auto, OnMiss::Fail, readable);
        assert!(text.contains("because of on_miss=wait:600:fail in plugstack.conf"), "{text}");
        let line = short_miss(&decision, &settings, "n2", readable);
        assert!(line.starts_with("sifcache: n2: docker.io/o/i:2 is not in"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn available_tags_and_their_number() {
        let tags = |shown: &[&str], more| {
            available("o/i", &Tags { shown: shown.iter().map(|&s| s.to_owned()).collect(), more })
        };
        assert_eq!(tags(&[], 0), "no other tag of o/i is in the cache");
        let none_is = "3 files look like tags of o/i; the first ones are not valid images";
        assert_eq!(tags(&[], 3), none_is);
        assert_eq!(tags(&["1", "2"], 0), "tags of o/i in the cache: 1, 2");
        assert_eq!(tags(&["1"], 3), "tags of o/i in the cache: 1 and 3 more");
    }

    /// A prober whose first run times out.
    struct FirstTimesOut(Cell<bool>);

    impl Prober for FirstTimesOut {
        fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
            match self.0.replace(true) {
                false => vec![Err(State::NoAnswer)],
                true => Inline.run(probe),
            }
        }
    }

    /// The message must not access a root that timed out.
    #[test]
    fn a_root_that_timed_out_is_not_read() {
        let Some(root) = TestRoot::new() else { return };
        root.file("o/i:1", &sif());
        let (path, silent) = (root.path().display(), PathBuf::from("/silent"));
        let settings = Settings::with_roots(vec![silent.clone(), root.path().to_owned()]);
        let argv = ["apptainer", "run", "docker://o/i:2"];
        let prober = FirstTimesOut(Cell::new(false));
        let decision = decide(&argv, &settings, CacheMode::Auto, &|_| None, &prober);
        for (readable, tags) in [(vec![root.path().to_owned()], 1), (vec![], 0)] {
            let text = miss(&decision, &settings, CacheMode::Auto, OnMiss::Warn, &readable);
            let searched = format!("sifcache: searched: /silent (no answer), {path}\n");
            assert!(text.contains(&searched), "{text}");
            assert_eq!(text.matches("tags of o/i in the cache: 1\n").count(), tags, "{text}");
            assert_eq!(text.matches("tag of").count(), 0, "{text}");
        }
    }
}
