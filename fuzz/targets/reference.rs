//! References of all transports: the normal form of a valid reference parses to the same reference,
//! and no candidate is outside the image root or the directory of the transport.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sifcache_core::candidate;
use sifcache_core::reference::Reference;
use sifcache_core::transport::Transport;
use std::path::{Component, Path};

const ROOT: &str = "/srv/sif";

fuzz_target!(|typed: &[u8]| {
    match Reference::parse(typed) {
        Ok(reference) => {
            assert_eq!(reference.typed().as_bytes(), typed);
            prints_and_parses(&reference);
            candidates(&reference);
        }
        // The message is printed on terminals.
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
    for transport in Transport::ALL.iter().filter(|one| **one != Transport::Docker) {
        match Reference::parse_for(*transport, typed) {
            Ok(reference) => other_transport(&reference),
            Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
        }
    }
});

fn other_transport(reference: &Reference) {
    let printed = reference.to_string();
    let again = Reference::parse_printed(printed.as_bytes()).expect("it was printed");
    assert_eq!(again.transport(), reference.transport(), "{printed}");
    assert_eq!(meaning(&again), meaning(reference), "{printed}");
    // The log quotes no reference.
    assert!(printed.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\=".contains(&b)), "{printed}");
    for name in candidate::names(reference) {
        stays_below(&name);
        assert_eq!(Transport::of_file(&name).0, reference.transport(), "{name}");
        let stem = if reference.transport().is_web() { None } else { name.strip_suffix(".sif") };
        let same = |name: &str| {
            candidate::reference(name).is_ok_and(|other| match reference.digest() {
                Some(digest) => other.digest() == Some(digest),
                None => meaning(&other) == meaning(reference),
            })
        };
        assert!(same(&name) || stem.is_some_and(same), "{name} for {printed}");
    }
}

/// The meaning of a reference, regardless of its spelling.
fn meaning(reference: &Reference) -> [Option<&str>; 4] {
    [Some(reference.registry()), Some(reference.repository()), reference.tag(), reference.digest()]
}

fn parse(text: &str) -> Reference {
    Reference::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn prints_and_parses(reference: &Reference) {
    assert_eq!(&parse(reference.typed()), reference);
    let full = reference.to_string();
    assert_eq!(parse(&full).to_string(), full);
    let rest = full.strip_prefix(&reference.full_repository()).expect("it begins so");
    for other in [full.clone(), format!("{}{rest}", reference.short_repository())] {
        assert_eq!(meaning(&parse(&other)), meaning(reference), "{other}");
    }
}

fn candidates(reference: &Reference) {
    let names = candidate::names(reference);
    for (index, name) in names.iter().enumerate() {
        stays_below(name);
        means_the_same(name, reference);
        assert!(!names[..index].contains(name), "{name} is there twice");
    }
}

/// Checks that the path stays below the root. The check is lexical: nothing has been looked up yet.
fn stays_below(name: &str) {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    assert!(name.split('/').all(plain), "{name:?}");
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    let path = Path::new(ROOT).join(name);
    let below = path.strip_prefix(ROOT).expect("a path below the root");
    assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
}

/// Checks that no candidate is the name of another image.
fn means_the_same(name: &str, reference: &Reference) {
    let same = |stem: &str| match reference.digest() {
        // A digest identifies the same content in every registry; a tag does not.
        Some(digest) => stem.split_once('@').is_some_and(|(_, named)| named == digest),
        None => Reference::parse(stem.as_bytes())
            .is_ok_and(|other| meaning(&other) == meaning(reference)),
    };
    let stem = name.strip_suffix(".sif");
    assert!(same(name) || stem.is_some_and(same), "{name} for {reference}");
}
