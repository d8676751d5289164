//! Two lines for the plugin in plugstack.conf, for example one from the package and one added by
//! hand. Slurm loads the plugin for each line. Plugin, shim and command all use the first line.

use crate::kit::{IMAGE, Site, plugin_directory};
use serde_json::Value;
use std::fs;

const REFUSES: &str = "optional spank_sifcache.so image_root=/shared/empty on_miss=fail\n";
const HITS: &str = "optional spank_sifcache.so image_root=/shared/sif\n";
const LAUNCH: &str = "apptainer exec docker://o/i:1 cat /etc/image-name";

/// Whether a launch hits: as the step's own command, inside a script, and according to `explain`.
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
fn all_use_the_first_line() {
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
        // The same library given by its path, and the same line included through two patterns.
        ([&path, REFUSES].concat(), true),
        ([&include, &include, REFUSES].concat(), true),
        // Slurm skips a library that does not exist.
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
    // The option applies to the first line.
    site.plugstack(&[HITS, REFUSES].concat());
    site.launch(&["--sif-cache=off"], "docker://o/i:1").tried_the_registry();
    site.logged("n1", "plugstack.conf has several lines for this plugin");
    // The first line counts even if it is invalid: jobs then run as without the plugin.
    site.plugstack(&["optional spank_sifcache.so nonsense\n", REFUSES].concat());
    site.launch(&[], "docker://o/i:1").tried_the_registry();
    fs::remove_dir_all(included).unwrap();
}
