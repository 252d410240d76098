//! The tests that implementations of gRPC do on each other (gRPC `interop-test-descriptions.md`): their
//! client, whose cases run on any stub, and their server. The program is `bin/interop_client.rs`.

// What is called, by whom.
mod stub;

// What is tested.
mod case;
mod cases;
mod error;
mod peer;

// What the program is told.
mod flags;

// What a picker sees of calls.
mod progress;

// The other side.
mod server;

pub use case::{Case, UnknownCase};
pub use error::CaseError;
pub use flags::{FlagError, Flags};
pub use peer::{Connect, Peer, Soak};
pub use progress::{Progress, ProgressWatch};
pub use server::test_service;
pub use stub::{OwnStub, Replies, Stub, TonicReplies, TonicStub};

/// Our clients of the interop services, and tonic's server traits.
pub mod generated {
    trunkline::include_proto!("grpc.testing");
}

/// The clients of the interop services as tonic itself generates them.
#[allow(
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "the style of another project's generator"
)]
pub mod generated_by_tonic {
    include!(concat!(env!("OUT_DIR"), "/tonic/grpc.testing.rs"));
}
