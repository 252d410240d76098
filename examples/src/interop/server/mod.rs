//! The server of the interop tests, on tonic: `TestService` as gRPC's document describes it, without
//! compression.

mod metadata_echo;
mod test_service;

use tonic::service::Routes;

pub(super) use self::metadata_echo::{ECHO_INITIAL, ECHO_TRAILING};

use self::metadata_echo::MetadataEcho;
use self::test_service::TestService;
use crate::interop::generated::test_service_server::TestServiceServer;

/// The interop service, for [`RunningServer::serve`](crate::server::RunningServer::serve). It calls itself
/// `server_id` when it is asked.
pub fn test_service(server_id: &str) -> Routes {
    Routes::new(MetadataEcho(TestServiceServer::new(TestService::new(server_id))))
}
