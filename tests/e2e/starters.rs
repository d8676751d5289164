//! `sifcache explain srun …` and the real srun recognize the same words as options of srun.

use crate::kit::Site;
use serde_json::Value;

/// An option of srun as printed by `--help`: `-A, --account=name`, `--bcast[=<path>]`.
struct Listed<'a> {
    spellings: Vec<&'a str>,
    takes_value: bool,
}

fn listed(line: &str) -> Option<Listed<'_>> {
    // Lines with descriptions are indented further.
    let line = line.strip_prefix("  ")?;
    let line = line.strip_prefix("    ").unwrap_or(line);
    if line.starts_with(' ') {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().take(2).collect();
    let (letter, long) = match words.as_slice() {
        [letter, long] if letter.ends_with(',') => (Some(letter.trim_end_matches(',')), *long),
        [long, ..] => (None, *long),
        [] => return None,
    };
    let name = long.strip_prefix("--")?;
    let end = name.find(['=', '[']).unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let spellings = letter.into_iter().chain([&long[..name.len() + 2]]).collect();
    // For these options, the help of some releases differs from what their getopt accepts.
    let takes_value = match name {
        "bcast" => false,
        "container" | "container-id" => true,
        _ => rest.starts_with('='),
    };
    good.then_some(Listed { spellings, takes_value })
}

#[test]
#[ignore = "needs a testbed: make test"]
fn every_option_of_the_real_srun() {
    let site = Site::new("");
    let help = site.srun(&["--help"]).stdout;
    let options: Vec<Listed<'_>> = help.lines().filter_map(listed).collect();
    assert!(options.len() > 90, "{help}");
    let launch = ["apptainer", "run", "docker://o/i:1"];
    let mut wrong = Vec::new();
    for option in &options {
        for spelling in &option.spellings {
            let value: &[&str] = if option.takes_value { &["auto"] } else { &[] };
            let start = ["sifcache", "explain", "--json", "srun", spelling];
            let output = site.alice(&[&start[..], value, &launch].concat());
            let object: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
            if object["argv"] != serde_json::json!(launch) {
                wrong.push(format!("{spelling}: {}{}", object["argv"], output.stderr));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
