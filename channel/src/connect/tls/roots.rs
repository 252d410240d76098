//! Whom to trust. Sources are named when the settings are written, and read once, when they are built.

use std::fmt;
use std::path::PathBuf;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::TlsError;

/// Where the certificates come from that a server's certificate must be signed by.
#[derive(Clone)]
#[must_use]
pub struct Roots(Source);

#[derive(Clone)]
enum Source {
    #[cfg(feature = "tls-native-roots")]
    Native,
    #[cfg(feature = "tls-webpki-roots")]
    Webpki,
    Pem(Vec<u8>),
    PemFile(PathBuf),
}

impl Roots {
    /// The operating system's.
    ///
    /// Certificates there that rustls cannot parse are left out, as others leave them out; it is an error if
    /// none remain.
    #[cfg(feature = "tls-native-roots")]
    pub const fn native() -> Self {
        Self(Source::Native)
    }

    /// Mozilla's, compiled in.
    #[cfg(feature = "tls-webpki-roots")]
    pub const fn webpki() -> Self {
        Self(Source::Webpki)
    }

    /// The certificates of this PEM text. It is an error if there is none, or one that cannot be used.
    pub fn pem(text: impl Into<Vec<u8>>) -> Self {
        Self(Source::Pem(text.into()))
    }

    /// The certificates of this PEM file, which is read when the channel is built. It is an error if there is
    /// none, or one that cannot be used.
    pub fn pem_file(path: impl Into<PathBuf>) -> Self {
        Self(Source::PemFile(path.into()))
    }

    /// What is trusted if nothing is said: the operating system's roots if they are compiled in, else
    /// Mozilla's.
    pub(super) fn compiled_in() -> Result<Self, TlsError> {
        #[cfg(feature = "tls-native-roots")]
        return Ok(Self::native());
        #[cfg(all(feature = "tls-webpki-roots", not(feature = "tls-native-roots")))]
        return Ok(Self::webpki());
        #[cfg(not(any(feature = "tls-native-roots", feature = "tls-webpki-roots")))]
        return Err(TlsError::NoRoots);
    }

    /// Adds the certificates to `store`.
    pub(super) fn read_into(&self, store: &mut RootCertStore) -> Result<(), TlsError> {
        match &self.0 {
            #[cfg(feature = "tls-native-roots")]
            Source::Native => {
                let found = rustls_native_certs::load_native_certs();
                let (usable, _unusable) = store.add_parsable_certificates(found.certs);
                if usable == 0 {
                    let reason = found.errors.first().map(ToString::to_string);
                    return Err(TlsError::EmptyRoots {
                        source_name: "the operating system".to_owned(),
                        reason,
                    });
                }
                Ok(())
            }
            #[cfg(feature = "tls-webpki-roots")]
            Source::Webpki => {
                store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                Ok(())
            }
            Source::Pem(text) => read_pem(text, "the PEM text of Roots::pem", store),
            Source::PemFile(path) => {
                let text =
                    std::fs::read(path).map_err(|reason| TlsError::File { path: path.clone(), reason })?;
                read_pem(&text, &path.display().to_string(), store)
            }
        }
    }
}

fn read_pem(text: &[u8], source_name: &str, store: &mut RootCertStore) -> Result<(), TlsError> {
    let mut empty = true;
    for certificate in CertificateDer::pem_slice_iter(text) {
        let unusable = |reason| TlsError::Pem { source_name: source_name.to_owned(), reason };
        let certificate = certificate.map_err(|error| unusable(error.to_string().into()))?;
        store.add(certificate).map_err(|error| unusable(error.into()))?;
        empty = false;
    }
    if empty {
        return Err(TlsError::EmptyRoots { source_name: source_name.to_owned(), reason: None });
    }
    Ok(())
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            #[cfg(feature = "tls-native-roots")]
            Source::Native => f.write_str("Roots::native"),
            #[cfg(feature = "tls-webpki-roots")]
            Source::Webpki => f.write_str("Roots::webpki"),
            Source::Pem(text) => write!(f, "Roots::pem({} bytes)", text.len()),
            Source::PemFile(path) => write!(f, "Roots::pem_file({})", path.display()),
        }
    }
}
