use super::server::{Deed, Response, Server};
use super::{TIME_LIMITS, answer, digest_of};
use crate::pull::credentials::Credentials;
use crate::pull::registry::Registry;
use crate::pull::registry::proxy::Proxies;
use crate::pull::registry::query::HostConfiguration;
use sifcache_core::reference::Reference;

/// A proxy that refuses tunnels, and answers plain HTTP requests on behalf of each registry.
fn proxy() -> Server {
    Server::new(|request| match request.line.starts_with("CONNECT ") {
        true => answer(403, ""),
        false => {
            Deed::Answer(Response::new(200, "").with("Docker-Content-Digest", &digest_of("a")))
        }
    })
}

fn registry(environment: &[(&str, String)], insecure: bool) -> Registry {
    let proxies = Proxies::of_environment(environment);
    let configuration = HostConfiguration { proxies, ..HostConfiguration::none() };
    let nothing = Credentials::none();
    Registry::with(insecure, nothing, configuration, TIME_LIMITS, Box::new(|| Ok(()))).unwrap()
}

#[test]
fn a_proxy_gets_its_own_password() {
    let proxy = proxy();
    let url = format!("http://a:b@{}", proxy.address);
    let environment = [("https_proxy", url.clone()), ("http_proxy", url)];
    let image = Reference::parse(b"r.invalid/o/i:1").unwrap();
    assert_eq!(registry(&environment, true).digest(&image).unwrap(), digest_of("a"));
    let lines = proxy.lines();
    assert_eq!(lines.first().unwrap(), "CONNECT r.invalid:443");
    assert_eq!(lines.last().unwrap(), "HEAD http://r.invalid/v2/o/i/manifests/1");
    for request in proxy.requests() {
        assert_eq!(request.headers["proxy-authorization"], "Basic YTpi", "{}", request.line);
    }
    // Without --no-https, plain HTTP is not tried. The message names the proxy but not the
    // password.
    let error = registry(&environment, false).digest(&image).unwrap_err();
    let text = error.to_string();
    let named =
        format!("r.invalid cannot be reached through the proxy {} (https_proxy)", proxy.address);
    assert!(error.is_unreachable() && text.starts_with(&named), "{text}");
    assert!(!text.contains("a:b"), "{text}");
}

#[test]
fn an_invalid_variable_is_named() {
    let image = Reference::parse(b"r.invalid/o/i:1").unwrap();
    let error = registry(&[("HTTPS_PROXY", "ftp://x".to_owned())], false).digest(&image);
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("HTTPS_PROXY has the scheme ftp"), "{text}");
}
