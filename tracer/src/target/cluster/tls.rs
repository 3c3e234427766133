//! TLS: the authorities that tracer trusts, and the certificate that it shows.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::access::{Access, Trust};
use super::error::ApiError;
use crate::text::escape;

/// The name that the server's certificate must be for.
pub(super) type ServerName = rustls::pki_types::ServerName<'static>;

pub(super) fn connector(
    access: &Access,
    trust: &Trust,
) -> Result<(TlsConnector, ServerName), ApiError> {
    let refused = |why: String| ApiError::Unreachable {
        server: access.server(),
        origin: access.origin.clone(),
        why: escape(&why).into(),
    };
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?;
    let config = match &trust.authorities {
        Some(pem) => config.with_root_certificates(roots(pem).map_err(refused)?),
        None => config.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider))),
    };
    let config = match &access.credentials.certificate {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
            let chain = chain.map_err(|error| refused(format!("client-certificate: {error}")))?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|error| refused(format!("client-key: {error}")))?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|error| refused(format!("client-certificate: {error}")))?
        }
    };
    let name = trust.name.as_ref().unwrap_or(&access.host).clone();
    let name = ServerName::try_from(name).map_err(|error| refused(error.to_string()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("certificate-authority: {error}"))?;
        // The machine's own may hold some that this library does not read.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err("certificate-authority holds no certificate that can be read".to_owned());
    }
    Ok(roots)
}

/// Takes any certificate: the kubeconfig says `insecure-skip-tls-verify`.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &rustls::pki_types::ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
