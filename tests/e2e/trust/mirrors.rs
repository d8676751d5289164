//! The effect of `registries.conf`.

use super::{Files, HOST, NOBODY, ORIGIN, Row, compare};
use crate::kit::Site;
use crate::kit::registry::{with_certificate, without_tls};

const ETC: &str = "/etc/containers/registries.conf";
const HOME: &str = "/root/.config/containers/registries.conf";

/// A rule for a registry with its own keys, and mirrors with theirs.
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
        gone("the registry is gone, its mirror is there", &rule(ORIGIN, "", &[(&good, "")])),
        gone("its location ends with a slash", &rule(ORIGIN, "", &[(&format!("{good}/"), "")])),
        gone("the first mirror is gone, the second is there", &rule(ORIGIN, "", &[(NOBODY, ""), (&good, "")])),
        there("the mirror is gone, the registry is there", &rule(&good, "", &[(NOBODY, "")])),
        gone("the mirror has no TLS", &rule(ORIGIN, "", &[(&plain, "")])),
        gone("that, with `insecure`", &rule(ORIGIN, "", &[(&plain, "insecure = true")])),
        gone("the mirror's certificate is unknown, with `insecure`", &rule(ORIGIN, "", &[(&own, "insecure = true")])),
        gone("that, with `--no-https` too", &rule(ORIGIN, "", &[(&own, "insecure = true")])).no_https(),
        gone("a mirror without TLS and `insecure`, with `--no-https`", &rule(ORIGIN, "", &[(&plain, "")])).no_https(),
        gone("the mirror is for digests alone", &rule(ORIGIN, "", &[(&good, &only("digest-only"))])),
        there("that, and the registry is there", &rule(&good, "", &[(&format!("{HOST}:6002"), &only("digest-only"))])),
        gone("the mirror is for tags alone", &rule(ORIGIN, "", &[(&good, &only("tag-only"))])),
        gone("`mirror-by-digest-only`", &rule(ORIGIN, "mirror-by-digest-only = true", &[(&good, "")])),
        gone("the mirror of a part of a registry that is gone", &rule(&format!("{ORIGIN}/library"), "", &[(&format!("{good}/library"), "")])),
        there("a part's mirror is gone, the registry is there", &rule(&format!("{good}/library"), "", &[(&format!("{NOBODY}/library"), "")])),
        Row::new("the mirror of Docker Hub", 0).at("").file(ETC, &rule("docker.io", "", &[(&good, "")])),
        Row::new("the mirror of `index.docker.io`", 0).at("").file(ETC, &rule("index.docker.io", "", &[(&good, "")])),
        Row::new("the mirror of `*.example.org`", 0)
            .at("origin.example.org")
            .file(ETC, &format!("[[registry]]\nprefix = \"*.example.org\"\n[[registry.mirror]]\nlocation = \"{good}\"\n")),
        gone("that, for a registry with a port", &format!("[[registry]]\nprefix = \"*.example.org\"\n[[registry.mirror]]\nlocation = \"{good}\"\n")),
        gone("the `location` is another registry", &format!("[[registry]]\nprefix = \"{ORIGIN}\"\nlocation = \"{good}\"\n")),
        Row::new("the registry has no TLS, with `insecure`", 6011).file(ETC, &rule(&plain, "insecure = true", &[])),
        there("the registry is `blocked`", &rule(&good, "blocked = true", &[])),
        there("a part of it is `blocked`", &rule(&format!("{good}/library"), "blocked = true", &[])),
        there("another part of it is `blocked`", &rule(&format!("{good}/other"), "blocked = true", &[])),
        there("it is blocked in the old form of the file", &format!("[registries.block]\nregistries = [\"{good}\"]\n")),
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
        gone("an empty file there, the mirror in /etc").file(HOME, "").file(ETC, &mirror),
        gone("an empty file there, the mirror in `/etc/containers/registries.conf.d`")
            .file(HOME, "")
            .file(&format!("{ETC}.d/a.conf"), &mirror),
        gone("a mirror in `/etc/containers/registries.conf.d/a.conf`")
            .file(&format!("{ETC}.d/a.conf"), &mirror),
        gone("in a file of another name there").file(&format!("{ETC}.d/a.txt"), &mirror),
        gone("in a directory below").file(&format!("{ETC}.d/a/a.conf"), &mirror),
        gone("a later file there says nothing of it")
            .file(&format!("{ETC}.d/a.conf"), &mirror)
            .file(&format!("{ETC}.d/b.conf"), &none),
        gone("a mirror in `~/.config/containers/registries.conf.d`")
            .file(&format!("{HOME}.d/a.conf"), &mirror),
        gone("`CONTAINERS_REGISTRIES_CONF` names the file")
            .env("CONTAINERS_REGISTRIES_CONF", "/etc/trust/r.conf")
            .file("/etc/trust/r.conf", &mirror),
        there(
            "a file with a key that nobody knows",
            "what = 1\n[[registry]]\nlocation = \"x.io\"\nhow = 2\n",
        ),
        there("a file that is no TOML", "[[registry"),
        there("a value of the wrong type", &rule("x.io", "insecure = \"true\"", &[])),
        there("`https://` in a location", &rule("https://x.io", "", &[])),
        there(
            "a mirror without a location",
            "[[registry]]\nlocation = \"x.io\"\n[[registry.mirror]]\n",
        ),
        there(
            "a registry that is both insecure and not",
            &(rule("x.io", "insecure = true\nprefix = \"a\"", &[])
                + &rule("x.io", "prefix = \"b\"", &[])),
        ),
        there("`pull-from-mirror` of a registry", &rule("x.io", "pull-from-mirror = \"all\"", &[])),
        there("a `short-name-mode` that nobody knows", "short-name-mode = \"what\"\n"),
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
    compare(&site, &files, "The files", &of_files());
}
