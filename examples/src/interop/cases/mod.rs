//! What each case does: its calls, and what must come of them.

pub(super) mod cancel;
pub(super) mod metadata;
pub(super) mod soak;
pub(super) mod status;
pub(super) mod streaming;
pub(super) mod unary;

use trunkline_proto::testing::{
    EchoStatus, Payload, PayloadType, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
};

/// The sizes of gRPC's document, in bytes: what `large_unary` and the single messages of other cases have.
const LARGE_REQUEST: usize = 271_828;
const LARGE_RESPONSE: usize = 314_159;
/// The same for the messages of streams, in order.
const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES: [usize; 4] = [31_415, 9, 2_653, 58_979];

fn payload(size: usize) -> Option<Payload> {
    Some(Payload { r#type: PayloadType::Compressable.into(), body: vec![0; size] })
}

/// The length of a payload; `None` if there is none.
fn size_of(payload: Option<&Payload>) -> Option<usize> {
    payload.map(|payload| payload.body.len())
}

/// A request of that size for a response of that size.
fn simple_request(request: usize, response: usize) -> SimpleRequest {
    SimpleRequest { response_size: int(response), payload: payload(request), ..SimpleRequest::default() }
}

/// A request of that size for one response of that size.
fn duplex_request(request: usize, response: usize) -> StreamingOutputCallRequest {
    let response = ResponseParameters { size: int(response), ..ResponseParameters::default() };
    StreamingOutputCallRequest {
        response_parameters: vec![response],
        payload: payload(request),
        ..StreamingOutputCallRequest::default()
    }
}

fn echo_status(code: trunkline::Code, message: &str) -> Option<EchoStatus> {
    Some(EchoStatus { code: code.into(), message: message.to_owned() })
}

/// A size as the messages have it.
fn int(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}
