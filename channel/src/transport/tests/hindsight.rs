//! What an adversarial reading found: each of these went wrong once, or could have.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;
use trunkline_proto::wire::names::GRPC_STATUS;

use super::fixture::*;
use crate::connect::{Connected, Security};
use crate::transport::options::LAST_WORDS;
use crate::transport::{Connection, StreamError, StreamEvent};

/// A pipe that, once told to, hands over half of what it is given and then says that it failed, as TLS may.
struct HalfFailing {
    io: DuplexStream,
    failing: Arc<AtomicBool>,
}

impl AsyncRead for HalfFailing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for HalfFailing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let failing = self.failing.load(Ordering::Relaxed);
        let length = if failing { buf.len() / 2 } else { buf.len() };
        let written = Pin::new(&mut self.io).poll_write(cx, &buf[..length]);
        match failing {
            true => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            false => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A connection over such a pipe, and what makes it fail.
async fn failing(engine: Transport, security: Security) -> (Dial, Connection, Frames, Arc<AtomicBool>) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let failing = Arc::<AtomicBool>::default();
    let mut connected = Connected::new(HalfFailing { io: ours, failing: Arc::clone(&failing) });
    connected.security = security;
    let mut dial = Dial::on(connected, &options(engine)).await;
    let mut peer = Frames::accept(theirs).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    settle().await;
    (dial, connection, peer, failing)
}

/// How a stream ends whose first write fails.
async fn first_write_fails(engine: Transport, security: Security) -> StreamError {
    let (_dial, connection, peer, failing) = failing(engine, security).await;
    failing.store(true, Ordering::Relaxed);
    let mut stream = call(&connection, "a").await;
    settle().await;
    drop(peer);
    failed(&mut stream).await
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_failed_write_over_tls_may_have_sent_some_of_it(#[values(H2, Trunkline)] engine: Transport) {
    assert!(matches!(first_write_fails(engine, Security::Tls).await, StreamError::Lost(_)));
    assert!(matches!(first_write_fails(engine, Security::Plaintext).await, StreamError::NeverSent(_)));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_came_before_a_write_failed_is_heard_although_the_runtime_tells_of_it_late(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer, failing) = failing(engine, Security::Plaintext).await;
    let mut first = call(&connection, "a").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    failing.store(true, Ordering::Relaxed);
    let mut second = call(&connection, "b").await;
    settle().await;
    peer.answer(id, b"x").await;
    peer.goaway(id, 0, "leaving").await;
    drop(peer);
    assert_eq!(answer(&mut first).await.0, b"x");
    assert!(matches!(failed(&mut second).await, StreamError::AboveGoAway(_) | StreamError::NeverSent(_)));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_came_after_a_failed_write_was_never_sent(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(Security::Plaintext, Security::Tls)] security: Security,
) {
    let (mut dial, connection, _peer, failing) = failing(engine, security).await;
    let [first, late] = [connection.reserve().await.unwrap(), connection.reserve().await.unwrap()];
    failing.store(true, Ordering::Relaxed);
    let _first = first.start(head(), few(b"first"), true, Waker::noop()).unwrap();
    dial.draining().await;
    match late.start(head(), few(b"late"), true, Waker::noop()) {
        Err(error) => assert!(matches!(error, StreamError::NeverSent(_)), "{error:?}"),
        Ok(mut late) => assert!(matches!(failed(&mut late).await, StreamError::NeverSent(_))),
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn after_a_failed_write_a_peer_that_says_nothing_is_waited_for_a_second(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, _peer, failing) = failing(engine, Security::Plaintext).await;
    failing.store(true, Ordering::Relaxed);
    let _stream = call(&connection, "a").await;
    let began = Instant::now();
    assert!(dial.draining().await.message().contains("broken pipe"));
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody else begins here");
    assert!(!connection.is_open());
    let cause = dial.lost().await;
    assert!(cause.message().contains("broken pipe"), "{cause}");
    assert!((LAST_WORDS..LAST_WORDS + Duration::from_millis(5)).contains(&began.elapsed()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_goaway_full_of_debug_data_is_told_briefly(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    peer.next_of(HEADERS).await;
    settle().await;
    peer.goaway(0, 0, &"\0".repeat(16_000)).await;
    assert!(dial.draining().await.message().len() < 400);
    let StreamError::AboveGoAway(cause) = failed(&mut stream).await else { panic!("it was not processed") };
    assert!(cause.message().len() < 400);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn cancelled_calls_hold_no_connection_open_that_has_nothing_else_to_do(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // The server is frozen: it reads, and acknowledges nothing any more.
    let (mut dial, connection, _peer) = Dial::with_frames(engine).await;
    let mut calls = Vec::new();
    for _ in 0..100 {
        calls.push(call(&connection, "a").await);
    }
    settle().await;
    drop(calls);
    settle().await;
    dial.drain();
    dial.lost().await;
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_status_in_the_head_of_a_stream_that_is_reset_later_is_not_its_status(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, &[STATUS_200, GRPC_STATUS_0].concat()).await;
    let StreamEvent::Head(head) = event(&mut stream).await else { panic!("the head came") };
    assert!(!head.end);
    peer.reset(id, 2).await;
    assert!(matches!(failed(&mut stream).await, StreamError::Reset(2)));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_status_in_the_head_survives_the_end_of_the_connection(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, _sender) = call_streaming(&connection).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    let block = [STATUS_200, GRPC_STATUS_0].concat();
    // Both are there before the call looks.
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, &block).await;
    drop(peer);
    settle().await;
    let StreamEvent::Head(head) = event(&mut stream).await else { panic!("the head came") };
    if !head.end {
        let StreamEvent::Trailers(status) = event(&mut stream).await else {
            panic!("the status came with it")
        };
        assert_eq!(status.get(&GRPC_STATUS), Some(&b"0"[..]));
    }
}
