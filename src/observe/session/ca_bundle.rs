//! Which certificate authorities AWS's endpoints may be signed by: the system's, or those of
//! `AWS_CA_BUNDLE` or the profile's `ca_bundle`, which take their place as in the AWS CLI.

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

/// Certificates in a file that somebody named.
#[derive(Debug, Clone)]
pub(super) struct CaBundle {
    /// The file.
    pub(super) path: PathBuf,
    /// What names it: a variable, or a setting of a profile.
    pub(super) named_by: String,
}

impl CaBundle {
    /// The HTTP client that trusts these authorities and no other. The SDK panics over a
    /// certificate that it cannot read, so each is read here first.
    pub(super) fn client(&self) -> Result<SharedHttpClient, SessionError> {
        let pem = std::fs::read(&self.path).map_err(|error| self.refuse(&error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for (place, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let added = certificate.ok().map(|certificate| roots.add(certificate));
            if !matches!(added, Some(Ok(()))) {
                return Err(self.refuse(&format!("certificate {} is damaged", place + 1)));
            }
        }
        if roots.is_empty() {
            return Err(self.refuse(NO_CERTIFICATE));
        }
        Ok(client(TrustStore::empty().with_pem_certificate(pem)))
    }

    fn refuse(&self, problem: &str) -> SessionError {
        SessionError::setting(&self.named_by, &format!("names {}: {problem}", self.path.display()))
    }
}

const NO_CERTIFICATE: &str = "it holds no certificate in PEM format";

/// As the SDK makes its own, with another trust store.
fn client(trusted: TrustStore) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        // Building a context of a trust store alone cannot fail.
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

/// Refuses an `SSL_CERT_FILE` or `SSL_CERT_DIR` without a certificate: nothing could be trusted.
pub(super) fn check_system_roots(environment: &Environment) -> Result<(), SessionError> {
    let (file, folders) = (environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR"));
    if let Some(file) = file {
        let bundle = CaBundle { path: file.into(), named_by: "SSL_CERT_FILE".to_owned() };
        let pem = std::fs::read(file).map_err(|error| bundle.refuse(&error.to_string()))?;
        if !holds_a_certificate(&pem) {
            return Err(bundle.refuse(NO_CERTIFICATE));
        }
    } else if let Some(folders) = folders
        && !std::env::split_paths(folders).any(|folder| has_a_certificate(&folder))
    {
        return Err(SessionError::setting(
            "SSL_CERT_DIR",
            "names no folder with a certificate in it",
        ));
    }
    Ok(())
}

fn has_a_certificate(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut contents = files.filter_map(|file| std::fs::read(file.path()).ok());
    contents.any(|pem| holds_a_certificate(&pem))
}

fn holds_a_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).flatten().next().is_some()
}
