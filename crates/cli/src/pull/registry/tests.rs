mod blobs;
mod image;
mod manifest;
mod mirrors;
mod proxies;
#[path = "../../../tests/command/registry.rs"]
mod server;

use super::{Error, HostConfiguration, Registry, TimeLimits};
use crate::error::Failure;
use crate::pull::credentials::Credentials;
use serde_json::json;
use server::{Deed, Request, Response, Server};
use sha2::{Digest as _, Sha256};
use sifcache_core::reference::Reference;
use sifcache_core::sif::host_architecture;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TIME_LIMITS: TimeLimits = TimeLimits {
    answer: Duration::from_secs(20),
    busy: Duration::from_millis(2),
    longest: Duration::from_secs(1),
    stall: Duration::from_secs(20),
};

/// A client with `--no-https`, because the test registries have no TLS.
fn registry(credentials: Credentials) -> Registry {
    Registry::with(true, credentials, HostConfiguration::none(), TIME_LIMITS, Box::new(|| Ok(())))
        .unwrap()
}

fn anonymous() -> Registry {
    registry(Credentials::none())
}

fn reference(server: &Server, rest: &str) -> Reference {
    Reference::parse(format!("{}/{rest}", server.address).as_bytes()).unwrap()
}

fn digest_of(text: &str) -> String {
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn answer(status: u16, body: &str) -> Deed {
    Deed::Answer(Response::new(status, body))
}

#[test]
fn a_digest_takes_one_head_request() {
    let digest = digest_of("a");
    let header = digest.clone();
    let server = Server::new(move |request| match request.line.as_str() {
        "GET /v2/" => answer(200, "{}"),
        _ => Deed::Answer(Response::new(200, "body").with("Docker-Content-Digest", &header)),
    });
    let registry = anonymous();
    assert_eq!(registry.digest(&reference(&server, "o/i:1")).unwrap(), digest);
    assert_eq!(server.lines(), ["GET /v2/", "HEAD /v2/o/i/manifests/1"]);
    let agent = &server.requests()[1].headers["user-agent"];
    assert_eq!(agent, concat!("sifcache/", env!("CARGO_PKG_VERSION")));
    assert!(server.requests()[1].headers["accept"].contains("image.index"));
    // The digest is requested even if there is a tag.
    let pinned = format!("o/i:1@{digest}");
    assert_eq!(registry.digest(&reference(&server, &pinned)).unwrap(), digest);
    assert_eq!(server.lines()[2], format!("HEAD /v2/o/i/manifests/{digest}"));
}

#[test]
fn a_missing_digest_is_computed() {
    let server = Server::new(|_| answer(200, "manifest"));
    let digest = anonymous().digest(&reference(&server, "o/i:1")).unwrap();
    assert_eq!(digest, digest_of("manifest"));
    let lines = server.lines().into_iter().filter(|line| line != "GET /v2/");
    let expected = ["HEAD /v2/o/i/manifests/1", "GET /v2/o/i/manifests/1"];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

/// Issues a token for `o/i` to the user `a:b`, and returns a digest for requests that contain this
/// token.
fn token_server() -> Server {
    Server::new(|request: &Request| {
        let authorization = request.headers.get("authorization").map(String::as_str);
        let host = &request.headers["host"];
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"hub\"");
        match (request.line.as_str(), authorization) {
            // YTpi is a:b.
            (line, Some("Basic YTpi"))
                if line.starts_with("GET /token?scope=repository%3Ao%2Fi") =>
            {
                answer(200, r#"{"token": "t0ken"}"#)
            }
            (line, _) if line.starts_with("GET /token") => answer(401, "who? s3cret"),
            (line, Some("Bearer t0ken")) if line.starts_with("HEAD") => {
                Deed::Answer(Response::new(200, "").with("Docker-Content-Digest", &digest_of("a")))
            }
            _ => Deed::Answer(Response::new(401, "").with("WWW-Authenticate", &challenge)),
        }
    })
}

/// Credentials from an auth file with one entry.
fn credentials(directory: &TempDir, key: &str, auth: &str) -> Credentials {
    let path = directory.path().join(auth);
    fs::write(&path, json!({"auths": {key: {"auth": auth}}}).to_string()).unwrap();
    Credentials::find(false, Some(&path)).unwrap()
}

#[test]
fn a_token_is_requested_with_credentials() {
    let server = token_server();
    let directory = TempDir::new().unwrap();
    let known = registry(credentials(&directory, &server.address, "YTpi"));
    let image = reference(&server, "o/i:1");
    assert_eq!(known.digest(&image).unwrap(), digest_of("a"));
    assert_eq!(server.lines().len(), 3, "ping, token, head: {:?}", server.lines());
    assert_eq!(known.digest(&image).unwrap(), digest_of("a"));
    assert_eq!(server.lines().len(), 4, "the token is kept");
}

#[test]
fn without_valid_credentials_there_is_no_token() {
    let server = token_server();
    let directory = TempDir::new().unwrap();
    let image = reference(&server, "o/i:1");
    for stranger in [Credentials::none(), credentials(&directory, &server.address, "YTp4")] {
        let error = registry(stranger).digest(&image).unwrap_err();
        assert!(error.unauthorized() && !error.is_unreachable(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("has no o/i:1, or it is not ") && text.contains("--docker-login"));
        assert!(!text.contains("s3cret") && !text.contains("a:x"), "{text}");
    }
}

#[test]
fn credentials_are_not_sent_for_another_repository() {
    let server = token_server();
    let directory = TempDir::new().unwrap();
    let registry = registry(credentials(&directory, &format!("{}/o/i", server.address), "YTpi"));
    // Query the repository with credentials first, because a client caches its authorizations.
    assert!(registry.digest(&reference(&server, "o/i:1")).is_ok());
    assert!(registry.digest(&reference(&server, "o/other:1")).unwrap_err().unauthorized());
    let message = |request: &Request| {
        request.line.contains("other") && request.headers.contains_key("authorization")
    };
    assert!(!server.requests().iter().any(message));
}

#[test]
fn an_unreachable_token_server_is_not_a_refusal() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let challenge = format!("Bearer realm=\"http://{}/token\"", listener.local_addr().unwrap());
    drop(listener);
    let server = Server::new(move |_| {
        Deed::Answer(Response::new(401, "").with("WWW-Authenticate", &challenge))
    });
    let error = anonymous().digest(&reference(&server, "o/i:1")).unwrap_err();
    assert!(error.is_unreachable() && !error.unauthorized(), "{error:?}");
}

#[test]
fn not_found() {
    let body = r#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}"#;
    for body in [body, "404 page not found"] {
        let server = Server::new(move |_| answer(404, body));
        for error in [
            anonymous().digest(&reference(&server, "o/i:no")).unwrap_err(),
            anonymous().image(&reference(&server, "o/i:no"), host_architecture()).unwrap_err(),
        ] {
            assert!(error.not_found(), "{error:?}");
            assert_eq!(error.to_string(), format!("{} has no o/i:no", server.address));
        }
    }
}

/// Answers the first HEAD request with `first`, and later ones with a digest.
fn recovering(first: impl Fn() -> Deed + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::new(move |request| {
        let good = Response::new(200, "").with("Docker-Content-Digest", &digest_of("a"));
        match request.line.starts_with("HEAD") {
            true if count.fetch_add(1, Ordering::Relaxed) == 0 => first(),
            true => Deed::Answer(good),
            false if request.line == "GET /v2/" => answer(200, "{}"),
            false => answer(500, "out of order"),
        }
    })
}

#[test]
fn transient_faults_are_retried_once() {
    let table: [(fn() -> Deed, usize); 3] = [
        (|| answer(500, "out of order"), 2),
        (|| answer(429, "slow down"), 2),
        (|| Deed::Hangup, 2),
    ];
    for (first, heads) in table {
        let server = recovering(first);
        assert_eq!(anonymous().digest(&reference(&server, "o/i:1")).unwrap(), digest_of("a"));
        let lines = server.lines();
        assert_eq!(lines.iter().filter(|line| line.starts_with("HEAD")).count(), heads);
    }
    let server = Server::new(|_| answer(503, "s3cret"));
    let error = anonymous().digest(&reference(&server, "o/i:1")).unwrap_err();
    assert!(error.is_unreachable() && !error.not_found(), "{error:?}");
    assert_eq!(error.to_string(), format!("{} fails with status 503", server.address));
    let heads = server.lines().iter().filter(|line| line.starts_with("HEAD")).count();
    assert_eq!(heads, 2, "no third try");
}

#[test]
fn a_long_delay_is_reported_and_not_waited_for() {
    let server = Server::new(|request| match request.line.as_str() {
        "GET /v2/" => answer(200, "{}"),
        _ => Deed::Answer(Response::new(429, "").with("Retry-After", "3600")),
    });
    let error = anonymous().digest(&reference(&server, "o/i:1")).unwrap_err();
    let expected = "received too many requests from this host; log in, or wait for 3600 s";
    assert_eq!(error.to_string(), format!("{} {expected}", server.address));
    assert!(error.is_unreachable(), "{error:?}");
    assert_eq!(server.lines(), ["GET /v2/", "HEAD /v2/o/i/manifests/1"]);
}

#[test]
fn an_unreachable_registry_is_reported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let image = Reference::parse(format!("{address}/o/i:1").as_bytes()).unwrap();
    let error = anonymous().digest(&image).unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert_eq!(error.to_string(), format!("{address} cannot be reached: connection refused"));
}

#[test]
fn a_missing_answer_times_out() {
    let server = Server::new(|_| Deed::Silence);
    let limits = TimeLimits { answer: Duration::from_millis(300), ..TIME_LIMITS };
    let registry = Registry::with(
        true,
        Credentials::none(),
        HostConfiguration::none(),
        limits,
        Box::new(|| Ok(())),
    );
    let begun = Instant::now();
    let error = registry.unwrap().digest(&reference(&server, "o/i:1")).unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains("no answer"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_signal_ends_the_wait() {
    let server = Server::new(|_| Deed::Silence);
    let begun = Instant::now();
    let stop = move || match begun.elapsed() > Duration::from_millis(300) {
        true => Err(Failure::Stopped(2)),
        false => Ok(()),
    };
    let registry = Registry::with(
        true,
        Credentials::none(),
        HostConfiguration::none(),
        TIME_LIMITS,
        Box::new(stop),
    )
    .unwrap();
    let error = registry.digest(&reference(&server, "o/i:1")).unwrap_err();
    assert!(matches!(error, Error::Stopped(Failure::Stopped(2))), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn without_no_https_plain_http_is_not_used() {
    let server = Server::new(|_| answer(200, "manifest"));
    let registry = Registry::with(
        false,
        Credentials::none(),
        HostConfiguration::none(),
        TIME_LIMITS,
        Box::new(|| Ok(())),
    )
    .unwrap();
    assert!(registry.digest(&reference(&server, "o/i:1")).unwrap_err().is_unreachable());
    assert_eq!(server.lines(), [] as [&str; 0]);
}

#[test]
fn threads_share_one_client() {
    let server = Server::new(|_| {
        Deed::Answer(Response::new(200, "").with("Docker-Content-Digest", &digest_of("a")))
    });
    let registry = anonymous();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (registry, server) = (&registry, &server);
            scope.spawn(move || {
                let image = reference(server, &format!("o/i:{number}"));
                assert_eq!(registry.digest(&image).unwrap(), digest_of("a"));
            });
        }
    });
}
