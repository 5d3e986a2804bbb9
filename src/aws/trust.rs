//! Trusted certificates: those of the system, or of SSL_CERT_FILE and SSL_CERT_DIR. A system without a
//! store, such as an image made from nothing, gets those that are built in.

use aws_smithy_http_client::tls::TrustStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::{Failure, FailureKind};

/// The roots, and what AWS_CA_BUNDLE adds to them. Each is checked: the TLS stack panics on what is no
/// certificate, and says of a store without any only that the issuer is unknown.
pub(super) fn store() -> Result<TrustStore, Failure> {
    let bundle = ca_bundle()?;
    let system = rustls_native_certs::load_native_certs();
    let mut store = match system.certs.is_empty() {
        false => TrustStore::default(),
        true => match (named(), built_in()) {
            (None, Some(pem)) => TrustStore::empty().with_pem_certificate(pem),
            _ if bundle.is_some() => TrustStore::empty(),
            (Some(name), _) => return Err(wrong(format!("{name} names no certificate"))),
            (None, None) => {
                return Err(wrong("this system has no certificates to trust".to_owned()));
            }
        },
    };
    if let Some(bundle) = bundle {
        store.add_pem_certificate(bundle);
    }
    Ok(store)
}

/// The variable that says where the roots are; then they are nowhere else.
fn named() -> Option<&'static str> {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| std::env::var_os(name).is_some())
}

/// Mozilla's roots, as PEM: the SDK takes nothing else.
#[cfg(feature = "embedded-roots")]
fn built_in() -> Option<String> {
    let pem = |certificate: &CertificateDer<'_>| {
        let text = aws_smithy_types::base64::encode(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    Some(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(pem).collect())
}

#[cfg(not(feature = "embedded-roots"))]
fn built_in() -> Option<String> {
    None
}

/// The certificates of AWS_CA_BUNDLE.
fn ca_bundle() -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let wrong = |why: String| wrong(format!("AWS_CA_BUNDLE: {}: {why}", path.display()));
    let bundle = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bundle).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(bundle)),
        Ok(_) => Err(wrong("no certificate is in it".into())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn wrong(what: String) -> Failure {
    Failure::before_any_call(FailureKind::Certificates, "BadCertificates", what)
}

#[cfg(all(test, feature = "embedded-roots"))]
mod tests {
    use super::*;

    #[test]
    fn amazons_roots_are_built_in() {
        let pem = built_in().unwrap_or_default();
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certificates = certificates.unwrap();
        for name in ["Amazon Root CA 1", "Amazon Root CA 4", "Starfield Services Root"] {
            let has = |der: &CertificateDer<'_>| {
                der.windows(name.len()).any(|bytes| bytes == name.as_bytes())
            };
            assert!(certificates.iter().any(has), "{name}");
        }
    }
}
