//! The header names that gRPC itself uses, each written once.

use http::HeaderName;

/// The status code, in trailers.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The text of the status, percent-encoded, in trailers.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The details of the status: a serialized `google.rpc.Status`, in trailers.
pub const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// How long the server has, in requests. See [`timeout`](crate::timeout).
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// How messages flagged as compressed are compressed.
pub const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Which encodings the sender of this header can read.
pub const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// How many attempts of this call came before this one; absent from the first (gRFC A6).
pub const GRPC_PREVIOUS_RPC_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// When the server wants the next attempt, in milliseconds; negative for never (gRFC A6).
pub const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
