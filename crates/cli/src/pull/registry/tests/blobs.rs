use crate::error::Failure;
use crate::pull::credentials::Credentials;
use crate::pull::registry::mirrors::Mirrors;
use crate::pull::registry::proxy::Proxies;
use crate::pull::registry::query::{HostConfiguration, TimeLimits};
use crate::pull::registry::test_double::{
    FaultyServer, LIMITS, Reply, Request, client, client_with, descriptor, digest_of, noise,
};
use crate::pull::registry::{Cancel, Descriptor, Error, Registry};
use sifcache_core::reference::Reference;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SIZE: usize = 300_000;

fn fetch(
    registry: &Registry,
    reference: &Reference,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, Error> {
    registry.blob(reference, descriptor, &Cancel::default()).whole()
}

/// Fetches a blob from a server that replies like this, and returns the `Range` headers too.
fn fetch_from(
    reply: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static,
) -> (Result<Vec<u8>, Error>, Vec<String>) {
    let blob = noise(SIZE, 1);
    let server = FaultyServer::of_blobs(vec![blob.clone()], reply);
    let result = fetch(&client(), &server.reference(), &descriptor(&blob));
    (result, server.ranges())
}

#[test]
fn several_blobs_at_once() {
    let blobs: Vec<Vec<u8>> = (0..6).map(|seed| noise(SIZE, seed)).collect();
    let server = FaultyServer::of_blobs(blobs.clone(), Reply::part);
    let (registry, reference) = (client(), server.reference());
    thread::scope(|scope| {
        for blob in &blobs {
            let (registry, reference) = (&registry, &reference);
            scope.spawn(move || {
                let fetched = fetch(registry, reference, &descriptor(blob)).unwrap();
                assert_eq!(digest_of(&fetched), digest_of(blob));
            });
        }
    });
    assert_eq!(server.ranges(), vec!["-"; 6]);
    let encoding = "identity";
    let blobs = server.requests().into_iter().filter(|r| r.line.contains("/blobs/"));
    assert!(blobs.into_iter().all(|request| request.header("accept-encoding") == encoding));
}

#[test]
fn a_broken_connection_is_resumed() {
    let (blob, ranges) = fetch_from(|request, blob| {
        let whole = Reply::part(request, blob);
        if request.count < 3 { whole.cut(70_000) } else { whole }
    });
    assert_eq!(digest_of(&blob.unwrap()), digest_of(&noise(SIZE, 1)));
    assert_eq!(ranges, ["-", "bytes=70000-", "bytes=140000-", "bytes=210000-"]);
}

#[test]
fn a_stalled_connection_is_resumed() {
    let blob = noise(SIZE, 1);
    let server = FaultyServer::of_blobs(vec![blob.clone()], |request, blob| {
        let whole = Reply::part(request, blob);
        if request.count < 1 { whole.stalled(70_000) } else { whole }
    });
    let limits = TimeLimits { stall: Duration::from_millis(300), ..LIMITS };
    let (none, here) = (Credentials::none(), HostConfiguration::none());
    let registry = client_with(none, here, limits, Box::new(|| Ok(())));
    let fetched = fetch(&registry, &server.reference(), &descriptor(&blob)).unwrap();
    assert_eq!(digest_of(&fetched), digest_of(&blob));
    assert_eq!(server.ranges(), ["-", "bytes=70000-"]);
}

#[test]
fn a_server_may_ignore_or_refuse_ranges() {
    let whole = digest_of(&noise(SIZE, 1));
    let (blob, ranges) = fetch_from(|request, blob| {
        let whole = Reply::new(200, blob);
        if request.count < 1 { whole.cut(70_000) } else { whole }
    });
    assert_eq!((digest_of(&blob.unwrap()), ranges.len()), (whole.clone(), 2), "ignored");
    let refused: [fn(&[u8]) -> Reply; 3] = [
        |_| Reply::new(416, b""),
        |blob| Reply::new(206, blob),
        |blob| Reply::new(206, &blob[80_000..]).with("Content-Range", "bytes 80000-299999/300000"),
    ];
    for refuse in refused {
        let (blob, ranges) = fetch_from(move |request, blob| match request.count {
            0 => Reply::new(200, blob).cut(70_000),
            1 => refuse(blob),
            _ => Reply::new(200, blob),
        });
        assert_eq!(digest_of(&blob.unwrap()), whole);
        assert_eq!(ranges, ["-", "bytes=70000-", "-"]);
    }
    // The server sends some bytes again.
    let (blob, _) = fetch_from(|request, blob| match request.count {
        0 => Reply::new(200, blob).cut(70_000),
        _ => Reply::new(206, &blob[60_000..]).with("Content-Range", "bytes 60000-299999/300000"),
    });
    assert_eq!(digest_of(&blob.unwrap()), whole);
}

#[test]
fn a_wrong_size_or_digest_is_an_error() {
    type Row = (fn(&[u8]) -> Reply, &'static str);
    let table: [Row; 5] = [
        (|blob| Reply::new(200, &blob[1..]), "it has 299999 bytes instead of 300000"),
        (|blob| Reply::new(200, &[blob, b"x"].concat()), "it has 300001 bytes instead of 300000"),
        (|blob| Reply::new(200, &[blob, b"x"].concat()).without_length(), "more than 300000 bytes"),
        (|blob| Reply::new(200, &[&blob[1..], b"x"].concat()), "its digest is sha256:"),
        (|_| Reply::new(206, b""), "the status is 206 without a range"),
    ];
    for (reply, expected) in table {
        let (result, ranges) = fetch_from(move |_, blob| reply(blob));
        let error = result.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_unreachable() && !error.not_found());
        assert_eq!(ranges.len(), 1, "it is not repeated");
    }
    // A response without a length that is too short looks like a broken connection.
    let (result, _) = fetch_from(|_, blob| Reply::new(200, &blob[1..]).without_length());
    let error = result.unwrap_err();
    assert!(error.to_string().contains("sent only 299999 of the 300000 bytes"), "{error}");
}

#[test]
fn retries_are_bounded() {
    let (result, ranges) = fetch_from(|request, blob| Reply::part(request, blob).cut(10));
    let error = result.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains("of the 300000 bytes of sha256:"), "{error}");
    assert_eq!(ranges.len(), 6);
    let (result, ranges) = fetch_from(|_, _| Reply::new(503, b"s3cret"));
    assert!(result.unwrap_err().to_string().ends_with(" fails with status 503"));
    assert_eq!(ranges.len(), 6);
    // Each MiB counts as progress, after which there are as many retries as before.
    let blob = noise(7 << 20, 1);
    let server = FaultyServer::of_blobs(vec![blob.clone()], |request, blob| {
        Reply::part(request, blob).cut(1 << 20)
    });
    let fetched = fetch(&client(), &server.reference(), &descriptor(&blob)).unwrap();
    assert_eq!(digest_of(&fetched), digest_of(&blob));
}

#[test]
fn rate_limits_are_respected() {
    let (blob, ranges) = fetch_from(|request, blob| match request.count {
        0 => Reply::new(429, b"").with("Retry-After", "0"),
        1 => Reply::new(503, b"").with("Retry-After", "0"),
        _ => Reply::part(request, blob),
    });
    assert_eq!((blob.unwrap().len(), ranges.len()), (SIZE, 3));
    let (result, ranges) =
        fetch_from(|_, _| Reply::new(429, b"s3cret").with("Retry-After", "3600"));
    let error = result.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    let text = error.to_string();
    let expected = " received too many requests from this host; log in, or wait for 3600 s";
    assert!(text.ends_with(expected), "{text}");
    assert_eq!(ranges.len(), 1, "it does not wait for an hour");
}

#[test]
fn a_missing_blob_is_not_a_missing_image() {
    let (result, ranges) = fetch_from(|_, _| Reply::new(404, b""));
    let error = result.unwrap_err();
    assert!(!error.not_found() && !error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains(" has no blob sha256:"), "{error}");
    assert!(error.to_string().ends_with(", which is a part of o/i:1"), "{error}");
    assert_eq!(ranges.len(), 1);
}

/// Issues the tokens `t0`, `t1`, ..., each of which is valid for one request.
fn strict(request: &Request, blob: &[u8], served: &AtomicBool) -> Reply {
    let challenge = format!("Bearer realm=\"http://{}/token\"", request.header("host"));
    if request.line.starts_with("GET /token") {
        return Reply::new(200, format!(r#"{{"token": "t{}"}}"#, request.count).as_bytes());
    }
    match (request.header("authorization"), served.load(Ordering::Relaxed)) {
        ("Bearer t0", false) => {
            served.store(true, Ordering::Relaxed);
            Reply::part(request, blob).cut(70_000)
        }
        ("Bearer t1", true) => Reply::part(request, blob),
        _ => Reply::new(401, b"").with("WWW-Authenticate", &challenge),
    }
}

#[test]
fn an_expired_token_is_replaced() {
    let blob = noise(SIZE, 1);
    let (served, body) = (AtomicBool::new(false), blob.clone());
    let server = FaultyServer::new(move |request| strict(request, &body, &served));
    let fetched = fetch(&client(), &server.reference(), &descriptor(&blob)).unwrap();
    assert_eq!(digest_of(&fetched), digest_of(&blob));
    // The offset is kept when the request is repeated with the new token.
    assert_eq!(server.ranges(), ["-", "bytes=70000-", "bytes=70000-"]);
}

/// A registry that requires a password, and redirects requests for blobs to another server.
fn redirecting(target: &str) -> FaultyServer {
    let target = format!("http://{target}/data");
    FaultyServer::new(move |request| match request.header("authorization") {
        "Basic YTpi" if request.line.contains("/blobs/") => {
            Reply::new(307, b"").with("Location", &target)
        }
        _ => Reply::new(401, b"").with("WWW-Authenticate", "Basic realm=\"r\""),
    })
}

fn client_with_password() -> Registry {
    let (known, here) = (Credentials::basic("a", "b"), HostConfiguration::none());
    client_with(known, here, LIMITS, Box::new(|| Ok(())))
}

#[test]
fn a_redirect_is_followed_without_credentials() {
    let blob = noise(SIZE, 1);
    let body = blob.clone();
    let store = FaultyServer::new(move |request| {
        let whole = Reply::part(request, &body);
        if request.count < 1 { whole.cut(70_000) } else { whole }
    });
    let server = redirecting(&store.address);
    let registry = client_with_password();
    let fetched = fetch(&registry, &server.reference(), &descriptor(&blob)).unwrap();
    assert_eq!(digest_of(&fetched), digest_of(&blob));
    let requests = store.requests();
    let ranges: Vec<&str> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, ["", "bytes=70000-"]);
    assert!(!requests.iter().any(|request| request.headers.contains_key("authorization")));
    // Each attempt begins at the registry, because the other server's URL may expire.
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn the_target_of_a_redirect_cannot_ask_for_credentials() {
    let store = FaultyServer::new(|request| {
        let challenge = format!("Bearer realm=\"http://{}/token\"", request.header("host"));
        Reply::new(401, b"").with("WWW-Authenticate", &challenge)
    });
    let server = redirecting(&store.address);
    let error =
        fetch(&client_with_password(), &server.reference(), &descriptor(b"blob")).unwrap_err();
    assert!(error.unauthorized(), "{error:?}");
    let lines: Vec<String> = store.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["GET /data"]);
}

#[test]
fn a_signal_or_the_caller_ends_a_download() {
    let server = FaultyServer::of_blobs(vec![noise(SIZE, 1)], |request, blob| {
        Reply::part(request, blob).stalled(70_000)
    });
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    let stop = move || match flag.load(Ordering::Relaxed) {
        true => Err(Failure::Stopped(2)),
        false => Ok(()),
    };
    let (none, here) = (Credentials::none(), HostConfiguration::none());
    let registry = client_with(none, here, LIMITS, Box::new(stop));
    let (reference, descriptor) = (server.reference(), descriptor(&noise(SIZE, 1)));
    let cancel = Cancel::default();
    let mut blob = registry.blob(&reference, &descriptor, &cancel);
    assert!(blob.next().unwrap().is_some());
    cancel.cancel("enough");
    let mut all = std::iter::from_fn(|| blob.next().transpose());
    assert!(matches!(all.find_map(Result::err), Some(Error::Cancelled)));
    let other = Cancel::default();
    let mut blob = registry.blob(&reference, &descriptor, &other);
    assert!(blob.next().unwrap().is_some());
    asked.store(true, Ordering::Relaxed);
    let mut all = std::iter::from_fn(|| blob.next().transpose());
    let error = all.find_map(Result::err);
    assert!(matches!(error, Some(Error::Stopped(Failure::Stopped(2)))), "{error:?}");
}

#[test]
fn blobs_come_from_the_mirror_and_through_the_proxy() {
    let blob = noise(SIZE, 1);
    let server = FaultyServer::of_blobs(vec![blob.clone()], Reply::part);
    let reference = Reference::parse(b"q.invalid/o/i:1").unwrap();
    let mirror = format!(
        "[[registry]]\nlocation='q.invalid'\n[[registry.mirror]]\nlocation='{}'\ninsecure=true\n",
        server.address
    );
    let proxy = Proxies::of_environment(&[("http_proxy", format!("http://{}", server.address))]);
    let none = HostConfiguration::none;
    for here in [
        HostConfiguration { mirrors: Ok(Mirrors::of(&mirror)), ..none() },
        HostConfiguration { proxies: proxy, ..none() },
    ] {
        let registry = client_with(Credentials::none(), here, LIMITS, Box::new(|| Ok(())));
        let fetched = fetch(&registry, &reference, &descriptor(&blob)).unwrap();
        assert_eq!(digest_of(&fetched), digest_of(&blob));
    }
    let blobs = server.requests().into_iter().filter(|r| r.line.contains("/blobs/"));
    let hosts: Vec<String> = blobs.map(|request| request.header("host").to_owned()).collect();
    assert_eq!(hosts, [server.address.as_str(), "q.invalid"]);
}
