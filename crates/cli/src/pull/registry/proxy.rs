//! Proxies, read from the environment as Go and therefore every runtime reads them: `HTTPS_PROXY`,
//! `HTTP_PROXY` and `NO_PROXY`, or the same name in lower case if the variable is not set.
//! `all_proxy` has no effect.

use ipnet::IpNet;
use reqwest::Url;
use std::env;
use std::net::IpAddr;

/// Returns the value of an environment variable.
type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The proxies of this environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    exceptions: Vec<Exception>,
    /// Whether `REQUEST_METHOD` is set, as in a CGI program, whose clients may set `HTTP_PROXY`.
    cgi: bool,
}

/// A proxy and the variable that names it.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) url: Url,
    pub(super) variable: &'static str,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    /// `*`
    All,
    /// `10.0.0.0/8`
    Net(IpNet),
    /// `10.0.0.1`, `[::1]:443`
    Address(IpAddr, Option<String>),
    /// `.example.org`: every host in the domain. If `itself` is set, as for `example.org`, it also
    /// includes the host of that name.
    Domain { suffix: String, itself: bool, port: Option<String> },
}

impl Proxies {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// A variable is not a valid proxy address; the message names the variable.
    pub(super) fn from_environment() -> Result<Self, String> {
        Self::gather(&|name| env::var(name).ok())
    }

    #[cfg(test)]
    pub(super) fn of_environment(variables: &[(&str, String)]) -> Result<Self, String> {
        Self::gather(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        })
    }

    fn gather(get: Get<'_>) -> Result<Self, String> {
        let cgi = get("REQUEST_METHOD").is_some_and(|method| !method.is_empty());
        let http = proxy(get, ["HTTP_PROXY", "http_proxy"])?;
        let https = proxy(get, ["HTTPS_PROXY", "https_proxy"])?;
        let list = first(get, ["NO_PROXY", "no_proxy"]).map(|(_, value)| value);
        let exceptions = list.unwrap_or_default().split(',').filter_map(Exception::parse).collect();
        Ok(Self { https, http, exceptions, cgi })
    }

    /// The reason why plain HTTP requests must not be sent, if there is one.
    pub(super) fn of_cgi(&self) -> Option<String> {
        let variable = self.http.as_ref().filter(|_| self.cgi)?.variable;
        Some(format!("{variable} is ignored if REQUEST_METHOD is set: unset one of them"))
    }

    /// The proxy for a URL, if there is one.
    pub(super) fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let host = url.host_str()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let port = url.port_or_known_default()?.to_string();
        let address: Option<IpAddr> = host.parse().ok();
        let local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        let excepted = || self.exceptions.iter().any(|one| one.is(&host, address, &port));
        proxy.as_ref().filter(|_| !local && !excepted())
    }
}

/// The first of these variables that is not empty, with its value.
fn first(get: Get<'_>, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    let mut values = names.into_iter().filter_map(|name| Some((name, get(name)?)));
    values.find(|(_, value)| !value.is_empty())
}

fn proxy(get: Get<'_>, names: [&'static str; 2]) -> Result<Option<Proxy>, String> {
    let Some((variable, value)) = first(get, names) else { return Ok(None) };
    // Go reads HOST:PORT as http://HOST:PORT.
    let url = match value.contains("://") {
        true => Url::parse(&value),
        false => Url::parse(&format!("http://{value}")),
    };
    // The value may contain a password, so the message omits it.
    let url = match url {
        Ok(url) if url.has_host() => url,
        _ => {
            return Err(format!("{variable} is not a valid proxy address: write http://HOST:PORT"));
        }
    };
    match url.scheme() {
        "http" | "https" | "socks5" | "socks5h" => Ok(Some(Proxy { url, variable })),
        scheme => Err(format!(
            "{variable} has the scheme {scheme}, which is not one of http, https, socks5, socks5h"
        )),
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Ok(net) = entry.parse() {
            return Some(Self::Net(net));
        }
        let (host, port) = match entry.rsplit_once(':') {
            // Several colons without brackets belong to an IPv6 address.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.to_owned()).filter(|port| !port.is_empty()))
            }
            _ => (entry.as_str(), None),
        };
        // Brackets are removed only if a port follows them.
        let bare = |host: &str| host.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
        let bare = Some(host).filter(|_| host != entry).and_then(bare);
        let host = bare.as_deref().unwrap_or(host);
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address, port));
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let itself = !host.starts_with('.');
        let suffix = if itself { format!(".{host}") } else { host.to_owned() };
        (!host.is_empty()).then_some(Self::Domain { suffix, itself, port })
    }

    fn is(&self, host: &str, address: Option<IpAddr>, port: &str) -> bool {
        let right = |own: &Option<String>| own.as_deref().is_none_or(|own| own == port);
        match self {
            Self::All => true,
            Self::Net(net) => address.is_some_and(|address| net.contains(&address)),
            Self::Address(own, number) => address == Some(*own) && right(number),
            Self::Domain { suffix, itself, port: number } => {
                let same = *itself && suffix.strip_prefix('.') == Some(host);
                (same || host.ends_with(suffix.as_str())) && right(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Proxies;
    use reqwest::Url;

    fn proxies(environment: &[(&str, &str)]) -> Result<Proxies, String> {
        Proxies::gather(&|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
        })
    }

    /// The URL of the proxy for a URL, if there is one.
    fn of(environment: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = proxies(environment).unwrap();
        proxies.of(&Url::parse(url).unwrap()).map(|proxy| proxy.url.to_string())
    }

    #[test]
    fn the_first_variable_with_a_value_is_used() {
        let url = "https://q.io/";
        let p = Some("http://p:1/".to_owned());
        assert_eq!(of(&[("https_proxy", "http://p:1")], url), p);
        assert_eq!(of(&[("HTTPS_PROXY", "p:1"), ("https_proxy", "http://x")], url), p);
        assert_eq!(of(&[("HTTPS_PROXY", ""), ("https_proxy", "p:1")], url), p);
        assert_eq!(
            of(&[("http_proxy", "p:1"), ("all_proxy", "p:1"), ("ALL_PROXY", "p:1")], url),
            None
        );
        assert_eq!(of(&[("http_proxy", "p:1"), ("https_proxy", "x")], "http://q.io:5000/"), p);
        assert_eq!(of(&[], url), None);
        assert_eq!(of(&[("https_proxy", "socks5://p:1")], url).as_deref(), Some("socks5://p:1"));
    }

    #[test]
    fn an_invalid_proxy_is_reported_without_its_password() {
        for value in ["://", "ftp://u:s3cret@x:1", "http://[::1", "http:u:s3cret", "a b"] {
            let error = proxies(&[("https_proxy", value)]).unwrap_err();
            assert!(error.starts_with("https_proxy "), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        let cgi = proxies(&[("REQUEST_METHOD", "GET"), ("http_proxy", "p:1")]).unwrap();
        assert!(cgi.of_cgi().unwrap().contains("REQUEST_METHOD"));
        assert_eq!(proxies(&[("http_proxy", "p:1")]).unwrap().of_cgi(), None);
        assert_eq!(proxies(&[("REQUEST_METHOD", "GET")]).unwrap().of_cgi(), None);
    }

    /// Each row contains a value of `NO_PROXY`, a host, and whether the host is reached without the
    /// proxy.
    const EXCEPTIONS: [(&str, &str, bool); 37] = [
        ("r.example.org", "r.example.org", true),
        ("R.Example.ORG", "r.example.org", true),
        ("example.org", "r.example.org", true),
        ("example.org", "example.org", true),
        (".example.org", "r.example.org", true),
        (".example.org", "example.org", false),
        ("*.example.org", "r.example.org", true),
        ("*.example.org", "example.org", false),
        ("ple.org", "r.example.org", false),
        ("*ple.org", "r.example.org", false),
        ("x, r.example.org ,", "r.example.org", true),
        ("r.example.org:6001", "r.example.org:6001", true),
        ("r.example.org:443", "r.example.org", true),
        ("r.example.org:6002", "r.example.org:6001", false),
        ("example.org:6001", "r.example.org:6001", true),
        ("*", "r.example.org", true),
        ("", "r.example.org", false),
        (":6001", "r.example.org:6001", false),
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "11.1.2.3", false),
        ("10.0.0.0/8", "r.example.org", false),
        ("10.1.2.3", "10.1.2.3:6001", true),
        ("10.1.2.3:6001", "10.1.2.3:6001", true),
        ("10.1.2.3:6002", "10.1.2.3:6001", false),
        ("[10.1.2.3]", "10.1.2.3", false),
        ("r.example.org:", "r.example.org:6001", true),
        ("x r.example.org", "r.example.org", false),
        ("r.example.*", "r.example.org", false),
        ("fd00::/8", "[fd00::1]:6001", true),
        ("fd00::1", "[fd00::1]:6001", true),
        ("[fd00::1]:6001", "[fd00::1]:6001", true),
        ("[fd00::1]:6002", "[fd00::1]:6001", false),
        // Loopback addresses and `localhost` never use a proxy, but `a.localhost` does.
        ("", "localhost:5000", true),
        ("", "127.0.0.1:5000", true),
        ("", "127.9.9.9", true),
        ("", "[::1]:5000", true),
        ("", "a.localhost", false),
    ];

    #[test]
    fn exceptions_as_go_matches_them() {
        for (list, host, excepted) in EXCEPTIONS {
            let environment = [("https_proxy", "p:1"), ("no_proxy", list)];
            let found = of(&environment, &format!("https://{host}/v2/"));
            assert_eq!(found.is_none(), excepted, "no_proxy={list} {host}");
        }
        let both = [("https_proxy", "p:1"), ("NO_PROXY", "q.io"), ("no_proxy", "x")];
        assert_eq!(of(&both, "https://q.io"), None);
    }
}
