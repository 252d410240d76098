//! The messages of gRPC's health protocol, `grpc.health.v1` (gRFC A17). Generated from `protos/grpc/health`;
//! stubs are generated where they are used.

include!("generated/grpc.health.v1.rs");
