//! Determines which registry serves an image: the one in its reference, or a mirror.
//!
//! Apptainer 1.4 sends requests with two libraries that have different rules (docs/registries.md
//! has tables of the results):
//!
//! 1. The *source* of the image is the first mirror of the registry's **host**; other mirrors are
//!    not tried. `location`, `blocked`, `insecure` and rules for a part of a registry do not apply
//!    to the source.
//! 2. Before that, Apptainer queries *other* endpoints for the digest, and one of them must have
//!    it: the registry itself, then all mirrors of the rule with the longest prefix, then its
//!    `location`.
//!
//! This command queries the source, whose digest is that of the pulled image. It queries the
//! other endpoints only if the source is not one of them.

use super::certs_d::Directories;
use super::mirrors::{Mirrors, Rule, Used};
use sifcache_core::reference::{DEFAULT_REGISTRY, Reference};
use std::net::IpAddr;

/// The host name of Docker Hub's registry.
const DOCKER_HUB: &str = "index.docker.io";

/// The endpoints for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The endpoint that the image is fetched from.
    pub(super) source: Endpoint,
    /// The endpoints of which one must have the digest, in the order of queries.
    pub(super) others: Vec<Endpoint>,
    /// Why some of the other endpoints were left out.
    pub(super) cut: Option<String>,
}

/// A registry, and the name of the image there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) image: Reference,
    /// Whether plain HTTP is allowed.
    pub(super) plain_http: bool,
    /// Whether any certificate is accepted.
    pub(super) any_certificate: bool,
    /// The mirrored prefix and the file that configures the mirror, if this is a mirror.
    pub(super) mirror: Option<String>,
}

impl Route {
    /// Determines the endpoints for an image. `insecure` is `--no-https`.
    ///
    /// # Errors
    /// The image is blocked.
    pub(super) fn find(
        mirrors: &Mirrors,
        certificates: &Directories,
        image: &Reference,
        insecure: bool,
    ) -> Result<Self, String> {
        let rule = mirrors.find(&name(image));
        if let Some(rule) = rule.filter(|rule| rule.blocked) {
            return Err(blocked(rule));
        }
        let direct_insecure = insecure || rule.is_some_and(|rule| rule.insecure);
        let mut others = vec![Endpoint::new(image.clone(), direct_insecure, direct_insecure)];
        let mut cut = None;
        match rule.map(|rule| attempts(mirrors, rule, image, insecure)) {
            Some(Ok(more)) => others.extend(more),
            Some(Err(why)) => cut = Some(why),
            None => {}
        }
        // Apptainer does not query a registry whose certs.d directory is incomplete.
        others.retain(|other| match certificates.problem(other.image.registry()) {
            Some(why) => {
                cut = Some(why);
                false
            }
            None => true,
        });
        Ok(Self { source: source(mirrors, image, insecure), others, cut })
    }

    /// Whether the source is also one of the other endpoints, so that the others need not be
    /// queried. With `plain_http`, that endpoint must also allow plain HTTP.
    pub(super) fn is_confirmed(&self, plain_http: bool) -> bool {
        let same = |other: &Endpoint| {
            let (a, b) = (&other.image, &self.source.image);
            (a.registry(), a.repository()) == (b.registry(), b.repository())
        };
        self.others.iter().any(|other| same(other) && (!plain_http || other.plain_http))
    }
}

impl Endpoint {
    fn new(image: Reference, plain_http: bool, any_certificate: bool) -> Self {
        Self { image, plain_http, any_certificate, mirror: None }
    }

    /// The host with its port, if any.
    pub(super) fn host(&self) -> &str {
        host(&self.image)
    }

    /// The name in messages.
    pub(super) fn name(&self) -> String {
        let registry = self.image.registry();
        self.mirror.as_ref().map_or_else(
            || registry.to_owned(),
            |mirror| format!("{registry}, the mirror of {mirror},"),
        )
    }
}

fn host(image: &Reference) -> &str {
    match image.registry() {
        DEFAULT_REGISTRY => DOCKER_HUB,
        other => other,
    }
}

fn name(image: &Reference) -> String {
    format!("{}/{}", image.registry(), image.repository())
}

/// `:TAG`, `@DIGEST` or both.
fn suffix(image: &Reference) -> String {
    let tag = image.tag().map(|tag| format!(":{tag}"));
    let digest = image.digest().map(|digest| format!("@{digest}"));
    tag.unwrap_or_default() + &digest.unwrap_or_default()
}

/// The endpoint from which the image itself is fetched.
fn source(mirrors: &Mirrors, image: &Reference, insecure: bool) -> Endpoint {
    let host = host(image);
    // For Docker Hub, a rule for `index.docker.io` takes precedence over one for `docker.io`, even
    // if the former has no mirror.
    let rule = mirrors.find(host).or_else(|| mirrors.find(image.registry()));
    let mirrored = rule.and_then(|rule| {
        let mirror = rule.mirrors.first()?;
        let place = format!("{}/{}{}", mirror.location, image.repository(), suffix(image));
        let image = Reference::parse(place.as_bytes()).ok()?;
        let plain_http = mirror.insecure || is_local(image.registry());
        let of = format!("{} in {}", rule.prefix, rule.file.display());
        // `insecure` allows plain HTTP here, but certificates are still verified.
        Some(Endpoint { mirror: Some(of), ..Endpoint::new(image, plain_http, false) })
    });
    mirrored.unwrap_or_else(|| {
        Endpoint::new(image.clone(), insecure || is_local(image.registry()), false)
    })
}

/// The endpoints that are queried for the digest after the registry itself.
fn attempts(
    mirrors: &Mirrors,
    rule: &Rule,
    image: &Reference,
    insecure: bool,
) -> Result<Vec<Endpoint>, String> {
    let wanted = |used: Used| match used {
        Used::Always => true,
        Used::ForDigests => image.digest().is_some(),
        Used::ForTags => image.digest().is_none(),
    };
    let of = format!("{} in {}", rule.prefix, rule.file.display());
    let used = rule.mirrors.iter().filter(|mirror| wanted(mirror.used));
    let places = used.map(|mirror| (mirror.location.as_str(), mirror.insecure, Some(of.clone())));
    let mut endpoints = Vec::new();
    for (place, own, mirror) in places.chain([(rule.location.as_str(), rule.insecure, None)]) {
        let text = name(image) + &suffix(image);
        let text = match (place, rule.rest(&text)) {
            ("", _) | (_, None) => text,
            (place, Some(rest)) => format!("{place}{rest}"),
        };
        let image = Reference::parse(text.as_bytes()).map_err(|error| {
            format!("{of} leads to {text}, which is not a valid reference: {error}")
        })?;
        let insecure = insecure || own;
        if mirrors.find(&name(&image)).is_none_or(|rule| !rule.blocked) {
            endpoints.push(Endpoint { mirror, ..Endpoint::new(image, insecure, insecure) });
        }
    }
    Ok(endpoints)
}

fn blocked(rule: &Rule) -> String {
    format!("{} is blocked in {}", rule.prefix, rule.file.display())
}

/// Whether Apptainer tries plain HTTP for a registry without any option or setting: see `Scheme` of
/// go-containerregistry.
fn is_local(registry: &str) -> bool {
    let name = registry.rsplit_once(':').map_or(registry, |(name, _)| name);
    let private = match name.parse() {
        Ok(IpAddr::V4(address)) => address.is_private(),
        _ => false,
    };
    let named = name.ends_with(".local") || name.ends_with(".localhost");
    private
        || named
        || registry.starts_with("localhost:")
        || registry.contains("127.0.0.1")
        || registry.contains("::1")
}

#[cfg(test)]
mod tests {
    use super::{Directories, Endpoint, Mirrors, Route};
    use sifcache_core::reference::Reference;
    use std::fs;
    use tempfile::TempDir;

    fn route(configuration: &str, image: &str, insecure: bool) -> Result<Route, String> {
        let image = Reference::parse(image.as_bytes()).unwrap();
        Route::find(&Mirrors::of(configuration), &Directories::default(), &image, insecure)
    }

    /// The image at an endpoint, followed by what is allowed there.
    fn describe(endpoint: &Endpoint) -> String {
        let marks = [(endpoint.plain_http, " plain"), (endpoint.any_certificate, " any")];
        let marks = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark);
        endpoint.image.to_string() + &marks.collect::<String>()
    }

    fn source(configuration: &str, image: &str) -> String {
        describe(&route(configuration, image, false).unwrap().source)
    }

    #[test]
    fn without_a_rule() {
        let all = route("", "q.io/o/i:1", false).unwrap();
        assert_eq!((describe(&all.source), all.others.len()), ("q.io/o/i:1".into(), 1));
        assert!(all.is_confirmed(false) && !all.is_confirmed(true));
        let all = route("", "q.io/o/i:1", true).unwrap();
        assert_eq!(describe(&all.source), "q.io/o/i:1 plain");
        assert_eq!(describe(&all.others[0]), "q.io/o/i:1 plain any");
        assert!(all.is_confirmed(true));
        assert_eq!(route("", "ubuntu", false).unwrap().source.host(), "index.docker.io");
        for (host, plain_http) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("10.0.0.1:5000", true),
            ("172.31.0.1", true),
            ("r.local", true),
            ("r.local:5000", true),
            ("11.0.0.1:5000", false),
            ("local.org", false),
        ] {
            let all = route("", &format!("{host}/o/i:1"), false).unwrap();
            assert_eq!(all.source.plain_http, plain_http, "{host}");
            assert!(!all.is_confirmed(true), "the digest is queried only with TLS");
        }
    }

    #[test]
    fn the_source_is_the_first_mirror_of_the_host() {
        let two = "[[registry]]\nlocation='docker.io'\n[[registry.mirror]]\nlocation='m.io/hub/'\n\
                   [[registry.mirror]]\nlocation='second.io'\n";
        assert_eq!(source(two, "ubuntu"), "m.io/hub/library/ubuntu:latest");
        assert_eq!(source(two, "docker.io/o/i:1"), "m.io/hub/o/i:1");
        assert_eq!(source(two, "q.io/o/i:1"), "q.io/o/i:1");
        let all = route(two, "ubuntu", true).unwrap();
        assert_eq!(
            describe(&all.source),
            "m.io/hub/library/ubuntu:latest",
            "--no-https is not for it"
        );
        let others: Vec<String> = all.others.iter().map(describe).collect();
        assert_eq!(
            others[1..3],
            [
                "m.io/hub/library/ubuntu:latest plain any",
                "second.io/library/ubuntu:latest plain any",
            ]
        );
        assert!(all.is_confirmed(false));
        let name = all.source.name();
        assert_eq!(name, "m.io, the mirror of docker.io in /r.conf,");
        let insecure = two.replace("hub/'\n", "hub'\ninsecure=true\n");
        assert_eq!(source(&insecure, "o/i:1"), "m.io/hub/o/i:1 plain");
        // Rules for a part of a registry, `location` and `insecure` do not apply to the source.
        let path = "[[registry]]\nlocation='q.io/o'\n[[registry.mirror]]\nlocation='m.io/o'\n";
        assert_eq!(source(path, "q.io/o/i:1"), "q.io/o/i:1");
        let elsewhere = "[[registry]]\nprefix='q.io'\nlocation='e.io'\ninsecure=true\n";
        let all = route(elsewhere, "q.io/o/i:1", false).unwrap();
        assert_eq!(describe(&all.source), "q.io/o/i:1");
        assert_eq!(describe(&all.others[1]), "e.io/o/i:1 plain any");
    }

    #[test]
    fn pull_from_mirror_restricts_digest_queries() {
        let only = |key: &str| {
            format!(
                "[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m.io'\n\
                 pull-from-mirror='{key}'\n"
            )
        };
        let digest = format!("q.io/o/i@sha256:{}", "a".repeat(64));
        for (key, image, confirmed) in [
            ("digest-only", "q.io/o/i:1", false),
            ("digest-only", digest.as_str(), true),
            ("tag-only", "q.io/o/i:1", true),
            ("tag-only", digest.as_str(), false),
            ("all", digest.as_str(), true),
        ] {
            let all = route(&only(key), image, false).unwrap();
            assert_eq!(all.source.image.registry(), "m.io", "it is still the source");
            assert_eq!(all.is_confirmed(false), confirmed, "{key} {image}");
        }
    }

    #[test]
    fn a_blocked_prefix_is_an_error() {
        let rule = "[[registry]]\nlocation='q.io/o'\nblocked=true\n";
        assert_eq!(route(rule, "q.io/o/i", false), Err("q.io/o is blocked in /r.conf".to_owned()));
        assert!(route(rule, "q.io/other/i", false).is_ok());
    }

    #[test]
    fn a_certificate_without_its_key() {
        let directory = TempDir::new().unwrap();
        let own = directory.path().join("a/q.io");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("client.cert"), "").unwrap();
        let find = |configuration: &str, image: &[u8]| {
            let certificates = Directories::below(directory.path());
            let image = Reference::parse(image).unwrap();
            Route::find(&Mirrors::of(configuration), &certificates, &image, false).unwrap()
        };
        let all = find("", b"q.io/o/i:1");
        assert!(!all.is_confirmed(false) && all.others.is_empty());
        assert!(all.cut.unwrap().contains("client.cert without client.key"));
        assert!(find("", b"q.io:5000/o/i:1").is_confirmed(false));
        // With a mirror, the digest comes from the mirror, like the image.
        let rule = "[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m.io'\n";
        assert!(find(rule, b"q.io/o/i:1").is_confirmed(false));
    }

    #[test]
    fn an_invalid_mirror_location_is_reported() {
        let rule = "[[registry]]\nprefix='*.example.org'\n[[registry.mirror]]\nlocation='m.io:1'\n";
        let all = route(rule, "a.example.org:5/o/i:1", false).unwrap();
        assert!(all.cut.unwrap().contains("m.io:1:5/o/i:1"));
        assert_eq!(describe(&all.source), "m.io:1/o/i:1");
    }
}
