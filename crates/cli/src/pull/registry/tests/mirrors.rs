use super::server::{Deed, Response, Server};
use super::{TIME_LIMITS, answer, credentials, digest_of};
use crate::pull::credentials::Credentials;
use crate::pull::registry::mirrors::Mirrors;
use crate::pull::registry::query::HostConfiguration;
use crate::pull::registry::{Error, Registry};
use sifcache_core::reference::Reference;
use tempfile::TempDir;

/// A server without TLS that returns the same digest for all images except `none`.
fn server(name: &'static str) -> Server {
    Server::new(move |request| match request.line.as_str() {
        "GET /v2/" => {
            let basic = "Basic realm=\"r\"".to_owned();
            Deed::Answer(Response::new(401, "").with("WWW-Authenticate", &basic))
        }
        line if line.ends_with("/none") => answer(404, ""),
        _ => Deed::Answer(Response::new(200, "").with("Docker-Content-Digest", &digest_of(name))),
    })
}

fn registry(configuration: &str, insecure: bool, credentials: Credentials) -> Registry {
    let mirrors = Ok(Mirrors::of(configuration));
    let configuration = HostConfiguration { mirrors, ..HostConfiguration::none() };
    Registry::with(insecure, credentials, configuration, TIME_LIMITS, Box::new(|| Ok(()))).unwrap()
}

fn query(registry: &Registry, image: &str) -> Result<String, Error> {
    registry.digest(&Reference::parse(image.as_bytes()).unwrap())
}

#[test]
fn the_mirror_gets_its_own_credentials() {
    let mirror = server("mirror");
    let configuration = format!(
        "[[registry]]\nlocation='docker.io'\n[[registry.mirror]]\nlocation='{}/hub'\n\
         insecure=true\n",
        mirror.address
    );
    let directory = TempDir::new().unwrap();
    // YTpi is a:b.
    let own = credentials(&directory, &mirror.address, "YTpi");
    assert_eq!(
        query(&registry(&configuration, false, own), "ubuntu").unwrap(),
        digest_of("mirror")
    );
    assert_eq!(mirror.lines()[1], "HEAD /v2/hub/library/ubuntu/manifests/latest");
    assert_eq!(mirror.requests()[1].headers["authorization"], "Basic YTpi");
    // Credentials for Docker Hub are not sent to its mirror.
    let other = credentials(&directory, "docker.io", "YTpj");
    query(&registry(&configuration, false, other), "ubuntu").unwrap();
    assert!(!mirror.requests()[3].headers.contains_key("authorization"));
    let error =
        query(&registry(&configuration, false, Credentials::none()), "o/i:none").unwrap_err();
    assert!(error.not_found(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("the mirror of docker.io in /r.conf, has no hub/o/i:none"), "{text}");
}

#[test]
fn the_digest_must_be_known_to_another_endpoint() {
    let (mirror, origin) = (server("mirror"), server("origin"));
    let configuration = format!(
        "[[registry]]\nlocation='{0}'\ninsecure=true\n[[registry.mirror]]\nlocation='{1}'\n\
         insecure=true\npull-from-mirror='digest-only'\n",
        origin.address, mirror.address
    );
    let registry = registry(&configuration, false, Credentials::none());
    let image = format!("{}/o/i", origin.address);
    // The source of the image is still the mirror.
    assert_eq!(query(&registry, &format!("{image}:1")).unwrap(), digest_of("mirror"));
    assert_eq!(origin.lines().len(), 2);
    let digest = digest_of("mirror");
    assert_eq!(query(&registry, &format!("{image}@{digest}")).unwrap(), digest);
    assert_eq!(origin.lines().len(), 2, "not asked for a digest");
}

#[test]
fn a_blocked_registry_is_not_queried() {
    let server = server("any");
    let configuration = format!("[[registry]]\nlocation='{}'\nblocked=true\n", server.address);
    let image = format!("{}/o/i:1", server.address);
    let error = query(&registry(&configuration, true, Credentials::none()), &image).unwrap_err();
    assert!(error.to_string().ends_with("is blocked in /r.conf"), "{error}");
    assert_eq!(server.lines(), [] as [&str; 0]);
}
