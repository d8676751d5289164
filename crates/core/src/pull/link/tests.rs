use super::{NotLinked, target};
use crate::image::tests::{TestRoot, sif};
use crate::lookup::Inline;
use crate::reference::Reference;
use crate::settings::Settings;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn pinned(digit: char) -> String {
    format!("o/i@sha256:{}", digit.to_string().repeat(64))
}

/// The path for a link, relative to the last root.
fn linked(roots: &[&TestRoot], name: &str, reference: &str) -> Result<String, NotLinked> {
    let paths: Vec<PathBuf> = roots.iter().map(|root| root.path().to_owned()).collect();
    let hit = roots.iter().map(|root| root.path().join(name)).find(|path| path.exists()).unwrap();
    let reference = Reference::parse(reference.as_bytes()).unwrap();
    let last = paths.last().unwrap().clone();
    let file = Path::new("/none/x.sif");
    let path = target(&hit, file, &reference, &Settings::with_roots(paths), &Inline)?;
    Ok(path.strip_prefix(last).unwrap().to_str().unwrap().to_owned())
}

#[test]
fn the_name_by_digest_of_the_same_file() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    root.file(&pinned('a'), &sif());
    assert_eq!(linked(&[&root], "o/i:1", "o/i:1"), Err(NotLinked::NoDigestName));
    fs::hard_link(root.path().join("o/i:1"), root.path().join(pinned('b'))).unwrap();
    assert_eq!(linked(&[&root], "o/i:1", "o/i:1"), Ok(pinned('b')));
    // The name with the tag moves to another image.
    fs::remove_file(root.path().join("o/i:1")).unwrap();
    fs::hard_link(root.path().join(pinned('a')), root.path().join("o/i:1")).unwrap();
    assert_eq!(linked(&[&root], "o/i:1", "o/i:1"), Ok(pinned('a')));
    assert_eq!(linked(&[&root], &pinned('b'), &pinned('b')), Ok(pinned('b')));
}

/// `sifcache add` names images after the short form of the reference.
#[test]
fn names_with_the_registry_and_a_suffix() {
    let Some(root) = TestRoot::new() else { return };
    root.file("docker.io/o/i:1", &sif());
    let short = format!("{}.sif", pinned('c'));
    root.file("o/x:1", &sif());
    fs::hard_link(root.path().join("docker.io/o/i:1"), root.path().join(&short)).unwrap();
    assert_eq!(linked(&[&root], "docker.io/o/i:1", "o/i:1"), Ok(short.clone()));
    fs::remove_file(root.path().join(&short)).unwrap();
    let full = format!("docker.io/{}", pinned('c'));
    fs::hard_link(root.path().join("docker.io/o/i:1"), root.path().join(&full)).unwrap();
    assert_eq!(linked(&[&root], "docker.io/o/i:1", "o/i:1"), Ok(full));
}

/// A symbolic link to the name with the tag would follow the tag.
#[test]
fn a_name_by_digest_that_is_a_link() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    symlink("i:1", root.path().join(pinned('a'))).unwrap();
    assert_eq!(linked(&[&root], "o/i:1", "o/i:1"), Err(NotLinked::NoDigestName));
    assert_eq!(linked(&[&root], &pinned('a'), &pinned('a')), Err(NotLinked::NoDigestName));
}

#[test]
fn only_the_last_root_is_linked_to() {
    let (Some(near), Some(far)) = (TestRoot::new(), TestRoot::new()) else { return };
    near.file("o/i:1", &sif());
    fs::hard_link(near.path().join("o/i:1"), near.path().join(pinned('a'))).unwrap();
    let both = [&near, &far];
    assert_eq!(linked(&both, "o/i:1", "o/i:1"), Err(NotLinked::NotInLastRoot));
    far.file(&pinned('b'), &sif());
    assert_eq!(linked(&both, "o/i:1", "o/i:1"), Err(NotLinked::NotInLastRoot));
    far.file(&pinned('a'), &sif());
    assert_eq!(linked(&both, "o/i:1", "o/i:1"), Ok(pinned('a')));
    // A file that is not a valid image is not linked to.
    far.file(&pinned('a'), b"");
    assert_eq!(linked(&both, "o/i:1", "o/i:1"), Err(NotLinked::NotInLastRoot));
}

/// A rename would replace the only file of the image with a link to itself.
#[test]
fn a_target_that_is_the_image() {
    let Some(root) = TestRoot::new() else { return };
    let image = root.file(&pinned('a'), &sif());
    let reference = Reference::parse(pinned('a').as_bytes()).unwrap();
    let settings = Settings::with_roots(vec![root.path().to_owned()]);
    let of = |file: &Path| target(&image, file, &reference, &settings, &Inline);
    assert_eq!(of(&image), Err(NotLinked::TargetIsImage));
    fs::hard_link(&image, root.path().join("o/i:1")).unwrap();
    assert_eq!(of(&root.path().join("o/i:1")), Err(NotLinked::TargetIsImage));
    // A link to the image can be replaced.
    symlink(&image, root.path().join("x.sif")).unwrap();
    assert_eq!(of(&root.path().join("x.sif")), Ok(image.clone()));
}
