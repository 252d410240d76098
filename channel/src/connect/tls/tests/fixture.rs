//! An authority that signs what a test needs, a server with such a certificate, and a dial to it.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use trunkline_proto::{Address, ConnectError};

use crate::connect::{BoxFuture, ConnectRequest, Connected, Connector, Roots, Tls};

/// A certificate authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

/// A certificate and its key, as PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named(None)
    }

    /// An authority of this name, or of one of its own.
    pub(super) fn named(name: Option<&str>) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Authorities of the same name with different keys are another failure.
        let own = || format!("authority {:02x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name.map_or_else(own, str::to_owned));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server's certificate for these names.
    pub(super) fn sign(&self, names: &[&str]) -> Identity {
        self.sign_with(names, |_params| {})
    }

    pub(super) fn sign_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// A certificate for clients.
    pub(super) fn sign_client(&self) -> Identity {
        self.sign_with(&["client"], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
    }

    /// TLS that trusts this authority.
    pub(super) fn trusted(&self) -> Tls {
        Tls::new().roots(Roots::pem(self.pem.clone()))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    #[cfg(feature = "tls-ring")]
    return Arc::new(rustls::crypto::ring::default_provider());
    #[cfg(not(feature = "tls-ring"))]
    return Arc::new(rustls::crypto::aws_lc_rs::default_provider());
}

/// A server that shows `identity`, speaks `alpn`, and demands a client certificate of `clients` if there is
/// one.
pub(super) fn server(identity: &Identity, alpn: &[&str], clients: Option<&Authority>) -> Arc<ServerConfig> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Shakes hands as a server, and keeps the connection open until the client closes it.
pub(super) async fn accept(io: DuplexStream, config: Arc<ServerConfig>) {
    if let Ok(mut stream) = TlsAcceptor::from(config).accept(io).await {
        let mut sink = tokio::io::sink();
        let _closed = tokio::io::copy(&mut stream, &mut sink).await;
    }
}

/// A connector whose one connection is the end of a pipe.
struct Pipe(Mutex<Option<DuplexStream>>);

impl Connector for Pipe {
    fn connect(&self, _: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let io = self.0.lock().unwrap().take().unwrap();
        Box::pin(async { Ok(Connected::new(io)) })
    }
}

pub(super) fn address() -> Address {
    Address::tcp("10.0.0.7:443".parse().unwrap())
}

/// Dials `address` for a channel with `authority`, where `serve` is given the other end of the bytes.
pub(super) async fn dial_as<F>(
    tls: &Tls,
    address: Address,
    authority: &str,
    serve: impl FnOnce(DuplexStream) -> F,
) -> Result<Connected, ConnectError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (ours, theirs) = duplex(1 << 16);
    tokio::spawn(serve(theirs));
    let connector = tls.build(Pipe(Mutex::new(Some(ours)))).unwrap();
    connector.connect(ConnectRequest::new(address, authority)).await
}

/// As [`dial_as`], for `greeter.test`.
pub(super) async fn dial<F>(
    tls: &Tls,
    serve: impl FnOnce(DuplexStream) -> F,
) -> Result<Connected, ConnectError>
where
    F: Future<Output = ()> + Send + 'static,
{
    dial_as(tls, address(), "greeter.test:443", serve).await
}
