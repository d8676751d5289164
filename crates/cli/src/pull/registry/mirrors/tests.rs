use super::file::parse;
use super::{Mirrors, Used};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

#[test]
fn user_files_replace_system_files() {
    let directory = TempDir::new().unwrap();
    let (etc, home) = (directory.path().join("etc"), directory.path().join("home"));
    let put = |path: &Path, blocked: bool| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!("[[registry]]\nlocation = \"q.io\"\nblocked = {blocked}\n");
        fs::write(path, text).unwrap();
    };
    let blocked = || {
        let mirrors = Mirrors::read(&etc, Some(&home)).unwrap();
        mirrors.find("q.io/o/i").map(|rule| rule.blocked)
    };
    assert_eq!(blocked(), None);
    put(&etc.join("containers/registries.conf"), true);
    assert_eq!(blocked(), Some(true));
    put(&etc.join("containers/registries.conf.d/a.conf"), true);
    put(&etc.join("containers/registries.conf.d/b.conf"), false);
    put(&etc.join("containers/registries.conf.d/c.txt"), true);
    put(&etc.join("containers/registries.conf.d/sub/d.conf"), true);
    assert_eq!(blocked(), Some(false), "the last of a directory");
    put(&home.join("containers/registries.conf.d/0.conf"), true);
    assert_eq!(blocked(), Some(true), "the user's directory after the system's");
    fs::write(home.join("containers/registries.conf"), "").unwrap();
    fs::remove_file(home.join("containers/registries.conf.d/0.conf")).unwrap();
    assert_eq!(blocked(), None, "the user's file hides both of the system's");
    assert!(Mirrors::read(&etc, None).unwrap().find("q.io").is_some());
    fs::write(home.join("containers/registries.conf"), "[[registry").unwrap();
    let error = Mirrors::read(&etc, Some(&home)).unwrap_err();
    assert!(error.contains("home/containers/registries.conf is invalid"), "{error}");
}

#[test]
fn the_longest_prefix_is_used() {
    let text = r#"
        [[registry]]
        prefix = "q.io/o"
        location = "a"
        [[registry]]
        location = "q.io"
        [[registry]]
        prefix = "*.example.org"
    "#;
    let mirrors = Mirrors::of(text);
    let found = |name: &str| mirrors.find(name).map(|rule| rule.prefix.as_str());
    assert_eq!(found("q.io/o/i"), Some("q.io/o"));
    assert_eq!(found("q.io/other"), Some("q.io"));
    assert_eq!(found("q.io/ox"), Some("q.io"));
    assert_eq!(found("q.io:5000/o/i"), Some("q.io"), "a prefix without a port matches any port");
    assert_eq!(found("aq.io/o/i"), None);
    assert_eq!(found("a.example.org"), Some("*.example.org"));
    assert_eq!(found("a.b.example.org:5000/o"), Some("*.example.org"));
    assert_eq!(found("example.org"), None);
    assert_eq!(found("a.example.org.net"), None);
    assert_eq!(found("q.com/a.example.org"), None);
}

#[test]
fn both_format_versions_are_read() {
    let rules = Mirrors::of(
        "unqualified-search-registries = [\"x\"]\nwhat = 1\n[[registry]]\nlocation=\"q.io/\"\n\
         mirror-by-digest-only = true\n[[registry.mirror]]\nlocation=\"m.io/\"\ninsecure=true\n\
         [aliases]\na = \"b\"\n",
    )
    .0;
    assert_eq!((rules[0].prefix.as_str(), rules[0].insecure), ("q.io", false));
    let mirror = &rules[0].mirrors[0];
    assert_eq!((mirror.location.as_str(), mirror.insecure), ("m.io", true));
    assert_eq!(mirror.used, Used::ForDigests);
    let first = "[registries.search]\nregistries=['a']\n[registries.block]\nregistries=['b','c']\n\
                 [registries.insecure]\nregistries=['c']\n";
    let rules = Mirrors::of(first).0;
    let read_rules: Vec<_> =
        rules.iter().map(|one| (one.prefix.as_str(), one.blocked, one.insecure)).collect();
    assert_eq!(read_rules, [("b", true, false), ("c", true, true)]);
    let error = parse(first, Path::new("/d/x.conf"), false).unwrap_err();
    assert!(error.starts_with("/d/x.conf is invalid"), "{error}");
}

#[test]
fn invalid_files_are_refused_as_by_the_runtime() {
    let table = [
        ("[[registry", "line 1"),
        ("\n[[registry]]\nlocation = \"x\"\ninsecure = \"true\"\n", "line 4"),
        ("[[registry]]\n", "neither location nor prefix"),
        ("[[registry]]\nlocation = 'https://q.io'\n", "https://"),
        ("[[registry]]\nprefix = 'q.io'\n", "needs a location"),
        ("[[registry]]\nprefix = '*.q.io/o'\nlocation = 'x'\n", "*.DOMAIN"),
        ("[[registry]]\nlocation = 'x'\npull-from-mirror = 'all'\n", "belongs to"),
        ("[[registry]]\nlocation = 'x'\n[[registry.mirror]]\n", "no location"),
        (
            "[[registry]]\nlocation = 'x'\n[[registry.mirror]]\nlocation='m'\n\
             pull-from-mirror='now'\n",
            "pull-from-mirror=now",
        ),
        (
            "[[registry]]\nlocation = 'x'\nmirror-by-digest-only=true\n[[registry.mirror]]\n\
             location='m'\npull-from-mirror='all'\n",
            "mirror-by-digest-only",
        ),
        (
            "[[registry]]\nlocation='x'\n[[registry]]\nprefix='p'\nlocation='x'\ninsecure=true\n",
            "both insecure and not",
        ),
        ("short-name-mode = 'what'\n", "short-name-mode=what"),
        (
            "unqualified-search-registries=['x']\n[registries.block]\nregistries=['b']\n",
            "newer keys",
        ),
    ];
    for (text, why) in table {
        let error = parse(text, Path::new("/r.conf"), true).unwrap_err();
        assert!(error.starts_with("/r.conf is invalid") && error.contains(why), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
