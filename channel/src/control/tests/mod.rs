//! The rules of the control plane, one test each, as stories on a virtual clock.

mod connecting;
mod rig;
