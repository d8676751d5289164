//! The simulated nodes, on the login node: starts them, collects their log lines, and observes the
//! tasks while they wait.

use super::filler::{POLICY, policy};
use super::node::{Ended, Node, now};
use super::scale::QUEUE;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What the simulated nodes do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    /// The file that receives the log lines of all nodes.
    pub(super) log: String,
    /// A directory for sockets and other files.
    pub(super) directory: String,
    /// The seconds for which the waiting tasks are observed.
    pub(super) observe: u64,
}

/// What was observed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Observed {
    /// When the policy began to allow pulls, in seconds since 1970.
    pub(super) began: f64,
    /// The number of log lines about misses of the tasks.
    pub(super) requests: usize,
    /// The number of processes that polled at the end of the observation: one for each node, user
    /// and image.
    pub(super) pollers: usize,
    /// How often all nodes together have opened queue files and their directory in the time of
    /// observation.
    pub(super) opens: usize,
    /// The seconds of the observation.
    pub(super) seconds: f64,
    /// When the first node made calls that concern the image root, in seconds since the start of the
    /// observation.
    pub(super) calls: Vec<f64>,
    /// The ends of all tasks.
    pub(super) ended: Vec<Ended>,
}

/// Reads the plan from standard input, and prints what was observed, as JSON.
///
/// # Errors
/// A node cannot be started, or its output cannot be read.
#[expect(clippy::print_stdout, reason = "its output is read through a pipe")]
pub(crate) fn run() -> Result<()> {
    let plan: Plan = serde_json::from_reader(std::io::stdin().lock())?;
    println!("{}", serde_json::to_string(&plan.run()?)?);
    Ok(())
}

impl Plan {
    fn run(&self) -> Result<Observed> {
        fs::create_dir_all(&self.directory)?;
        let requests = self.collect()?;
        let opens = count_opens()?;
        let mut children = Vec::new();
        for number in 0..self.nodes.len() {
            children.push(self.start(number)?);
        }
        self.until_all_wait(&requests)?;
        let (since, begun, before) = (now()?, Instant::now(), opens.load(Ordering::Relaxed));
        thread::sleep(Duration::from_secs(self.observe));
        let (seconds, after) = (begun.elapsed().as_secs_f64(), opens.load(Ordering::Relaxed));
        let calls = self.calls(since)?;
        let pollers = self.pollers(&children)?;
        let began = now()?;
        // The filler reads this file several times a minute, and a reader must not see half of it.
        fs::write(format!("{POLICY}.new"), policy(false))?;
        fs::rename(format!("{POLICY}.new"), POLICY)?;
        let mut ended = Vec::new();
        for child in children {
            let output = child.wait_with_output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            ended.extend(serde_json::from_slice::<Vec<Ended>>(&output.stdout)?);
        }
        let (requests, opens) = (requests.load(Ordering::Relaxed), after - before);
        Ok(Observed { began, requests, pollers, opens, seconds, calls, ended })
    }

    /// Receives the lines that the tasks send to syslog, and writes them to the central log with the
    /// names of their nodes, as a syslog daemon does. Returns the number of misses so far.
    fn collect(&self) -> Result<Arc<AtomicUsize>> {
        let requests = Arc::new(AtomicUsize::new(0));
        let log = Arc::new(Mutex::new(File::options().append(true).create(true).open(&self.log)?));
        for number in 0..self.nodes.len() {
            let path = self.socket(number);
            let socket = UnixDatagram::bind(&path).with_context(|| path.clone())?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
            let (log, requests) = (Arc::clone(&log), Arc::clone(&requests));
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count) = socket.recv(&mut bytes) {
                    let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default());
                    let (_, text) = text.split_once('>').unwrap_or(("", &text));
                    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
                    let line = format!("{time} {} {text}\n", name(number));
                    requests.fetch_add(usize::from(line.contains("event=miss")), Ordering::Relaxed);
                    let Ok(mut log) = log.lock() else { return };
                    if log.write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(requests)
    }

    fn socket(&self, number: usize) -> String {
        format!("{}/{}.log", self.directory, name(number))
    }

    fn trace(&self) -> String {
        format!("{}/trace", self.directory)
    }

    /// Starts a node, in namespaces with its own host name, `/dev/log` and sockets. The system calls
    /// of the first node are traced.
    fn start(&self, number: usize) -> Result<Child> {
        let enter = "hostname \"$1\"; mount --bind \"$2\" /dev/log; shift 2; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--uts", "--", "sh", "-ec", enter, "sh"]);
        command.args([&name(number), &self.socket(number)]);
        if number == 0 {
            command.args(["strace", "-f", "--seccomp-bpf", "-qq", "-ttt", "-s", "256"]);
            command.args(["-e", "trace=%file", "-e", "signal=none", "-o", &self.trace()]);
        }
        command.arg(std::env::current_exe()?).arg("node");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("unshare")?;
        let node = self.nodes.get(number).context("no such node")?;
        let mut stdin = child.stdin.take().context("no pipe")?;
        stdin.write_all(&serde_json::to_vec(node)?)?;
        Ok(child)
    }

    /// Waits until all tasks have reported that they miss their image.
    fn until_all_wait(&self, requests: &AtomicUsize) -> Result<()> {
        let tasks: usize = self.nodes.iter().map(|node| node.tasks.len()).sum();
        let (mut last, mut changed) = (0, Instant::now());
        loop {
            let count = requests.load(Ordering::Relaxed);
            if count >= tasks {
                // The last tasks become followers within two polls.
                thread::sleep(Duration::from_secs(3));
                return Ok(());
            }
            if count > last {
                (last, changed) = (count, Instant::now());
            }
            if changed.elapsed() > Duration::from_secs(60) {
                bail!("{count} of {tasks} tasks have asked for their images");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The times of the traced calls with a path below the image root, in seconds since `since`, in
    /// order.
    fn calls(&self, since: f64) -> Result<Vec<f64>> {
        let trace = fs::read_to_string(self.trace())?;
        let about_root = trace.lines().filter(|line| is_about_root(line));
        let times = about_root.filter_map(|line| line.split_whitespace().nth(1));
        let times = times.filter_map(|time| time.parse::<f64>().ok()).map(|time| time - since);
        let observed = 0.0..f64::from(u32::try_from(self.observe)?);
        let mut times: Vec<f64> = times.filter(|time| observed.contains(time)).collect();
        times.sort_by(f64::total_cmp);
        Ok(times)
    }

    /// The number of sockets on which processes of the nodes listen.
    fn pollers(&self, children: &[Child]) -> Result<usize> {
        let mut sum = 0;
        for child in children {
            let table = fs::read_to_string(format!("/proc/{}/net/unix", child.id()))?;
            let listens =
                |line: &&str| line.contains("@sifcache-wait/") && line.contains(" 00010000 ");
            sum += table.lines().filter(listens).count();
        }
        Ok(sum)
    }
}

fn name(number: usize) -> String {
    format!("c{number:03}")
}

/// A line of strace about a path below the image root, without the second half of a call that another
/// process has interrupted.
fn is_about_root(line: &str) -> bool {
    line.contains("\"/shared/sif") && !line.contains("resumed>") && !line.contains("execve(")
}

/// Counts how often files of the queue, and the directory, are opened.
fn count_opens() -> Result<Arc<AtomicUsize>> {
    let watch = Inotify::init(InitFlags::empty())?;
    watch.add_watch(QUEUE, AddWatchFlags::IN_OPEN).context(QUEUE)?;
    let count = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&count);
    thread::spawn(move || {
        while let Ok(events) = watch.read_events() {
            shared.fetch_add(events.len(), Ordering::Relaxed);
        }
    });
    Ok(count)
}

/// The number of tasks with each exit status.
pub(super) fn statuses(ended: &[Ended]) -> BTreeMap<Option<i32>, usize> {
    let mut all = BTreeMap::new();
    for one in ended {
        *all.entry(one.status).or_default() += 1;
    }
    all
}
