//! Plaintext or TLS: what the target says and what the settings say must agree, and somebody must say it.

use std::sync::Arc;

use http::uri::Scheme;
use trunkline_resolver::{Target, TransportHint};

use super::BuildError;
#[cfg(feature = "tls")]
use crate::connect::Tls;
use crate::connect::{Connector, SystemConnector};
use crate::transport::Keepalive;

/// What the settings say.
#[derive(Default)]
pub(super) struct Wish {
    plaintext: bool,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// How connections of the channel are made.
pub(super) struct Secured {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) scheme: Scheme,
}

impl Wish {
    pub(super) fn plaintext(&mut self) {
        self.plaintext = true;
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(&mut self, tls: Tls) {
        self.tls = Some(tls);
    }

    #[cfg(feature = "tls")]
    fn wants_tls(&self) -> bool {
        self.tls.is_some()
    }

    #[cfg(not(feature = "tls"))]
    fn wants_tls(&self) -> bool {
        false
    }

    /// Brings both together.
    pub(super) fn secure(
        self,
        target: &Target,
        connector: Option<Arc<dyn Connector>>,
        authority_is_chosen: bool,
        keepalive: Option<&Keepalive>,
    ) -> Result<Secured, BuildError> {
        let connector = connector.unwrap_or_else(|| {
            let system = SystemConnector::new();
            Arc::new(match keepalive {
                Some(keepalive) => system.tcp_user_timeout(Some(keepalive.timeout)),
                None => system,
            })
        });
        let contradiction =
            |contradiction| Err(BuildError::Contradiction { target: target.to_string(), contradiction });
        let tls = match (target.transport_hint(), self.wants_tls(), self.plaintext) {
            (_, true, true) => {
                return contradiction("`.tls(..)` and `.plaintext()` were both called: leave one out");
            }
            (TransportHint::Plaintext, true, _) => {
                return contradiction(
                    "the URL is plaintext and `.tls(..)` was called: write `https://`, or leave `.tls(..)` out",
                );
            }
            (TransportHint::Tls, _, true) => {
                return contradiction(
                    "the URL is TLS and `.plaintext()` was called: write `http://`, or leave `.plaintext()` out",
                );
            }
            (TransportHint::Unstated, false, false) => {
                return Err(BuildError::SecurityUnstated { target: target.to_string() });
            }
            (TransportHint::Tls, ..) | (_, true, _) => true,
            _ => false,
        };
        if !tls {
            return Ok(Secured { connector, scheme: Scheme::HTTP });
        }
        if target.is_list() && !authority_is_chosen {
            return Err(BuildError::AuthorityNeeded { target: target.to_string() });
        }
        self.over_tls(connector, target)
    }

    #[cfg(feature = "tls")]
    fn over_tls(self, connector: Arc<dyn Connector>, _: &Target) -> Result<Secured, BuildError> {
        let connector = Arc::new(self.tls.unwrap_or_default().build(connector)?);
        Ok(Secured { connector, scheme: Scheme::HTTPS })
    }

    #[cfg(not(feature = "tls"))]
    fn over_tls(self, _: Arc<dyn Connector>, target: &Target) -> Result<Secured, BuildError> {
        Err(BuildError::TlsNotCompiled { target: target.to_string() })
    }
}
