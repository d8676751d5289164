//! Tests of the check of views.

use super::super::finding::{Finding, Level};
use super::super::roots::check;
use super::Tree;
use crate::cache::view::engine::Engine;
use crate::cache::view::{View, sync};
use sif_fixture::Sif;
use sifcache_core::settings::Untrusted;
use std::fs;
use std::os::unix::fs::chown;

const RECORD: &str = "/sif/.sifcache/views.json";

/// A host with one image and a current view of it.
fn host_with_view() -> Option<Tree> {
    let tree = Tree::new()?;
    fs::create_dir_all(tree.at("/sif/.sifcache/lock")).unwrap();
    fs::create_dir(tree.at("/sif/o")).unwrap();
    Sif::image().write(tree.at("/sif/o/i:1")).unwrap();
    tree.write(
        RECORD,
        r#"{"views":[{"directory":"/views","engines":["nextflow","miniwdl"],"roots":["/sif"]}]}"#,
    );
    update(&tree);
    Some(tree)
}

fn update(tree: &Tree) {
    let view = View {
        directory: tree.at("/views"),
        engines: [Engine::Nextflow, Engine::Miniwdl].into(),
        roots: vec![tree.at("/sif")],
    };
    sync::apply(&view, Untrusted::Refuse, &|| ()).unwrap();
}

fn views(tree: &Tree) -> Vec<(Level, String)> {
    let is_view = |finding: &Finding| finding.check == "views";
    let findings = check(&tree.host()).into_iter().filter(is_view);
    findings
        .map(|f| (f.level, format!("{}; {}", f.message, f.advice.unwrap_or_default())))
        .collect()
}

#[test]
fn the_links_of_a_view_are_compared() {
    let Some(tree) = host_with_view() else { return };
    let current = "/views: a view with 4 links, which are current; ".to_owned();
    assert_eq!(views(&tree), [(Level::Ok, current.clone())]);
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    Sif::image().write(tree.at("/sif/o/i:2")).unwrap();
    let outdated = "/views: the links of this view are not current; \
                    sifcache view /views, or sifcache verify --fix";
    assert_eq!(views(&tree), [(Level::Warn, outdated.to_owned())]);
    update(&tree);
    assert_eq!(views(&tree), [(Level::Ok, current.replace('4', "8"))]);
    // A view of a large root is not compared.
    fs::remove_file(tree.at("/sif/o/i:2")).unwrap();
    assert_eq!(views(&tree), [(Level::Warn, outdated.to_owned())]);
    fs::create_dir(tree.at("/sif/many")).unwrap();
    for number in 0..5000 {
        fs::write(tree.at(&format!("/sif/many/{number}")), "").unwrap();
    }
    let [(level, text)] = views(&tree).try_into().unwrap();
    assert!(level == Level::Ok && text.contains("`sifcache verify` checks them"), "{text}");
}

/// Engines start what they find in a view.
#[test]
fn directories_of_a_view_are_checked() {
    let Some(tree) = host_with_view() else { return };
    tree.mode("/views/nextflow", 0o777);
    let [(level, text)] = views(&tree).try_into().unwrap();
    assert!(level == Level::Fail && text.contains("controls what engines start; chmod o-w"));
    let mut host = tree.host();
    host.site.settings.as_mut().unwrap().untrusted = Untrusted::Accept;
    assert!(check(&host).iter().any(|f| f.check == "views" && f.level == Level::Note));
    tree.mode("/views/nextflow", 0o755);
    chown(tree.at("/views"), Some(1001), None).unwrap();
    let [(level, text)] = views(&tree).try_into().unwrap();
    assert!(level == Level::Fail && text.contains("chown root:root"), "{text}");
    chown(tree.at("/views"), Some(0), None).unwrap();
    tree.mode("/views/miniwdl", 0o750);
    let unreadable = "/views/miniwdl has mode 0750: users cannot read this view; \
                      chmod o+rx /views/miniwdl";
    assert_eq!(views(&tree), [(Level::Warn, unreadable.to_owned())]);
    tree.mode("/views/miniwdl", 0o755);
    fs::remove_dir_all(tree.at("/views/miniwdl")).unwrap();
    let missing = "/views/miniwdl: a directory of this view is missing on this host; mount it \
                   here, or: sifcache view /views";
    assert_eq!(views(&tree), [(Level::Warn, missing.to_owned())]);
}

#[test]
fn a_damaged_record_is_reported() {
    let Some(tree) = host_with_view() else { return };
    tree.write(RECORD, "{");
    let [(level, text)] = views(&tree).try_into().unwrap();
    assert!(level == Level::Warn && text.contains("record of the views is not usable"), "{text}");
    tree.remove(RECORD);
    assert!(views(&tree).is_empty());
}
