//! References of different transports never have a file name in common, and no file name leaves the
//! image root.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::sample::select;
use sifcache_core::candidate;
use sifcache_core::image_uri::{ImageUri, Transport};
use sifcache_core::reference::Reference;

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c]{1,2}",
        2 => "[a-cA-C0-1._~+@,:-]{1,4}",
        1 => select(&["_oras", "_https", "_http", "_library", "library", "oras", "https"][..]).prop_map(str::to_owned),
        1 => select(&["", ".", "..", "%2e%2e", "a.sif", "a\u{1}", "é", "a b", "a\\b", "a=b"][..]).prop_map(str::to_owned),
    ]
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&["h.io", "H.io", "h.io:443", "h.io:80", "h.io:5000", "localhost", "[::1]"][..]).prop_map(str::to_owned),
        1 => component(),
        1 => select(&["u:p@h.io", "u@h.io", "", "..", "h..io", "docker.io", "index.docker.io"][..]).prop_map(str::to_owned),
    ]
}

fn end() -> impl Strategy<Value = String> {
    let hex = "0f".repeat(32);
    prop_oneof![
        4 => select(&["", ":1", ":latest", ":1.sif", ".sif", ":A"][..]).prop_map(str::to_owned),
        1 => Just(format!("@sha256:{hex}")),
        1 => Just(format!(":sha256.{hex}")),
        1 => select(&["?download=1", "?download", "?token=s3cret", "#x", ":1,2", "/"][..]).prop_map(str::to_owned),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let path = proptest::collection::vec(component(), 0..4);
    (proptest::option::of(host()), path, end()).prop_map(|(host, path, end)| {
        let parts: Vec<String> = host.into_iter().chain(path).collect();
        format!("{}{end}", parts.join("/"))
    })
}

fn uri() -> impl Strategy<Value = String> {
    (select(&["docker", "oras", "library", "https", "http"][..]), name())
        .prop_map(|(scheme, name)| format!("{scheme}://{name}"))
}

/// The normal form. Except for a URL, it is without the suffix, which a tag or a docker repository
/// may have itself.
fn meaning(reference: &Reference) -> String {
    let text = reference.to_string();
    match (reference.transport(), reference.digest()) {
        (transport, _) if transport.is_web() => text,
        // A digest names the same content in each registry.
        (Transport::Docker, Some(digest)) => digest.to_owned(),
        // Beside a digest, a tag has no meaning.
        (_, Some(digest)) => format!("{}@{digest}", reference.full_repository()),
        _ => text.replace(".sif", ""),
    }
}

fn parse(uri: &str) -> Option<ImageUri> {
    ImageUri::parse(uri.as_bytes()).ok()
}

/// References whose file names could be this one: the name and its parts, in every transport.
fn similar(name: &str) -> Vec<ImageUri> {
    let inside = name.split_once('/').map_or("", |(_, rest)| rest);
    let texts = [name, inside].into_iter().flat_map(|text| {
        let stem = text.strip_suffix(".sif").unwrap_or(text);
        let untagged = stem.rsplit_once([':', '@']).map_or(stem, |(start, _)| start);
        [text.to_owned(), stem.to_owned(), untagged.to_owned(), format!("{text}.sif")]
    });
    let all = texts.flat_map(|text| Transport::ALL.iter().map(move |one| one.uri(&text)));
    all.filter_map(|uri| parse(&uri)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn no_two_references_share_a_file_name(uri in uri()) {
        let Some(one) = parse(&uri) else { return Ok(()) };
        let names = one.candidate_names();
        for other in names.iter().flat_map(|name| similar(name)) {
            let common = other.candidate_names().into_iter().find(|name| names.contains(name));
            if let Some(name) = common {
                prop_assert_eq!(one.transport(), other.transport(), "{}", &name);
                prop_assert_eq!(meaning(one.reference()), meaning(other.reference()), "{}", name);
            }
        }
    }

    #[test]
    fn file_names_stay_below_the_root_and_lead_back(uri in uri()) {
        let Some(parsed) = parse(&uri) else { return Ok(()) };
        let reference = parsed.reference();
        for name in parsed.candidate_names() {
            let is_plain = |part: &str| !matches!(part, "" | "." | "..");
            prop_assert!(name.split('/').all(is_plain), "{} for {}", &name, &uri);
            let is_safe = |byte: u8| byte.is_ascii_graphic() && !b"%?#\\\"'=*&;|<>$`!(){}".contains(&byte);
            prop_assert!(name.bytes().all(is_safe), "{} for {}", &name, &uri);
            prop_assert_eq!(Transport::of_file(&name).0, parsed.transport(), "{}", name);
        }
        let usual = candidate::usual(reference);
        prop_assert!(parsed.candidate_names().contains(&usual), "{} for {}", &usual, &uri);
        let back = candidate::reference(&usual).unwrap();
        let is_pinned = reference.tag().is_some() && reference.digest().is_some();
        prop_assert!(is_pinned || back.to_string() == reference.to_string(), "{} for {}", usual, uri);
    }

    /// The log, the lists and the records contain the printed form.
    #[test]
    fn the_printed_form_means_the_same(uri in uri()) {
        let Some(parsed) = parse(&uri) else { return Ok(()) };
        let printed = parsed.reference().to_string();
        let again = Reference::parse_printed(printed.as_bytes()).unwrap();
        prop_assert_eq!(again.to_string(), printed.clone());
        prop_assert_eq!(again.transport(), parsed.transport());
        prop_assert_eq!(candidate::usual(&again), candidate::usual(parsed.reference()));
        let is_one_value = |byte: u8| byte.is_ascii_graphic() && !b"\"\\=".contains(&byte);
        prop_assert!(printed.bytes().all(is_one_value), "{}", printed);
    }

    #[test]
    fn no_name_or_message_contains_credentials(path in component(), secret in "[a-z]{8}") {
        for uri in [
            format!("https://user:{secret}@h.io/{path}"),
            format!("https://{secret}@h.io/{path}"),
            format!("http://h.io/{path}?token={secret}"),
            format!("https://h.io/{path}?download=1&X-Amz-Signature={secret}"),
            format!("https://u:{secret}/x@h.io/{path}"),
            format!("https://h.io/{path}#{secret}"),
        ] {
            let error = ImageUri::parse(uri.as_bytes()).unwrap_err();
            prop_assert!(!error.to_string().contains(&secret), "{uri}: {error}");
        }
    }
}

#[test]
fn a_tag_beside_a_digest_has_no_meaning() {
    let hex = "0f".repeat(32);
    let names =
        |tag: &str| parse(&format!("oras://h.io/a{tag}@sha256:{hex}")).unwrap().candidate_names();
    assert_eq!(names(":A"), names(""));
}
