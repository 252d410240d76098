//! Streams of messages, in either direction and both.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use trunkline_proto::testing::{ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest};

use super::{REQUEST_SIZES, RESPONSE_SIZES, duplex_request, int, payload, size_of};
use crate::interop::error::same;
use crate::interop::{CaseError, Peer, Replies, Stub};

pub(crate) async fn client_streaming<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
        payload: payload(size),
        ..StreamingInputCallRequest::default()
    });
    let request = peer.request(tokio_stream::iter(requests));
    let reply = peer.stub().streaming_input_call(request).await?.into_inner();
    same("the sum of the sizes", reply.aggregated_payload_size, int(REQUEST_SIZES.into_iter().sum()))
}

pub(crate) async fn server_streaming<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let parameters =
        RESPONSE_SIZES.map(|size| ResponseParameters { size: int(size), ..ResponseParameters::default() });
    let request = StreamingOutputCallRequest {
        response_parameters: parameters.into(),
        ..StreamingOutputCallRequest::default()
    };
    let mut replies = peer.stub().streaming_output_call(peer.request(request)).await?;
    for wanted in RESPONSE_SIZES {
        reply_of(&mut replies, wanted).await?;
    }
    end_of(&mut replies).await
}

/// Each request is sent when the reply to the one before it is there.
pub(crate) async fn ping_pong<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let (requests, stream) = mpsc::channel(1);
    let mut exchange = REQUEST_SIZES.into_iter().zip(RESPONSE_SIZES);
    let mut present = exchange.next();
    send(&requests, present).await;
    let mut replies = peer.stub().full_duplex_call(peer.request(ReceiverStream::new(stream))).await?;
    while let Some((_, wanted)) = present {
        reply_of(&mut replies, wanted).await?;
        present = exchange.next();
        send(&requests, present).await;
    }
    drop(requests);
    end_of(&mut replies).await
}

pub(crate) async fn empty_stream<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let mut replies = peer.stub().full_duplex_call(peer.request(tokio_stream::empty())).await?;
    end_of(&mut replies).await
}

async fn send(requests: &mpsc::Sender<StreamingOutputCallRequest>, sizes: Option<(usize, usize)>) {
    if let Some((request, response)) = sizes {
        // A call that has ended takes no more, and says why where its replies are read.
        let _ = requests.send(duplex_request(request, response)).await;
    }
}

/// That the next reply is of that size.
pub(super) async fn reply_of(replies: &mut impl Replies, wanted: usize) -> Result<(), CaseError> {
    let reply = replies.message().await?;
    let size = reply.map(|reply| size_of(reply.payload.as_ref()));
    same("the size of the reply's payload", size, Some(Some(wanted)))
}

/// That there are no more replies.
pub(super) async fn end_of(replies: &mut impl Replies) -> Result<(), CaseError> {
    let more = replies.message().await?.is_some();
    same("whether there is another reply", more, false)
}
