//! Connectors, and byte streams, that panic or hang.

use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use rstest::rstest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::connect::{BoxFuture, ConnectRequest, Connected, Connector, Io};
use trunkline::{Channel, Code, ConnectError, ConnectivityState};
use trunkline_tests::greeter::HelloRequest;
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::{Network, ms};

use super::neighbourhood::{Neighbourhood, hello, hello_patiently, hello_within};

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_called_is_a_failed_attempt_and_the_next_one_follows(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    recovers_from(&here, Fault::Call, "the connector panicked: boom").await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_whose_future_panics_is_a_failed_attempt_and_the_next_one_follows(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    recovers_from(&here, Fault::Future, "the connector panicked: boom").await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_byte_stream_that_panics_when_read_is_a_failed_attempt_and_the_next_one_follows(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    recovers_from(&here, Fault::Read, "panicked").await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_byte_stream_that_panics_when_written_is_a_failed_attempt_and_the_next_one_follows(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    recovers_from(&here, Fault::Write, "panicked").await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_byte_stream_that_panics_under_calls_is_a_lost_connection(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for fault in [Fault::Read, Fault::Write] {
        let here = Neighbourhood::new(engine).await;
        let bad = Bad::new(&here.network, fault);
        bad.armed.store(false, Relaxed);
        let channel = here.channel().connector(bad.clone()).connect_lazy().unwrap();
        hello(&channel).await.unwrap();
        bad.armed.store(true, Relaxed);
        // It may have been sent when the stream broke, so it is not sent again: an error, and not a panic.
        let status = hello(&channel).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("panicked"), "{status}");
        hello_patiently(&channel).await.unwrap();
        here.is_unharmed().await;
    }
}

// Too long for one write: an engine that wrote while it holds what its calls share would make them panic in
// turn.
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_byte_stream_that_panics_under_a_long_message_is_a_lost_connection(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let bad = Bad::new(&here.network, Fault::Write);
    bad.armed.store(false, Relaxed);
    let channel = here.channel().connector(bad.clone()).connect_lazy().unwrap();
    hello(&channel).await.unwrap();
    let greeter = GreeterClient::new(channel.clone());
    let (first, second) =
        tokio::join!(greeter.say_hello(HelloRequest { name: "long ".repeat(40_000) }).into_future(), async {
            bad.armed.store(true, Relaxed);
            greeter.say_hello(HelloRequest { name: "long ".repeat(40_000) }).await
        });
    for status in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("panicked"), "{status}");
    }
    hello_patiently(&channel).await.unwrap();
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_byte_stream_that_panics_when_dropped_does_not_keep_the_channel_from_closing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, Fault::Drop);
    hello(&channel).await.unwrap();
    channel.close(ms(100)).await;
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    here.is_unharmed().await;
}

// behaviour 14
#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_hangs_ends_with_the_attempts_time_and_neither_calls_nor_the_close_wait_for_it(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let bad = Bad::new(&here.network, Fault::Hang);
    let channel = here.channel().connector(bad.clone()).connect_lazy().unwrap();
    let began = Instant::now();
    let status = hello_within(&channel, ms(3000)).await.unwrap_err();
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(3000)));
    here.is_unharmed().await;

    let status = hello(&channel).await.unwrap_err();
    assert_eq!(
        (status.code(), began.elapsed()),
        (Code::Unavailable, ms(20_000)),
        "gRPC's 20 s for an attempt"
    );
    assert!(status.message().contains("no connection in time"), "{status}");

    // The attempt that began then hangs for as long.
    bad.armed.store(false, Relaxed);
    hello_patiently(&channel).await.unwrap();
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_one_that_hangs(#[values(H2, Trunkline)] engine: Transport) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, Fault::Hang);
    hello_within(&channel, ms(10)).await.unwrap_err();
    let began = Instant::now();
    channel.close(ms(5000)).await;
    assert_eq!(began.elapsed(), ms(0));
}

/// The first attempt fails by the fault, which the call says; the next succeeds.
async fn recovers_from(here: &Neighbourhood, fault: Fault, said: &str) {
    let channel = channel(here, fault);
    let began = Instant::now();
    let status = hello(&channel).await.expect_err("the first attempt fails");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(said), "{status}");
    here.is_unharmed().await;

    hello_patiently(&channel).await.expect("the next attempt succeeds");
    let took = began.elapsed();
    assert!(ms(800) <= took && took <= ms(1200), "gRPC's first backoff is 1 s ± 20 %: {took:?}");
}

fn channel(here: &Neighbourhood, fault: Fault) -> Channel {
    here.channel().connector(Bad::new(&here.network, fault)).connect_lazy().expect("the settings are right")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Call,
    Future,
    Hang,
    Read,
    Write,
    Drop,
}

/// The network's connector with a fault while it is armed. Panics happen once.
#[derive(Clone)]
struct Bad {
    network: Network,
    fault: Fault,
    armed: Arc<AtomicBool>,
}

impl Bad {
    fn new(network: &Network, fault: Fault) -> Self {
        Self { network: network.clone(), fault, armed: Arc::new(AtomicBool::new(true)) }
    }

    fn goes_off(&self, fault: Fault) -> bool {
        self.fault == fault && self.armed.swap(false, Relaxed)
    }
}

impl Connector for Bad {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        assert!(!self.goes_off(Fault::Call), "boom");
        let bad = self.clone();
        Box::pin(async move {
            assert!(!bad.goes_off(Fault::Future), "boom");
            if bad.fault == Fault::Hang && bad.armed.load(Relaxed) {
                std::future::pending::<()>().await;
            }
            let connected = bad.network.connect(request).await?;
            Ok(Connected::new(BadStream { io: connected.io, bad }))
        })
    }
}

struct BadStream {
    io: Box<dyn Io>,
    bad: Bad,
}

impl AsyncRead for BadStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.bad.goes_off(Fault::Read), "boom");
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for BadStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        assert!(!self.bad.goes_off(Fault::Write), "boom");
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Drop for BadStream {
    fn drop(&mut self) {
        // A second panic would be the test's fault.
        assert!(std::thread::panicking() || !self.bad.goes_off(Fault::Drop), "boom");
    }
}
