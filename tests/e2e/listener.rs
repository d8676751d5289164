//! The listener of the filler, with the real munge: users on several hosts, forged and repeated
//! credentials, floods. `sifcache listen` is the listener without a filler.

mod jobs;

use crate::kit::{Output, Site};
use std::fs;
use std::time::{Duration, Instant};

/// The file in which the listener lists the requests.
const LIST: &str = "/tmp/sifcache-requests";
/// The file of the listener's process ID.
const PROCESS: &str = "/tmp/sifcache-listen.pid";

/// A listener on ctl, which ends with the value.
struct Listener<'a>(&'a Site);

impl<'a> Listener<'a> {
    /// Starts a listener, and names it in the settings of the site.
    fn start(site: &'a Site) -> Self {
        site.plugstack("optional spank_sifcache.so image_root=/shared/sif filler=ctl\n");
        let start = format!(
            "rm -f {LIST} {LIST}.err; setsid sifcache listen 0.0.0.0 >{LIST} 2>{LIST}.err & echo $! >{PROCESS}; \
             until grep -qs listening {LIST}.err; do kill -0 $! || exit; sleep 0.02; done"
        );
        let output = site.exec(&[], &["bash", "-c", &start], "");
        let listener = Self(site);
        let errors = fs::read_to_string(site.at("ctl", &format!("{LIST}.err"))).unwrap();
        assert_eq!(errors, "sifcache: listening on 0.0.0.0:7433\n", "{output:#?}");
        listener
    }

    /// The requests so far: host, user and reference.
    fn requests(&self) -> Vec<String> {
        let text = fs::read_to_string(self.0.at("ctl", LIST)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a number of requests.
    #[track_caller]
    fn wait(&self, count: usize) -> Vec<String> {
        let limit = Instant::now() + Duration::from_secs(20);
        while self.requests().len() < count {
            assert!(Instant::now() < limit, "{:?}", self.requests());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.requests()
    }

    /// The resident memory of the listener in KiB.
    fn memory(&self) -> u64 {
        let script = format!("grep VmRSS /proc/$(cat {PROCESS})/status");
        let output = self.0.exec(&[], &["bash", "-c", &script], "");
        output.stdout.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.0.exec(&[], &["bash", "-c", &format!("kill $(cat {PROCESS})")], "");
    }
}

/// Asks for an image as a user on a host, without waiting for it.
fn request(site: &Site, host: &str, user: &str, reference: &str) -> Output {
    let words = ["sifcache", "request", "--no-wait", reference];
    site.exec(&["--on", host, "--user", user], &words, "")
}

/// Sends the output of a shell command as a credential, as alice on n1, `times` times, and returns
/// the answers.
fn send(site: &Site, credential: &str, times: u32) -> String {
    let script = format!(
        "credential=$({credential}) || exit\n\
         for n in $(seq {times}); do\n\
             exec 3<>/dev/tcp/ctl/7433\n\
             echo \"sifcache/1 request $credential\" >&3\n\
             cat <&3\n\
         done"
    );
    let output = site.exec(&["--on", "n1", "--user", "alice"], &["bash", "-c", &script], "");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:#?}");
    output.stdout
}

const GOOD: &str = "munge --string='sifcache/1 request docker.io/o/i:1'";

#[test]
#[ignore = "needs a testbed: make test"]
fn two_users_on_two_hosts() {
    let site = Site::new("");
    let listener = Listener::start(&site);
    for (host, user, reference) in [("n1", "alice", "o/i:1"), ("n2", "bob", "oras://h.io/o/i:2")] {
        let output = request(&site, host, user, reference);
        assert_eq!(output.stdout, format!("asked       {reference}\n"), "{output:#?}");
        assert_eq!(output.status, 0);
    }
    let expected = ["10.77.0.101 1001 docker.io/o/i:1", "10.77.0.102 1002 oras://h.io/o/i:2"];
    assert_eq!(listener.wait(2), expected);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn forged_credentials_are_refused() {
    let site = Site::new("");
    let listener = Listener::start(&site);
    let refused = |why: &str| format!("sifcache/1 refused the credential {why}\n");
    let twice = send(&site, GOOD, 2);
    assert_eq!(twice, format!("sifcache/1 accepted\n{}", refused("has been used before")));
    // munged rounds to seconds.
    let expired = send(&site, &format!("{GOOD} --ttl=1; sleep 3"), 1);
    assert_eq!(expired, refused("has expired: compare the clocks of both hosts"));
    let altered = send(&site, &format!("{GOOD} | sed 's/A:$/B:/;t;s/.:$/A:/'"), 1);
    assert!(altered.starts_with("sifcache/1 refused the credential is invalid: "), "{altered}");
    let foreign = send(&site, "munge --string='docker.io/o/i:1'", 1);
    assert_eq!(foreign, "sifcache/1 refused the message is not a request of sifcache\n");
    let restricted = send(&site, &format!("{GOOD} --restrict-uid=bob"), 1);
    assert_eq!(restricted, refused("is for another user or group"));
    assert_eq!(listener.requests(), ["10.77.0.101 1001 docker.io/o/i:1"]);
}

/// A host with another munge key than the filler's.
#[test]
#[ignore = "needs a testbed: make test"]
fn another_key_is_refused() {
    const MUNGED: &str = "d=$(mktemp -d); chmod 755 $d; dd if=/dev/urandom of=$d/key bs=128 count=1; \
        chmod 400 $d/key; chown -R munge:munge $d; cd $d; \
        setpriv --reuid=munge --regid=munge --init-groups munged --force --key-file=$d/key \
        --socket=$d/socket --pid-file=$d/pid --log-file=$d/log --seed-file=$d/seed; echo $d";
    let site = Site::new("");
    let listener = Listener::start(&site);
    let output = site.exec(&["--on", "n1"], &["bash", "-ec", MUNGED], "");
    assert_eq!(output.status, 0, "{output:#?}");
    let directory = output.stdout.trim_end();
    let answer = send(&site, &format!("{GOOD} --socket={directory}/socket"), 1);
    site.exec(&["--on", "n1"], &["bash", "-c", &format!("kill $(cat {directory}/pid)")], "");
    assert!(answer.starts_with("sifcache/1 refused the credential is invalid: "), "{answer}");
    assert_eq!(listener.requests(), [""; 0]);
}

/// Garbage and silent connections from alice, as fast as she can. bob's requests have the client's
/// two seconds each.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_flood_delays_nobody() {
    const FLOOD: &str = r#"
use IO::Socket::INET;
my @open;
for my $n (1 .. 10000) {
    my $socket = IO::Socket::INET->new(PeerAddr => "ctl", PeerPort => 7433, Timeout => 5) or next;
    if ($n % 10 == 0) {
        print $socket "sifcache/1 request";
    } elsif ($n % 2) {
        print $socket "\0" x 9000, "\n";
    } else {
        print $socket "sifcache/1 request MUNGE:", "A" x 500, ":\n";
    }
    push @open, $socket;
    shift @open if @open > 500;
}
print "sent\n";
"#;
    let site = Site::new("");
    let listener = Listener::start(&site);
    let before = listener.memory();
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let flags = ["--on", "n1", "--user", "alice"];
            site.exec(
                &flags,
                &["perl", "-e", "$SIG{PIPE} = 'IGNORE'; eval join '', <STDIN>"],
                FLOOD,
            )
        });
        let mut count = 0;
        while !flood.is_finished() || count == 0 {
            let output = request(&site, "n2", "bob", &format!("o/i:{count}"));
            assert_eq!(output.status, 0, "{output:#?}");
            count += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
        let output = flood.join().unwrap();
        assert_eq!((output.status, output.stdout.as_str()), (0, "sent\n"), "{output:#?}");
        let found = listener.wait(count);
        assert!(found.iter().all(|line| line.starts_with("10.77.0.102 1002 ")), "{found:#?}");
    });
    let after = listener.memory();
    assert!(after < before + 4096, "{before} KiB before, {after} KiB after");
}

/// Without a listener, the request is a line in the log of the host.
#[test]
#[ignore = "needs a testbed: make test"]
fn without_a_listener_syslog_has_the_request() {
    let site = Site::new("");
    let output = request(&site, "ctl", "alice", "o/asked:1");
    assert_eq!(output.stdout, "asked       o/asked:1\n", "{output:#?}");
    site.logged("ctl", " sifcache: event=miss uid=1001 via=request reference=docker.io/o/asked:1");
    let words = ["sifcache", "misses", "--json", "--log", "/var/log/syslog"];
    let output = site.exec(&["--on", "ctl"], &words, "");
    assert!(output.stdout.contains(r#"{"reference":"o/asked:1","launches":1,"#), "{output:#?}");
    let output = site.alice(&["sifcache", "request", "o/asked:1"]);
    assert_eq!(output.stdout, "no-filler   o/asked:1  no filler has answered within 2 s\n");
    assert_eq!(output.status, 69, "{output:#?}");
}

/// The directory of munged's socket is hidden from the client.
#[test]
#[ignore = "needs a testbed: make test"]
fn hosts_without_munged() {
    let site = Site::new("");
    let _listener = Listener::start(&site);
    let script = "mount -t tmpfs none /run/munge && sifcache request --no-wait o/i:1";
    let words = ["unshare", "--mount", "bash", "-c", script];
    let output = site.exec(&["--on", "n1"], &words, "");
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains("munged does not answer: "), "{output:#?}");
    assert!(output.stderr.contains("start the service munge on this host"), "{output:#?}");
}
