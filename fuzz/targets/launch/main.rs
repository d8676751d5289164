//! Launches: decides on a command line and applies the decision, as in a task.
//!
//! The input has the format of `/proc/PID/cmdline`: words that end with null bytes. Leading words
//! of the form `NAME=VALUE` are the environment, as for env(1). Independent code computes the
//! expected result: `grammar` finds IMAGE, `root` finds the image.
#![no_main]

mod argv_array;
mod grammar;
mod mutate;
mod root;
mod task;

// The plugin's private code for the argv entries of a command.
#[path = "../../../src/spank/argv.rs"]
#[allow(unsafe_code, reason = "the plugin's boundary to C, under test here")]
mod argv;

use grammar::Meaning;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use root::SITE;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::candidate;
use sifcache_core::decision::Verdict;
use sifcache_core::pull;
use sifcache_core::reference::Reference;
use sifcache_core::transport::Transport;
use spank_sifcache::decide::apply::{MISSING, apply};
use spank_sifcache::decide::requested_mode::RequestedMode;
use std::path::PathBuf;
use task::Task;

fuzz_target!(|input: &[u8]| {
    let mut task = Task::new(input);
    assert_pull(&task.words());
    let requested = RequestedMode::new(None, task.variable("SIF_CACHE").map(<[u8]>::to_vec));
    if requested.mode == CacheMode::Wait {
        // There is no filler, so each miss would take two seconds.
        return;
    }
    let expected = expected(&task, requested.mode);
    let decision = apply(&task, &SITE.settings, &requested);
    match expected {
        Expected::Hit(index, path) => {
            assert_eq!(decision.verdict, Verdict::Hit);
            assert_eq!(task.take_changes(), [(index, path)]);
        }
        Expected::Miss => {
            assert_eq!(decision.verdict, Verdict::Miss);
            assert_eq!(task.take_changes(), []);
        }
        Expected::Pass => {
            assert!(matches!(decision.verdict, Verdict::Pass(_)), "{decision:?}");
            assert_eq!(task.take_changes(), []);
        }
    }
    // Only a miss in mode `require` ends the task.
    let refused = decision.verdict == Verdict::Miss && requested.mode == CacheMode::Require;
    assert_eq!(task.ended(), refused.then_some(MISSING));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match mutate::words(&data[..size], seed) {
        Some(words) if words.len() <= max_size => {
            data[..words.len()].copy_from_slice(&words);
            words.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

/// Both parsers find the same pull.
fn assert_pull(words: &[&[u8]]) {
    let runtimes = ["singularity", "apptainer"].map(str::to_owned);
    let found = pull::find(words, &runtimes, &|_| None).ok();
    let found = found.as_ref().map(|pull| grammar::Pull {
        image: pull.image_index,
        file: pull.file.as_deref(),
        dir: pull.dir.as_deref(),
        force: pull.force,
    });
    assert_eq!(found, grammar::pull(words));
}

/// The expected result for a command.
enum Expected {
    /// The argument with this index is replaced by this path, and nothing else changes.
    Hit(usize, PathBuf),
    Miss,
    Pass,
}

const SCHEMES: [(&str, Transport); 5] = [
    ("docker://", Transport::Docker),
    ("oras://", Transport::Oras),
    ("library://", Transport::Library),
    ("https://", Transport::Https),
    ("http://", Transport::Http),
];

fn expected(task: &Task, mode: CacheMode) -> Expected {
    let Meaning::Launch { image, oci } = grammar::read(&task.words()) else {
        return Expected::Pass;
    };
    let words = task.words();
    let reference = SCHEMES.iter().find_map(|(scheme, transport)| {
        let name = words[image].strip_prefix(scheme.as_bytes())?;
        Reference::parse_for(*transport, name).ok()
    });
    let Some(reference) = reference else { return Expected::Pass };
    if mode == CacheMode::Off || oci.unwrap_or_else(|| oci_in_environment(task)) {
        return Expected::Pass;
    }
    match SITE.first_of(&candidate::names(&reference)) {
        Some(path) => Expected::Hit(image, path),
        None => Expected::Miss,
    }
}

/// Whether a variable turns OCI mode on: any value except those that Go parses as false.
fn oci_in_environment(task: &Task) -> bool {
    let falsehoods = ["", "0", "f", "F", "false", "FALSE", "False"];
    let values = ["SINGULARITY_OCI", "APPTAINER_OCI"].map(|name| task.variable(name));
    let asks = |value: &[u8]| !falsehoods.map(str::as_bytes).contains(&value.trim_ascii());
    values.into_iter().flatten().any(asks)
}
