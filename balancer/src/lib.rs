//! The load-balancing seam of Trunkline and its built-in policies.
//!
//! A [`Balancer`] is told how the world is ([`Input`]) and answers what it wishes: which addresses to connect
//! to ([`Plan`]) and how calls choose among them ([`Picker`]). It does no I/O, reads no clock, starts nothing
//! and holds no handle to its channel, so every policy can be tested as arithmetic.
//!
//! To write a policy:
//!
//! - that only chooses among the servers that are ready: one function, [`choosing`];
//! - that has settings or state as well: a [`Choose`] and a [`ChoosingBalancer`];
//! - that composes others: a [`Balancer`] that narrows its `Input` for a child ([`Input::with_ejected`], [`Input::awake`]), or has
//!   many ([`Children`]);
//! - and to test it: `World`, behind the feature `testing`, tells it a story and checks the laws of [`Balancer`] at each step.

// The seam.
mod balancer;
mod call;
mod config;
mod failure;
mod input;
mod live;
mod picker;
mod plan;

// What policies are built from.
mod address_hasher;
mod children;
mod fixed_picker;
mod ready_set;
mod switch;

// The policies themselves.
mod policies;

// What they are tested with.
#[cfg(any(test, feature = "testing"))]
pub mod world;

pub use balancer::{Balancer, BalancerState};
pub use call::{CallInfo, CallOutcome};
pub use children::{Child, Children};
pub use config::{BalancerBuilder, BalancerConfig, BalancerRegistry};
pub use failure::{Failure, MAX_CAUSES};
pub use fixed_picker::{FixedPicker, Steady};
pub use input::{Input, Layer, Statuses, SubchannelStatus};
pub use live::{CallCounts, LiveCalls};
pub use picker::{OnFinish, Pick, PickResult, Picker};
pub use plan::{Intent, Plan};
pub use policies::{PickFirst, PickFirstBuilder, RoundRobin, RoundRobinBuilder};
pub use ready_set::{Choose, ChoosingBalancer, ReadyEndpoint, ReadySet, choosing};
pub use switch::Switch;
