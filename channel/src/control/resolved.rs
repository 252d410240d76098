//! What is known from the resolver: the last good answer, and what was wrong with the newest.

use std::collections::HashMap;

use trunkline_balancer::Input;
use trunkline_proto::{Address, Attributes, ConnectError, Endpoint, Phase};
use trunkline_resolver::{Resolution, ResolveError};

/// Said to callers when the answer is empty and the resolver has nothing to say about it.
const EMPTY: &str = "the resolver knows no address for this target";

/// The answers of the resolver, as one.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    count: u64,
    endpoints: Vec<Endpoint>,
    attributes: Attributes,
    error: Option<ConnectError>,
    by_address: HashMap<Address, usize>,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The endpoints are in force.
    Taken,
    /// There are none, which the resolver must be told.
    Empty,
    /// An error: what was known stays.
    Error,
}

impl Resolved {
    /// Takes an answer in.
    pub(super) fn absorb(&mut self, answer: Result<Resolution, ResolveError>) -> Answer {
        self.count += 1;
        let resolution = match answer {
            Ok(resolution) => resolution,
            Err(error) => {
                let message = error.message().to_owned();
                self.error = Some(ConnectError::new(Phase::Resolve, message).caused_by(error));
                return Answer::Error;
            }
        };
        let Resolution { endpoints, note, attributes, .. } = resolution;
        (self.endpoints, self.attributes, self.error) = (endpoints, attributes, None);
        self.by_address.clear();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            for address in endpoint.addresses() {
                self.by_address.entry(address.clone()).or_insert(index);
            }
        }
        if !self.endpoints.is_empty() {
            return Answer::Taken;
        }
        self.error = Some(ConnectError::new(Phase::Resolve, note.unwrap_or_else(|| EMPTY.to_owned())));
        Answer::Empty
    }

    /// Forgets all but the count, which the policies compare.
    pub(super) fn forget(&mut self) {
        *self = Self { count: self.count, ..Self::default() };
    }

    /// The answers so far, errors too.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The servers in force.
    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The endpoint that an address belongs to; the first, if there are several.
    pub(super) fn endpoint(&self, address: &Address) -> Option<&Endpoint> {
        self.by_address.get(address).and_then(|index| self.endpoints.get(*index))
    }

    /// Every address in force.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.endpoints.iter().flat_map(|endpoint| endpoint.addresses())
    }

    /// What is wrong with the newest answer.
    pub(super) fn error(&self) -> Option<&ConnectError> {
        self.error.as_ref()
    }

    /// What the resolver said of the answer as a whole.
    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The same world, with these answers.
    pub(super) fn show<'a>(&'a self, input: Input<'a>) -> Input<'a> {
        input.with_resolution(self.count, &self.endpoints, self.error.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(names: &[&str]) -> Result<Resolution, ResolveError> {
        Ok(Resolution::from_addresses(names.iter().map(|name| Address::other(*name))))
    }

    // behaviour 24
    #[test]
    fn an_error_leaves_the_last_good_answer_standing() {
        let mut resolved = Resolved::default();
        assert_eq!(resolved.absorb(answer(&["a"])), Answer::Taken);
        assert_eq!(resolved.absorb(Err(ResolveError::new("SERVFAIL"))), Answer::Error);
        assert_eq!(resolved.endpoints().len(), 1);
        assert_eq!(resolved.count(), 2);
        let error = resolved.error().unwrap();
        assert_eq!(error.to_string(), "resolve: SERVFAIL");
        assert!(!error.is_permanent());
        assert_eq!(resolved.absorb(answer(&["a"])), Answer::Taken);
        assert!(resolved.error().is_none());
    }

    // behaviour 23
    #[test]
    fn an_empty_answer_empties_the_list_and_says_why() {
        let mut resolved = Resolved::default();
        resolved.absorb(answer(&["a"]));
        assert_eq!(resolved.absorb(Ok(Resolution::default().with_note("scaled to zero"))), Answer::Empty);
        assert!(resolved.endpoints().is_empty());
        assert!(resolved.endpoint(&Address::other("a")).is_none());
        assert_eq!(resolved.error().unwrap().message(), "scaled to zero");
        resolved.absorb(Ok(Resolution::default()));
        assert_eq!(resolved.error().unwrap().message(), EMPTY);
    }
}
