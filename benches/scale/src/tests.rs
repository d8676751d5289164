use crate::log::Log;
use crate::{image, root};
use std::collections::HashSet;
use std::fs;

/// The log names images of the root, in the shares that the documentation gives.
#[test]
fn the_log_names_the_images_of_the_root() {
    let directory = tempfile::tempdir().unwrap();
    let (tree, file) = (directory.path().join("sif"), directory.path().join("log"));
    root::write(&tree, 50).unwrap();
    Log { lines: 5000, nodes: 20, images: 50, root: &tree }.write(&file).unwrap();
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5000);
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    let (hits, misses) = (count(" sifcache: event=hit "), count(" sifcache: event=miss "));
    assert!((700..1100).contains(&hits) && (50..150).contains(&misses), "{hits} {misses}");
    for path in lines.iter().filter_map(|line| line.split(" image=").nth(1)) {
        assert!(fs::metadata(path).unwrap().is_file(), "{path}");
    }
    let nodes: HashSet<&str> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(nodes.len(), 20);
}

/// Every name of an image has a record, and the digests are hard links.
#[test]
fn the_root_is_as_add_leaves_it() {
    let directory = tempfile::tempdir().unwrap();
    root::write(directory.path(), 50).unwrap();
    let mut pinned = 0;
    for image in image::all(50) {
        for name in image.pinned.iter().chain([&image.name]) {
            let size = fs::metadata(directory.path().join(name)).unwrap().len();
            let record = directory.path().join(".sifcache/metadata").join(format!("{name}.json"));
            let record: serde_json::Value =
                serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
            assert_eq!(record["reference"], image.reference.as_str());
            assert_eq!(record["size"], size);
        }
        pinned += image.pinned.len();
    }
    assert!(pinned > 50, "{pinned}");
}
