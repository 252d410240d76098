//! How a case fails: a call went wrong, or went differently from what the case demands.

use std::fmt::Debug;

use trunkline::{BuildError, Code, Status};

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A call failed that must not.
    #[error("a call failed: {:?}: {}", .0.code(), .0.message())]
    Call(#[from] Status),
    /// No channel could be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Something is not what it must be.
    #[error("{what} must be {wanted}, and is {got}")]
    Differs {
        /// What.
        what: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        got: String,
    },
    /// Something that must happen did not, for as long as the case waits.
    #[error("{what} has not happened in time")]
    Late {
        /// What.
        what: &'static str,
    },
    /// More calls of a soak failed, or were slower, than are allowed.
    #[error(
        "{failures} of {ran} iterations failed or were too slow, of {wanted} that were wanted; {allowed} may"
    )]
    Soak {
        /// How many failed or were too slow.
        failures: u32,
        /// How many were made.
        ran: u32,
        /// How many should have been made.
        wanted: u32,
        /// How many may fail.
        allowed: u32,
    },
}

/// That `got` is `wanted`.
pub(super) fn same<T: PartialEq + Debug>(what: &'static str, got: T, wanted: T) -> Result<(), CaseError> {
    if got == wanted {
        return Ok(());
    }
    Err(CaseError::Differs { what, wanted: format!("{wanted:?}"), got: format!("{got:?}") })
}

/// That a call failed with this code.
pub(super) fn failed<T>(result: Result<T, Status>, wanted: Code) -> Result<Status, CaseError> {
    match result {
        Err(status) if status.code() == wanted => Ok(status),
        Err(status) => {
            let got = format!("{:?}: {}", status.code(), status.message());
            Err(CaseError::Differs { what: "the status", wanted: format!("{wanted:?}"), got })
        }
        Ok(_) => Err(CaseError::Differs {
            what: "the status",
            wanted: format!("{wanted:?}"),
            got: "Ok".to_owned(),
        }),
    }
}
