//! One RPC, from the method being called to its status. Both roads (our stubs and `tower::Service`) make a
//! [`Call`]; it finds a connection, sends the request, sends it again where that is safe, and reads the
//! response.

mod alarm_clock;
mod answer;
mod begin;
mod choose;
mod deadline;
mod ending;
mod exchange;
mod in_flight;
mod layered;
mod machine;
mod options;
mod progress;
mod pump;
mod reading;
mod report;
mod response;
mod road;
mod streamed;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use alarm_clock::AlarmClocks;
pub(crate) use begin::{Attached, CallStart};
pub(crate) use deadline::FOREVER;
pub(crate) use in_flight::CallMeter;
pub(crate) use layered::RequestMark;
pub use options::{CallOptions, FailFast};
pub(crate) use progress::Problem;
pub use report::{AttemptEnd, CallReport, Origin, Sent};
pub(crate) use road::{Begun, Call};
pub(crate) use streamed::{ReplayBudget, Source};
pub(crate) use upload::Upload;
