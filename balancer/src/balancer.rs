//! The trait that every load-balancing policy implements, and what it answers. Its laws are part of its type:
//! the channel relies on each, and the test harness checks each after every step.

use std::fmt;
use std::sync::Arc;

use trunkline_proto::ConnectivityState;

use crate::{Input, Picker, Plan};

/// A running load-balancing policy: facts in, wishes out.
///
/// The channel calls [`update`](Self::update) whenever something that a policy can see has changed (a
/// resolution, the status of a subchannel, a demand) or the time that it asked to be woken at has come.
/// Changes that happen close together may be shown as one, and an update may come without any change.
///
/// Laws, checked by the `testing` feature's `World` after every step:
///
/// - **Deterministic**: the same seed and the same inputs give the same outputs.
/// - **Idempotent**: a second update with the same input gives the same plan and the same picker.
/// - **Level, not edge**: it judges by how things are, since it may not see each change.
/// - **Wakes**: a policy that is Idle and sees an Idle address demanded starts connecting in that same update; if every
///   address is in backoff it leaves Idle.
/// - **Looks forward**: the time given to [`Plan::wake_at`] lies after [`Input::now`].
pub trait Balancer: Send + 'static {
    /// Looks at the world and says what should be: the whole plan, not a change to the last one, and the
    /// state.
    ///
    /// An address that `plan` does not mention is let go: hung up if it is being dialled, drained if it is
    /// connected.
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState;
}

impl<B: Balancer + ?Sized> Balancer for Box<B> {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        (**self).update(input, plan)
    }
}

/// What a policy says of itself: how it stands, and how calls choose.
///
/// While nothing changes for calls, the picker should be the same `Arc` as before: a new one wakes every
/// waiting call.
#[derive(Clone)]
#[non_exhaustive]
pub struct BalancerState {
    /// The connectivity of everything below this policy, as one.
    pub connectivity: ConnectivityState,
    /// Chooses for each call until the next picker is published.
    pub picker: Arc<dyn Picker>,
}

impl BalancerState {
    /// A state with this picker.
    pub fn new(connectivity: ConnectivityState, picker: Arc<dyn Picker>) -> Self {
        Self { connectivity, picker }
    }
}

/// Equal when calls cannot tell the difference: the same connectivity and the very same picker.
impl PartialEq for BalancerState {
    fn eq(&self, other: &Self) -> bool {
        self.connectivity == other.connectivity && Arc::ptr_eq(&self.picker, &other.picker)
    }
}

impl fmt::Debug for BalancerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalancerState")
            .field("connectivity", &self.connectivity)
            .field("picker", &self.picker)
            .finish()
    }
}
