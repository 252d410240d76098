//! A picker that says the same to every call. Most states of most policies need no other, and whoever has no
//! policy yet needs one too.

use std::sync::Arc;

use trunkline_proto::{Address, ConnectivityState};

use crate::{BalancerState, CallInfo, Failure, Pick, PickResult, Picker};

/// Says the same to every call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FixedPicker {
    /// [`PickResult::Queue`].
    Queue,
    /// [`PickResult::Ready`] with this address.
    Ready(Address),
    /// [`PickResult::Wake`] with this address.
    Wake(Address),
    /// [`PickResult::Fail`] with this failure.
    Fail(Failure),
    /// [`PickResult::Drop`] with this failure.
    Drop(Failure),
}

impl FixedPicker {
    /// The same, ready to be put into a [`BalancerState`].
    pub fn shared(self) -> Arc<dyn Picker> {
        Arc::new(self)
    }
}

impl Picker for FixedPicker {
    fn pick(&self, _: &CallInfo<'_>) -> PickResult<'_> {
        match self {
            Self::Queue => PickResult::Queue,
            Self::Ready(address) => PickResult::Ready(Pick::to(address)),
            Self::Wake(address) => PickResult::Wake(address),
            Self::Fail(failure) => PickResult::Fail(failure.clone()),
            Self::Drop(failure) => PickResult::Drop(failure.clone()),
        }
    }
}

/// What a policy said last, so that the same said again is the very same picker: a new one would wake every
/// waiting call.
///
/// ```
/// use trunkline_balancer::{FixedPicker, Steady};
/// use trunkline_proto::ConnectivityState::{Connecting, Idle};
/// let mut said = Steady::default();
/// let first = said.say(Connecting, FixedPicker::Queue);
/// assert_eq!(said.say(Connecting, FixedPicker::Queue), first);
/// assert_ne!(said.say(Idle, FixedPicker::Queue), first);
/// ```
#[derive(Debug, Default)]
pub struct Steady(Option<(FixedPicker, BalancerState)>);

impl Steady {
    /// This state, with the picker of the last one if calls cannot tell the difference.
    pub fn say(&mut self, connectivity: ConnectivityState, picker: FixedPicker) -> BalancerState {
        match &self.0 {
            Some((said, state)) if state.connectivity == connectivity && *said == picker => state.clone(),
            _ => {
                let state = BalancerState::new(connectivity, picker.clone().shared());
                self.0 = Some((picker, state.clone()));
                state
            }
        }
    }
}
