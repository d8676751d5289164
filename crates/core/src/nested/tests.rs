use super::{
    Change, INTERPOSER, MAX_VARIABLE, RUNTIME, SETTINGS, SHIMS, changes, installed, is_shims,
};
use crate::settings::Nested;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Environment = BTreeMap<&'static str, Vec<u8>>;

fn environment(pairs: &[(&'static str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect()
}

fn apply(environment: &Environment, nested: Nested) -> Environment {
    let mut result = environment.clone();
    for Change { name, value } in
        changes(nested, &[installed(SHIMS)], b"image_root=/sif", &|n| environment.get(n).cloned())
    {
        match value {
            Some(value) => result.insert(name, value),
            None => result.remove(name),
        };
    }
    result
}

#[test]
fn path_gets_the_shims_in_front() {
    let shims = installed(SHIMS);
    assert_eq!(shims, format!("{}/bin", super::DIRECTORY));
    for (path, expected) in [
        ("/usr/bin:/bin", format!("{shims}:/usr/bin:/bin")),
        ("", format!("{shims}:")),
        (":/bin", format!("{shims}::/bin")),
        // An existing entry moves to the front, and duplicates are removed.
        (&format!("/opt/bin:{shims}:/bin:{shims}/"), format!("{shims}:/opt/bin:/bin")),
        (&format!("{shims}x:/bin"), format!("{shims}:{shims}x:/bin")),
    ] {
        let after = apply(&environment(&[("PATH", path)]), Nested::Path);
        let expected = environment(&[("PATH", &expected), (SETTINGS, "image_root=/sif")]);
        assert_eq!(after, expected, "{path:?}");
    }
    let unset = apply(&environment(&[]), Nested::Path);
    assert_eq!(unset, environment(&[(SETTINGS, "image_root=/sif")]));
}

/// Entries that were added on another node, or by another job on this node, are removed.
#[test]
fn path_has_the_shims_of_this_node_and_no_other() {
    let before = format!("{0}-linked:/opt/bin:{0}-sing//:{0}:/bin", installed(SHIMS));
    for (shims, expected) in [
        (&["bin-apptainer", "bin-sing"] as &[&str], "D/bin-apptainer:D/bin-sing:/opt/bin:/bin"),
        (&[], "/opt/bin:/bin"),
    ] {
        let shims: Vec<String> = shims.iter().map(|name| installed(name)).collect();
        let get = |name: &str| (name == "PATH").then(|| before.as_bytes().to_vec());
        let changes = changes(Nested::Path, &shims, b"image_root=/sif", &get);
        let expected = expected.replace('D', super::DIRECTORY).into_bytes();
        assert_eq!(changes[0], Change { name: "PATH", value: Some(expected) });
        assert_eq!(changes[1].name, SETTINGS);
    }
}

#[test]
fn directories_of_shims() {
    for (name, expected) in [
        ("bin", true),
        ("bin/", true),
        ("bin//", true),
        ("bin-apptainer", true),
        ("bin-linked/", true),
        ("", false),
        ("bin2", false),
        ("bin-", false),
        ("bin/x", false),
        ("bin-x/y", false),
        ("sifcache-shim", false),
    ] {
        assert_eq!(is_shims(installed(name).as_bytes()), expected, "{name}");
    }
    for none in ["", "/", "bin", "/usr/bin", "/x/usr/libexec/sifcache/bin"] {
        assert!(!is_shims(none.as_bytes()), "{none}");
    }
}

#[test]
fn preload_gets_the_interposer_at_the_end() {
    let ours = installed(INTERPOSER);
    for (preload, expected) in [
        (None, ours.clone()),
        (Some(""), format!(":{ours}")),
        (Some("/a.so b.so"), format!("/a.so b.so:{ours}")),
        (Some(&*format!("{ours}:/a.so")), format!("{ours}:/a.so")),
        (Some(&*format!("{ours}.old")), format!("{ours}.old:{ours}")),
    ] {
        let before = preload.map(|value| ("LD_PRELOAD", value));
        let after = apply(&environment(before.as_slice()), Nested::Preload);
        let expected = environment(&[("LD_PRELOAD", &expected), (SETTINGS, "image_root=/sif")]);
        assert_eq!(after, expected, "{preload:?}");
    }
}

#[test]
fn a_second_application_changes_nothing() {
    for nested in [Nested::Path, Nested::Preload, Nested::Off] {
        let once = apply(&environment(&[("PATH", "/bin"), ("LD_PRELOAD", "/a.so")]), nested);
        let again = changes(nested, &[installed(SHIMS)], b"image_root=/sif", &|name| {
            once.get(name).cloned()
        });
        assert_eq!(again, [], "{nested:?}");
    }
}

#[test]
fn off_removes_everything_that_was_added() {
    let (shims, ours) = (installed(SHIMS), installed(INTERPOSER));
    let with = environment(&[
        ("PATH", &format!("/opt/bin:{shims}/:/bin")),
        ("LD_PRELOAD", &format!("/a.so {ours} /b.so")),
        (SETTINGS, "image_root=/sif"),
        (RUNTIME, "/usr/bin/apptainer"),
        ("OTHER", "1"),
    ]);
    let expected =
        environment(&[("PATH", "/opt/bin:/bin"), ("LD_PRELOAD", "/a.so /b.so"), ("OTHER", "1")]);
    assert_eq!(apply(&with, Nested::Off), expected);
    // A variable without any other entry was created by sifcache, so it is removed.
    let alone = environment(&[("PATH", &shims), ("LD_PRELOAD", &ours)]);
    assert_eq!(apply(&alone, Nested::Off), Environment::new());
}

/// A variable that exceeds the kernel's limit would prevent every program of the job from starting.
#[test]
fn what_would_not_fit_is_left_alone() {
    for (nested, name) in [(Nested::Path, "PATH"), (Nested::Preload, "LD_PRELOAD")] {
        let long = |length: usize| environment(&[(name, &"x".repeat(length))]);
        // Slurm refuses a length of 128 KiB, which the kernel allows.
        assert_eq!(MAX_VARIABLE, (128 << 10) - 1);
        let most = MAX_VARIABLE - name.len() - 2;
        assert_eq!(apply(&long(most), nested), long(most), "{name}");
        let ours = match nested {
            Nested::Path => installed(SHIMS),
            _ => installed(INTERPOSER),
        };
        // One byte is needed for the colon between the old value and the new entry.
        let fits = most - ours.len() - 1;
        assert_eq!(apply(&long(fits), nested)[name].len(), most, "{name}");
        assert_eq!(apply(&long(fits + 1), nested), long(fits + 1), "{name}");
        let after = apply(&long(100_000), nested);
        assert!(after[name].len() > 100_000 && after.contains_key(SETTINGS), "{name}");
    }
}

proptest! {
    /// After the removal, the environment is the same as before, byte for byte.
    #[test]
    fn changes_can_be_undone(
        path in proptest::option::of("[a/:. ]{0,12}"),
        preload in proptest::option::of("[a/:. ]{0,12}"),
    ) {
        let mut before = Environment::new();
        before.extend(path.map(|value| ("PATH", value.into_bytes())));
        before.extend(preload.map(|value| ("LD_PRELOAD", value.into_bytes())));
        for nested in [Nested::Path, Nested::Preload] {
            let during = apply(&before, nested);
            prop_assert_eq!(&apply(&during, Nested::Off), &before);
        }
    }
}
