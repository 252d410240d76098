//! How a call chooses its subchannel. It is apart from the policy that makes it: a picker is immutable,
//! shared by every task that makes calls, and runs without the policy.

use std::fmt;

use http::HeaderMap;
use trunkline_proto::Address;

use crate::{CallInfo, CallOutcome, Failure};

/// Chooses a subchannel for one call.
///
/// Called from many tasks at once, on the path of every call: it must not block, and should not allocate. It
/// may be asked several times for one attempt (the connection that it named may just have been lost).
pub trait Picker: Send + Sync + fmt::Debug + 'static {
    /// The choice for this call.
    fn pick(&self, call: &CallInfo<'_>) -> PickResult<'_>;
}

/// What a picker says to one call.
#[derive(Debug)]
#[non_exhaustive]
pub enum PickResult<'p> {
    /// Use this subchannel. If it has just been lost, the call picks again.
    Ready(Pick<'p>),
    /// Wait for the next picker.
    Queue,
    /// Wait for the next picker; and this idle address is wanted, so that the policy starts connecting.
    Wake(&'p Address),
    /// Fail, unless the call's `fail_fast` lets it wait.
    Fail(Failure),
    /// Fail, whatever the call says, and never retry. gRFC A54 restricts the codes.
    Drop(Failure),
}

/// What hears how a call ended.
pub type OnFinish = Box<dyn FnOnce(&CallOutcome) + Send>;

/// A chosen subchannel, and what goes with the choice.
#[non_exhaustive]
pub struct Pick<'p> {
    address: &'p Address,
    wake: Option<&'p Address>,
    metadata: Option<Box<HeaderMap>>,
    on_finish: Option<OnFinish>,
}

impl<'p> Pick<'p> {
    /// The subchannel of `address`.
    pub fn to(address: &'p Address) -> Self {
        Self { address, wake: None, metadata: None, on_finish: None }
    }

    /// Also sends this metadata with the call.
    #[must_use]
    pub fn metadata(self, metadata: HeaderMap) -> Self {
        Self { metadata: Some(Box::new(metadata)), ..self }
    }

    /// Also wants this idle address connected, for calls to come.
    #[must_use]
    pub fn wake(self, other: &'p Address) -> Self {
        Self { wake: Some(other), ..self }
    }

    /// Also wants to be told how the call ended. Called once, when a call that used this pick ends in any
    /// way; if the pick is not used after all, it is dropped without being called. For what
    /// [`LiveCalls`](crate::LiveCalls) does not count.
    #[must_use]
    pub fn on_finish(self, on_finish: impl FnOnce(&CallOutcome) + Send + 'static) -> Self {
        Self { on_finish: Some(Box::new(on_finish)), ..self }
    }

    /// The chosen address.
    pub fn address(&self) -> &'p Address {
        self.address
    }

    /// The idle address that is wanted as well.
    pub fn wanted(&self) -> Option<&'p Address> {
        self.wake
    }

    /// Takes the metadata to send.
    pub fn take_metadata(&mut self) -> Option<Box<HeaderMap>> {
        self.metadata.take()
    }

    /// Takes what wants to hear of the end.
    pub fn take_on_finish(&mut self) -> Option<OnFinish> {
        self.on_finish.take()
    }
}

impl fmt::Debug for Pick<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Metadata is left out: its values may be secrets.
        f.debug_struct("Pick")
            .field("address", &self.address)
            .field("wake", &self.wake)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::time::Duration;

    use trunkline_proto::wire::Code;

    // behaviour 44
    #[test]
    fn a_pick_carries_metadata_a_second_wish_and_what_hears_of_the_end() {
        let (a, b) = (Address::other("a"), Address::other("b"));
        let heard: Arc<AtomicU32> = Arc::default();
        let make = || {
            let heard = Arc::clone(&heard);
            let token =
                HeaderMap::from_iter([("x-token".parse().unwrap(), "secret-canary".parse().unwrap())]);
            Pick::to(&a).wake(&b).metadata(token).on_finish(move |outcome| {
                assert_eq!(outcome.code, Code::Ok);
                heard.fetch_add(1, Relaxed);
            })
        };
        let mut pick = make();
        assert_eq!((pick.address(), pick.wanted()), (&a, Some(&b)));
        assert!(!format!("{pick:?}").contains("secret-canary"));
        assert_eq!(pick.take_metadata().unwrap()["x-token"], "secret-canary");
        pick.take_on_finish().unwrap()(&CallOutcome::new(Code::Ok, Duration::from_millis(1)));
        drop(make());
        assert_eq!(heard.load(Relaxed), 1, "a pick that was not used is not told");
    }
}
