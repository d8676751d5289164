//! Which proxy is used. With a proxy address on which no server listens, a failed pull shows that
//! the proxy is used.

use super::{Files, HOST, Row, compare};
use crate::kit::Site;
use crate::kit::registry::{web_proxy, with_certificate, without_tls};

const PROXY: &str = "http://hub:6100";
const DEAD: &str = "http://hub:6997";

fn variables() -> Vec<Row> {
    let row = |name| Row::new(name, 6001);
    let plain = |name| Row::new(name, 6011).no_https();
    vec![
        row("`https_proxy` works").env("https_proxy", PROXY),
        row("`https_proxy` is unreachable").env("https_proxy", DEAD),
        row("`HTTPS_PROXY` is unreachable").env("HTTPS_PROXY", DEAD),
        row("`HTTPS_PROXY` works, `https_proxy` is unreachable").env("HTTPS_PROXY", PROXY).env("https_proxy", DEAD),
        row("`HTTPS_PROXY` is empty, `https_proxy` is unreachable").env("HTTPS_PROXY", "").env("https_proxy", DEAD),
        row("`https_proxy` is empty").env("https_proxy", ""),
        row("`https_proxy=HOST:PORT` works").env("https_proxy", "hub:6100"),
        row("`https_proxy` is an unreachable `socks5` proxy").env("https_proxy", "socks5://hub:6997"),
        row("`https_proxy=ftp://...`").env("https_proxy", "ftp://hub:6997"),
        row("`http_proxy` is unreachable, for a registry with TLS").env("http_proxy", DEAD),
        row("`all_proxy` and `ALL_PROXY` are unreachable").env("all_proxy", DEAD).env("ALL_PROXY", DEAD),
        plain("`http_proxy` works, for a registry without TLS").env("http_proxy", PROXY),
        plain("`http_proxy` is unreachable, for a registry without TLS").env("http_proxy", DEAD),
        plain("`http_proxy` works, and `REQUEST_METHOD` is set").env("http_proxy", PROXY).env("REQUEST_METHOD", "GET"),
        row("`REQUEST_METHOD` and `http_proxy` are set, for a registry with TLS").env("http_proxy", PROXY).env("REQUEST_METHOD", "GET"),
        row("unreachable proxy, host in `NO_PROXY` but not in `no_proxy`").env("https_proxy", DEAD).env("NO_PROXY", HOST).env("no_proxy", "x"),
        row("unreachable proxy, host in `no_proxy` but not in `NO_PROXY`").env("https_proxy", DEAD).env("no_proxy", HOST).env("NO_PROXY", "x"),
        row("unreachable proxy for the mirror").at("a.example.net").env("https_proxy", DEAD).file(
            "/etc/containers/registries.conf",
            "[[registry]]\nlocation = \"a.example.net\"\n[[registry.mirror]]\nlocation = \"registry.example.org:6001\"\n",
        ),
        row("the same, mirror's host in `no_proxy`").at("a.example.net").env("https_proxy", DEAD).env("no_proxy", HOST).file(
            "/etc/containers/registries.conf",
            "[[registry]]\nlocation = \"a.example.net\"\n[[registry.mirror]]\nlocation = \"registry.example.org:6001\"\n",
        ),
    ]
}

fn exceptions() -> Vec<Row> {
    let named = [
        ("`registry.example.org`", "registry.example.org"),
        ("`REGISTRY.Example.org`", "REGISTRY.Example.org"),
        ("`example.org`", "example.org"),
        ("`.example.org`", ".example.org"),
        ("`*.example.org`", "*.example.org"),
        ("`.registry.example.org`", ".registry.example.org"),
        ("`ple.org`", "ple.org"),
        ("`*ple.org`", "*ple.org"),
        ("`registry.example.org:6001`", "registry.example.org:6001"),
        ("`registry.example.org:6002`", "registry.example.org:6002"),
        ("`example.org:6001`", "example.org:6001"),
        ("a list with commas and spaces", "x, registry.example.org ,y"),
        ("a list with spaces only", "x registry.example.org"),
        ("`*`", "*"),
        ("the IP address of that host", "10.77.0.20"),
        ("the IP network of that host", "10.77.0.0/24"),
    ];
    let addressed = [
        ("`10.77.0.20`, for 10.77.0.20:6001", "10.77.0.20"),
        ("`[10.77.0.20]`, for 10.77.0.20:6001", "[10.77.0.20]"),
        ("`10.77.0.20:6001`, for 10.77.0.20:6001", "10.77.0.20:6001"),
        ("`10.77.0.20:1`, for 10.77.0.20:6001", "10.77.0.20:1"),
        ("`10.77.0.0/24`, for 10.77.0.20:6001", "10.77.0.0/24"),
        ("`10.78.0.0/24`, for 10.77.0.20:6001", "10.78.0.0/24"),
        ("the host name, for 10.77.0.20:6001", "registry.example.org"),
    ];
    let row =
        |name, list: &str| Row::new(name, 6001).env("https_proxy", DEAD).env("no_proxy", list);
    let named = named.map(|(name, list)| row(name, list));
    let addressed = addressed.map(|(name, list)| row(name, list).at("10.77.0.20:6001"));
    named.into_iter().chain(addressed).collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn proxies_as_for_apptainer() {
    let site = Site::new("");
    let files = Files::new(&site);
    let _good = with_certificate(6001, "/etc/trust/good.pem", None);
    let _plain = without_tls(6011);
    let _proxy = web_proxy(6100);
    compare(&site, &files, "Proxy variables", &variables());
    compare(&site, &files, "Exceptions (`no_proxy`)", &exceptions());
}
