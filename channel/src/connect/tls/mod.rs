//! TLS by rustls, as a connector around another. What can be wrong with the settings is found when they are
//! built, not when the first call fails; what goes wrong in a handshake is told in words, with whether trying
//! again can help.
//!
//! `settings` is what an application writes, `roots` whom it trusts, `connector` the handshake, `meaning` the
//! table of what its errors mean, `clock` how a certificate's times read.

mod clock;
mod connector;
mod error;
mod meaning;
mod roots;
mod settings;
#[cfg(all(test, any(feature = "tls-ring", feature = "tls-aws-lc")))]
mod tests;

pub use connector::TlsConnector;
pub use error::TlsError;
pub use roots::Roots;
pub use settings::Tls;

pub(super) use meaning::classify_tls;
