//! Which certificates are trusted.

use super::{Files, HOST, PATH, Row, certificate, compare};
use crate::kit::registry::{with_certificate, without_tls};
use crate::kit::{SHARED, Site};
use serde_json::Value;

const CERTS_D: &str = "/etc/containers/certs.d";

/// One port for each certificate.
const SERVERS: [(u16, &str); 10] = [
    (6001, "good"),
    (6002, "good-authority"),
    (6003, "other-name"),
    (6004, "for-clients"),
    (6005, "by-old"),
    (6006, "by-none"),
    (6007, "own-authority"),
    (6008, "own"),
    (6009, "own-expired"),
    (6010, "good"),
];

fn issued() -> Vec<Row> {
    vec![
        Row::new("issued by a CA in the system's store", 6001),
        Row::new("issued by an unknown CA", 6001).system(&[]),
        Row::new("issued by a CA in the system's store, with CA:TRUE itself", 6002),
        Row::new("for another host name", 6003),
        Row::new("for client authentication only", 6004),
        Row::new("issued by an expired CA in the system's store", 6005).system(&["old-authority"]),
        Row::new("issued by a certificate in the system's store with CA:FALSE", 6006)
            .system(&["no-authority"]),
        Row::new("self-signed, CA:TRUE, in the system's store", 6007).system(&["own-authority"]),
        Row::new("self-signed, CA:FALSE, in the system's store", 6008).system(&["own"]),
        Row::new("self-signed, not in the system's store", 6007),
        Row::new("self-signed, in the system's store, expired", 6009).system(&["own-expired"]),
        Row::new("issued by an unknown CA, itself in the system's store", 6001).system(&["good"]),
        Row::new("issued by an expired CA, itself in the system's store", 6005).system(&["by-old"]),
        Row::new("for client authentication only, itself in the system's store", 6004)
            .system(&["for-clients"]),
        Row::new("for another host name, itself in the system's store", 6003)
            .system(&["other-name"]),
    ]
}

fn elsewhere(site: &Site) -> Vec<Row> {
    let (file, directory) = ("SSL_CERT_FILE", "SSL_CERT_DIR");
    let with = |name, variables: &[(&'static str, &str)]| {
        let row = Row::new(name, 6001).system(&[]);
        variables.iter().fold(row, |row, (name, value)| row.env(name, value))
    };
    let known =
        |name, variables: &[(&'static str, &str)]| with(name, variables).system(&["authority"]);
    let own = format!("{CERTS_D}/{HOST}");
    let (key, cert) = (
        std::fs::read_to_string(site.at("ctl", "/etc/trust/client.key")).unwrap(),
        certificate(site, "client"),
    );
    vec![
        with("`SSL_CERT_FILE` names a file with the CA", &[(file, "/etc/trust/authority.pem")]),
        with("`SSL_CERT_FILE` names a missing file", &[(file, "/nowhere")]),
        known(
            "`SSL_CERT_FILE` names a file without the CA, the system's store has it",
            &[(file, "/etc/trust/own.pem")],
        ),
        with(
            "`SSL_CERT_FILE` names a missing file, /etc/ssl/certs has the CA",
            &[(file, "/nowhere")],
        )
        .file("/etc/ssl/certs/trust.crt", &certificate(site, "authority")),
        with("`SSL_CERT_DIR` has the CA in a file of any name", &[(directory, "/etc/trust/any")]),
        with(
            "`SSL_CERT_DIR` has a link to the file with the CA",
            &[(directory, "/etc/trust/linked")],
        ),
        with(
            "`SSL_CERT_DIR` is a list with colons, one directory has the CA",
            &[(directory, "/nowhere:/etc/trust/empty:/etc/trust/any")],
        ),
        known(
            "`SSL_CERT_DIR` names a directory without the CA, the system's store has it",
            &[(directory, "/etc/trust/empty")],
        ),
        known(
            "both variables name places without the CA, the system's store has it",
            &[(directory, "/etc/trust/empty"), (file, "/etc/trust/own.pem")],
        ),
        known(
            "both variables are empty, the system's store has the CA",
            &[(directory, ""), (file, "")],
        ),
        with("`/etc/containers/certs.d/HOST:PORT/ca.crt` has the CA", &[])
            .file(&format!("{own}:6001/ca.crt"), &certificate(site, "authority")),
        Row::new("the server requires a client certificate, `certs.d` has one", 6010)
            .file(&format!("{own}:6010/client.cert"), &cert)
            .file(&format!("{own}:6010/client.key"), &key),
        Row::new("`certs.d` has a client certificate that the server does not require", 6001)
            .file(&format!("{own}:6001/client.cert"), &cert)
            .file(&format!("{own}:6001/client.key"), &key),
        Row::new("`certs.d` has a client certificate without its key", 6001)
            .file(&format!("{own}:6001/client.cert"), &cert),
        Row::new("`/etc/docker/certs.d` has a client key without its certificate", 6001)
            .file(&format!("/etc/docker/certs.d/{HOST}:6001/client.key"), &key),
        Row::new(
            "the same, but `~/.config/containers/certs.d` has a directory for the registry",
            6001,
        )
        .file(&format!("/etc/docker/certs.d/{HOST}:6001/client.key"), &key)
        .file(&format!("/root/.config/containers/certs.d/{HOST}:6001/ca.crt"), ""),
        Row::new("the server has no TLS, with `--no-https`", 6011).no_https(),
        Row::new("the server has no TLS", 6011),
        Row::new("the certificate is unknown, with `--no-https`", 6001).system(&[]).no_https(),
        Row::new("the certificate is known, with `--no-https`", 6001).no_https(),
    ]
}

/// Removes the file that [`elsewhere`] adds to the system's certificates.
struct Stray<'a>(&'a Site);

impl Drop for Stray<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0.at("ctl", "/etc/ssl/certs/trust.crt"));
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn certificates_as_for_apptainer() {
    let site = Site::new("");
    let files = Files::new(&site);
    let _stray = Stray(&site);
    let serve = |(port, name): &(u16, &str)| {
        let clients = (*port == 6010).then_some("/etc/trust/authority.pem");
        with_certificate(*port, &format!("/etc/trust/{name}.pem"), clients)
    };
    let _servers: Vec<_> = SERVERS.iter().map(serve).collect();
    let _plain = without_tls(6011);
    compare(&site, &files, "Server certificates", &issued());
    let rows = elsewhere(&site);
    let (first, rest) = rows.split_at(4);
    let found = |rows: &[Row]| -> Vec<(&'static str, bool)> {
        rows.iter().map(|row| (row.name, row.run(&site, &files))).collect()
    };
    let mut all = found(first);
    drop(Stray(&site));
    all.extend(found(rest));
    super::table::compare("Locations of certificates", &all);
}

/// Regression test: for a registry with its own certificate, the digest was not recorded.
#[test]
#[ignore = "needs a testbed: make test"]
fn add_has_the_digest_of_a_registry_with_its_own_certificate() {
    let site = Site::new("");
    let files = Files::new(&site);
    let _server = with_certificate(6007, "/etc/trust/own-authority.pem", None);
    let row = Row::new("", 6007).system(&["own-authority"]);
    files.put(&site, &row);
    let image = format!("{HOST}:6007/{PATH}");
    let added = row.exec(&site, &["sifcache", "add", "--json", &image]);
    assert_eq!((added.status, added.stderr.as_str()), (0, ""), "{added:#?}");
    let report: Value = serde_json::from_str(&added.stdout).unwrap();
    assert!(report["digests"][0].as_str().unwrap().starts_with("sha256:"), "{report}");
    let refreshed = row.exec(&site, &["sifcache", "refresh", &image]);
    assert_eq!(refreshed.status, 0, "{refreshed:#?}");
    assert!(refreshed.stdout.starts_with("unchanged "), "{refreshed:#?}");
    assert!(site.at("ctl", SHARED).join(&image).exists());
}
