//! The cases by name. What each does is in `cases/`.

use std::fmt;
use std::str::FromStr;

use super::{CaseError, Peer, Stub, cases};

/// A case of gRPC's interop tests that needs neither a cloud nor compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "their names are all there is to say; gRPC's interop-test-descriptions.md says what they do"
)]
#[non_exhaustive]
pub enum Case {
    EmptyUnary,
    LargeUnary,
    ClientStreaming,
    ServerStreaming,
    PingPong,
    EmptyStream,
    CustomMetadata,
    StatusCodeAndMessage,
    SpecialStatusMessage,
    UnimplementedMethod,
    UnimplementedService,
    CancelAfterBegin,
    CancelAfterFirstResponse,
    TimeoutOnSleepingServer,
    RpcSoak,
    ChannelSoak,
    PickFirstUnary,
}

impl Case {
    /// All of them, in the order of gRPC's document.
    pub const ALL: [Self; 17] = [
        Self::EmptyUnary,
        Self::LargeUnary,
        Self::ClientStreaming,
        Self::ServerStreaming,
        Self::PingPong,
        Self::EmptyStream,
        Self::CustomMetadata,
        Self::StatusCodeAndMessage,
        Self::SpecialStatusMessage,
        Self::UnimplementedMethod,
        Self::UnimplementedService,
        Self::CancelAfterBegin,
        Self::CancelAfterFirstResponse,
        Self::TimeoutOnSleepingServer,
        Self::RpcSoak,
        Self::ChannelSoak,
        Self::PickFirstUnary,
    ];

    /// The name by which all implementations know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmptyUnary => "empty_unary",
            Self::LargeUnary => "large_unary",
            Self::ClientStreaming => "client_streaming",
            Self::ServerStreaming => "server_streaming",
            Self::PingPong => "ping_pong",
            Self::EmptyStream => "empty_stream",
            Self::CustomMetadata => "custom_metadata",
            Self::StatusCodeAndMessage => "status_code_and_message",
            Self::SpecialStatusMessage => "special_status_message",
            Self::UnimplementedMethod => "unimplemented_method",
            Self::UnimplementedService => "unimplemented_service",
            Self::CancelAfterBegin => "cancel_after_begin",
            Self::CancelAfterFirstResponse => "cancel_after_first_response",
            Self::TimeoutOnSleepingServer => "timeout_on_sleeping_server",
            Self::RpcSoak => "rpc_soak",
            Self::ChannelSoak => "channel_soak",
            Self::PickFirstUnary => "pick_first_unary",
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// What was not as it should be.
    pub async fn run<S: Stub>(self, peer: &Peer<S>) -> Result<(), CaseError> {
        match self {
            Self::EmptyUnary => cases::unary::empty_unary(peer).await,
            Self::LargeUnary => cases::unary::large_unary(peer).await,
            Self::ClientStreaming => cases::streaming::client_streaming(peer).await,
            Self::ServerStreaming => cases::streaming::server_streaming(peer).await,
            Self::PingPong => cases::streaming::ping_pong(peer).await,
            Self::EmptyStream => cases::streaming::empty_stream(peer).await,
            Self::CustomMetadata => cases::metadata::custom_metadata(peer).await,
            Self::StatusCodeAndMessage => cases::status::status_code_and_message(peer).await,
            Self::SpecialStatusMessage => cases::status::special_status_message(peer).await,
            Self::UnimplementedMethod => cases::status::unimplemented_method(peer).await,
            Self::UnimplementedService => cases::status::unimplemented_service(peer).await,
            Self::CancelAfterBegin => cases::cancel::cancel_after_begin(peer).await,
            Self::CancelAfterFirstResponse => cases::cancel::cancel_after_first_response(peer).await,
            Self::TimeoutOnSleepingServer => cases::cancel::timeout_on_sleeping_server(peer).await,
            Self::RpcSoak => cases::soak::rpc_soak(peer).await,
            Self::ChannelSoak => cases::soak::channel_soak(peer).await,
            Self::PickFirstUnary => cases::unary::pick_first_unary(peer).await,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Case {
    type Err = UnknownCase;

    fn from_str(name: &str) -> Result<Self, UnknownCase> {
        let known = Self::ALL.into_iter().find(|case| case.name() == name);
        known.ok_or_else(|| UnknownCase { name: name.to_owned(), reason: reason(name) })
    }
}

/// A case that is not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the case `{name}` {reason}")]
pub struct UnknownCase {
    name: String,
    reason: &'static str,
}

/// Why not, for those that gRPC's document has.
fn reason(name: &str) -> &'static str {
    match name {
        "client_compressed_unary"
        | "server_compressed_unary"
        | "client_compressed_streaming"
        | "server_compressed_streaming" => {
            "needs compressed messages, which Trunkline's stubs do not have yet"
        }
        "cacheable_unary" => "needs the verb GET, which gRPC has given up",
        "compute_engine_creds"
        | "jwt_token_creds"
        | "oauth2_auth_token"
        | "per_rpc_creds"
        | "google_default_credentials"
        | "compute_engine_channel_credentials" => "needs Google's cloud",
        "orca_per_rpc" | "orca_oob" => "needs load reports, which Trunkline does not read yet",
        "max_concurrent_streams_connection_scaling" => {
            "needs several connections to one address, which Trunkline does not make yet"
        }
        _ => "is not known; `all` runs every one that is",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_found_by_its_name() {
        for case in Case::ALL {
            assert_eq!(case.to_string().parse(), Ok(case));
        }
    }

    #[test]
    fn a_case_that_is_left_out_says_why() {
        let error = Case::from_str("server_compressed_unary").unwrap_err();
        assert!(error.to_string().contains("compressed messages"), "{error}");
        let error = Case::from_str("pong_ping").unwrap_err();
        assert!(error.to_string().contains("not known"), "{error}");
    }
}
