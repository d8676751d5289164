//! A second SPANK plugin that fails, ends the task, or also changes the command, before sifcache
//! and after it.

use super::second_plugin;
use super::{NAME, meets_each, with};
use crate::kit::{IMAGE, Site};

/// plugstack.conf without sifcache and with it, once before and once after the other plugin.
fn around(arguments: &str) -> [[String; 2]; 2] {
    let other = second_plugin::then(arguments, "");
    [format!("{}{other}", with()), format!("{other}{}", with())].map(|with| [other.clone(), with])
}

#[test]
#[ignore = "needs a testbed: make test"]
fn failing() {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    for (fault, arguments) in [
        ("another plugin fails in `init`", "init=-1"),
        ("another plugin fails in `task_init`", "task=-1"),
        ("another plugin ends the task", "exit=7"),
        ("another plugin replaces the reference", "word=2:docker://o/other:1"),
        ("another plugin replaces the command", "word=0:/bin/true"),
        ("another plugin replaces the reference with the path of an image", "word=2:/srv/own.sif"),
    ] {
        let mut cases = around(arguments).to_vec();
        cases.extend(
            around(arguments).map(|lines| lines.map(|l| l.replace("required", "optional"))),
        );
        meets_each(&site, fault, &cases, Clone::clone, |site, _| second_plugin::launch(site, &[]));
    }
}
