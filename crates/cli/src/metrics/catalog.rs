//! All metrics, with their labels. docs/metrics.md has a row for each, and a test compares the two.

/// The type of a metric in the text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number that only grows, except after a loss of the state file.
    Counter,
    /// A number that can go up and down.
    Gauge,
}

impl Kind {
    /// The word of the text format.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The names of its labels, in the order of [`super::page::Page::add`].
    pub(crate) labels: &'static [&'static str],
    /// One line for people.
    pub(crate) help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

pub(crate) static LOOKUPS: Metric = counter(
    "sifcache_lookups_total",
    &["node", "outcome", "reason"],
    "Commands for which sifcache looked for an image, by the node and what it found; tasks that share a command count one each.",
);
pub(crate) static LAUNCHES: Metric = counter(
    "sifcache_launches_total",
    &["path", "outcome"],
    "The same commands, by the path on which sifcache handled them.",
);
pub(crate) static IMAGES_LOOKUPS: Metric = counter(
    "sifcache_image_lookups_total",
    &["reference", "outcome"],
    "The same commands, for the references that are requested most; all others are other.",
);
pub(crate) static NOT_DOWNLOADED: Metric = counter(
    "sifcache_not_downloaded_bytes_total",
    &[],
    "Sizes of the images of all hits; tasks that share a command count one each.",
);
pub(crate) static WITHOUT_SIZE: Metric = counter(
    "sifcache_hits_without_size_total",
    &[],
    "Hits that are missing in sifcache_not_downloaded_bytes_total, because their image could not be found.",
);
pub(crate) static REFUSED: Metric = counter(
    "sifcache_refused_images_total",
    &["reason"],
    "Files that misses found and did not accept as images.",
);
pub(crate) static ROOT_FAILURES: Metric = counter(
    "sifcache_root_failures_total",
    &["reason"],
    "Image roots that misses could not search: no-root does not exist, no-answer did not answer in time.",
);
pub(crate) static LOG_PROBLEMS: Metric = counter(
    "sifcache_log_problems_total",
    &["problem"],
    "Lines of the logs that are forged or cannot be read, and gaps, in which lines may be lost.",
);
pub(crate) static COUNTED_SINCE: Metric =
    gauge("sifcache_counters_start_timestamp_seconds", &[], "When the counters began at zero.");
pub(crate) static LAST_LOOKUP: Metric = gauge(
    "sifcache_last_lookup_timestamp_seconds",
    &[],
    "Time of the last hit or miss in the logs.",
);
pub(crate) static LOG_READABLE: Metric = gauge(
    "sifcache_log_readable",
    &["log"],
    "Whether the log was read (1) or cannot be read (0); then its lines are counted later.",
);
pub(crate) static ROOT_READABLE: Metric = gauge(
    "sifcache_root_readable",
    &["root"],
    "Whether the image root answers and can be read (1) or not (0).",
);
pub(crate) static IMAGES: Metric = gauge("sifcache_images", &["root"], "Images in the image root.");
pub(crate) static IMAGE_BYTES: Metric =
    gauge("sifcache_image_bytes", &["root"], "Size of these images.");
pub(crate) static INVALID_FILES: Metric = gauge(
    "sifcache_invalid_files",
    &["root"],
    "Files in the image root that are not valid images; sifcache verify names them.",
);
pub(crate) static ROOT_SIZE: Metric =
    gauge("sifcache_root_size_bytes", &["root"], "Size of the file system of the image root.");
pub(crate) static ROOT_FREE: Metric = gauge(
    "sifcache_root_free_bytes",
    &["root"],
    "Space on this file system that is left for ordinary users.",
);
pub(crate) static ROOT_INODES: Metric = gauge(
    "sifcache_root_inodes",
    &["root"],
    "Inodes of this file system; absent if it has no limit.",
);
pub(crate) static ROOT_FREE_INODES: Metric = gauge(
    "sifcache_root_free_inodes",
    &["root"],
    "Inodes of this file system that are left for ordinary users.",
);
pub(crate) static KEPT_BYTES: Metric = gauge(
    "sifcache_kept_bytes",
    &["root"],
    "Space of replaced and removed images that are still kept for running jobs.",
);
pub(crate) static KEPT_INODES: Metric =
    gauge("sifcache_kept_inodes", &["root"], "Inodes of these images and their directories.");
pub(crate) static UNUSED_IMAGES: Metric = gauge(
    "sifcache_unused_images",
    &["root"],
    "Images that were added and last used longer ago than sifcache_unused_after_seconds.",
);
pub(crate) static UNUSED_BYTES: Metric =
    gauge("sifcache_unused_bytes", &["root"], "Size of these images.");
pub(crate) static UNUSED_AFTER: Metric = gauge(
    "sifcache_unused_after_seconds",
    &[],
    "Time after which an image counts as unused: --unused-for.",
);
pub(crate) static OLDEST_TAG: Metric = gauge(
    "sifcache_oldest_tag_check_timestamp_seconds",
    &["root"],
    "Of the tags that were pulled from a registry: the earliest time at which one was last pulled, or compared by refresh.",
);
pub(crate) static RUN: Metric = gauge(
    "sifcache_last_run_timestamp_seconds",
    &["root", "command"],
    "When the command last ended.",
);
pub(crate) static RUN_EXIT: Metric = gauge(
    "sifcache_last_run_exit_status",
    &["root", "command"],
    "Exit status of this run; 0 is success.",
);
pub(crate) static RUN_SUCCESS: Metric = gauge(
    "sifcache_last_success_timestamp_seconds",
    &["root", "command"],
    "When the command last ended with success.",
);
pub(crate) static RUN_SECONDS: Metric =
    gauge("sifcache_last_run_duration_seconds", &["root", "command"], "Duration of the last run.");
pub(crate) static HEARTBEAT: Metric = gauge(
    "sifcache_fill_heartbeat_timestamp_seconds",
    &["root"],
    "When sifcache fill --follow last wrote its heartbeat; absent if it never ran.",
);
pub(crate) static BUILD: Metric =
    gauge("sifcache_build_info", &["version"], "Release of the command that wrote this; always 1.");
pub(crate) static PLUGIN: Metric = gauge(
    "sifcache_plugin_info",
    &["slurm"],
    "Slurm release for which the plugin on this host was built; always 1; absent without a plugin.",
);
pub(crate) static WRITTEN: Metric =
    gauge("sifcache_metrics_timestamp_seconds", &[], "When these metrics were written.");

/// All metrics, in the order of the output.
pub(crate) static ALL: [&Metric; 33] = [
    &LOOKUPS,
    &LAUNCHES,
    &IMAGES_LOOKUPS,
    &NOT_DOWNLOADED,
    &WITHOUT_SIZE,
    &REFUSED,
    &ROOT_FAILURES,
    &LOG_PROBLEMS,
    &COUNTED_SINCE,
    &LAST_LOOKUP,
    &LOG_READABLE,
    &ROOT_READABLE,
    &IMAGES,
    &IMAGE_BYTES,
    &INVALID_FILES,
    &ROOT_SIZE,
    &ROOT_FREE,
    &ROOT_INODES,
    &ROOT_FREE_INODES,
    &KEPT_BYTES,
    &KEPT_INODES,
    &UNUSED_IMAGES,
    &UNUSED_BYTES,
    &UNUSED_AFTER,
    &OLDEST_TAG,
    &RUN,
    &RUN_EXIT,
    &RUN_SUCCESS,
    &RUN_SECONDS,
    &HEARTBEAT,
    &BUILD,
    &PLUGIN,
    &WRITTEN,
];

#[cfg(test)]
mod tests;
