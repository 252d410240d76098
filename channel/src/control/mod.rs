//! The control plane: one pure machine that decides which connections there should be. It reads no clock,
//! spawns nothing and knows no socket; the driver carries its wishes out.

// What goes in and out.
mod action;
mod event;
mod method_table;
mod options;
mod snapshot;

// The machine, and the small machines that it is made of.
mod plane;

mod doubt;
mod idle;
mod pace;
mod policy;
mod publish;
mod resolved;
mod story;

mod backoff;
mod effects;
mod subchannel;
mod subchannels;
mod turns;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub(crate) use action::{Action, StateChange};
pub use backoff::Backoff;
pub(crate) use event::{Activity, DialId, DialNews, Event, Usage};
pub(crate) use method_table::{MethodConfig, MethodTable};
pub(crate) use options::ControlOptions;
pub(crate) use plane::ControlPlane;
pub(crate) use snapshot::{Destination, Entry, Snapshot};
