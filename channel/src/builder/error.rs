//! What can be wrong with the settings of a channel. Each error says what to do about it.

use trunkline_resolver::TargetError;

use crate::channel::NotReady;

/// Why a channel was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The target is malformed, or its scheme is not registered.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The target crosses a network, and neither it nor the settings say how it is protected.
    #[error(
        "`{target}` crosses a network and does not say how it is protected: call `.tls(Tls::new())` or `.plaintext()`"
    )]
    SecurityUnstated {
        /// The target.
        target: String,
    },
    /// The target and the settings contradict each other, or the settings each other.
    #[error("`{target}`: {contradiction}")]
    Contradiction {
        /// The target.
        target: String,
        /// What contradicts what, and the ways out.
        contradiction: &'static str,
    },
    /// TLS is needed and not compiled in.
    #[error(
        "`{target}` needs TLS, which is not compiled in: enable the feature `tls-ring` or `tls-aws-lc` of trunkline, or use `http://`"
    )]
    TlsNotCompiled {
        /// The target.
        target: String,
    },
    /// TLS over a list of addresses: there is no name to check certificates against.
    #[error(
        "`{target}` is a list, so TLS does not know which name its certificates must have: call `.authority(\"the-name\")`"
    )]
    AuthorityNeeded {
        /// The target.
        target: String,
    },
    /// The settings of TLS make no sense, or no roots or no crypto provider are there.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::connect::TlsError),
    /// A setting makes no sense.
    #[error("{setting}: {problem}")]
    Invalid {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The channel was built and did not become Ready in time.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

impl BuildError {
    pub(super) fn invalid(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { setting, problem: problem.into() }
    }
}
