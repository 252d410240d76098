//! The rules of the control plane, one test each, as stories on a virtual clock.

mod closing;
mod connecting;
mod idling;
mod losing;
mod permanent;
mod publishing;
mod resolving;
mod rig;
mod turns;
