//! The page of the results.

use super::launches::{AT_ONCE, Compared, LISTENS, PULLS};
use super::scale::Scale;
use super::taken;
use crate::experiment::Taken;
use crate::statistics::summary;
use anyhow::Result;

/// The page in Markdown.
pub(super) fn page(
    scale: &Scale,
    users: &[Compared],
    first: &[Compared],
    machine: &[(String, String)],
) -> Result<String> {
    let machine: Vec<String> =
        machine.iter().map(|(what, value)| format!("| {what} | {value} |")).collect();
    let users = rows(users, &|ours, other| (ours / other <= 1.0 / 3.0, "at most 0.33 times"))?;
    let first = rows(first, &|ours, other| (ours <= other, "no longer"))?;
    Ok(format!(
        "# Benchmarks of images on demand\n\n`make bench-demand` writes this page.\n\n\
         ## {} tasks on {} nodes miss {} images\n\n{SCALE}\n\n{}\n\n{CALLS}\n\n\
         ## 100 users start one new image at once\n\n{}\n\n{users}\n\n\
         ## A single first user\n\n{FIRST}\n\n{first}\n\n## Machine\n\n| what | value |\n| --- | \
         --- |\n{}\n",
        thousands(scale.tasks),
        scale.nodes,
        scale.images,
        scale_rows(scale),
        USERS.replace("AT_ONCE", &AT_ONCE.to_string()),
        machine.join("\n")
    ))
}

const SCALE: &str = "The filler, the registry and the shims of all tasks are real. The nodes are \
    namespaces with sockets, a host name\nand a `/dev/log` of their own, and the runtime is a stub \
    that checks whether it gets an image in the cache. The\ntasks of 8 users are shuffled, and two \
    users start each image. While they ask, the policy has quiet hours, so\nthat all tasks miss \
    their image and wait. After a time of observation, the policy allows pulls. The benchmark\n\
    fails if an image is filled twice, or a task does not start from the cache.";

const CALLS: &str = "The calls of a node are those with a path below the image root, as strace \
    shows them while all tasks wait: an open\nof a queue file is one.";

const USERS: &str = "Each user runs `srun apptainer exec docker://IMAGE true` with `on_miss=wait`, or \
    without the plugin. Slurm runs at\nmost AT_ONCE jobs at once on each of two nodes, in both variants: \
    a pull by the runtime takes 340 MB of memory\nand 900 MB of disk. For the same reason, the \
    runtime's cache is off. The time ends when the last command has\nended.";

const FIRST: &str = "One user runs `srun apptainer exec docker://IMAGE true`. With sifcache, the \
    image is not in the cache, and the\ntask waits until the filler has added it. The runtime's \
    cache is empty. With logs, the task polls\nfor its image; the listener sends it the result.";

fn scale_rows(scale: &Scale) -> String {
    let [once, twice, never] = scale.added;
    let [blobs, manifests, images] = scale.served;
    let (mean, most) = scale.calls;
    let row = |what: &str, found: String, target: &str| format!("| {what} | {found} | {target} |");
    let rows = [
        row("images filled once", once.to_string(), &scale.images.to_string()),
        row("images filled twice, or never", format!("{twice}, {never}"), "0, 0"),
        row(
            "most downloads of one blob, of one manifest",
            format!("{blobs}, {manifests}, of {images} images"),
            "1, 1",
        ),
        row(
            "tasks that started from the cache",
            thousands(u32::try_from(scale.started).unwrap_or_default()),
            &thousands(scale.tasks),
        ),
        row("log lines with requests", scale.requests.to_string(), ""),
        row("time until the last image was filled", format!("{:.1} s", scale.last_image), ""),
        row("time until the last task started", format!("{:.1} s", scale.last_task), ""),
        row("peak memory of the filler", format!("{:.0} MB", scale.memory), ""),
        row("processes that poll, per node", format!("{:.0}", scale.pollers), ""),
        row(
            "calls of a node that waits, in any second",
            format!("mean {mean:.2}, at most {most}"),
            "1",
        ),
        row(
            "opened queue files per second and node, all nodes",
            format!("{:.2}", scale.opens),
            "1",
        ),
    ];
    format!("| what | measured | target |\n| --- | --- | --- |\n{}", rows.join("\n"))
}

fn thousands(number: u32) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}

/// The variants side by side. `target` says whether the time is within the target.
fn rows(all: &[Compared], target: &dyn Fn(f64, f64) -> (bool, &'static str)) -> Result<String> {
    let mut rows = Vec::new();
    for one in all {
        let pulls = taken(&one.taken, PULLS)?;
        for waits in one.taken.iter().filter(|taken| taken.name != PULLS) {
            rows.push(row(&one.image, pulls, waits, target));
        }
    }
    Ok(format!(
        "| image | requests through | without the plugin | sifcache | sifcache, compared | target | \
         pulls without | pulls with | rounds |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- \
         |\n{}\n\nTimes are medians, with the tenth and the ninetieth percentile. The variants take \
         turns. Pulls are the downloads of the\nimage's layer that the registry served.",
        rows.join("\n")
    ))
}

fn row(
    image: &str,
    pulls: &Taken,
    waits: &Taken,
    target: &dyn Fn(f64, f64) -> (bool, &'static str),
) -> String {
    let [other, ours] = [pulls, waits].map(|taken| summary(&taken.seconds));
    let [pulls, wait] = [pulls, waits].map(|taken| summary(&taken.gauge).median);
    let (kept, text) = target(ours.median, other.median);
    let [other_time, our_time] = [&other, &ours]
        .map(|one| format!("{:.2} s ({:.2} to {:.2})", one.median, one.p10, one.p90));
    let through = if waits.name == LISTENS { "the listener" } else { "logs" };
    format!(
        "| {image} | {through} | {other_time} | {our_time} | {:.2} times | {text}{} | {pulls:.0} | \
         {wait:.0} | {} |",
        ours.median / other.median,
        if kept { "" } else { ": **missed**" },
        ours.count
    )
}
