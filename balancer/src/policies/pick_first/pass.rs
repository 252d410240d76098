//! One pass over the list: which attempts run, which have failed, and when the next one starts (gRFC A61,
//! "happy eyeballs").

use std::time::{Duration, Instant};

use trunkline_proto::{Address, ConnectivityState};

use crate::{Input, Plan};

/// The attempts of one pass, on the addresses from the top of the list.
#[derive(Debug, Default)]
pub(super) struct Pass {
    attempts: Vec<Attempt>,
    /// When the next one starts beside the newest, if that has neither failed nor connected by then.
    next_at: Option<Instant>,
}

#[derive(Debug)]
struct Attempt {
    /// The address's failures when this attempt started.
    failures: u64,
    failed: bool,
}

impl Pass {
    /// Looks at the attempts, starts those that are due, and says whether every address has failed.
    pub(super) fn proceed(&mut self, addresses: &[Address], delay: Duration, input: &Input<'_>) -> bool {
        for (attempt, address) in self.attempts.iter_mut().zip(addresses) {
            let status = input.status(address);
            // Both signs are needed: the failure may be over (its backoff has passed) before anybody looked,
            // and a filter above may show an address as failed without any attempt.
            attempt.failed |=
                status.state == ConnectivityState::TransientFailure || status.failures != attempt.failures;
        }
        while let Some(address) = addresses.get(self.attempts.len()) {
            let newest_failed = self.attempts.last().is_none_or(|attempt| attempt.failed);
            let waited = self.next_at.is_some_and(|time| time <= input.now);
            if !newest_failed && !waited {
                break;
            }
            let status = input.status(address);
            let failed = status.state == ConnectivityState::TransientFailure;
            self.attempts.push(Attempt { failures: status.failures, failed });
            self.next_at = Some(input.now + delay);
        }
        self.attempts.len() == addresses.len() && self.attempts.iter().all(|attempt| attempt.failed)
    }

    /// Connects what is being tried and holds the rest: what has failed waits for the end of the pass, and
    /// what this pass has not come to may be in the middle of a dial that an earlier one began.
    pub(super) fn wish(&self, addresses: &[Address], plan: &mut Plan) {
        for (index, address) in addresses.iter().enumerate() {
            match self.attempts.get(index) {
                Some(Attempt { failed: false, .. }) => plan.connect(address),
                Some(Attempt { failed: true, .. }) | None => plan.hold(address),
            }
        }
        if let Some(time) = self.next_at.filter(|_| self.attempts.len() < addresses.len()) {
            plan.wake_at(time);
        }
    }
}
