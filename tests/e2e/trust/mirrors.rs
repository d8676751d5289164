//! The effect of `registries.conf`.

use super::{Files, HOST, NOBODY, ORIGIN, Row, compare};
use crate::kit::Site;
use crate::kit::registry::{with_certificate, without_tls};

const ETC: &str = "/etc/containers/registries.conf";
const HOME: &str = "/root/.config/containers/registries.conf";

/// A rule of `registries.conf` for a registry and its mirrors, each with its own keys.
fn rule(location: &str, keys: &str, mirrors: &[(&str, &str)]) -> String {
    let mirror = |(location, keys): &(&str, &str)| {
        format!("[[registry.mirror]]\nlocation = \"{location}\"\n{keys}\n")
    };
    let mirrors: String = mirrors.iter().map(mirror).collect();
    format!("[[registry]]\nlocation = \"{location}\"\n{keys}\n{mirrors}")
}

fn of_mirrors() -> Vec<Row> {
    let (good, plain, own) =
        (format!("{HOST}:6001"), format!("{HOST}:6011"), format!("{HOST}:6007"));
    let gone = |name, text: &str| Row::new(name, 0).at(ORIGIN).file(ETC, text);
    let there = |name, text: &str| Row::new(name, 6001).file(ETC, text);
    let only = |key: &str| format!("pull-from-mirror = \"{key}\"");
    vec![
        gone("mirror reachable", &rule(ORIGIN, "", &[(&good, "")])),
        gone("mirror reachable, its `location` ends with a slash", &rule(ORIGIN, "", &[(&format!("{good}/"), "")])),
        gone("first mirror unreachable, second mirror reachable", &rule(ORIGIN, "", &[(NOBODY, ""), (&good, "")])),
        there("mirror unreachable, registry reachable", &rule(&good, "", &[(NOBODY, "")])),
        gone("mirror without TLS", &rule(ORIGIN, "", &[(&plain, "")])),
        gone("mirror without TLS, `insecure = true`", &rule(ORIGIN, "", &[(&plain, "insecure = true")])),
        gone("mirror with an unknown certificate, `insecure = true`", &rule(ORIGIN, "", &[(&own, "insecure = true")])),
        gone("the same, with `--no-https`", &rule(ORIGIN, "", &[(&own, "insecure = true")])).no_https(),
        gone("mirror without TLS, no `insecure`, with `--no-https`", &rule(ORIGIN, "", &[(&plain, "")])).no_https(),
        gone("mirror only for digests (`digest-only`)", &rule(ORIGIN, "", &[(&good, &only("digest-only"))])),
        there("the same, registry reachable", &rule(&good, "", &[(&format!("{HOST}:6002"), &only("digest-only"))])),
        gone("mirror only for tags (`tag-only`)", &rule(ORIGIN, "", &[(&good, &only("tag-only"))])),
        gone("`mirror-by-digest-only = true`", &rule(ORIGIN, "mirror-by-digest-only = true", &[(&good, "")])),
        gone("mirror for a part of the registry", &rule(&format!("{ORIGIN}/library"), "", &[(&format!("{good}/library"), "")])),
        there("mirror for a part of the registry unreachable, registry reachable", &rule(&format!("{good}/library"), "", &[(&format!("{NOBODY}/library"), "")])),
        Row::new("mirror of Docker Hub (`docker.io`)", 0).at("").file(ETC, &rule("docker.io", "", &[(&good, "")])),
        Row::new("mirror of `index.docker.io`", 0).at("").file(ETC, &rule("index.docker.io", "", &[(&good, "")])),
        Row::new("mirror of `*.example.org`", 0)
            .at("origin.example.org")
            .file(ETC, &format!("[[registry]]\nprefix = \"*.example.org\"\n[[registry.mirror]]\nlocation = \"{good}\"\n")),
        gone("the same, for a registry with a port", &format!("[[registry]]\nprefix = \"*.example.org\"\n[[registry.mirror]]\nlocation = \"{good}\"\n")),
        gone("`location` is another registry", &format!("[[registry]]\nprefix = \"{ORIGIN}\"\nlocation = \"{good}\"\n")),
        Row::new("registry without TLS, `insecure = true`", 6011).file(ETC, &rule(&plain, "insecure = true", &[])),
        there("registry reachable, `blocked = true`", &rule(&good, "blocked = true", &[])),
        there("the same for the part of the registry that has the image", &rule(&format!("{good}/library"), "blocked = true", &[])),
        there("the same for another part of the registry", &rule(&format!("{good}/other"), "blocked = true", &[])),
        there("registry reachable, blocked in the version 1 format", &format!("[registries.block]\nregistries = [\"{good}\"]\n")),
    ]
}

fn of_files() -> Vec<Row> {
    let good = format!("{HOST}:6001");
    let mirror = rule(ORIGIN, "", &[(&good, "")]);
    let none = rule(ORIGIN, "", &[]);
    let gone = |name| Row::new(name, 0).at(ORIGIN);
    let there = |name, text: &str| Row::new(name, 6001).file(ETC, text);
    vec![
        gone("a mirror in `~/.config/containers/registries.conf`").file(HOME, &mirror),
        gone("that file is empty, the mirror in `/etc/containers/registries.conf`")
            .file(HOME, "")
            .file(ETC, &mirror),
        gone("that file is empty, the mirror in `/etc/containers/registries.conf.d`")
            .file(HOME, "")
            .file(&format!("{ETC}.d/a.conf"), &mirror),
        gone("a mirror in `/etc/containers/registries.conf.d/a.conf`")
            .file(&format!("{ETC}.d/a.conf"), &mirror),
        gone("a mirror in `/etc/containers/registries.conf.d/a.txt`")
            .file(&format!("{ETC}.d/a.txt"), &mirror),
        gone("a mirror in `/etc/containers/registries.conf.d/a/a.conf`")
            .file(&format!("{ETC}.d/a/a.conf"), &mirror),
        gone("a later file there has the registry without the mirror")
            .file(&format!("{ETC}.d/a.conf"), &mirror)
            .file(&format!("{ETC}.d/b.conf"), &none),
        gone("a mirror in `~/.config/containers/registries.conf.d`")
            .file(&format!("{HOME}.d/a.conf"), &mirror),
        gone("`CONTAINERS_REGISTRIES_CONF` names a file with the mirror")
            .env("CONTAINERS_REGISTRIES_CONF", "/etc/trust/r.conf")
            .file("/etc/trust/r.conf", &mirror),
        there(
            "a file with an unknown key",
            "what = 1\n[[registry]]\nlocation = \"x.io\"\nhow = 2\n",
        ),
        there("a file that is not valid TOML", "[[registry"),
        there("a value of the wrong type", &rule("x.io", "insecure = \"true\"", &[])),
        there("`https://` in a `location`", &rule("https://x.io", "", &[])),
        there(
            "a mirror without a `location`",
            "[[registry]]\nlocation = \"x.io\"\n[[registry.mirror]]\n",
        ),
        there(
            "two rules for one `location`, one of them with `insecure = true`",
            &(rule("x.io", "insecure = true\nprefix = \"a\"", &[])
                + &rule("x.io", "prefix = \"b\"", &[])),
        ),
        there(
            "`pull-from-mirror` for a registry, not for a mirror",
            &rule("x.io", "pull-from-mirror = \"all\"", &[]),
        ),
        there("an unknown `short-name-mode`", "short-name-mode = \"what\"\n"),
        Row::new("an alias for a short name", 0)
            .at("")
            .file(ETC, &format!("[aliases]\n\"alpine\" = \"{good}/library/alpine\"\n")),
        Row::new("`unqualified-search-registries`", 0)
            .at("")
            .file(ETC, &format!("unqualified-search-registries = [\"{good}\"]\n")),
    ]
}

#[test]
#[ignore = "needs a testbed: make test"]
fn registries_conf_as_for_apptainer() {
    let site = Site::new("");
    let files = Files::new(&site);
    let _good = with_certificate(6001, "/etc/trust/good.pem", None);
    let _second = with_certificate(6002, "/etc/trust/good-authority.pem", None);
    let _own = with_certificate(6007, "/etc/trust/own-authority.pem", None);
    let _plain = without_tls(6011);
    compare(&site, &files, "Mirrors", &of_mirrors());
    compare(&site, &files, "Configuration files", &of_files());
}
