//! One record per change of state. Metadata never comes near it.

use trunkline_proto::ConnectivityState;
use trunkline_resolver::Target;

use crate::control::StateChange;

/// Writes one change to the log: trouble as a warning, the rest as information.
pub(super) fn note(target: &Target, change: &StateChange) {
    let StateChange { address, from, to, cause } = change;
    let address = address.as_ref().map(tracing::field::display);
    let cause = cause.as_ref().map(tracing::field::display);
    match (to, address.is_some()) {
        (ConnectivityState::TransientFailure, _) => {
            tracing::warn!(%target, address, %from, %to, cause, "connectivity changed");
        }
        (_, false) => tracing::info!(%target, %from, %to, cause, "connectivity changed"),
        (_, true) => tracing::debug!(%target, address, %from, %to, cause, "connectivity changed"),
    }
}
