//! Tests with templates that a runtime built, recorded as files, and with the real runtime.

mod overlay;
mod real;

use super::{Error, Source, Template, layout_name, merge, probes, root_file_system};
use crate::pull::native::template::deduce;
use flate2::read::GzDecoder;
use sifcache_layers::rules::Rules;
use std::fs::File;
use std::io::{self, Seek as _};

/// The config for which the templates were recorded.
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux",
    "config":{"Env":["PATH=/bin","A=<&\"é"],"Cmd":["/bin/sh"],"Labels":{"a":"b<","z":"1"}},
    "rootfs":{"type":"layers","diff_ids":["sha256:1"]}}"#;

const ROOT: &[u8] = include_bytes!("tests/recorded/apptainer-1.4.5-root.sif.gz");
const USER: &[u8] = include_bytes!("tests/recorded/apptainer-1.4.5-user.sif.gz");

fn source(reference: &str) -> Source {
    Source {
        reference: reference.to_owned(),
        full_reference: "docker.io/library/alpine:latest".to_owned(),
        digest: format!("sha256:{}", "0".repeat(64)),
    }
}

fn unpacked(recorded: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    io::copy(&mut GzDecoder::new(recorded), &mut file).unwrap();
    file.rewind().unwrap();
    file
}

/// A recorded template, read as if this version of the runtime had built it.
fn read(recorded: &[u8], version: &str) -> Result<Template, Error> {
    let (layout, probes) = (layout_name(CONFIG.as_bytes()), probes::layers().unwrap());
    Template::read(unpacked(recorded), &layout, &source("alpine"), version, &probes)
}

fn recorded(recorded: &[u8]) -> Template {
    read(recorded, "apptainer version 1.4.5").unwrap()
}

/// The content of a file that the runtime adds.
fn file<'a>(template: &'a Template, path: &str) -> &'a str {
    std::str::from_utf8(&template.additions.files[path.as_bytes()].content).unwrap()
}

#[test]
fn recorded_templates_show_the_rules() {
    for (recorded, expected) in [(ROOT, Rules::ROOT), (USER, Rules::USER)] {
        let layers = merge(&probes::layers().unwrap()).unwrap();
        let (tree, additions) = root_file_system(&unpacked(recorded), &layers.tree).unwrap();
        assert_eq!(deduce::rules(&layers, &additions, &tree), Ok(vec![expected]));
    }
}

/// A change of any file is noticed: no rules explain it.
#[test]
fn unknown_rules_are_noticed() {
    let layers = merge(&probes::layers().unwrap()).unwrap();
    let (tree, additions) = root_file_system(&unpacked(USER), &layers.tree).unwrap();
    for id in tree.ids().step_by(5) {
        let mut changed = tree.clone();
        changed.get_mut(id).unwrap().metadata.mode ^= 0o001;
        // With other permissions of the parent without an entry, other rules apply.
        let rules = deduce::rules(&layers, &additions, &changed);
        let known = rules.iter().flatten().any(|rules| rules.implied_mode == 0o775);
        assert!(!known, "{id:?}");
    }
}

#[test]
fn the_texts_name_the_source_of_a_pull() {
    let template = recorded(ROOT);
    assert_eq!(
        file(&template, ".singularity.d/Singularity"),
        "bootstrap: docker\nfrom: alpine\n\n"
    );
    let labels = file(&template, ".singularity.d/labels.json");
    assert!(labels.contains("\n\t\"a\": \"b\\u003c\",\n"), "{labels}");
    assert!(labels.contains("deffile.bootstrap\": \"docker\",\n"), "{labels}");
    assert!(labels.contains("deffile.from\": \"alpine\",\n"), "{labels}");
    assert!(!labels.contains("image.base"), "{labels}");
}

#[test]
fn new_runtimes_label_the_source() {
    let template = read(ROOT, "apptainer version 1.5.3").unwrap();
    let labels = file(&template, ".singularity.d/labels.json");
    let digest = "0".repeat(64);
    let base = format!(
        "\t\"org.opencontainers.image.base.digest\": \"sha256:{digest}\",\n\
         \t\"org.opencontainers.image.base.name\": \"docker.io/library/alpine:latest\",\n"
    );
    assert!(labels.contains(&base), "{labels}");
    for other in ["singularity-ce version 4.5.1", "apptainer version 1.4.5", ""] {
        let template = read(ROOT, other).unwrap();
        assert!(!file(&template, ".singularity.d/labels.json").contains("image.base"), "{other}");
    }
}

#[test]
fn the_template_of_another_layout_is_refused() {
    let (layout, probes) = (layout_name(b"{}"), probes::layers().unwrap());
    let version = "apptainer version 1.4.5";
    let read = Template::read(unpacked(ROOT), &layout, &source("a"), version, &probes);
    assert!(matches!(read, Err(Error::UnknownText(_))), "{read:?}");
}
