//! The certificates were made with OpenSSL for registry.example.org and are valid for a hundred
//! years from 2026. One authority expired in 2021, but the certificates that it issued are valid
//! as long as the others.

use super::{Roots, Verifier};
use rustls::CertificateError;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-07-01
const NOW: u64 = 1_782_864_000;
/// 2127-01-01
const TOO_LATE: u64 = 4_954_435_200;
const HOST: &str = "registry.example.org";

fn certificate(name: &str) -> CertificateDer<'static> {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pull/registry/trust/certificates");
    let text = fs::read(directory.join(format!("{name}.pem"))).unwrap();
    CertificateDer::from_pem_slice(&text).unwrap()
}

/// Verifies a server's certificate at this time, as on a host with these certificates.
fn verify(roots: &[&str], server: &str, host: &str, seconds: u64) -> Result<(), rustls::Error> {
    let certificates = roots.iter().map(|name| certificate(name)).collect();
    let roots = Roots { certificates, origin: String::new() };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let verifier = Verifier::new(roots, &Arc::new(ring::default_provider()), now);
    let name = ServerName::try_from(host).unwrap();
    verifier.verify_server_cert(&certificate(server), &[], &name, &[], now).map(drop)
}

fn now(roots: &[&str], server: &str) -> Result<(), rustls::Error> {
    verify(roots, server, HOST, NOW)
}

#[test]
fn trusted_certificates_are_accepted() {
    for (root, server) in [
        ("authority", "issued"),
        ("authority", "issued-authority"),
        ("rsa-authority", "issued-authority-rsa"),
        // The certificate itself is among those of the host.
        ("own-authority", "own-authority"),
        ("own", "own"),
        ("issued", "issued"),
        ("issued-authority", "issued-authority"),
        ("issued-by-old", "issued-by-old"),
    ] {
        assert_eq!(now(&[root], server), Ok(()), "{root} {server}");
        // Other certificates of the host do not matter.
        assert_eq!(now(&["old-authority", "constrained-authority", root], server), Ok(()));
    }
}

#[test]
fn untrusted_certificates_are_refused() {
    use CertificateError::UnknownIssuer;
    let unknown = rustls::Error::from(UnknownIssuer);
    assert_eq!(now(&[], "issued"), Err(unknown.clone()));
    assert_eq!(now(&[], "own"), Err(unknown.clone()));
    assert_eq!(now(&[], "own-authority"), Err(unknown.clone()));
    assert_eq!(now(&["rsa-authority"], "issued"), Err(unknown.clone()));
    // An authority that may not issue certificates.
    assert_eq!(now(&["no-authority"], "issued-by-none"), Err(unknown));
    for (root, server) in [
        ("own", "own-authority"),
        ("own-authority", "own"),
        ("rsa-authority", "issued-authority"),
        // Issued under the authority's name, but with another key.
        ("authority", "forged"),
        // These limits are left to webpki, which does not accept an authority's certificate.
        ("not-for-servers-authority", "issued-authority-by-client-authority"),
        ("constrained-authority", "issued-authority-by-constrained"),
    ] {
        assert!(now(&[root], server).is_err(), "{root} {server}");
    }
}

#[test]
fn an_expired_authority_is_named() {
    for server in ["issued-by-old", "issued-authority-by-old"] {
        let error = now(&["old-authority"], server).unwrap_err().to_string();
        assert!(error.contains("CN=old-authority, has expired"), "{error}");
    }
}

#[test]
fn name_time_and_purpose_are_always_checked() {
    for (root, server) in [
        ("authority", "issued"),
        ("authority", "issued-authority"),
        ("own-authority", "own-authority"),
        ("own", "own"),
    ] {
        let error = verify(&[root], server, "other.example.org", NOW).unwrap_err().to_string();
        assert!(error.contains("not valid for name"), "{server}: {error}");
        let error = verify(&[root], server, HOST, TOO_LATE).unwrap_err().to_string();
        assert!(error.contains("xpired"), "{server}: {error}");
    }
    for (root, server) in [
        ("own-for-clients", "own-for-clients"),
        ("authority", "issued-authority-for-clients"),
        ("issued-authority-for-clients", "issued-authority-for-clients"),
    ] {
        let error = now(&[root], server).unwrap_err();
        assert_eq!(error, CertificateError::InvalidPurpose.into(), "{server}");
    }
}
