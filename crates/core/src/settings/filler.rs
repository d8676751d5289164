//! The address of the filler's listener: `filler=HOST[:PORT]`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A host and a TCP port. An IPv6 address is written in brackets: `[2001:db8::1]:7433`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filler {
    /// A host name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Filler {
    /// The port if none is given. Above 1023, so that no privilege is needed; below the ports that
    /// Linux assigns to outgoing connections, which start at 32768; and not in the usual lists of
    /// services.
    pub const PORT: u16 = 7433;
    /// The maximum length of a host name in bytes: RFC 1035.
    const MAX_HOST: usize = 253;

    /// Parses `HOST[:PORT]`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None => {
                let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
                (Some(host).filter(|host| is_name(host))?, port)
            }
        };
        let port = port.map_or(Some(Self::PORT), number)?;
        Some(Self { host: host.to_owned(), port })
    }
}

/// Whether this is a host name or an IPv4 address.
fn is_name(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=Filler::MAX_HOST).contains(&host.len())
        && host.bytes().all(plain)
        && host.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// A port. Rust's `parse` would also accept `+80`.
fn number(digits: &str) -> Option<u16> {
    let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
    digits.parse().ok().filter(|port| *port > 0)
}

impl FromStr for Filler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{}' is not HOST, HOST:PORT or [IPV6]:PORT", text.escape_debug());
        Self::parse(text).ok_or_else(wrong)
    }
}

impl fmt::Display for Filler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filler;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port, printed) in [
            ("ctl", "ctl", 7433, "ctl:7433"),
            ("ctl.example.org:80", "ctl.example.org", 80, "ctl.example.org:80"),
            ("10.77.0.10", "10.77.0.10", 7433, "10.77.0.10:7433"),
            ("0.0.0.0:7000", "0.0.0.0", 7000, "0.0.0.0:7000"),
            ("[::1]", "::1", 7433, "[::1]:7433"),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535, "[2001:db8::1]:65535"),
        ] {
            let filler = Filler::parse(text).unwrap();
            assert_eq!((filler.host.as_str(), filler.port), (host, port), "{text}");
            assert_eq!(filler.to_string(), printed);
            assert_eq!(Filler::parse(printed), Some(filler));
        }
        let long = "a".repeat(254);
        for wrong in [
            "",
            ":80",
            "ctl:",
            "ctl:0",
            "ctl:65536",
            "ctl:+80",
            "ctl:80:80",
            "::1",
            "[::1",
            "[::1]80",
            "[ctl]",
            "[::1]:",
            "-ctl",
            "c tl",
            "ctl/x",
            "user@ctl",
            "ctl\n",
            &long,
        ] {
            assert_eq!(Filler::parse(wrong), None, "{wrong:?}");
        }
    }
}
