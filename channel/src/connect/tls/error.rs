//! What can be wrong with TLS settings. Each text says what to do.

use std::path::PathBuf;
use std::{error, io};

/// Why TLS settings cannot be used. Found when a channel is built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No crypto provider is compiled in, and none was given.
    #[error(
        "no crypto provider: enable the feature `tls-ring` or `tls-aws-lc` of trunkline, or call Tls::provider"
    )]
    NoProvider,
    /// The crypto provider lacks what TLS 1.2 and 1.3 need.
    #[error("the crypto provider cannot do TLS: {reason}")]
    Provider {
        /// What rustls says.
        reason: Box<dyn error::Error + Send + Sync>,
    },
    /// No roots were named, and none are compiled in.
    #[error(
        "no roots to check the server's certificate against: enable the feature `tls-native-roots` or `tls-webpki-roots` of trunkline, \
         or call Tls::roots"
    )]
    NoRoots,
    /// The named source has not a single root that can be used.
    #[error("{source_name} has no usable root certificates{}", details(.reason))]
    EmptyRoots {
        /// Where the roots should have come from.
        source_name: String,
        /// What was wrong there, if anything was.
        reason: Option<String>,
    },
    /// A file could not be read.
    #[error("{path} cannot be read: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A certificate or a key is not what PEM should be.
    #[error("{source_name} is not usable PEM: {reason}")]
    Pem {
        /// Where it came from.
        source_name: String,
        /// What is wrong.
        reason: Box<dyn error::Error + Send + Sync>,
    },
    /// The certificate of this client and its key do not fit.
    #[error("the client certificate cannot be used: {reason}")]
    Identity {
        /// What rustls says.
        reason: Box<dyn error::Error + Send + Sync>,
    },
    /// The name that was to be checked is no host name and no IP address.
    #[error("{name:?} is neither a host name nor an IP address that a certificate could be for")]
    ServerName {
        /// The name.
        name: String,
    },
    /// Two settings exclude one another.
    #[error("Tls::rustls takes a whole configuration: leave Tls::{setting} out, and set that there")]
    Contradiction {
        /// The other setting.
        setting: &'static str,
    },
}

fn details(reason: &Option<String>) -> String {
    reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
}
