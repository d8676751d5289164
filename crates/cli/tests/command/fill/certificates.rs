//! A registry with TLS: the certificates of the host change while `sifcache fill --follow` runs.
#![allow(clippy::print_stderr)]

use super::registry::manifest;
use super::{PULLS, Running, Site, end, signal};
use crate::registry::{Deed, Server};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Makes a certificate for this host, and the settings of a server with it. `None` without openssl.
fn certificate(site: &Site) -> Option<ServerConfig> {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
                 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem";
    let mut openssl = Command::new("openssl");
    openssl.args(words.split_whitespace()).current_dir(site.path(""));
    let Ok(output) = openssl.output() else {
        assert!(std::env::var_os("CI").is_none(), "this test needs openssl");
        eprintln!("skipped: openssl is not installed");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    let [own, key] = ["certificate.pem", "key.pem"].map(|name| fs::read(site.path(name)).unwrap());
    let own = CertificateDer::from_pem_slice(&own).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&key).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Some(builder.with_single_cert(vec![own], key).unwrap())
}

/// Passes requests with TLS on to a server. Returns the new address.
fn with_tls(config: ServerConfig, server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (config, server) = (Arc::new(config), server.address.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let tls = StreamOwned::new(connection, stream.unwrap());
            let server = server.clone();
            std::thread::spawn(move || pass_on(tls, &server));
        }
    });
    address
}

/// Passes each request on, over a connection of its own, until the client leaves.
fn pass_on(mut tls: Tls, server: &str) -> Option<()> {
    loop {
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            tls.read_exact(&mut byte).ok()?;
            request.extend(byte);
        }
        let mut plain = TcpStream::connect(server).ok()?;
        plain.write_all(&request).ok()?;
        plain.shutdown(Shutdown::Write).ok()?;
        let mut answer = Vec::new();
        plain.read_to_end(&mut answer).ok()?;
        tls.write_all(&answer).ok()?;
        tls.flush().ok()?;
    }
}

/// Regression test: an authority that was added while the filler ran was unknown until a restart.
#[test]
fn an_authority_that_is_added_later_is_trusted() {
    let site = Site::new(PULLS);
    let Some(config) = certificate(&site) else { return };
    let server = Server::new(|_| Deed::Answer(manifest(10)));
    let address = with_tls(config, &server);
    for name in ["log", "trusted.pem"] {
        fs::write(site.path(name), "").unwrap();
    }
    let mut command = site.command(&["--follow"]);
    command.env("SSL_CERT_FILE", site.path("trusted.pem")).env("SSL_CERT_DIR", site.path("none"));
    let child = Running(Some(command.spawn().unwrap()));
    let images = site.path("root").join(&address).join("o");
    // The digest of an image is known only if the registry answers.
    let digests = || {
        let names = fs::read_dir(&images).into_iter().flatten().map(|one| one.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains('@')).count()
    };
    site.misses(1001, &format!("{address}/o/i:1"));
    site.wait("o/i:1", || images.join("i:1").exists());
    assert_eq!((digests(), server.lines()), (0, vec![]));
    // As a program of the host replaces the certificates.
    fs::rename(site.path("certificate.pem"), site.path("trusted.pem")).unwrap();
    site.misses(1001, &format!("{address}/o/i:2"));
    site.wait("the digest of o/i:2", || images.join("i:2").exists() && digests() == 1);
    signal(&child, "-TERM");
    assert_eq!(end(child).status, Some(143));
    assert!(!server.lines().is_empty());
}
