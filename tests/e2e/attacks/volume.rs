//! Very many tags, very many files, and files that could accumulate.

use super::{NAME, bob, script};
use crate::kit::{IMAGE, SHARED, Site};
use std::fs;

/// More tags than a message has space for, and more files than a listing should read.
const TAGS: usize = 10_000;
const FILES: usize = 100_000;

#[test]
#[ignore = "needs a testbed: make test"]
fn a_message_has_its_length() {
    let site = Site::new("on_miss=fail");
    let image = site.store(IMAGE, NAME);
    let directory = image.parent().unwrap();
    for number in 0..TAGS {
        fs::hard_link(&image, directory.join(format!("i:{number}-{}", "t".repeat(100)))).unwrap();
    }
    let launch = || {
        let output = site.launch(&[], &format!("docker://o/i:none-{}", "t".repeat(100)));
        assert_eq!(output.status, 66, "{output:#?}");
        let ours = output.stderr.lines().filter(|line| line.starts_with("sifcache: "));
        let ours: Vec<&str> = ours.collect();
        let length: usize = ours.iter().map(|line| line.len()).sum();
        assert!((4..=8).contains(&ours.len()) && length < 3_000, "{length}: {output:#?}");
        output.stderr
    };
    assert!(launch().contains(" more\n"));
    for number in 0..FILES {
        fs::File::create(directory.join(format!("file-{number}"))).unwrap();
    }
    launch();
    // A hit does not list the directory.
    site.launch(&[], &format!("docker://{NAME}")).ran(IMAGE);
    fs::remove_dir_all(directory).unwrap();
}

/// Launches leave no files behind.
#[test]
#[ignore = "needs a testbed: make test"]
fn nothing_is_written_by_launches() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let list = "find /shared/sif /usr/libexec/sifcache /etc/slurm -printf '%p %u %m %s %T@\\n' | sort; \
                find / -xdev -newer /shared/before -not -path '/proc/*' -name '*sifcache*' \
                     -not -path '/var/log/*' 2>/dev/null";
    script(&site, "root", "touch /shared/before");
    let look = || {
        let output = site.exec(&["--on", "n1"], &["bash", "-c", list], "");
        assert_eq!(output.status, 0, "{output:#?}");
        output.stdout
    };
    let before = look();
    let launches = "apptainer exec docker://o/i:1 true; apptainer exec docker://o/none:1 true";
    for user in ["alice", "bob"] {
        let words = ["srun", "-w", "n1", "bash", "-c", launches];
        site.exec(&["--user", user], &words, "");
        bob(&site, &[], "docker://o/none:2").tried_the_registry();
    }
    assert_eq!(look(), before);
    assert!(!site.at("ctl", SHARED).join(".sifcache").exists());
    // Only root can write to the files that the command creates there.
    let kept = "sifcache remove --yes o/i:1 >/dev/null && find /shared/sif/.sifcache -perm /022 -o -not -user root";
    assert!(!script(&site, "root", kept).contains("/.sifcache"));
}
