//! Decides whether a server's certificate is trusted, by the same rules as Go and therefore every
//! runtime.
//!
//! webpki verifies chains, but differs from Go in three points. These rules are therefore added
//! here:
//!
//! - A certificate that is itself among the certificates of the host is trusted, regardless of
//!   its issuer. This includes an authority's own certificate (`CA:TRUE`), which sites use to
//!   serve small registries.
//! - A server may use an authority's certificate if one of the host's authorities issued it.
//! - An authority that has expired or may not issue certificates is not trusted.
//!
//! The name, the validity period and the purpose of a certificate are checked in every case.

use super::roots::Roots;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::collections::HashSet;
use std::sync::Arc;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Verifies the certificates of registries.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None` if no authority is known.
    chains: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    certificates: HashSet<CertificateDer<'static>>,
    authorities: Vec<Certificate>,
    expired: Vec<Certificate>,
}

impl Verifier {
    /// Creates a verifier with the certificates of this host at the time `now`.
    pub(super) fn new(roots: Roots, provider: &Arc<CryptoProvider>, now: UnixTime) -> Self {
        let mut store = RootCertStore::empty();
        let (mut authorities, mut expired) = (Vec::new(), Vec::new());
        for der in &roots.certificates {
            let parsed = Certificate::from_der(der);
            match parsed {
                Ok(certificate) if !may_issue(&certificate) => continue,
                Ok(certificate) if !is_valid(&certificate, now) => {
                    expired.push(certificate);
                    continue;
                }
                Ok(certificate) => authorities.push(certificate),
                // webpki may still be able to parse it.
                Err(_) => {}
            }
            // Go also skips certificates that it cannot parse.
            let _ = store.add(der.clone());
        }
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
        Self {
            chains: builder.build().ok(),
            algorithms: provider.signature_verification_algorithms,
            certificates: roots.certificates,
            authorities,
            expired,
        }
    }

    /// Applies the additional rules to a certificate that webpki has refused.
    fn accepts(
        &self,
        der: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
        refusal: Error,
    ) -> Result<(), Error> {
        let Ok(certificate) = Certificate::from_der(der) else { return Err(refusal) };
        let issuer = certificate.tbs_certificate().issuer();
        let known = self.certificates.contains(der);
        let issued = || {
            is_authority(&certificate)
                && self.authorities.iter().any(|one| {
                    one.tbs_certificate().subject() == issuer && self.issued(one, &certificate)
                })
        };
        if !known && !issued() {
            let mut expired = self.expired.iter();
            return Err(match expired.find(|one| one.tbs_certificate().subject() == issuer) {
                Some(one) => Error::General(format!(
                    "the authority of its certificate, {}, has expired or is not valid yet",
                    one.tbs_certificate().subject()
                )),
                // In this case webpki reports only that the certificate belongs to an authority.
                None if is_authority(&certificate) => CertificateError::UnknownIssuer.into(),
                None => refusal,
            });
        }
        verify_server_name(&ParsedCertificate::try_from(der)?, name)?;
        if !is_valid(&certificate, now) {
            return Err(CertificateError::Expired.into());
        }
        if !is_for_servers(&certificate) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        Ok(())
    }

    /// Whether this authority has signed a certificate. False for an authority with name
    /// constraints, which only webpki evaluates.
    fn issued(&self, authority: &Certificate, certificate: &Certificate) -> bool {
        let key = authority.tbs_certificate().subject_public_key_info();
        let (Ok(message), Some(algorithm), Some(key_algorithm)) = (
            certificate.tbs_certificate().to_der(),
            identifier(certificate.signature_algorithm()),
            identifier(&key.algorithm),
        ) else {
            return false;
        };
        let fitting = self.algorithms.all.iter().filter(|one| {
            one.signature_alg_id().as_ref() == algorithm
                && one.public_key_alg_id().as_ref() == key_algorithm
        });
        let (key, signature) =
            (key.subject_public_key.raw_bytes(), certificate.signature().raw_bytes());
        let mut fitting =
            fitting.filter(|one| one.verify_signature(key, &message, signature).is_ok());
        fitting.next().is_some()
            && is_for_servers(authority)
            && extension::<NameConstraints>(authority) == Ok(None)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.chains {
            Some(chains) => chains.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        verified.or_else(|refusal| {
            self.accepts(end_entity, server_name, now, refusal)?;
            Ok(ServerCertVerified::assertion())
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// An algorithm identifier as webpki represents it: without the header of its SEQUENCE.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut bytes = algorithm.oid.to_der().ok()?;
    if let Some(parameters) = &algorithm.parameters {
        bytes.extend(parameters.to_der().ok()?);
    }
    Some(bytes)
}

fn is_valid(certificate: &Certificate, now: UnixTime) -> bool {
    let validity = certificate.tbs_certificate().validity();
    let from = validity.not_before.to_unix_duration().as_secs();
    let to = validity.not_after.to_unix_duration().as_secs();
    (from..=to).contains(&now.as_secs())
}

/// An extension, if the certificate has it. An extension that cannot be parsed is an error.
fn extension<T: AssociatedOid + for<'a> x509_cert::der::Decode<'a>>(
    certificate: &Certificate,
) -> Result<Option<T>, ()> {
    let found = certificate.tbs_certificate().get_extension::<T>();
    found.map(|found| found.map(|(_, value)| value)).map_err(|_| ())
}

fn is_authority(certificate: &Certificate) -> bool {
    matches!(extension(certificate), Ok(Some(BasicConstraints { ca: true, .. })))
}

/// Whether a certificate of the host may issue others. Certificates before X.509 version 3 cannot
/// express this, so all of them count as authorities.
fn may_issue(certificate: &Certificate) -> bool {
    let old = certificate.tbs_certificate().version() != Version::V3;
    let usage = match extension::<KeyUsage>(certificate) {
        Ok(usage) => usage.is_none_or(|usage| usage.key_cert_sign()),
        Err(()) => false,
    };
    old || (is_authority(certificate) && usage)
}

fn is_for_servers(certificate: &Certificate) -> bool {
    match extension::<ExtendedKeyUsage>(certificate) {
        Ok(usage) => usage.is_none_or(|ExtendedKeyUsage(all)| {
            all.contains(&ID_KP_SERVER_AUTH) || all.contains(&ANY_EXTENDED_KEY_USAGE)
        }),
        Err(()) => false,
    }
}

#[cfg(test)]
mod tests;
