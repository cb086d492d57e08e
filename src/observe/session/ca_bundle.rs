//! The certificate authorities for AWS endpoints: those of the system, or those of `AWS_CA_BUNDLE`
//! or the profile setting `ca_bundle`, which replace them as in the AWS CLI.

use std::path::{Path, PathBuf};

use aws_sdk_sts::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::environment::Environment;
use super::error::SessionError;

/// A file with CA certificates.
#[derive(Debug, Clone)]
pub(super) struct CaBundle {
    pub(super) path: PathBuf,
    /// The variable or profile setting that names the file.
    pub(super) named_by: String,
}

impl CaBundle {
    /// The HTTP client that trusts only these authorities. The SDK panics on a certificate that it
    /// cannot parse, so each one is parsed here first.
    pub(super) fn client(&self) -> Result<SharedHttpClient, SessionError> {
        let pem = std::fs::read(&self.path).map_err(|error| self.refuse(&error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for (place, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let added = certificate.ok().map(|certificate| roots.add(certificate));
            if !matches!(added, Some(Ok(()))) {
                return Err(self.refuse(&format!("certificate {} cannot be parsed", place + 1)));
            }
        }
        if roots.is_empty() {
            return Err(self.refuse(NO_CERTIFICATE));
        }
        Ok(client(TrustStore::empty().with_pem_certificate(pem)))
    }

    fn refuse(&self, problem: &str) -> SessionError {
        SessionError::setting(
            &self.named_by,
            &format!("points to {}: {problem}", self.path.display()),
        )
    }
}

const NO_CERTIFICATE: &str = "it contains no certificate in PEM format";

/// Builds the HTTP client like the SDK does, but with this trust store.
fn client(trusted: TrustStore) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        // Building a context from only a trust store cannot fail.
        let context = TlsContext::builder().with_trust_store(trusted.clone()).build();
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.unwrap_or_default())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

/// Checks that `SSL_CERT_FILE` or `SSL_CERT_DIR` contains a certificate. Otherwise every TLS
/// connection would fail.
pub(super) fn check_system_roots(environment: &Environment) -> Result<(), SessionError> {
    let (file, folders) = (environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR"));
    if let Some(file) = file {
        let bundle = CaBundle { path: file.into(), named_by: "SSL_CERT_FILE".to_owned() };
        let pem = std::fs::read(file).map_err(|error| bundle.refuse(&error.to_string()))?;
        if !contains_certificate(&pem) {
            return Err(bundle.refuse(NO_CERTIFICATE));
        }
    } else if let Some(folders) = folders
        && !std::env::split_paths(folders).any(|folder| has_certificate(&folder))
    {
        return Err(SessionError::setting("SSL_CERT_DIR", "contains no folder with a certificate"));
    }
    Ok(())
}

fn has_certificate(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut contents = files.filter_map(|file| std::fs::read(file.path()).ok());
    contents.any(|pem| contains_certificate(&pem))
}

fn contains_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).flatten().next().is_some()
}
