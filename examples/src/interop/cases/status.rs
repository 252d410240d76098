//! Calls that the server ends with a status of its own.

use trunkline::{Code, Status};
use trunkline_proto::testing::{Empty, SimpleRequest, StreamingOutputCallRequest};

use super::echo_status;
use crate::interop::error::{failed, same};
use crate::interop::{CaseError, Peer, Replies, Stub};

const PLAIN: &str = "test status message";
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";

pub(crate) async fn status_code_and_message<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    same("the message", unary(peer, PLAIN).await?.message(), PLAIN)?;

    let request = StreamingOutputCallRequest {
        response_status: echo_status(Code::Unknown, PLAIN),
        ..StreamingOutputCallRequest::default()
    };
    let status = failed(first_reply(peer, request).await, Code::Unknown)?;
    same("the message", status.message(), PLAIN)
}

pub(crate) async fn special_status_message<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    same("the message", unary(peer, SPECIAL).await?.message(), SPECIAL)
}

pub(crate) async fn unimplemented_method<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let reply = peer.stub().unimplemented_method(peer.request(Empty {})).await;
    failed(reply, Code::Unimplemented).map(|_| ())
}

pub(crate) async fn unimplemented_service<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let reply = peer.stub().unimplemented_service(peer.request(Empty {})).await;
    failed(reply, Code::Unimplemented).map(|_| ())
}

async fn unary<S: Stub>(peer: &Peer<S>, message: &str) -> Result<Status, CaseError> {
    let request =
        SimpleRequest { response_status: echo_status(Code::Unknown, message), ..SimpleRequest::default() };
    failed(peer.stub().unary_call(peer.request(request)).await, Code::Unknown)
}

/// The status may come in place of the response, or of its first message.
async fn first_reply<S: Stub>(peer: &Peer<S>, request: StreamingOutputCallRequest) -> Result<(), Status> {
    let requests = peer.request(tokio_stream::iter([request]));
    peer.stub().full_duplex_call(requests).await?.message().await.map(|_| ())
}
