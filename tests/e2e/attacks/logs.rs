//! Forged lines in syslog, and the number of lines that one user can cause.

use super::{ALICE, NAME, own_root, script, site};
use crate::kit::{IMAGE, OTHER, Site, sif};
use serde_json::Value;
use std::fs;

/// The plugin's lines in syslog on n1.
fn ours(site: &Site) -> Vec<String> {
    let log = site.log("n1");
    // Lines of slurmd's own log begin with their time in brackets.
    let syslog = log.lines().filter(|line| !line.starts_with('[') && line.contains(" sifcache: "));
    syslog.map(str::to_owned).collect()
}

/// Runs `misses` or `hits` on the log of n1, as the admin does.
fn report(site: &Site, verb: &str) -> Value {
    fs::write(site.at("ctl", "/home/n1.log"), site.log("n1")).unwrap();
    let words = ["sifcache", verb, "--json", "--log", "/home/n1.log"];
    let output = site.exec(&[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// A script whose first argument is an image root owned by alice.
const LAUNCHES: &str = r#"
launch() { apptainer exec "docker://$1" cat /etc/image-name; }
root=$1
export SINGULARITY_SIFCACHE="image_root=$root untrusted=accept"
launch o/i:1
export SLURM_JOB_ID=$'7\nsifcache: event=hit' SLURM_STEP_ID='0 event=hit' SLURM_NODEID=-1
launch o/i:1
for name in $'o/i:1\nsifcache: event=hit uid=0' $'o/\e[2Ji:1' 'o/i:1 event=hit' 'o/i:1"' 'o/i=1'; do
    launch "$name"
done
export SINGULARITY_SIFCACHE="image_root=$root/"$'\n\e[2J'" untrusted=accept"
launch o/i:1
"#;

/// The parts of a line that alice can choose: the image root (through forged settings), the name,
/// and the job's variables. Each launch still writes exactly one line.
#[test]
#[ignore = "needs a testbed: make test"]
fn user_input_stays_one_log_value() {
    let site = site("");
    let own = own_root(&site);
    // Settings contain no blanks or control characters, so neither does an image root.
    let odd = format!("{own}/event=hit,uid=0;\"job\\x=7'\u{202e}\u{fc}");
    let image = site.at("ctl", &odd).join(NAME);
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::copy(sif(OTHER), image).unwrap();
    fs::write(site.at("ctl", "/home/alice/launches.sh"), LAUNCHES).unwrap();
    let output = site.srun(&["-w", "n1", "bash", "/home/alice/launches.sh", &odd]);
    assert_eq!(output.stdout, format!("{OTHER}\n{OTHER}\n"), "{output:#?}");
    site.logged("n1", "event=hit uid=");
    let lines = ours(&site);
    assert!(
        lines.iter().all(|line| !line.contains('\u{1b}') && !line.contains('\u{202e}')),
        "{lines:#?}"
    );
    let hits: Vec<&String> =
        lines.iter().filter(|line| line.contains(" sifcache: event=hit")).collect();
    assert_eq!((hits.len(), lines.len()), (2, 2), "{lines:#?}");
    let object = report(&site, "hits");
    assert_eq!(object["forged"], 0, "{object:#}");
    let rows = object["hits"].as_array().unwrap();
    let image = format!("{odd}/{NAME}");
    assert_eq!(
        (rows.len(), &rows[0]["image"], &rows[0]["launches"]),
        (1, &image.into(), &2.into())
    );
    assert_eq!(rows[0]["users"], 1);
}

/// Every user can write to syslog, so a line that claims to be sifcache's is parsed strictly.
#[test]
#[ignore = "needs a testbed: make test"]
fn lines_by_logger() {
    let site = site("");
    let forge = |line: &str| {
        let words = ["logger", "-t", "sifcache", "--", line];
        assert_eq!(site.exec(&["--on", "n1", "--user", "alice"], &words, "").status, 0);
    };
    forge("event=miss uid=1002 reference=docker.io/o/x:1");
    for line in [
        "event=miss uid=1002 reference=docker.io/../../etc/passwd",
        "event=miss uid=1002 reference=docker.io/o/x:1;reboot",
        "event=miss uid=-1 reference=docker.io/o/x:1",
        "event=hit uid=1002 reference=docker.io/o/x:1 image=\"\u{1b}[2J\"",
        "event=reboot",
        "\u{1b}]0;title\u{7} event=miss",
    ] {
        forge(line);
    }
    site.logged("n1", "title");
    let object = report(&site, "misses");
    // The line matches the grammar, so it counts; docs/security.md describes the consequences.
    assert_eq!(object["misses"].as_array().unwrap().len(), 1, "{object:#}");
    assert_eq!(object["misses"][0]["reference"], "o/x:1");
    // rsyslog has escaped the control character in the hit, so this line does not count as forged,
    // but as a hit on an unknown file.
    assert_eq!(object["forged"], 5, "{object:#}");
    let words = ["sifcache", "misses", "--refs", "--log", "/home/n1.log"];
    assert_eq!(site.exec(&[], &words, "").stdout, "o/x:1\n");
}

/// Many launches in a short time write one line each, which is no more than a user could write with
/// `logger`, and no file of sifcache grows.
#[test]
#[ignore = "needs a testbed: make test"]
fn one_line_for_each_launch() {
    const MANY: usize = 2_000;
    let site = site("on_miss=fail");
    let launch =
        "for n in $(seq 2000); do apptainer exec docker://o/none:1 true; done 2>/dev/null; :";
    let output = site.srun(&["-w", "n1", "bash", "-c", launch]);
    assert_eq!(output.status, 0, "{output:#?}");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    site.logged("n1", "event=hit");
    let lines = ours(&site);
    let misses = lines.iter().filter(|line| line.contains("event=miss")).count();
    // syslog may drop some lines under load, because a launch does not wait for syslog.
    assert!((1..=MANY).contains(&misses), "{misses}");
    assert_eq!(lines.len(), misses + 1, "{:#?}", lines.last());
    let longest = lines.iter().map(String::len).max().unwrap();
    assert!(longest < 1_000, "{longest}");
    let left = script(&site, "alice", "find /shared/sif -user alice; find ~ -name '*sifcache*'");
    assert_eq!((left.as_str(), events(&site)), ("", misses));
}

fn events(site: &Site) -> usize {
    super::events(site, "miss", ALICE)
}
