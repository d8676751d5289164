use super::{Error, Reference};
use crate::transport::Transport;

fn parse(text: &str) -> Result<Reference, Error> {
    Reference::parse(text.as_bytes())
}

/// Valid references, each with its normal form.
const VALID: &[(&str, &str)] = &[
    ("ubuntu", "docker.io/library/ubuntu:latest"),
    ("ubuntu:22.04", "docker.io/library/ubuntu:22.04"),
    ("library/ubuntu", "docker.io/library/ubuntu:latest"),
    ("docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
    ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
    ("index.docker.io/o/ubuntu", "docker.io/o/ubuntu:latest"),
    ("registry-1.docker.io/ubuntu", "registry-1.docker.io/ubuntu:latest"),
    ("determinedai/environments:py-3.8_x", "docker.io/determinedai/environments:py-3.8_x"),
    ("localhost/x", "localhost/x:latest"),
    ("localhost:5000", "docker.io/library/localhost:5000"),
    ("localhost:5000/x", "localhost:5000/x:latest"),
    ("host:5000/x:1", "host:5000/x:1"),
    ("[::1]:5000/x:1", "[::1]:5000/x:1"),
    ("[2001:db8::1]/x", "[2001:db8::1]/x:latest"),
    ("10.0.0.1/x/y/z", "10.0.0.1/x/y/z:latest"),
    ("Docker.io/ubuntu", "Docker.io/ubuntu:latest"),
    ("FOO/bar", "FOO/bar:latest"),
    ("a--b__c/d.e_f", "docker.io/a--b__c/d.e_f:latest"),
    ("x:_TAG.-", "docker.io/library/x:_TAG.-"),
];

#[test]
fn valid_references_and_their_normal_form() {
    for (text, normal) in VALID {
        let reference = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(reference.to_string(), *normal, "{text}");
        assert_eq!(reference.typed(), *text);
        assert_eq!(parse(normal).map(|r| r.to_string()), Ok((*normal).to_owned()));
    }
}

#[test]
fn invalid_references_and_why() {
    let cases: &[(&str, Error)] = &[
        ("", Error::Empty),
        (" ubuntu", Error::Byte(b' ')),
        ("ubuntu\n", Error::Byte(b'\n')),
        ("a%2e", Error::Byte(b'%')),
        ("..", Error::Path),
        ("../../etc/passwd", Error::Registry),
        ("a/../b", Error::Path),
        ("a/./b", Error::Path),
        ("a//b", Error::Path),
        ("a/", Error::Path),
        ("/a", Error::Path),
        ("/etc/passwd", Error::Path),
        (".sifcache/x", Error::Registry),
        ("-x", Error::Path),
        ("a_-b", Error::Path),
        ("a___b", Error::Path),
        ("a..b", Error::Path),
        ("Ubuntu", Error::Path),
        ("a/B", Error::Path),
        ("exa_mple.com/x", Error::Registry),
        ("a..b/c", Error::Registry),
        ("host:/x", Error::Registry),
        ("host:50a/x", Error::Registry),
        ("[::g]/x", Error::Registry),
        ("[::1/x", Error::Registry),
        ("[]/x", Error::Path),
        ("-h.io/x", Error::Registry),
        ("x:", Error::Tag),
        ("x::1", Error::Path),
        ("x:.1", Error::Tag),
        ("x:1+2", Error::Tag),
        ("x@", Error::Digest),
        ("x@sha256:00", Error::Digest),
        ("x@md5:d41d8cd98f00b204e9800998ecf8427e", Error::Digest),
    ];
    for (text, why) in cases {
        assert_eq!(parse(text), Err(*why), "{text:?}");
    }
}

#[test]
fn messages_for_each_error() {
    for (text, why) in [
        ("", "it is empty"),
        ("a\n", "it contains the invalid character '\\n'"),
        ("a..b/c", "its registry is not HOST or HOST:PORT"),
        ("a..b", "its path is not lower-case words joined by . _ __ - or /"),
        (&"a".repeat(256), "its repository is longer than 255 characters"),
        ("x:", "its tag is not 1 to 128 characters of A-Z a-z 0-9 _ . -"),
        (
            "x@",
            "its digest is not sha256:, sha384: or sha512: and the right number of hexadecimal digits",
        ),
        (&"a".repeat(64), "it is an image identifier, not a name"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), why);
    }
}

#[test]
fn limits() {
    let longest = "a".repeat(super::MAX_REPOSITORY);
    assert!(parse(&format!("host.io/{longest}")).is_ok());
    assert_eq!(parse(&format!("host.io/{longest}a")), Err(Error::TooLong));
    // `library/` is part of the repository, so it counts towards the limit.
    assert_eq!(parse(&longest), Err(Error::TooLong));
    let tag = "t".repeat(super::MAX_TAG);
    assert!(parse(&format!("x:{tag}")).is_ok());
    assert_eq!(parse(&format!("x:{tag}t")), Err(Error::Tag));
}

#[test]
fn digests() {
    for (algorithm, digits) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
        let hex = "0a".repeat(digits / 2);
        let reference = parse(&format!("x:1@{algorithm}:{hex}")).unwrap();
        assert_eq!(reference.digest(), Some(format!("{algorithm}:{hex}").as_str()));
        assert_eq!(reference.tag(), Some("1"));
        assert_eq!(parse(&format!("x@{algorithm}:{hex}")).unwrap().tag(), None);
        assert_eq!(parse(&format!("x@{algorithm}:{hex}0")), Err(Error::Digest));
        assert_eq!(parse(&format!("x@{algorithm}:{}", hex.to_uppercase())), Err(Error::Digest));
    }
    assert_eq!(parse(&"0a".repeat(32)), Err(Error::Identifier));
    assert!(parse(&format!("x/{}", "0a".repeat(32))).is_ok());
}

#[test]
fn bytes_that_are_not_text() {
    assert_eq!(Reference::parse(b"ub\xffuntu"), Err(Error::Byte(0xff)));
    assert_eq!(Reference::parse("übuntu".as_bytes()), Err(Error::Byte(0xc3)));
    assert_eq!(Reference::parse(b"a\0b"), Err(Error::Byte(0)));
}

fn parse_uri(uri: &str) -> Result<Reference, Error> {
    let (transport, rest) = Transport::split(uri.as_bytes()).unwrap();
    Reference::parse_for(transport, rest.strip_prefix(b"//").unwrap())
}

#[test]
fn references_of_other_transports_and_their_normal_form() {
    let hex = "0f".repeat(32);
    for (uri, normal) in [
        ("oras://ghcr.io/o/i", "oras://ghcr.io/o/i:latest".to_owned()),
        ("oras://localhost:5000/i:1", "oras://localhost:5000/i:1".to_owned()),
        ("oras://docker.io/alpine:1", "oras://docker.io/library/alpine:1".to_owned()),
        (&format!("oras://ghcr.io/i@sha256:{hex}"), format!("oras://ghcr.io/i@sha256:{hex}")),
        ("library://alpine", "library://alpine:latest".to_owned()),
        ("library://default/alpine:3", "library://default/alpine:3".to_owned()),
        ("library://Lab/c/I-1.x:_1", "library://Lab/c/I-1.x:_1".to_owned()),
        ("library://h.io:5000/e/c/i", "library://h.io:5000/e/c/i:latest".to_owned()),
        (&format!("library://e/c/i:sha256.{hex}"), format!("library://e/c/i:sha256.{hex}")),
        ("https://Host.org:443/D/i:1--0.sif", "https://host.org/D/i:1--0.sif".to_owned()),
        ("https://h.org:80/a", "https://h.org:80/a".to_owned()),
        ("http://h.org:80/a/b@1+2,3", "http://h.org/a/b@1+2,3".to_owned()),
        ("https://zenodo.org/r/1/a.sif?download=1", "https://zenodo.org/r/1/a.sif".to_owned()),
    ] {
        let reference = parse_uri(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
        assert_eq!(reference.to_string(), normal, "{uri}");
        assert_eq!(reference.transport().uri(reference.typed()), uri);
        let again = Reference::parse_printed(normal.as_bytes()).unwrap();
        assert_eq!((again.to_string(), again.transport()), (normal, reference.transport()));
    }
    let library = parse_uri("library://h.io/e/c/i:1").unwrap();
    assert_eq!((library.registry(), library.repository()), ("h.io", "e/c/i"));
    let printed = Reference::parse_printed(b"oras:1").unwrap();
    assert_eq!(printed.to_string(), "docker.io/library/oras:1");
}

#[test]
fn invalid_references_of_other_transports_and_why() {
    for (uri, why) in [
        ("oras://o/i:1", Error::NoRegistry),
        ("oras://i", Error::NoRegistry),
        ("oras://i:1", Error::NoRegistry),
        ("oras://HOST/i", Error::NoRegistry),
        ("oras://h.io/../i", Error::Path),
        ("library://", Error::Empty),
        ("library:///a", Error::Library),
        ("library://a/b/c/d/e", Error::Library),
        ("library://h_x/a/b/c", Error::Registry),
        ("library://../a", Error::Library),
        ("library://a:1,2", Error::Byte(b',')),
        ("library://a@sha256:00", Error::Library),
        ("library://a:", Error::Tag),
        ("https://", Error::Url),
        ("https://h.io", Error::Url),
        ("https://h.io/", Error::Url),
        ("https:///a", Error::Registry),
        ("https://h.io/a/../b", Error::Url),
        ("https://h.io/a//b", Error::Url),
        ("https://h.io/%2e%2e/b", Error::Url),
        ("https://h.io/a b", Error::Url),
        ("https://h.io/a=b", Error::Url),
        ("https://h.io/a#b", Error::Url),
        ("https://h.io/a\nb", Error::Url),
        ("https://h.io/é", Error::Url),
        ("https://h_.io/a", Error::Registry),
        ("https://user@h.io/a", Error::Credentials),
        ("https://user:password@h.io/a", Error::Credentials),
        ("https://user:p?w@h.io/a", Error::Query),
        ("https://h.io/a?token=1", Error::Query),
        ("https://h.io/a?download=1&token=1", Error::Query),
        ("http://h.io/a?", Error::Query),
    ] {
        assert_eq!(parse_uri(uri), Err(why), "{uri}");
    }
}

#[test]
fn limits_of_other_transports() {
    let component = "a".repeat(256);
    assert_eq!(parse_uri(&format!("https://h.io/{component}")), Err(Error::Url));
    assert!(parse_uri(&format!("https://h.io/{}", "a".repeat(255))).is_ok());
    let path = "a/".repeat(512);
    assert_eq!(parse_uri(&format!("https://h.io/{path}a")), Err(Error::LongUrl));
    let long = vec!["a".repeat(60); 5].join(".");
    assert_eq!(parse_uri(&format!("https://{long}/a")), Err(Error::LongUrl));
    assert_eq!(parse_uri(&format!("library://e/c/{component}")), Err(Error::TooLong));
}

#[test]
fn messages_for_errors_of_other_transports() {
    for (uri, why) in [
        ("oras://i", "it does not begin with its registry"),
        ("library://a/b/c/d/e", "its path is not 1 to 4 words joined by /"),
        ("https://h.io", "it is not HOST/PATH with characters of A-Z a-z 0-9 ._~-:+@,"),
        ("https://user:s3cret@h.io/a", "it contains a user name"),
        ("https://h.io/a?token=s3cret", "it has a query other than ?download=1"),
    ] {
        assert_eq!(parse_uri(uri).unwrap_err().to_string(), why);
    }
    assert_eq!(Error::LongUrl.to_string(), "it is too long");
}
