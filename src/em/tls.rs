//! Whom to believe to be Enterprise Manager: the system's authorities, a file of them, or a certificate's fingerprint.
//!
//! Its certificate is self-signed by default, so a refusal must say what was seen and how to trust it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::Digest as _;

use super::Error;

/// Remembers the certificate that was refused.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Option<[u8; 32]>>);

impl Seen {
    /// The SHA-256 fingerprint of the certificate that was refused last.
    pub(super) fn refused(&self) -> Option<String> {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What decides about a certificate. Handshake signatures are verified in every case but the last.
#[derive(Debug)]
enum Trust {
    /// These authorities, and these very certificates: Enterprise Manager's own may be an authority and a server's at
    /// once, which no chain may be.
    Authorities(Arc<WebPkiServerVerifier>, Vec<CertificateDer<'static>>),
    Fingerprints(Vec<[u8; 32]>),
    Anything,
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    seen: Arc<Seen>,
}

/// The TLS configuration for these settings, and where a refused certificate is remembered.
pub(super) fn client_config(
    ca_file: Option<&Path>,
    fingerprints: &[[u8; 32]],
    insecure: bool,
) -> Result<(ClientConfig, Arc<Seen>), Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trust = trust(ca_file, fingerprints, insecure, &provider)?;
    let seen = Arc::new(Seen::default());
    let verifier = Verifier { trust, provider: provider.clone(), seen: seen.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok((config, seen))
}

fn trust(
    ca_file: Option<&Path>,
    fingerprints: &[[u8; 32]],
    insecure: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Trust, Error> {
    if insecure {
        return Ok(Trust::Anything);
    }
    if !fingerprints.is_empty() {
        return Ok(Trust::Fingerprints(fingerprints.to_vec()));
    }
    let (roots, given) = roots(ca_file)?;
    if roots.is_empty() {
        // Plain HTTP to this machine still goes; any certificate is refused, with its fingerprint.
        return Ok(Trust::Fingerprints(Vec::new()));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let unusable = |error| Error::Tls(format!("no usable certificate authority: {error}"));
    Ok(Trust::Authorities(verifier.map_err(unusable)?, given))
}

/// The authorities, and the certificates that were given in a file.
fn roots(ca_file: Option<&Path>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Error> {
    let mut roots = RootCertStore::empty();
    let mut given = Vec::new();
    if let Some(path) = ca_file {
        let unusable = |why: String| Error::Tls(format!("the CA file {} cannot be used: {why}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            roots.add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
            given.push(certificate);
        }
        if roots.is_empty() {
            return Err(unusable("it holds no PEM certificate".to_owned()));
        }
    } else {
        // Some systems carry a certificate or two that cannot be parsed; the others are as good as ever.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            tracing::warn!(
                "this system has no certificate authorities: only a CA file or a fingerprint can be trusted"
            );
        }
    }
    Ok((roots, given))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest: [u8; 32] = sha2::Sha256::digest(end_entity).into();
        let verified = match &self.trust {
            Trust::Authorities(_, given) if given.contains(end_entity) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_name(&certificate, server_name).map(|()| ServerCertVerified::assertion())
            }
            Trust::Authorities(verifier, _) => {
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            Trust::Fingerprints(known) if known.contains(&digest) => Ok(ServerCertVerified::assertion()),
            Trust::Fingerprints(_) => {
                Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            Trust::Anything => Ok(ServerCertVerified::assertion()),
        };
        // A good certificate ends what a refused one began: later failures have other reasons.
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = verified.is_err().then_some(digest);
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
