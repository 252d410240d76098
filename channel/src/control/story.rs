//! What the log was told of one subchannel or of the channel. It is apart from the machines, which change
//! state more often than a person wants to read.

use trunkline_proto::{Address, ConnectError, ConnectivityState};

use super::StateChange;

/// The last state told, and the failure that is known already: while something keeps failing for the same
/// reason, its attempts are not news.
#[derive(Debug, Default)]
pub(super) struct Story {
    told: ConnectivityState,
    /// The cause last told, until it is Ready or forgotten.
    failing: Option<Box<str>>,
}

impl Story {
    /// It is now in state `to`: what the log should be told of that, if anything.
    pub(super) fn tell(
        &mut self,
        address: Option<&Address>,
        to: ConnectivityState,
        cause: Option<&ConnectError>,
    ) -> Option<StateChange> {
        let cause = cause.filter(|_| !matches!(to, ConnectivityState::Ready | ConnectivityState::Connecting));
        match to {
            ConnectivityState::TransientFailure => {
                let message = cause.map_or("", ConnectError::message);
                if self.failing.as_deref() == Some(message) {
                    return None;
                }
                self.failing = Some(message.into());
            }
            ConnectivityState::Ready | ConnectivityState::Shutdown => self.failing = None,
            ConnectivityState::Idle | ConnectivityState::Connecting if self.failing.is_some() => return None,
            ConnectivityState::Idle | ConnectivityState::Connecting => {}
        }
        if to == self.told && to != ConnectivityState::TransientFailure {
            return None;
        }
        let from = std::mem::replace(&mut self.told, to);
        Some(StateChange { address: address.cloned(), from, to, cause: cause.cloned() })
    }

    /// The failure is no longer remembered: the next one is news.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConnectivityState::{Connecting, Idle, Ready, TransientFailure};
    use trunkline_proto::Phase;

    #[test]
    fn a_failure_that_repeats_is_told_once_until_it_is_ready_or_its_cause_changes() {
        let refused = ConnectError::new(Phase::Connect, "refused");
        let reset = ConnectError::new(Phase::Connect, "reset");
        let mut story = Story::default();
        let mut told = Vec::new();
        let mut tell =
            |to, cause| told.extend(story.tell(None, to, cause).map(|change| (change.from, change.to)));
        for _ in 0..1000 {
            tell(Connecting, None);
            tell(TransientFailure, Some(&refused));
            tell(Idle, None);
        }
        tell(Connecting, None);
        tell(TransientFailure, Some(&reset));
        tell(Connecting, None);
        tell(Ready, None);
        tell(Idle, Some(&reset));
        assert_eq!(
            told,
            [
                (Idle, Connecting),
                (Connecting, TransientFailure),
                (TransientFailure, TransientFailure),
                (TransientFailure, Ready),
                (Ready, Idle),
            ]
        );
    }
}
