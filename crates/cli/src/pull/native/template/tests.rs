//! Tests with the real runtime, which is not installed on every machine.

use super::{Request, Source, Template};
use crate::pull::runtime::Runtime;
use sifcache_core::settings::Settings;
use std::fs::File;
use std::path::Path;

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux",
    "config":{"Env":["PATH=/bin","A=<&\"é"],"Cmd":["/bin/sh"],"Labels":{"a":"b<","z":"1"}},
    "rootfs":{"type":"layers","diff_ids":["sha256:1"]}}"#;

fn build(directory: &Path, config: &str) -> Template {
    let mut settings = Settings::with_roots(Vec::new());
    settings.runtimes = vec!["apptainer".to_owned(), "singularity".to_owned()];
    let runtime = Runtime::find(&settings, None).unwrap();
    let source = Source {
        reference: "alpine".to_owned(),
        full_reference: "docker.io/library/alpine:latest".to_owned(),
        digest: format!("sha256:{}", "0".repeat(64)),
    };
    let lock = File::create(directory.join("lock")).unwrap();
    Template::build(&Request {
        runtime: &runtime,
        version: &runtime.version(),
        config: config.as_bytes(),
        source: &source,
        directory,
        lock: &lock,
        architecture: None,
    })
    .unwrap()
}

#[test]
#[ignore = "it needs a runtime"]
fn a_template_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let template = build(directory.path(), CONFIG);
    if let Some(to) = std::env::var_os("KEEP_TEMPLATE") {
        std::fs::copy(directory.path().join("template.sif"), to).unwrap();
    }
    let text = super::sif_metadata::inspect_metadata(template.file()).unwrap();
    let text = String::from_utf8(template.texts().correct(&text).unwrap()).unwrap();
    assert!(text.contains(r#""deffile":"bootstrap: docker\nfrom: alpine""#), "{text}");
    assert!(text.contains(r#"singularity.deffile.from":"alpine""#), "{text}");
    assert!(text.contains(r#""z":"1""#), "{text}");
}
