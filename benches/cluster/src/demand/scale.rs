//! Many tasks on many nodes miss many images. The tasks are real shims that wait, the filler and the
//! registry are real, and the nodes are simulated: namespaces on the login node.

use super::node::{Node, Task};
use super::nodes::{Observed, Plan, statuses};
use super::{filler, registry};
use crate::site::{FIRST_USER, ROOT};
use crate::testbed;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The directory of the queue files.
pub(super) const QUEUE: &str = "/shared/sif/.sifcache/queue";
/// The log of all nodes.
const LOG: &str = "/shared/nodes.log";
const DIRECTORY: &str = "/shared/nodes";
/// The shim and the runtime of the tasks.
const PATH: &str = "/opt/scale/shims:/opt/scale/real:/usr/bin:/bin";
/// The number of users of the tasks.
const USERS: u32 = 8;

/// The results.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Scale {
    pub(crate) nodes: u32,
    pub(crate) tasks: u32,
    pub(crate) images: u32,
    /// The numbers of images that were added once, more than once, and never.
    pub(crate) added: [usize; 3],
    /// The largest numbers of times that one blob and one manifest of an image were sent, and the
    /// number of images of which something was sent.
    pub(crate) served: [usize; 3],
    /// The number of tasks that started from the image in the cache.
    pub(crate) started: usize,
    /// The exit statuses of the other tasks.
    pub(crate) others: Vec<String>,
    /// The log lines about misses.
    pub(crate) requests: usize,
    /// Seconds from the moment at which the policy allowed pulls to the last image, and to the start
    /// of the last task.
    pub(crate) last_image: f64,
    /// See `last_image`.
    pub(crate) last_task: f64,
    /// The peak memory of the filler, in MB.
    pub(crate) memory: f64,
    /// The mean number of processes that poll on a node.
    pub(crate) pollers: f64,
    /// The mean number of queue files and directories that a node opens in a second while all tasks
    /// wait.
    pub(crate) opens: f64,
    /// The number of calls of one node with a path below the image root in a second of that time: the
    /// mean, and the largest number in any period of one second.
    pub(crate) calls: (f64, usize),
}

/// Measures. With `quick`, the numbers are small.
///
/// # Errors
/// A command fails, or tasks do not ask for their images.
pub(super) fn measure(quick: bool) -> Result<Scale> {
    let (nodes, tasks, images) = if quick { (5, 200, 10) } else { (50, 10_000, 200) };
    registry::make_small(images)?;
    install()?;
    let begin = filler::restart(&format!("--log {LOG}"), LOG, true);
    testbed::on("ctl", &begin).context("the filler does not start")?;
    registry::forget()?;
    let plan = plan(nodes, tasks, images, if quick { 15 } else { 60 });
    let observed = testbed::inside("nodes", &serde_json::to_string(&plan)?)?;
    let observed: Observed = serde_json::from_str(&observed)?;
    let memory = filler::memory()?;
    testbed::on("ctl", &filler::stop())?;
    evaluate([nodes, tasks, images], &observed, memory)
}

fn evaluate(numbers: [u32; 3], observed: &Observed, memory: f64) -> Result<Scale> {
    let [nodes, tasks, images] = numbers;
    let (events, served) = (filler::events()?, registry::served()?);
    let times = |image: u32| {
        let events = events.get(&format!("scale/i{image}:1"));
        events.and_then(|events| events.get("added")).copied().unwrap_or_default()
    };
    let count = |wanted: fn(usize) -> bool| (0..images).filter(|one| wanted(times(*one))).count();
    let most = |of: fn(&registry::Served) -> usize| served.values().map(of).max();
    let mut statuses = statuses(&observed.ended);
    let last_task = observed.ended.iter().map(|ended| ended.time).fold(observed.began, f64::max);
    Ok(Scale {
        nodes,
        tasks,
        images,
        added: [count(|times| times == 1), count(|times| times > 1), count(|times| times == 0)],
        served: [
            most(registry::Served::pulls).unwrap_or_default(),
            most(|served| served.manifests).unwrap_or_default(),
            served.len(),
        ],
        started: statuses.remove(&Some(0)).unwrap_or_default(),
        others: statuses.iter().map(|(status, count)| format!("{count} with {status:?}")).collect(),
        requests: observed.requests,
        last_image: last_image(images)? - observed.began,
        last_task: last_task - observed.began,
        memory,
        pollers: observed.pollers as f64 / f64::from(nodes),
        opens: observed.opens as f64 / observed.seconds / f64::from(nodes),
        calls: in_a_second(&observed.calls, observed.seconds),
    })
}

/// How many of the events at these times, within a period of `seconds`, are in one second: the mean,
/// and the largest number.
fn in_a_second(times: &[f64], seconds: f64) -> (f64, usize) {
    let from = |(first, start): (usize, &f64)| {
        times.iter().skip(first).take_while(|time| **time - start < 1.0).count()
    };
    (times.len() as f64 / seconds, times.iter().enumerate().map(from).max().unwrap_or_default())
}

/// When the last image got its name, in seconds since 1970.
fn last_image(images: u32) -> Result<f64> {
    let script = format!("cd {ROOT}/scale; stat -c %.9Z $(seq -f 'i%g:1' 0 {})", images - 1);
    let text = testbed::on("ctl", &script).context("an image is missing")?;
    let times: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    Ok(times?.into_iter().fold(0.0, f64::max))
}

impl Scale {
    /// What is wrong: the benchmark then fails.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let [_, twice, never] = self.added;
        let [blobs, manifests, images] = self.served;
        let lost = self.tasks as usize - self.started.min(self.tasks as usize);
        [
            (twice > 0, format!("{twice} images were filled more than once")),
            (never > 0, format!("{never} images were not filled")),
            (lost > 0, format!("{lost} tasks did not start from the cache: {:?}", self.others)),
            (blobs != 1, format!("a blob was sent {blobs} times")),
            (manifests != 1, format!("a manifest was sent {manifests} times")),
            (images != self.images as usize, format!("{images} images were sent")),
        ]
        .into_iter()
        .filter_map(|(is_wrong, text)| is_wrong.then_some(text))
        .collect()
    }
}

/// The shim, and a runtime that only checks whether it is started with an image in the cache. A real
/// one would take most of the time.
fn install() -> Result<()> {
    let script = format!(
        "rm -rf {DIRECTORY}
        install -d /opt/scale/shims /opt/scale/real
        ln -sf /usr/libexec/sifcache/sifcache-shim /opt/scale/shims/apptainer
        printf '#!/bin/sh\n%s\n' 'case $2 in {ROOT}/*) [ -s \"$2\" ] ;; *) exit 9 ;; esac' \
            >/opt/scale/real/apptainer
        chmod 755 /opt/scale/real/apptainer"
    );
    testbed::on("ctl", &script).map(drop)
}

fn plan(nodes: u32, tasks: u32, images: u32, observe: u64) -> Plan {
    let node = |number: u32, tasks: Vec<Task>| Node {
        tasks,
        pace: u64::from(nodes) * 10,
        settings: format!("image_root={ROOT} on_miss=wait:3600:fail"),
        path: PATH.to_owned(),
        messages: format!("{DIRECTORY}/{number}.messages"),
    };
    let mut all: BTreeMap<u32, Vec<Task>> = BTreeMap::new();
    for (task, place) in shuffled(tasks, images).into_iter().zip(0..) {
        all.entry(place % nodes).or_default().push(task);
    }
    Plan {
        nodes: all.into_iter().map(|(number, tasks)| node(number, tasks)).collect(),
        log: LOG.to_owned(),
        directory: DIRECTORY.to_owned(),
        observe,
    }
}

/// The tasks in a random order, which is the same in each run. Two users start each image.
fn shuffled(tasks: u32, images: u32) -> Vec<Task> {
    let task = |number: u32| {
        let image = number % images;
        let user = (image + number / images % 2) % USERS;
        Task { number, image: format!("scale/i{image}:1"), uid: FIRST_USER + user }
    };
    let mut random: u64 = 1;
    let mut all: Vec<(u64, u32)> = Vec::new();
    for number in 0..tasks {
        // Knuth's MMIX generator.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all.push((random, number));
    }
    all.sort_unstable();
    all.into_iter().map(|(_, number)| task(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Scale, plan};
    use std::collections::BTreeSet;

    #[test]
    fn each_task_is_on_one_node() {
        let plan = plan(50, 10_000, 200, 1);
        assert!(plan.nodes.iter().all(|node| node.tasks.len() == 200));
        let tasks = || plan.nodes.iter().flat_map(|node| &node.tasks);
        assert_eq!(tasks().map(|task| task.number).collect::<BTreeSet<_>>().len(), 10_000);
        assert_eq!(tasks().map(|task| &task.image).collect::<BTreeSet<_>>().len(), 200);
        let pairs: BTreeSet<_> = tasks().map(|task| (&task.image, task.uid)).collect();
        assert_eq!(pairs.len(), 400);
    }

    #[test]
    fn what_is_wrong() {
        let good = || Scale {
            nodes: 1,
            tasks: 4,
            images: 2,
            added: [2, 0, 0],
            served: [1, 1, 2],
            started: 4,
            others: Vec::new(),
            requests: 4,
            last_image: 1.0,
            last_task: 1.0,
            memory: 1.0,
            pollers: 1.0,
            opens: 1.0,
            calls: (1.0, 1),
        };
        assert_eq!(good().wrong(), Vec::<String>::new());
        for wrong in [
            Scale { added: [1, 1, 0], ..good() },
            Scale { added: [1, 0, 1], ..good() },
            Scale { served: [2, 1, 2], ..good() },
            Scale { served: [1, 2, 2], ..good() },
            Scale { served: [1, 1, 1], ..good() },
            Scale { started: 3, ..good() },
        ] {
            assert_eq!(wrong.wrong().len(), 1, "{wrong:?}");
        }
    }
}
