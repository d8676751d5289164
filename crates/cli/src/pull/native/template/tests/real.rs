//! Tests with the real runtime, which is not installed on every machine.

use super::super::{Request, Template, sif_metadata};
use super::{CONFIG, source};
use crate::pull::runtime::{Runtime, Version};
use sifcache_core::image;
use sifcache_core::settings::Settings;
use sifcache_core::sif::descriptors;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The type of the object with the root file system.
const PARTITION: i32 = 0x4004;

fn build(directory: &Path, config: &str, reference: &str) -> Template {
    let mut settings = Settings::with_roots(Vec::new());
    settings.runtimes = vec!["apptainer".to_owned(), "singularity".to_owned()];
    let runtime = Runtime::find(&settings, None).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    let request = Request {
        runtime: &runtime,
        version: &Version::of(&runtime).unwrap(),
        config: config.as_bytes(),
        source: &source(reference),
        directory,
        lock: &lock,
        architecture: None,
    };
    Template::build(&request).unwrap()
}

/// Also records the template as the file `RECORD`.
#[test]
#[ignore = "it needs a runtime"]
fn a_template_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let template = build(directory.path(), CONFIG, "alpine");
    if let Some(to) = env::var_os("RECORD") {
        fs::copy(directory.path().join("template.sif"), to).unwrap();
    }
    let text = sif_metadata::inspect_metadata(template.file()).unwrap();
    let text = String::from_utf8(template.texts().correct(&text).unwrap()).unwrap();
    assert!(text.contains(r#""deffile":"bootstrap: docker\nfrom: alpine""#), "{text}");
    assert!(text.contains(r#"singularity.deffile.from":"alpine""#), "{text}");
    assert!(text.contains(r#""z":"1""#), "{text}");
}

/// `PULLED` is a file that the runtime pulled from `REFERENCE`, whose config is the file `CONFIG`.
#[test]
#[ignore = "it needs a runtime and a registry"]
fn the_texts_are_those_of_a_pull() {
    let variable = |name: &str| env::var(name).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(variable("CONFIG")).unwrap();
    let template = build(directory.path(), &config, &variable("REFERENCE"));
    let pulled = File::open(variable("PULLED")).unwrap();
    let (ours, pulled) = (objects(template.file()), objects(&pulled));
    let ours: Vec<String> = ours.iter().map(|object| corrected(&template, object)).collect();
    let pulled: Vec<String> = pulled.iter().map(|object| without_date(object)).collect();
    assert_eq!(ours, pulled);
}

fn corrected(template: &Template, object: &[u8]) -> String {
    without_date(&template.texts().correct(object).unwrap())
}

/// The text of an object without the time of the build.
fn without_date(object: &[u8]) -> String {
    let text = String::from_utf8(object.to_vec()).unwrap();
    match text.split_once(r#"build-date":""#) {
        Some((before, after)) => format!("{before}{}", after.split_once('"').unwrap().1),
        None => text,
    }
}

/// The objects of a SIF file except its root file system.
fn objects(file: &File) -> Vec<Vec<u8>> {
    let table = image::descriptor_table(file).unwrap();
    let objects = descriptors::in_use(&table);
    let small = objects.filter(|object| object.data_type() != PARTITION);
    small
        .map(|object| {
            let (offset, size) = object.place().unwrap();
            let mut bytes = vec![0; usize::try_from(size).unwrap()];
            file.read_exact_at(&mut bytes, offset).unwrap();
            bytes
        })
        .collect()
}
