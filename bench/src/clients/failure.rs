//! Why a call does not count.

use trunkline::Status;

/// What went wrong with one call, or with making a client.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    #[error("h2: {0}")]
    H2(#[from] h2::Error),
    #[error("the reply is not what was asked for: {0}")]
    Reply(&'static str),
    #[error("the deadline has passed")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("a channel: {0}")]
    Build(#[from] trunkline::BuildError),
    #[error("tonic's channel: {0}")]
    Transport(#[from] tonic::transport::Error),
    #[error("a socket: {0}")]
    Io(#[from] std::io::Error),
    #[error("a request: {0}")]
    Http(#[from] http::Error),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}
