//! What calls are told while no address can be reached, and how many failures came since doubt in the list
//! was last raised. It outlives a pass: TRANSIENT_FAILURE stays until READY, whatever happens to the list
//! (gRFC A62).

use trunkline_proto::{Address, ConnectError};

use crate::{Failure, Input};

/// TRANSIENT_FAILURE, from the end of the first failed pass until an address is Ready.
#[derive(Debug)]
pub(super) struct Failing {
    /// Parallel to the list of addresses.
    noted: Vec<Noted>,
    /// The newest change has the highest number.
    changes: u64,
    failures: usize,
    failure: Failure,
}

/// What the failure that calls are told of took from one address.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Noted {
    failures: u64,
    has_error: bool,
    change: u64,
}

impl Failing {
    /// Every one of `addresses` has failed.
    pub(super) fn new(addresses: &[Address], input: &Input<'_>) -> Self {
        let failure = Failure::unavailable("no address can be used now", []);
        let mut this = Self { noted: Vec::new(), changes: 0, failures: 0, failure };
        this.relist(addresses, input);
        this
    }

    /// The list has changed. Calls go on to fail, but no longer for good if anything in it is untried.
    pub(super) fn relist(&mut self, addresses: &[Address], input: &Input<'_>) {
        let note = |address| Noted::of(address, input, self.changes);
        self.noted = addresses.iter().map(note).collect();
        self.rebuild(addresses, input);
    }

    /// Takes note of new failures.
    pub(super) fn refresh(&mut self, addresses: &[Address], input: &Input<'_>) {
        let mut changed = false;
        for (noted, address) in self.noted.iter_mut().zip(addresses) {
            let new = Noted::of(address, input, noted.change);
            if new == *noted {
                continue;
            }
            if new.failures != noted.failures {
                // A record that was dropped counts from 0 again: what it lost is not known, and it is at
                // least one.
                let came = new.failures.checked_sub(noted.failures).unwrap_or(1);
                self.failures = self.failures.saturating_add(usize::try_from(came).unwrap_or(usize::MAX));
            }
            changed = true;
            *noted = Noted { change: self.changes + 1, ..new };
        }
        if changed {
            self.changes += 1;
            self.rebuild(addresses, input);
        }
    }

    /// Whether as many failures came as there are addresses; then the count starts again (gRFC A62).
    pub(super) fn another_round(&mut self) -> bool {
        let round = self.failures >= self.noted.len();
        if round {
            self.failures = 0;
        }
        round
    }

    /// Starts the count again.
    pub(super) fn begin_round(&mut self) {
        self.failures = 0;
    }

    /// What calls are told.
    pub(super) fn failure(&self) -> &Failure {
        &self.failure
    }

    fn rebuild(&mut self, addresses: &[Address], input: &Input<'_>) {
        let mut errors: Vec<(u64, &ConnectError)> = (self.noted.iter().zip(addresses))
            .filter_map(|(noted, address)| Some((noted.change, input.status(address).error?)))
            .collect();
        errors.sort_by_key(|(change, _)| *change);
        // Where no address of the list has an error of its own yet, the last that was known still says the
        // most.
        let message = match errors.last() {
            Some((_, newest)) => newest.to_string(),
            None => self.failure.message().to_owned(),
        };
        let all_have_errors = errors.len() == addresses.len();
        let failure = Failure::unavailable(message, errors.into_iter().map(|(_, error)| error.clone()));
        // An address that was not tried yet may be the one that works.
        self.failure = if all_have_errors { failure } else { failure.retryable() };
    }
}

impl Noted {
    fn of(address: &Address, input: &Input<'_>, change: u64) -> Self {
        let status = input.status(address);
        Self { failures: status.failures, has_error: status.error.is_some(), change }
    }
}
