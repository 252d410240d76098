//! Metadata there and back.

use trunkline::Request;
use trunkline::metadata::{MetadataMap, MetadataValue};

use super::streaming::{end_of, reply_of};
use super::{LARGE_REQUEST, LARGE_RESPONSE, duplex_request, simple_request};
use crate::interop::error::same;
use crate::interop::server::{ECHO_INITIAL, ECHO_TRAILING};
use crate::interop::{CaseError, Peer, Replies, Stub};

const INITIAL: &str = "test_initial_metadata_value";
const TRAILING: [u8; 3] = [0xab, 0xab, 0xab];

/// What was sent comes back, the one at the begin of the response and the other at its end.
pub(crate) async fn custom_metadata<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let request = with_metadata(peer.request(simple_request(LARGE_REQUEST, LARGE_RESPONSE)));
    // A unary response has but one map for both.
    let reply = peer.stub().unary_call(request).await?;
    same("the unary response's initial metadata", initial(reply.metadata()), Some(INITIAL))?;
    same("the unary response's trailing metadata", trailing(reply.metadata()), Some(TRAILING.to_vec()))?;

    let requests = tokio_stream::iter([duplex_request(LARGE_REQUEST, LARGE_RESPONSE)]);
    let mut replies = peer.stub().full_duplex_call(with_metadata(peer.request(requests))).await?;
    let headers = replies.headers().await?;
    same("the stream's initial metadata", initial(&headers), Some(INITIAL))?;
    same("trailing metadata at the stream's begin", trailing(&headers), None)?;
    reply_of(&mut replies, LARGE_RESPONSE).await?;
    end_of(&mut replies).await?;
    let trailers = replies.trailers().await?;
    same("the stream's trailing metadata", trailing(&trailers), Some(TRAILING.to_vec()))
}

fn with_metadata<T>(mut request: Request<T>) -> Request<T> {
    let metadata = request.metadata_mut();
    metadata.insert(ECHO_INITIAL, MetadataValue::from_static(INITIAL));
    metadata.insert_bin(ECHO_TRAILING, MetadataValue::from_bytes(&TRAILING));
    request
}

fn initial(metadata: &MetadataMap) -> Option<&str> {
    metadata.get(ECHO_INITIAL)?.to_str().ok()
}

fn trailing(metadata: &MetadataMap) -> Option<Vec<u8>> {
    Some(metadata.get_bin(ECHO_TRAILING)?.to_bytes().ok()?.to_vec())
}
