//! Calls that end before the server ends them. Dropping a call cancels it, so its status is heard from the
//! channel.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use trunkline::{Code, RequestExt, Status};
use trunkline_proto::testing::{Empty, StreamingInputCallRequest, StreamingOutputCallRequest};
use trunkline_proto::wire;

use super::streaming::reply_of;
use super::{REQUEST_SIZES, RESPONSE_SIZES, duplex_request, payload};
use crate::interop::error::{failed, same};
use crate::interop::{CaseError, Peer, Progress, ProgressWatch, Replies, Stub};

/// How long to wait for what must happen soon.
const SOON: Duration = Duration::from_secs(10);

pub(crate) async fn cancel_after_begin<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let mut progress = peer.watch_progress();
    {
        // No message is ever sent.
        let (_requests, stream) = mpsc::channel::<StreamingInputCallRequest>(1);
        let request = peer.request(ReceiverStream::new(stream));
        let mut call = pin!(peer.stub().streaming_input_call(request));
        tokio::select! {
            reply = &mut call => failed(reply, Code::Cancelled).map(|_| ())?,
            began = timeout(SOON, progress.next()) => {
                began.map_err(|_| CaseError::Late { what: "the begin of the call" })?;
            }
        }
    }
    cancelled(&mut progress).await?;
    still_works(peer).await
}

pub(crate) async fn cancel_after_first_response<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let mut progress = peer.watch_progress();
    let (requests, stream) = mpsc::channel(1);
    // There is room for it.
    let _ = requests.send(duplex_request(REQUEST_SIZES[0], RESPONSE_SIZES[0])).await;
    let mut replies = peer.stub().full_duplex_call(peer.request(ReceiverStream::new(stream))).await?;
    reply_of(&mut replies, RESPONSE_SIZES[0]).await?;
    drop(replies);
    cancelled(&mut progress).await?;
    still_works(peer).await
}

/// The server waits for more requests, which never come.
pub(crate) async fn timeout_on_sleeping_server<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let (requests, stream) = mpsc::channel(1);
    let request = StreamingOutputCallRequest {
        payload: payload(REQUEST_SIZES[0]),
        ..StreamingOutputCallRequest::default()
    };
    // There is room for it.
    let _ = requests.send(request).await;
    let request = peer.request(ReceiverStream::new(stream)).with_timeout(Duration::from_millis(1));
    let answer = async {
        let mut replies = peer.stub().full_duplex_call(request).await?;
        replies.message().await.map(|_| ())
    };
    let answer: Result<(), Status> = answer.await;
    failed(answer, Code::DeadlineExceeded).map(|_| ())
}

/// That the call which runs ends as cancelled.
async fn cancelled(progress: &mut ProgressWatch) -> Result<(), CaseError> {
    let ended = timeout(SOON, async {
        loop {
            if let Progress::Ended(code) = progress.next().await {
                return code;
            }
        }
    });
    let code = ended.await.map_err(|_| CaseError::Late { what: "the end of the cancelled call" })?;
    same("the code that the call ended with", code, wire::Code::Cancelled)
}

/// That cancelling one call harmed no other.
async fn still_works<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    peer.stub().empty_call(peer.request(Empty {})).await?;
    Ok(())
}
