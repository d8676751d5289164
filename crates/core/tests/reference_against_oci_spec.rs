//! Compares the reference parser of sifcache with that of `oci-spec`, on generated inputs.
//!
//! `oci-spec` implements the grammar of the distribution project with a regular expression. The
//! results may only differ in the ways that [`Difference`] lists. For each of them, a rule of the
//! distribution project decides which result is right. Any other difference is a failure.

use oci_spec::distribution::Reference as Theirs;
use proptest::prelude::*;
use sifcache_core::reference::Reference as Ours;

/// The result of a parser: registry, repository, tag and digest; `None` if the text is invalid.
type Parts = Option<(String, String, Option<String>, Option<String>)>;

fn ours(text: &str) -> Parts {
    let r = Ours::parse(text.as_bytes()).ok()?;
    let owned = |part: Option<&str>| part.map(str::to_owned);
    Some((r.registry().into(), r.repository().into(), owned(r.tag()), owned(r.digest())))
}

fn theirs(text: &str) -> Parts {
    let r = text.parse::<Theirs>().ok()?;
    let owned = |part: Option<&str>| part.map(str::to_owned);
    Some((r.registry().into(), r.repository().into(), owned(r.tag()), owned(r.digest())))
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z0-9]{1,4}([._-]|__|--)?[a-z0-9]{1,3}",
        1 => "[A-Za-z0-9._-]{0,5}",
        1 => Just("library".to_owned()),
        1 => Just("..".to_owned()),
    ]
}

fn registry() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        3 => "[a-z0-9-]{1,4}\\.[a-z]{2}(:[0-9]{1,5})?/",
        1 => "[A-Za-z0-9._-]{1,6}(:[0-9a]{0,4})?/",
        1 => Just("localhost/".to_owned()),
        1 => Just("localhost:5000/".to_owned()),
        1 => Just("docker.io/".to_owned()),
        1 => Just("index.docker.io/".to_owned()),
        1 => "\\[[0-9a-f:]{1,6}\\](:[0-9]{1,4})?/",
    ]
}

fn tail() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        3 => ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,6}",
        1 => ":[A-Za-z0-9_.:+-]{0,6}",
        1 => ":[a-z]{126,130}",
        1 => "@sha256:[0-9a-f]{64}",
        1 => ":[a-z]{1,3}@sha256:[0-9a-f]{64}",
        1 => "@sha(256|384|512|1):[0-9a-f]{63,65}",
        1 => "@sha256:[0-9A-F]{64}",
        1 => "@sha512:[0-9a-f]{128}",
        1 => "@sha384:[0-9a-f]{96}",
    ]
}

fn reference() -> impl Strategy<Value = String> {
    let path = prop::collection::vec(component(), 1..4).prop_map(|parts| parts.join("/"));
    (registry(), path, tail()).prop_map(|(registry, path, tail)| format!("{registry}{path}{tail}"))
}

/// The cases in which `oci-spec` violates the rules of the distribution project, which sifcache
/// follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    /// The regular expression of `oci-spec` does not support IPv6 addresses. The grammar does
    /// (`ipv6address`).
    Ipv6,
    /// `oci-spec` parses a first component with upper-case letters as part of a path on Docker Hub,
    /// although paths must be lower case. `splitDockerDomain` treats it as a registry.
    UpperCaseRegistry,
    /// `oci-spec` parses a name such as `exa_mple.com/x` as a name in the registry `exa_mple.com`,
    /// which is not a valid registry name. The distribution project gives it an empty registry, and
    /// sifcache rejects it.
    NoRegistry,
    /// `oci-spec` accepts 64 hexadecimal digits as a name. `ParseNormalizedNamed` rejects them.
    Identifier,
    /// `oci-spec` accepts upper-case digits in a digest. go-digest rejects them.
    UpperCaseDigest,
}

impl Difference {
    /// Whether the two results differ in the way that this variant describes.
    fn explains(self, text: &str, ours: &Parts, theirs: &Parts) -> bool {
        let first = text.split('/').next().unwrap_or_default();
        match self {
            Self::Ipv6 => theirs.is_none() && ours.as_ref().is_some_and(|o| o.0 == first),
            Self::UpperCaseRegistry => ours.as_ref().is_none_or(|o| o.0 == first),
            Self::NoRegistry | Self::Identifier | Self::UpperCaseDigest => ours.is_none(),
        }
    }
}

fn difference(text: &str) -> Option<Difference> {
    let first = text.split('/').next().unwrap_or_default();
    let digest = text.split_once('@').map_or("", |(_, digest)| digest);
    match () {
        () if first.starts_with('[') => Some(Difference::Ipv6),
        () if digest.contains(|c: char| c.is_ascii_uppercase()) => {
            Some(Difference::UpperCaseDigest)
        }
        () if first.contains('_') && first.contains(['.', ':']) => Some(Difference::NoRegistry),
        () if first.len() < text.len() && first.contains(|c: char| c.is_ascii_uppercase()) => {
            Some(Difference::UpperCaseRegistry)
        }
        () if text.len() == 64 => Some(Difference::Identifier),
        () => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn same_answer_or_a_known_difference(text in reference()) {
        let (ours, theirs) = (ours(&text), theirs(&text));
        let known = difference(&text).is_some_and(|d| d.explains(&text, &ours, &theirs));
        prop_assert!(ours == theirs || known, "{text:?}: ours {ours:?}, theirs {theirs:?}");
    }

    #[test]
    fn the_normal_form_of_a_reference_parses_to_itself(text in reference()) {
        if let Ok(first) = Ours::parse(text.as_bytes()) {
            let printed = first.to_string();
            let again = Ours::parse(printed.as_bytes());
            prop_assert_eq!(again.map(|r| r.to_string()), Ok(printed));
        }
    }

    #[test]
    fn no_name_leaves_the_image_root(bytes in prop::collection::vec(any::<u8>(), 0..40), text in reference()) {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let Ok(reference) = Ours::parse(input) else { continue };
            for name in sifcache_core::candidate::names(&reference) {
                let good = |part: &str| !part.is_empty() && part != "." && part != "..";
                prop_assert!(name.split('/').all(good), "{name:?}");
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
            }
        }
    }
}

/// Each listed difference is real: there is an input on which the two parsers differ.
#[test]
fn every_listed_difference_exists() {
    let hex = "0a".repeat(32);
    for (text, expected) in [
        ("[::1]:5000/x".to_owned(), Difference::Ipv6),
        ("FOO/bar".to_owned(), Difference::UpperCaseRegistry),
        ("exa_mple.com/x".to_owned(), Difference::NoRegistry),
        (hex.clone(), Difference::Identifier),
        (format!("x@sha256:{}", hex.to_uppercase()), Difference::UpperCaseDigest),
    ] {
        assert_ne!(ours(&text), theirs(&text), "{text}");
        assert_eq!(difference(&text), Some(expected), "{text}");
        assert!(expected.explains(&text, &ours(&text), &theirs(&text)), "{text}");
    }
}
