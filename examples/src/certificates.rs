//! Certificates made on the spot, so that the examples need no files. A real service has its own from an
//! authority, and reads them by `Roots::pem_file` and `Tls::identity_files`.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// Signs certificates.
#[derive(Debug)]
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl CertificateAuthority {
    /// A new authority of this name.
    ///
    /// # Errors
    /// If there is no key to be had.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its own certificate, as PEM: whoever has it as a root trusts all that this authority signs.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate for this name.
    ///
    /// # Errors
    /// If the name is none.
    pub fn server(&self, name: &str) -> Result<Certified, rcgen::Error> {
        self.sign(name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate for this name.
    ///
    /// # Errors
    /// If the name is none.
    pub fn client(&self, name: &str) -> Result<Certified, rcgen::Error> {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Result<Certified, rcgen::Error> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Certified { certificate, key: key.serialize_pem() })
    }
}

impl Certified {
    /// The TLS of a server that shows this certificate.
    pub fn server_tls(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(Identity::from_pem(&self.certificate, &self.key))
    }

    /// The same for a server that wants a certificate of its clients too, signed by `clients`.
    pub fn mutual_tls(&self, clients: &CertificateAuthority) -> ServerTlsConfig {
        self.server_tls().client_ca_root(Certificate::from_pem(clients.pem()))
    }
}
