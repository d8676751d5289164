//! The example for scrontab(1): a job of Slurm adds the missing images.

use super::started;
use crate::kit::{IMAGE, Site, tree, with_hub};
use std::fs;
use std::path::Path;

const SLURM_CONF: &str = "/etc/slurm/slurm.conf";
const FILES: [&str; 3] = ["/home/fill.toml", "/home/n1.log", "/home/scrontab"];

/// slurm.conf with scrontab(1) enabled, until this is dropped.
struct Enabled<'a> {
    site: &'a Site,
    before: String,
}

impl<'a> Enabled<'a> {
    fn new(site: &'a Site) -> Self {
        let before = fs::read_to_string(site.at("ctl", SLURM_CONF)).unwrap();
        let enabled = Self { site, before };
        enabled.configure(&format!("{}ScronParameters=enable\n", enabled.before)).unwrap();
        enabled
    }

    fn configure(&self, text: &str) -> std::io::Result<()> {
        fs::write(self.site.at("ctl", SLURM_CONF), text)?;
        self.site.exec(&[], &["scontrol", "reconfigure"], "");
        Ok(())
    }
}

impl Drop for Enabled<'_> {
    fn drop(&mut self) {
        self.site.exec(&[], &["scrontab", "-r"], "");
        let _ = self.configure(&self.before);
        FILES.iter().for_each(|file| drop(fs::remove_file(self.site.at("ctl", file))));
    }
}

/// The example, for the files of this test.
fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fill/sifcache-fill.scrontab");
    let example = fs::read_to_string(path).unwrap();
    let (node, log) = ("--nodelist=login1", "--log /var/log/central/slurm");
    assert_eq!((example.matches(node).count(), example.matches(log).count()), (2, 2));
    let options = format!("--policy {} --log {}", FILES[0], FILES[1]);
    let fill = format!("fill --once {log}");
    example
        .replace(node, "--nodelist=n1")
        .replace("\n*/10 * * * * ", "\n* * * * * ")
        .replace("/usr/bin/sifcache", "/usr/local/bin/sifcache")
        .replace(&fill, &format!("fill --once {options}"))
        .replace("--output=sifcache-fill.log", "--output=/dev/null")
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_of_scrontab_adds_the_image() {
    let site = Site::new("");
    let _enabled = Enabled::new(&site);
    let policy = "allow = [\"**\"]\nunidentified = \"count\"\n";
    fs::write(site.at("ctl", FILES[0]), policy).unwrap();
    site.launch(&["-w", "n1"], &format!("docker://{IMAGE}"));
    site.logged("n1", &format!("/{IMAGE}\n"));
    fs::write(site.at("ctl", FILES[1]), site.log("n1")).unwrap();
    fs::write(site.at("ctl", FILES[2]), example()).unwrap();
    let output = site.exec(&[], &["scrontab", FILES[2]], "");
    assert_eq!(output.status, 0, "{output:#?}");
    // Slurm's scontrol(1) cannot start such a job, so this waits for the next minute.
    let script = "for n in $(seq 1200); do sifcache list | grep -q determined && exit; sleep 0.1; done; exit 1";
    let output = with_hub(|| site.exec(&[], &["bash", "-c", script], ""));
    assert_eq!(output.status, 0, "{output:#?} {}", site.log("n1"));
    started(&site, IMAGE).ran(IMAGE);
    let hits = site.exec(&[], &["squeue", "-h", "-n", "sifcache-hits", "-o", "%T %S"], "");
    assert!(
        hits.stdout.starts_with("PENDING ") && hits.stdout.ends_with("T03:30:00\n"),
        "{hits:#?}"
    );
    tree::is_clean(&site.at("ctl", crate::kit::SHARED));
}
