//! gRPC as it looks on the wire, in headers and trailers: statuses, metadata, and what other protocols'
//! failures mean. Messages are in [`framing`](crate::framing).

mod code;
mod foreign;
pub mod metadata;
pub mod names;
mod status;

pub use code::Code;
pub use foreign::reset_name;
pub use status::Status;
