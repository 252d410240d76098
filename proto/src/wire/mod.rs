//! gRPC as it looks on the wire.

mod code;

pub use code::Code;
