//! The command reaches a registry if and only if the real `apptainer pull` does. The tests cover
//! certificates, `registries.conf` and proxies, one row each in `docs/registries.md`.

mod certificates;
mod mirrors;
mod proxies;
mod table;

use crate::kit::{IMAGE, Output, SHARED, Site, inside, registry, testbed};
use std::fs;
use std::path::Path;

/// The host of the registries; the certificates contain this name.
const HOST: &str = "registry.example.org";
/// Another name of the same host, which no certificate contains. No server listens on [`NOBODY`].
const ORIGIN: &str = "origin.example.org:6999";
const NOBODY: &str = "registry.example.org:6998";
const PATH: &str = "library/alpine:3.20";

/// The configuration of the login node for one row.
#[derive(Default)]
struct Row {
    name: &'static str,
    /// `HOST[:PORT]`; Docker Hub if it is empty.
    registry: String,
    environment: Vec<(&'static str, String)>,
    no_https: bool,
    /// The certificates in /etc/trust that are installed in the system's bundle.
    system: Vec<&'static str>,
    /// Path and content.
    files: Vec<(String, String)>,
}

impl Row {
    fn new(name: &'static str, port: u16) -> Self {
        let system = vec!["authority"];
        Self { name, registry: format!("{HOST}:{port}"), system, ..Self::default() }
    }

    fn at(mut self, registry: &str) -> Self {
        registry.clone_into(&mut self.registry);
        self
    }

    fn system(mut self, names: &[&'static str]) -> Self {
        self.system = names.to_vec();
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    fn no_https(mut self) -> Self {
        self.no_https = true;
        self
    }

    fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Runs both the runtime and the command, asserts that they agree, and returns whether the
    /// image is pulled.
    fn run(&self, site: &Site, files: &Files) -> bool {
        files.put(site, self);
        let image = match self.registry.as_str() {
            "" => "alpine:3.20".to_owned(),
            registry => format!("{registry}/{PATH}"),
        };
        let place = site.at("ctl", SHARED).join(&image);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        if !place.exists() {
            fs::hard_link(site.at("ctl", &inside(IMAGE)), &place).unwrap();
        }
        let pulled = self.exec(site, &self.pull(&image));
        let mut check = vec!["sifcache", "refresh", "--check", image.as_str()];
        check.extend(self.no_https.then_some("--no-https"));
        let checked = self.exec(site, &check);
        // The file has no recorded digest, which is a finding.
        let answered = match checked.status {
            1 => checked.stdout.starts_with("unknown "),
            69 => false,
            _ => panic!("{}: {checked:#?}", self.name),
        };
        assert_eq!(answered, pulled.status == 0, "{}: {checked:#?} {pulled:#?}", self.name);
        answered
    }

    fn pull<'a>(&self, image: &'a str) -> Vec<&'a str> {
        // A shell script, so that the image name is passed as its only argument.
        let script = match self.no_https {
            true => {
                "exec timeout 60 apptainer pull --force --disable-cache --no-https \
                     /tmp/trust.sif docker://$0"
            }
            false => {
                "exec timeout 60 apptainer pull --force --disable-cache \
                      /tmp/trust.sif docker://$0"
            }
        };
        vec!["sh", "-c", script, image]
    }

    fn exec(&self, site: &Site, words: &[&str]) -> Output {
        let variables = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let variables: Vec<String> = variables.collect();
        let flags = variables.iter().flat_map(|one| ["--env", one.as_str()]);
        site.exec(&flags.collect::<Vec<_>>(), words, "")
    }
}

/// The files that these tests change on the login node. They are restored when this is dropped.
struct Files {
    system: String,
}

const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const CHANGED: [&str; 5] =
    [BUNDLE, "/etc/containers", "/etc/docker/certs.d", "/root/.config/containers", "/etc/hosts"];
const KEPT: &str = "/var/tmp/kept-by-trust";

impl Files {
    fn new(site: &Site) -> Self {
        let script = "set -e; k=$0; rm -rf \"$k\"; mkdir \"$k\"; for p; do [ ! -e \"$p\" ] || \
                      { mkdir -p \"$k${p%/*}\"; cp -a \"$p\" \"$k$p\"; }; done";
        let output = site.exec(&[], &[&["sh", "-c", script, KEPT], &CHANGED[..]].concat(), "");
        assert_eq!(output.status, 0, "{output:#?}");
        let files = Self { system: fs::read_to_string(site.at("ctl", BUNDLE)).unwrap() };
        registry::script_on_hub(include_str!("trust/certificates.sh"));
        let made = testbed(
            "exec",
            &["--on", "hub"],
            &["tar", "-C", "/etc", "-cf", "/var/tmp/trust.tar", "trust"],
            "",
        );
        assert_eq!(made.status, 0, "{made:#?}");
        fs::copy(site.at("hub", "/var/tmp/trust.tar"), site.at("ctl", "/var/tmp/trust.tar"))
            .unwrap();
        let unpack = "rm -rf /etc/trust; tar -C /etc -xf /var/tmp/trust.tar";
        let output = site.exec(&[], &["sh", "-c", unpack], "");
        assert_eq!(output.status, 0, "{output:#?}");
        let hosts = site.at("ctl", "/etc/hosts");
        let text = fs::read_to_string(&hosts).unwrap();
        fs::write(hosts, format!("{text}10.77.0.20 origin.example.org\n")).unwrap();
        files
    }

    fn put(&self, site: &Site, row: &Row) {
        for path in ["/etc/containers", "/etc/docker/certs.d", "/root/.config/containers"] {
            let _ = fs::remove_dir_all(site.at("ctl", path));
        }
        let certificates = row.system.iter().map(|name| certificate(site, name));
        let text = self.system.clone() + &certificates.collect::<String>();
        fs::write(site.at("ctl", BUNDLE), text).unwrap();
        for (path, content) in &row.files {
            let path = site.at("ctl", path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let script = "k=$0; for p; do rm -rf \"$p\"; [ ! -e \"$k$p\" ] || cp -a \"$k$p\" \"$p\"; done; \
                      rm -rf \"$k\" /etc/trust /var/tmp/trust.tar /tmp/trust.sif";
        testbed("exec", &[], &[&["sh", "-c", script, KEPT], &CHANGED[..]].concat(), "");
        testbed("exec", &["--on", "hub"], &["rm", "-rf", "/etc/trust", "/var/tmp/trust.tar"], "");
    }
}

fn certificate(site: &Site, name: &str) -> String {
    fs::read_to_string(site.at("ctl", "/etc/trust").join(format!("{name}.pem"))).unwrap()
}

/// Runs the rows and compares them with the table under this title.
#[track_caller]
fn compare(site: &Site, files: &Files, title: &str, rows: &[Row]) {
    let found: Vec<(&str, bool)> =
        rows.iter().map(|row| (row.name, row.run(site, files))).collect();
    table::compare(title, &found);
}

/// The page with the tables.
fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/registries.md")
}
