//! One RPC, from the method being called to its status. Both roads (our stubs and `tower::Service`) make a
//! [`Call`]; it finds a connection, sends the request, sends it again where that is safe, and hands out a
//! [`Reading`] once the response has begun.

mod begin;
mod choose;
mod deadline;
mod ending;
mod in_flight;
mod layered;
mod machine;
mod options;
mod progress;
mod reading;
mod report;
mod response;
mod road;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use begin::CallStart;
pub(crate) use deadline::FOREVER;
pub(crate) use in_flight::CallMeter;
pub use options::{CallOptions, FailFast};
pub(crate) use progress::Problem;
pub use report::{AttemptEnd, CallReport, Origin, Sent};
pub(crate) use road::{Call, Reading};
pub(crate) use upload::{ReplayBudget, Source, Upload};
