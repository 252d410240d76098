//! TLS as an application writes it down, and how that becomes something that can shake hands.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::{Roots, TlsConnector, TlsError};

/// The protocol that gRPC needs TLS to agree on (RFC 9113 3.2).
pub(super) const ALPN_H2: &[u8] = b"h2";

/// How the connections of a channel are protected.
///
/// By default the server's certificate is checked against the operating system's roots (feature
/// `tls-native-roots`), else Mozilla's (`tls-webpki-roots`), and against the name of the server: that of its
/// [`Address`](crate::Address) if it has one, else the `:authority` of the channel, without the port. An IP
/// address is checked against the certificate's IP addresses. The server must offer HTTP/2 by ALPN.
///
/// Files that are named here are read once, when the channel is built; so is everything checked that can be
/// wrong.
///
/// ```no_run
/// # use trunkline::connect::{Roots, Tls};
/// let tls = Tls::new().roots(Roots::pem_file("/etc/greeter/ca.pem")).identity_files("client.pem", "client.key");
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    roots: Vec<Roots>,
    identity: Option<Identity>,
    server_name: Option<String>,
    provider: Option<Arc<CryptoProvider>>,
    config: Option<Arc<ClientConfig>>,
}

/// What this client shows of itself.
#[derive(Clone)]
enum Identity {
    Pem { certificates: Vec<u8>, key: Vec<u8> },
    Files { certificates: PathBuf, key: PathBuf },
}

impl Tls {
    /// TLS with the default roots and without a client certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these roots instead of the default ones. Called again, adds to them.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots.push(roots);
        self
    }

    /// Shows the server this certificate, with the chain below its root, and proves it with this key; both
    /// are PEM.
    pub fn identity_pem(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(Identity::Pem { certificates: certificates.into(), key: key.into() });
        self
    }

    /// As [`identity_pem`](Self::identity_pem), from files.
    pub fn identity_files(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some(Identity::Files { certificates: certificates.into(), key: key.into() });
        self
    }

    /// The name, or IP address, that every server's certificate must be for. It does not change the
    /// `:authority` of calls.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The crypto to use. By default that is ring if it is compiled in (feature `tls-ring`), else aws-lc
    /// (`tls-aws-lc`); the default of the process is not asked, so a library that sets it changes nothing
    /// here.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// A whole configuration of rustls instead of roots, identity and provider. Its ALPN is replaced.
    pub fn rustls(mut self, config: Arc<ClientConfig>) -> Self {
        self.config = Some(config);
        self
    }

    /// Puts TLS around a connector.
    ///
    /// A channel does this when it is built; it is here for whoever puts something around TLS in turn.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the settings.
    pub fn build<C>(&self, connector: C) -> Result<TlsConnector<C>, TlsError> {
        let mut config = match &self.config {
            Some(config) => self.given(config)?,
            None => self.configured()?,
        };
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        let server_name = self.server_name.as_deref().map(parse_server_name).transpose()?;
        Ok(TlsConnector::new(connector, Arc::new(config), server_name))
    }

    fn given(&self, config: &Arc<ClientConfig>) -> Result<ClientConfig, TlsError> {
        let others = [
            ("roots", !self.roots.is_empty()),
            ("identity_pem", self.identity.is_some()),
            ("provider", self.provider.is_some()),
        ];
        match others.into_iter().find(|(_setting, is_set)| *is_set) {
            Some((setting, _)) => Err(TlsError::Contradiction { setting }),
            None => Ok((**config).clone()),
        }
    }

    fn configured(&self) -> Result<ClientConfig, TlsError> {
        let provider = self.provider.clone().or_else(compiled_in_provider).ok_or(TlsError::NoProvider)?;
        let mut store = RootCertStore::empty();
        if self.roots.is_empty() {
            Roots::compiled_in()?.read_into(&mut store)?;
        }
        for roots in &self.roots {
            roots.read_into(&mut store)?;
        }
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Provider { reason: error.into() })?
            .with_root_certificates(store);
        let Some(identity) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let (certificates, key) = identity.read()?;
        builder
            .with_client_auth_cert(certificates, key)
            .map_err(|error| TlsError::Identity { reason: error.into() })
    }
}

impl Identity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        match self {
            Self::Pem { certificates, key } => Ok((
                read_certificates(certificates, "the client certificate")?,
                read_key(key, "the key of the client certificate")?,
            )),
            Self::Files { certificates, key } => Ok((
                read_certificates(&read(certificates)?, &certificates.display().to_string())?,
                read_key(&read(key)?, &key.display().to_string())?,
            )),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|reason| TlsError::File { path: path.to_owned(), reason })
}

fn read_certificates(text: &[u8], source_name: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |reason| TlsError::Pem { source_name: source_name.to_owned(), reason };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(error.to_string().into()))?;
    if certificates.is_empty() {
        return Err(unusable("it has no certificate".into()));
    }
    Ok(certificates)
}

fn read_key(text: &[u8], source_name: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| TlsError::Pem {
        source_name: source_name.to_owned(),
        reason: error.to_string().into(),
    })
}

fn compiled_in_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "tls-ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "tls-aws-lc", not(feature = "tls-ring")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc")))]
    return None;
}

/// A name that a certificate can be for. IPv6 addresses may have their brackets.
pub(super) fn parse_server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_invalid| TlsError::ServerName { name: name.to_owned() })
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys stay out of logs.
        f.debug_struct("Tls")
            .field("roots", &self.roots)
            .field("identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
