//! Several commands at the same time, on several nodes.

use super::{objects, started};
use crate::kit::registry::misbehaving;
use crate::kit::{IMAGE, SHARED, Site, tree};
use std::thread;

/// Ten commands for one image, five on each node: only one of them pulls.
#[test]
#[ignore = "needs a testbed: make test"]
fn ten_adds_of_one_reference_on_two_nodes() {
    let site = Site::new("");
    let registry = misbehaving("none");
    let outputs: Vec<_> = thread::scope(|scope| {
        let adds: Vec<_> = (0..10)
            .map(|number| {
                let site = &site;
                scope.spawn(move || {
                    let host = if number % 2 == 0 { "n1" } else { "n2" };
                    site.exec(&["--on", host], &["sifcache", "add", "--json", IMAGE], "")
                })
            })
            .collect();
        adds.into_iter().map(|add| add.join().unwrap()).collect()
    });
    let mut statuses: Vec<String> = Vec::new();
    for output in &outputs {
        assert_eq!(output.status, 0, "{output:#?}");
        statuses.push(objects(output)[0]["status"].as_str().unwrap().to_owned());
    }
    statuses.sort();
    assert_eq!(statuses[0], "added");
    assert!(statuses[1..].iter().all(|status| status == "present"), "{statuses:?}");
    let manifests = registry.requests().iter().filter(|r| r.contains("/blobs/")).count();
    assert_eq!(manifests, 2, "a layer and a configuration: {:?}", registry.requests());
    drop(registry);
    started(&site, IMAGE).ran(IMAGE);
    let root = site.at("ctl", SHARED);
    assert_eq!(tree::check(&root).len(), 2);
    tree::is_clean(&root);
}
