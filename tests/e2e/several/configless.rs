//! Nodes without any configuration files: slurmd fetches them from the controller.

use crate::kit::{IMAGE, Output, install, sif, testbed};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A separate cluster, which exists until this is dropped.
struct Cluster(String);

impl Cluster {
    fn up() -> Self {
        let name = format!("configless-{}", std::process::id());
        let cluster = Self(name);
        let output = cluster.testbed("up", &["--configless", "--nodes", "2"], &[]);
        assert_eq!(output.status, 0, "{output:#?}");
        install(&["--name", &cluster.0]);
        cluster
    }

    fn testbed(&self, verb: &str, flags: &[&str], words: &[&str]) -> Output {
        testbed(verb, &[&["--name", &self.0], flags].concat(), words, "")
    }

    fn root(&self, host: &str) -> PathBuf {
        PathBuf::from(self.testbed("root", &[], &[host]).stdout.trim_end())
    }

    fn alice(&self, on: &str, words: &[&str]) -> Output {
        self.testbed("exec", &["--user", "alice", "--on", on], words)
    }

    /// Writes a file beside slurm.conf on the controller.
    fn write(&self, name: &str, text: &str) {
        let path = self.root("ctl").join("etc/slurm").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes the nodes fetch the configuration, and waits until they have this plugstack.conf.
    fn reconfigure(&self, text: &str) {
        let output = self.testbed("exec", &[], &["scontrol", "reconfigure"]);
        assert_eq!(output.status, 0, "{output:#?}");
        let limit = Instant::now() + Duration::from_secs(30);
        for node in ["n1", "n2"] {
            // The path is a link inside the host's root, so it must be read on the host.
            let read = ["cat", "/run/slurm/conf/plugstack.conf"];
            while self.testbed("exec", &["--on", node], &read).stdout != text {
                assert!(Instant::now() < limit, "{node} has not fetched {text:?}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn plugstack(&self, text: &str) {
        self.write("plugstack.conf", text);
        self.reconfigure(text);
    }

    fn launch(&self, image: &str) -> Output {
        let launch = ["srun", "-N2", "apptainer", "exec", image, "cat", "/etc/image-name"];
        self.alice("ctl", &launch)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.testbed("down", &[], &[]);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn plugstack_conf_comes_from_the_controller() {
    let _site = crate::kit::Site::new("");
    let cluster = Cluster::up();
    for node in ["n1", "n2"] {
        // Debian's package installs a plugstack.conf there, which Slurm does not read.
        let etc = cluster.root(node).join("etc/slurm");
        assert!(!etc.join("slurm.conf").exists() && etc.join("plugstack.conf").exists());
    }
    let image = cluster.root("ctl").join("shared/sif/o/i:1");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::copy(sif(IMAGE), image).unwrap();
    let hits = |output: &Output| {
        assert_eq!(output.stdout.lines().filter(|line| *line == IMAGE).count(), 2, "{output:#?}");
    };

    // With the line itself in plugstack.conf, the launch hits, and the command on a node finds the
    // settings.
    cluster.plugstack("optional spank_sifcache.so image_root=/shared/sif nested=path\n");
    hits(&cluster.launch("docker://o/i:1"));
    let explain = ["sifcache", "explain", "--", "apptainer", "run", "docker://o/i:1"];
    let output = cluster.alice("n1", &explain);
    assert_eq!(output.status, 0, "{output:#?}");
    let doctor = cluster.alice("n1", &["sifcache", "doctor"]);
    assert_eq!(doctor.status, 0, "{doctor:#?}");
    let found = "/run/slurm/conf/plugstack.conf: has the plugin's line";
    assert!(doctor.stdout.contains(found), "{doctor:#?}");
    // Launches in a script go through the shim; here, the script runs in a login shell on the node.
    let launch = "apptainer exec docker://o/i:1 cat /etc/image-name";
    let script = ["srun", "-N2", "bash", "-lc", launch];
    hits(&cluster.alice("ctl", &script));

    // A change reaches the nodes with `scontrol reconfigure`.
    cluster.plugstack("optional spank_sifcache.so image_root=/nowhere\n");
    cluster.launch("docker://o/i:1").tried_the_registry();

    // An included file is not sent to the nodes: it has to exist on each node.
    let line = "optional spank_sifcache.so image_root=/shared/sif\n";
    cluster.write("plugstack.conf.d/sifcache.conf", line);
    cluster.plugstack("include /etc/slurm/plugstack.conf.d/*.conf\n");
    cluster.launch("docker://o/i:1").tried_the_registry();
    for node in ["n1", "n2"] {
        let directory = cluster.root(node).join("etc/slurm/plugstack.conf.d");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("sifcache.conf"), line).unwrap();
    }
    hits(&cluster.launch("docker://o/i:1"));
    assert_eq!(cluster.alice("n1", &explain).status, 0);
}
