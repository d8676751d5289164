//! Two lines for the plugin in plugstack.conf: one from the package, one by hand. Slurm loads
//! the plugin for each of them; plugin, shim and command follow the same line, the first.

use crate::kit::{IMAGE, Site, plugin_directory};
use serde_json::Value;
use std::fs;

const REFUSES: &str = "optional spank_sifcache.so image_root=/shared/empty on_miss=fail\n";
const HITS: &str = "optional spank_sifcache.so image_root=/shared/sif\n";
const LAUNCH: &str = "apptainer exec docker://o/i:1 cat /etc/image-name";

/// What becomes of a launch: of the step's own command, of one in a script, and for `explain`.
fn outcomes(site: &Site) -> [bool; 3] {
    let own = site.launch(&[], "docker://o/i:1");
    let nested = site.srun(&["bash", "-c", LAUNCH]);
    let refused = |output: &crate::kit::Output| {
        assert!(!output.stderr.contains("provided by both"), "{output:#?}");
        let refused = output.stderr.contains("/shared/empty");
        assert_eq!(output.status == 0, !refused, "{output:#?}");
        refused
    };
    let words = ["sifcache", "explain", "--json", "apptainer", "run", "docker://o/i:1"];
    let explained = site.alice(&words);
    let object: Value = serde_json::from_str(&explained.stdout).unwrap();
    [!refused(&own), !refused(&nested), object["decision"] == "hit"]
}

#[test]
#[ignore = "needs a testbed: make test"]
fn all_follow_the_first() {
    let site = Site::with_line("");
    site.store(IMAGE, "o/i:1");
    fs::create_dir_all(site.at("ctl", "/shared/empty")).unwrap();
    let included = site.at("ctl", "/etc/slurm/plugstack.conf.d");
    fs::create_dir_all(&included).unwrap();
    fs::write(included.join("sifcache.conf"), HITS).unwrap();
    let path =
        format!("optional {}/spank_sifcache.so image_root=/shared/sif\n", plugin_directory());
    let include = "include plugstack.conf.d/*.conf\n".to_owned();
    for (lines, hits) in [
        ([REFUSES, HITS].concat(), false),
        ([HITS, REFUSES].concat(), true),
        ([REFUSES, &include].concat(), false),
        ([&include, REFUSES].concat(), true),
        // The same library by its path, and the same line by two patterns.
        ([&path, REFUSES].concat(), true),
        ([&include, &include, REFUSES].concat(), true),
        // Slurm passes over a library that is not there.
        (["optional /none/spank_sifcache.so nonsense\n", HITS, REFUSES].concat(), true),
    ] {
        site.plugstack(&lines);
        assert_eq!(outcomes(&site), [hits; 3], "{lines}");
        let help = site.srun(&["--help"]);
        assert_eq!(help.stdout.matches("--sif-cache=").count(), 1, "{help:#?}");
        let doctor = site.exec(&[], &["sifcache", "doctor"], "");
        assert_eq!(doctor.status, 1, "{doctor:#?}");
        assert!(doctor.stdout.contains("FAIL    several lines for the plugin: "), "{doctor:#?}");
        assert!(doctor.stdout.contains("on_miss=fail"), "{doctor:#?}");
    }
    // The option reaches the first.
    site.plugstack(&[HITS, REFUSES].concat());
    site.launch(&["--sif-cache=off"], "docker://o/i:1").tried_the_registry();
    site.logged("n1", "plugstack.conf has several lines for this plugin");
    // A first line that is wrong counts, too: jobs run as without the plugin.
    site.plugstack(&["optional spank_sifcache.so nonsense\n", REFUSES].concat());
    site.launch(&[], "docker://o/i:1").tried_the_registry();
    fs::remove_dir_all(included).unwrap();
}
