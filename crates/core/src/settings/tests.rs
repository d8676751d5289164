use super::{
    Algorithm, Compression, Error, Filler, Key, Nested, OnMiss, Pull, Settings, Syslog, Untrusted,
    facilities,
};
use crate::layout::Layout;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files that must document each key, and the dictionary of the fuzz target.
const EXAMPLE: &str = include_str!("../../../../plugstack.conf.example");
const README: &str = include_str!("../../../../README.md");
const DICTIONARY: &str = include_str!("../../../../fuzz/dictionaries/settings.dict");

fn parse(line: &str) -> Result<Settings, Error> {
    Settings::parse(&line.split_ascii_whitespace().collect::<Vec<_>>())
}

#[test]
fn defaults() {
    let settings = parse("image_root=/shared/sif").unwrap();
    assert_eq!(settings.image_roots, [PathBuf::from("/shared/sif")]);
    assert_eq!((settings.on_miss, settings.wait), (OnMiss::Pull, None));
    assert_eq!(settings.nested, Nested::Path);
    assert_eq!(settings.runtimes, ["singularity", "apptainer"]);
    assert_eq!(settings.untrusted, Untrusted::Refuse);
    assert_eq!(settings.lookup_timeout, Some(Duration::from_secs(30)));
    assert_eq!(settings.syslog, Syslog::Facility("daemon"));
    assert_eq!(settings.pull, Pull::Copy);
    assert_eq!(settings.compression, Compression { algorithm: Algorithm::Gzip, level: None });
    assert_eq!(settings.filler, None);
}

#[test]
fn every_key_and_value() {
    let has_all = |line: &str| Key::ALL.iter().all(|key| line.contains(&format!("{key}=")));
    let other_values = "apptainer_image_root=/local/sif/:/shared//sif on_miss=wait:9:fail nested=preload \
                        runtimes=apptainer-suid,sing untrusted=accept lookup_timeout=300 \
                        syslog=local3 pull=off compression=zstd:19 filler=ctl:7000";
    assert!(has_all(other_values));
    let settings = parse(other_values).unwrap();
    assert_eq!(settings.image_roots.len(), 2);
    assert_eq!(settings.image_roots[0].as_os_str(), "/local/sif");
    assert_eq!(settings.image_roots[1].as_os_str(), "/shared/sif");
    assert_eq!(settings.on_miss, OnMiss::Fail);
    assert_eq!(settings.wait, Some(Duration::from_secs(9)));
    assert_eq!(settings.nested, Nested::Preload);
    assert_eq!(settings.runtimes, ["apptainer-suid", "sing"]);
    assert_eq!(settings.untrusted, Untrusted::Accept);
    assert_eq!(settings.lookup_timeout, Some(Duration::from_secs(300)));
    assert_eq!(settings.syslog, Syslog::Facility("local3"));
    assert_eq!(settings.pull, Pull::Off);
    let zstd = Compression { algorithm: Algorithm::Zstd, level: Some(19) };
    assert_eq!(settings.compression, zstd);
    assert_eq!(settings.filler, Some(Filler { host: "ctl".to_owned(), port: 7000 }));

    let spelt_out = "image_root=/sif on_miss=pull nested=path runtimes=singularity,apptainer \
                     untrusted=refuse lookup_timeout=30 syslog=daemon pull=copy compression=gzip \
                     filler=off";
    assert!(has_all(spelt_out));
    assert_eq!(parse(spelt_out), parse("image_root=/sif"));
}

#[test]
fn other_values() {
    for key in ["image_root", "singularity_image_root", "apptainer_image_root"] {
        assert!(parse(&format!("{key}=/sif")).is_ok());
    }
    for facility in facilities() {
        let settings = parse(&format!("image_root=/sif syslog={facility}")).unwrap();
        assert_eq!(settings.syslog, Syslog::Facility(facility));
    }
    assert_eq!(parse("image_root=/sif syslog=off").unwrap().syslog, Syslog::Off);
    assert_eq!(parse("image_root=/sif lookup_timeout=off").unwrap().lookup_timeout, None);
    let longest = parse("image_root=/sif lookup_timeout=86400").unwrap().lookup_timeout;
    assert_eq!(longest, Some(Duration::from_secs(86_400)));
    assert_eq!(parse("image_root=/sif nested=off").unwrap().nested, Nested::Off);
    assert_eq!(parse("image_root=/sif on_miss=warn").unwrap().on_miss, OnMiss::Warn);
    assert_eq!(parse("image_root=/sif pull=link").unwrap().pull, Pull::Link);
    for compression in ["gzip", "gzip:1", "gzip:9", "zstd", "zstd:1"] {
        let settings = parse(&format!("image_root=/sif compression={compression}")).unwrap();
        assert_eq!(settings.compression.to_string(), compression);
    }
}

/// The values of a key in plugstack.conf.example.
fn example_values(key: Key) -> Vec<&'static str> {
    let start = format!("#   {key}=");
    let values = EXAMPLE.lines().filter_map(|line| line.strip_prefix(start.as_str()));
    values.filter_map(|value| value.split_ascii_whitespace().next()).collect()
}

#[test]
fn each_key_is_documented_with_its_default_first() {
    for key in Key::ALL {
        assert!(DICTIONARY.contains(&format!("\n\"{key}=\"\n")), "{key} is not in settings.dict");
        let row = format!("\n| `{key}` | ");
        let (_, row) = README.split_once(&row).unwrap_or_else(|| panic!("{key}: not in README.md"));
        let values = example_values(*key);
        assert!(!values.is_empty(), "{key} is not in plugstack.conf.example");
        if *key == Key::ImageRoot {
            continue;
        }
        for value in &values {
            assert!(parse(&format!("image_root=/sif {key}={value}")).is_ok(), "{key}={value}");
        }
        let default = values[0];
        assert!(row.starts_with(&format!("`{default}`")), "{key}: README.md has another default");
        let spelt_out = parse(&format!("image_root=/sif {key}={default}"));
        assert_eq!(spelt_out, parse("image_root=/sif"), "{key}: another default");
    }
}

/// With Windows line ends, Slurm leaves a carriage return at the end of the last argument.
#[test]
fn line_ends_of_windows() {
    let expected = parse("image_root=/sif on_miss=warn");
    let lines: [&[&str]; 3] = [
        &["image_root=/sif", "on_miss=warn\r"],
        &["image_root=/sif", "on_miss=warn", "\r"],
        &["on_miss=warn", "image_root=/sif\r"],
    ];
    for line in lines {
        assert_eq!(Settings::parse(line), expected, "{line:?}");
    }
    assert_eq!(Settings::parse(&["\r"]), Err(Error::NoImageRoot));
    for wrong in ["image_root=/s\rif", "image_root=/sif\r\r", "image_root=/sif\n"] {
        assert!(matches!(Settings::parse(&[wrong]), Err(Error::NotText(_))), "{wrong:?}");
    }
}

#[test]
fn a_root_with_a_colon_in_its_path() {
    for (value, expected) in [
        ("/a\\:b", &["/a:b"] as &[&str]),
        ("/a\\:b:/c", &["/a:b", "/c"]),
        ("/c:/a\\:b\\:", &["/c", "/a:b:"]),
        ("/a\\b:/c\\", &["/a\\b", "/c\\"]),
        ("/a\\\\:b", &["/a\\:b"]),
    ] {
        let settings = parse(&format!("image_root={value}")).unwrap();
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(settings.image_roots, expected, "{value}");
    }
    assert_eq!(super::split_roots(&super::escape_root("/a:b")), ["/a:b"]);
    let error = parse("image_root=/a:b").unwrap_err().to_string();
    assert!(error.contains("a ':' within a path is written '\\:'"), "{error}");
    for wrong in ["/a::/b", ":/a", "/a:", "/a:b\\:/c"] {
        assert!(parse(&format!("image_root={wrong}")).is_err(), "{wrong}");
    }
}

/// A misspelt key is rejected with a message that names it and lists the valid keys.
#[test]
fn misspelt_keys() {
    for key in Key::ALL.iter().map(|key| key.name()) {
        for wrong in [
            key.to_uppercase(),
            format!("{key}s"),
            key.replace('_', "-"),
            key.chars().skip(1).collect(),
        ] {
            if Key::named(&wrong).is_some() {
                continue;
            }
            let error = parse(&format!("image_root=/sif {wrong}=x")).unwrap_err();
            assert_eq!(error, Error::UnknownKey(wrong.clone()));
            let message = error.to_string();
            assert!(message.contains(&wrong), "{message}");
            assert!(Key::ALL.iter().all(|known| message.contains(known.name())), "{message}");
        }
    }
}

#[test]
fn bad_values() {
    for (key, wrong) in [
        ("on_miss", "Pull"),
        ("on_miss", ""),
        ("on_miss", "wait:0"),
        ("nested", "on"),
        ("untrusted", "yes"),
        ("syslog", "local8"),
        ("syslog", "DAEMON"),
        ("pull", "on"),
        ("pull", "Copy"),
        ("compression", "xz"),
        ("compression", "Zstd"),
        ("compression", "gzip:"),
        ("compression", "gzip:0"),
        ("compression", "gzip:10"),
        ("compression", "gzip:+6"),
        ("compression", "gzip:06"),
        ("compression", "zstd:20"),
        ("compression", "zstd:3:4"),
        ("lookup_timeout", ""),
        ("lookup_timeout", "0"),
        ("lookup_timeout", "+30"),
        ("lookup_timeout", "30s"),
        ("lookup_timeout", "86401"),
        ("lookup_timeout", "99999999999999999999"),
        ("lookup_timeout", "never"),
        ("runtimes", ""),
        ("runtimes", "a,,b"),
        ("runtimes", "/usr/bin/apptainer"),
    ] {
        let error = parse(&format!("image_root=/sif {key}={wrong}")).unwrap_err();
        let key = Key::named(key).unwrap();
        assert_eq!(error, Error::BadValue(key, wrong.to_owned()));
        assert!(error.to_string().contains(key.values()));
    }
    for wrong in ["", "sif", "/a::/b", "/a:", ":/a", "./sif", "/a/../b", "/a/./b", "/a:b"] {
        let error = parse(&format!("image_root={wrong}")).unwrap_err();
        assert!(matches!(error, Error::BadValue(Key::ImageRoot, _)), "{wrong}: {error}");
    }
}

#[test]
fn other_mistakes() {
    assert_eq!(parse(""), Err(Error::NoImageRoot));
    assert_eq!(parse("on_miss=warn"), Err(Error::NoImageRoot));
    assert_eq!(parse("/shared/sif"), Err(Error::NoValue("/shared/sif".to_owned())));
    assert_eq!(parse("image_root=/a image_root=/b"), Err(Error::Twice(Key::ImageRoot)));
    let old_and_new = "image_root=/a patience=1 lookup_timeout=1";
    assert_eq!(parse(old_and_new), Err(Error::Twice(Key::LookupTimeout)));
    assert_eq!(parse("image_root=/a apptainer_image_root=/b"), Err(Error::Twice(Key::ImageRoot)));
    for wrong in [
        b"image_root=/a\xff".as_slice(),
        b"image_root=/a\x1b[31m",
        "image_root=/\u{fffd}".as_bytes(),
    ] {
        let shown = wrong.escape_ascii().to_string();
        assert_eq!(Settings::parse(&[wrong]), Err(Error::NotText(shown)));
    }
    assert!(parse("image_root=/größe").is_ok());
}

#[test]
fn roots_of_other_tools_keep_their_place() {
    let settings = parse("image_root=/a:galaxy=/b:/c:pulls=/d\\:e/:nextflow=/f").unwrap();
    assert_eq!(settings.image_roots, ["/a", "/c"].map(Path::new));
    let shown = |settings: &Settings| -> Vec<(String, Option<Layout>)> {
        settings.search_path().map(|(path, l)| (path.display().to_string(), l)).collect()
    };
    let layouts = [None, Some(Layout::Galaxy), None, Some(Layout::Pulls), Some(Layout::Nextflow)];
    let paths = ["/a", "/b", "/c", "/d:e", "/f"].map(str::to_owned);
    assert_eq!(shown(&settings), paths.into_iter().zip(layouts).collect::<Vec<_>>());
    // Commands search without some of the roots.
    for without in ["/a", "/b", "/c", "/d:e", "/f"] {
        let mut expected = shown(&settings);
        expected.retain(|(path, _)| path != without);
        let kept = settings.with_roots_that(|root| root != Path::new(without));
        assert_eq!(shown(&kept), expected, "{without}");
    }
    assert_eq!(shown(&settings.with_roots_that(|_| false)), []);
    let mut without = settings;
    without.image_roots.clear();
    assert_eq!(shown(&without).len(), 3);

    let only = parse("image_root=shpc=/a").unwrap();
    assert!(only.image_roots.is_empty() && only.foreign_roots.len() == 1);
    for wrong in ["galaxy=", "galaxy=b", "galaxi=/b", "=/b", "/a:shpc=../b", "galaxy=pulls=/b"] {
        let error = parse(&format!("image_root={wrong}")).unwrap_err();
        assert!(error.to_string().contains("galaxy, nextflow, pulls or shpc"), "{wrong}: {error}");
    }
    let values = Key::ImageRoot.values();
    assert!(Layout::ALL.iter().all(|layout| values.contains(layout.word())), "{values}");
}
