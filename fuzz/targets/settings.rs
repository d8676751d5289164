//! plugstack.conf and the plugin's arguments in it: lines are split as Slurm splits them, accepted
//! settings are valid and stay the same when they are printed and parsed again, and the shim and
//! the interposer read the same settings as the plugin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runtimes::Runtimes;
use sifcache_core::layout::Layout;
use sifcache_core::settings::{Nested, OnMiss, Pull, Settings, Syslog, Untrusted};
use sifcache_plugstack::directive::{Directive, directives};
use std::path::{Component, Path};

// The interposer cannot be linked, because it would replace the exec functions of this program.
#[allow(dead_code, unused_imports, reason = "some of it is only for the interposer")]
#[path = "../../crates/preload/src/runtimes.rs"]
mod runtimes;

fuzz_target!(|text: &[u8]| {
    let found: Vec<Directive> = directives(text).collect();
    assert_eq!(found, as_slurm(text));
    for directive in &found {
        if let Directive::Plugin { arguments, .. } = directive {
            read(&arguments.iter().map(String::as_bytes).collect::<Vec<_>>());
        }
    }
    // Slurm passes bytes, which need not be valid UTF-8.
    read(&text.split(|byte| *byte == b' ').collect::<Vec<_>>());
});

/// The directives that Slurm reads from the file with fgets, strchr and strtok, byte by byte.
fn as_slurm(text: &[u8]) -> Vec<Directive> {
    let mut all = Vec::new();
    let (mut words, mut word, mut length, mut ended) = (Vec::new(), Vec::new(), 0, false);
    for byte in text.iter().copied().map(Some).chain([None]) {
        if let Some(byte) = byte {
            length += 1;
            ended |= byte == b'#' || byte == 0;
            if !ended && !b" \t\n".contains(&byte) {
                word.push(byte);
            } else if !word.is_empty() {
                words.push(String::from_utf8_lossy(&std::mem::take(&mut word)).into_owned());
            }
        }
        if length == 4095 || byte.is_none_or(|byte| byte == b'\n') {
            if !word.is_empty() {
                words.push(String::from_utf8_lossy(&std::mem::take(&mut word)).into_owned());
            }
            all.extend(directive(std::mem::take(&mut words)));
            (length, ended) = (0, false);
        }
    }
    all
}

fn directive(mut words: Vec<String>) -> Option<Directive> {
    if words.len() < 2 {
        return None;
    }
    let arguments = words.split_off(2);
    let (plugin, kind) = (words.pop()?, words.pop()?);
    match kind.as_str() {
        "include" => Some(Directive::Include(plugin)),
        "required" => Some(Directive::Plugin { required: true, plugin, arguments }),
        "optional" => Some(Directive::Plugin { required: false, plugin, arguments }),
        _ => None,
    }
}

fn read(arguments: &[&[u8]]) {
    match Settings::parse(arguments) {
        Ok(settings) => {
            makes_sense(&settings);
            assert_eq!(Settings::parse(&print(&settings)).as_ref(), Ok(&settings));
            the_shim_reads_the_same(arguments, &settings);
            the_interposer_reads_the_same(arguments, &settings);
        }
        // The message is printed in logs and on terminals.
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

fn makes_sense(settings: &Settings) {
    assert!(settings.search_path().next().is_some() && !settings.runtimes.is_empty());
    for (root, _) in settings.search_path() {
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        assert!(root.is_absolute() && root.components().all(plain), "{root:?}");
        let text = root.to_str().expect("settings are text");
        assert!(!text.contains(|c: char| c.is_control() || c == ':'), "{text:?}");
        // Messages show the path, and names are appended to it with a slash.
        assert!(text == "/" || !text.ends_with('/') && !text.contains("//"), "{text:?}");
    }
    for name in &settings.runtimes {
        assert!(!name.is_empty() && !name.contains(['/', ',']), "{name:?}");
    }
}

/// The arguments that result in these settings.
#[expect(clippy::too_many_lines, reason = "a list of all settings")]
fn print(settings: &Settings) -> Vec<String> {
    // There is no `..` here, so that a new setting causes a compile error until it is printed.
    let Settings {
        image_roots,
        foreign_roots,
        on_miss,
        wait,
        nested,
        runtimes,
        untrusted,
        lookup_timeout,
        syslog,
        pull,
        compression,
        filler,
    } = settings;
    assert_eq!(image_roots.len() + foreign_roots.len(), settings.search_path().count());
    let root = |(path, layout): (&Path, Option<Layout>)| match layout {
        Some(layout) => format!("{layout}={}", path.display()),
        None => path.display().to_string(),
    };
    let roots: Vec<_> = settings.search_path().map(root).collect();
    let on_miss = match on_miss {
        OnMiss::Pull => "pull",
        OnMiss::Warn => "warn",
        OnMiss::Fail => "fail",
    };
    let on_miss = match wait {
        Some(wait) => format!("wait:{}:{on_miss}", wait.as_secs()),
        None => on_miss.to_owned(),
    };
    let nested = match nested {
        Nested::Path => "path",
        Nested::Preload => "preload",
        Nested::Off => "off",
    };
    let untrusted = match untrusted {
        Untrusted::Refuse => "refuse",
        Untrusted::Accept => "accept",
    };
    let seconds = lookup_timeout.map(|timeout| timeout.as_secs().to_string());
    let timeout = seconds.unwrap_or_else(|| "off".to_owned());
    let syslog = match syslog {
        Syslog::Facility(facility) => facility,
        Syslog::Off => "off",
    };
    let pull = match pull {
        Pull::Copy => "copy",
        Pull::Link => "link",
        Pull::Off => "off",
    };
    vec![
        format!("image_root={}", roots.join(":")),
        format!("on_miss={on_miss}"),
        format!("nested={nested}"),
        format!("runtimes={}", runtimes.join(",")),
        format!("untrusted={untrusted}"),
        format!("lookup_timeout={timeout}"),
        format!("syslog={syslog}"),
        format!("pull={pull}"),
        format!("compression={compression}"),
        match filler {
            Some(filler) => format!("filler={filler}"),
            None => "filler=off".to_owned(),
        },
    ]
}

/// The shim gets the arguments as one string, separated by blanks.
fn the_shim_reads_the_same(arguments: &[&[u8]], settings: &Settings) {
    let text = arguments.join(&b' ');
    let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    assert_eq!(Settings::parse(&words.collect::<Vec<_>>()).as_ref(), Ok(settings));
}

/// The interposer ignores a list of names that is too long for it.
fn the_interposer_reads_the_same(arguments: &[&[u8]], settings: &Settings) {
    let mut runtimes = Runtimes::NONE;
    runtimes.set(&arguments.join(&b' '));
    let fits = settings.runtimes.join(",").len() <= 1024;
    // Only a few names are checked, because there may be hundreds.
    let names = settings.runtimes.iter().rev().take(4).map(String::as_str);
    for name in names.chain(["", ",", "apptainer", "singularity", "runtimes="]) {
        let is_one = settings.runtimes.iter().any(|runtime| runtime == name);
        assert_eq!(runtimes.contains(name.as_bytes()), is_one && fits, "{name:?}");
    }
}
