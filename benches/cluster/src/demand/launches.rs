//! Launches of a new image on real nodes: the filler adds it while jobs wait, compared with the
//! runtime's own pulls.

use super::{filler, registry};
use crate::experiment::{Experiment, Taken, Timed, Variant};
use crate::site::{self, FIRST_USER, NONE};
use crate::testbed;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The number of users who start one image at once.
pub(super) const USERS: u32 = 100;
/// The number of jobs that run at once on a node. Each of the runtime's pulls takes 900 MB of disk
/// and 340 MB of memory.
pub(super) const AT_ONCE: u32 = 8;
/// The number of processors of a node in Slurm's configuration, times the number of jobs that may
/// share each.
const SLOTS: u32 = 64;
/// The variants: each user's own pull, and a wait for the filler, which reads logs.
pub(super) const PULLS: &str = "without the plugin";
/// See [`PULLS`].
const WAITS: &str = "sifcache";
/// The same with a listener in place of logs.
pub(super) const LISTENS: &str = "sifcache with a listener";

const LINE: &str = "optional spank_sifcache.so image_root=/shared/sif on_miss=wait:3600:fail\n";
/// The same for [`LISTENS`].
const LISTENER: &str = "optional spank_sifcache.so image_root=/shared/sif on_miss=wait:3600:fail \
    filler=ctl\n";
/// The log of all hosts, on the login node.
const CENTRAL: &str = "/var/log/central.log";

/// The measurements of one image.
#[derive(Serialize, Deserialize)]
pub(crate) struct Compared {
    /// The image on the page.
    pub(crate) image: String,
    /// The number of users.
    pub(crate) users: u32,
    /// The number of jobs that run at once on each of the two nodes, if it is limited.
    pub(crate) at_once: Option<u32>,
    /// The variants. Their gauge is the number of times that the registry has sent the image.
    pub(crate) taken: Vec<Taken>,
}

/// All users start one image of 300 MB at once.
pub(super) fn users(big: &Path, users: u32, rounds: usize) -> Result<Vec<Compared>> {
    collect_logs()?;
    registry::push(big, "fill/big:1")?;
    Ok(vec![compared("300 MB that do not compress", "fill/big:1", users, Some(AT_ONCE), rounds)?])
}

/// One user starts images of several sizes.
pub(super) fn first(big: &Path, rounds: usize) -> Result<Vec<Compared>> {
    collect_logs()?;
    registry::push(big, "fill/big:1")?;
    let mut all = vec![compared("300 MB that do not compress", "fill/big:1", 1, None, rounds)?];
    for size in [80, 60, 40, 10, 0] {
        site::push(size)?;
        // Each image also has a userland of 2 MB.
        let what = format!("{} MB", size + 2);
        all.push(compared(&what, &site::image(size), 1, None, rounds)?);
    }
    Ok(all)
}

fn compared(
    what: &str,
    image: &str,
    users: u32,
    at_once: Option<u32>,
    rounds: usize,
) -> Result<Compared> {
    let launch = Launch { image, users, at_once };
    let mut variants = vec![launch.variant(PULLS, NONE), launch.variant(WAITS, LINE)];
    if users == 1 {
        variants.push(launch.variant(LISTENS, LISTENER));
    }
    let experiment = Experiment {
        name: format!("{users} users start a new image: {what}"),
        compared: true,
        warm_up: usize::from(users == 1),
        rounds,
        variants,
    };
    let taken = testbed::measure(&experiment)?;
    testbed::on("ctl", &filler::stop())?;
    Ok(Compared { image: what.to_owned(), users, at_once, taken })
}

struct Launch<'a> {
    image: &'a str,
    users: u32,
    at_once: Option<u32>,
}

impl Launch<'_> {
    fn variant(&self, name: &str, plugstack: &str) -> Variant {
        // Each job gets as many processors as leave room for the others.
        let share = self.at_once.map_or_else(String::new, |jobs| format!("-c {} ", SLOTS / jobs));
        let image = self.image;
        let launch = format!("srun --quiet {share}apptainer --silent exec docker://{image} true");
        let begin = match name {
            WAITS => filler::restart(&format!("--log {CENTRAL}"), CENTRAL, false),
            LISTENS => filler::restart("--listen 0.0.0.0", CENTRAL, false),
            _ => filler::stop(),
        };
        let (repository, _) = image.rsplit_once(':').unwrap_or((image, ""));
        let log = registry::LOG;
        Variant {
            name: name.to_owned(),
            plugstack: Some(plugstack.to_owned()),
            before: Some(format!(
                "set -e; {begin}
                rm -rf /home/u*/.apptainer /home/u*/tmp
                for home in /home/u*; do install -d -o ${{home#/home/}} $home/tmp; done
                sync -f /home
                : >{log}"
            )),
            commands: (1..=self.users).map(|number| self.command(&launch, number)).collect(),
            // How often the blob was sent that was sent most often.
            gauge: Some(format!(
                "grep -o 'GET /v2/{repository}/blobs/sha256:[0-9a-f]*' {log} | sort | uniq -c | \
                 sort -n | awk '{{ most = $1 }} END {{ print most + 0 }}'"
            )),
        }
    }

    fn command(&self, launch: &str, number: u32) -> Timed {
        let name = format!("u{number}");
        let command = Timed::new(launch)
            .by(&name, FIRST_USER + number - 1)
            .variable("APPTAINER_TMPDIR", Some(&format!("/home/{name}/tmp")));
        // The caches of all users would fill the disk, and each is used only once.
        command.variable("APPTAINER_DISABLE_CACHE", self.at_once.map(|_| "1"))
    }
}

/// The login node receives the log lines of all nodes, as on a cluster with central logs.
fn collect_logs() -> Result<()> {
    let central = format!(
        "module(load=\"imtcp\")
input(type=\"imtcp\" port=\"514\")
if $programname == 'sifcache' then {CENTRAL}"
    );
    configure_syslog("ctl", &central)?;
    let forward = "*.* action(type=\"omfwd\" target=\"10.77.0.10\" port=\"514\" protocol=\"tcp\")";
    ["n1", "n2"].iter().try_for_each(|node| configure_syslog(node, forward))
}

/// Adds lines to the configuration of a host's syslog daemon, once, and restarts it.
fn configure_syslog(host: &str, lines: &str) -> Result<()> {
    let script = format!(
        "! grep -q '514' /etc/rsyslog.conf || exit 0
        cat >>/etc/rsyslog.conf <<'END'
{lines}
END
        daemon=$(cat /run/rsyslogd.pid); kill $daemon
        while kill -0 $daemon 2>/dev/null; do sleep 0.02; done
        rm -f /run/rsyslogd.pid; rsyslogd"
    );
    testbed::on(host, &script).map(drop).with_context(|| format!("rsyslogd on {host}"))
}
