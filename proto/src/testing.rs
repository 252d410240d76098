//! The messages of the service that implementations of gRPC test each other with, `grpc.testing`. Generated
//! from `protos/grpc/testing`; stubs are generated where they are used.

include!("generated/grpc.testing.rs");
