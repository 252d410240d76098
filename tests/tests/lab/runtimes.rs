//! Runtimes come and go; a channel stays. These tests make runtimes of their own, so they are no tokio tests.

use std::iter;
use std::pin::pin;
use std::sync::{LazyLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rstest::rstest;
use tokio::io::DuplexStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::IntervalStream;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, Code, ConnectivityState, Sent, Streaming};
use trunkline_tests::greeter::HelloReply;
use trunkline_tests::{LoopbackServer, MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greet, greeter, hello, loopback, watch};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Servers and channels of these tests outlive the runtimes that call.
struct Scene {
    serving: Runtime,
    network: Network,
    _server: MemoryServer,
}

impl Scene {
    fn new(engine: Transport, greeter: &TestGreeter) -> Self {
        let serving = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let network = Network::new(engine);
        let server = serving.block_on(async { MemoryServer::start(&network, "a", greeter) });
        Self { serving, network, _server: server }
    }

    fn channel(&self) -> Channel {
        self.network.channel(&["a"]).connect_lazy().expect("no runtime is needed to build one")
    }
}

// E11
#[rstest]
fn a_channel_that_was_built_outside_of_any_runtime_works_on_each(#[values(H2, Trunkline)] engine: Transport) {
    let scene = Scene::new(engine, &TestGreeter::new("a"));
    let channel = scene.channel();
    for runtime in [current_thread(), multi_thread(), current_thread()] {
        runtime.block_on(async { greet(&channel).await.unwrap() });
        // The runtime ends here, and with it the channel's tasks.
    }
    assert_eq!(scene.network.dials("a").len(), 3);
}

#[rstest]
fn a_channel_whose_connections_went_with_their_runtime_is_not_ready_for_the_next(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let scene = Scene::new(engine, &TestGreeter::new("a"));
    let channel = scene.channel();
    multi_thread().block_on(async { channel.ready(Duration::from_secs(5)).await.unwrap() });
    assert_eq!(channel.state(), ConnectivityState::Idle, "its connections are gone");
    // Waking it connects, as it does any channel that is Idle.
    let here = current_thread();
    here.block_on(async {
        channel.wake();
        let mut states = channel.watch_state();
        while states.changed().await != ConnectivityState::Ready {}
    });
    assert_eq!(scene.network.dials("a").len(), 2);
    drop(here);
    scene.network.refuse("a");
    // Whoever of several wakes it.
    current_thread().block_on(async {
        channel.wake();
        channel.ready(ms(100)).await.unwrap_err();
    });
}

// E11
#[rstest]
fn over_sockets_a_channel_outlives_the_runtimes_that_it_is_used_on(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server = LoopbackServer::start(&TestGreeter::new("a"));
    let channel = loopback(engine, &[server.address()]).connect_lazy().unwrap();
    for runtime in [current_thread(), multi_thread(), current_thread()] {
        runtime.block_on(async { greet(&channel).await.unwrap() });
    }
}

// E11
#[rstest]
fn a_static_channel_serves_tests_that_have_a_runtime_each(#[values(H2, Trunkline)] engine: Transport) {
    static SERVER: LazyLock<LoopbackServer> = LazyLock::new(|| LoopbackServer::start(&TestGreeter::new("a")));
    static CHANNELS: [LazyLock<Channel>; 2] = [LazyLock::new(|| over(H2)), LazyLock::new(|| over(Trunkline))];
    fn over(engine: Transport) -> Channel {
        loopback(engine, &[SERVER.address()]).connect_lazy().unwrap()
    }
    let channel: &'static Channel = &CHANNELS[usize::from(engine == Trunkline)];
    let threads = [(); 8].map(|()| {
        std::thread::spawn(move || {
            for _ in 0..5 {
                current_thread().block_on(async {
                    for _ in 0..10 {
                        match greet(channel).await {
                            Ok(_) => {}
                            // The one thing that may happen: another thread's runtime, on which the
                            // connection was, has ended.
                            Err(status) => {
                                assert_eq!(failed::<()>(&Err(status), Code::Unavailable).sent(), Sent::Maybe);
                            }
                        }
                    }
                });
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

// E11
#[rstest]
fn a_call_whose_connection_ends_with_another_runtime_fails_and_says_that_it_may_have_been_processed(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let slow = TestGreeter::new("a").slow(Duration::from_secs(3600));
    let scene = Scene::new(engine, &slow);
    let channel = scene.channel();
    let (first, second) = (multi_thread(), current_thread());
    first.block_on(async { channel.ready(Duration::from_secs(60)).await.unwrap() });
    let calling = channel.clone();
    let call = std::thread::spawn(move || second.block_on(async { greet(&calling).await }));
    while slow.in_flight() == 0 {
        std::thread::yield_now();
    }
    drop(first);
    let result = call.join().unwrap();
    let report = failed(&result, Code::Unavailable);
    assert_eq!(report.sent(), Sent::Maybe);
}

// E11
#[rstest]
fn a_call_that_waits_for_a_connection_survives_the_runtime_that_dials(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let scene = Scene::new(engine, &TestGreeter::new("a"));
    scene.network.black_hole("a");
    let channel = scene.channel();
    let first = multi_thread();
    first.block_on(async {
        channel.wake();
        while scene.network.dials("a").is_empty() {
            tokio::task::yield_now().await;
        }
    });
    let calling = channel.clone();
    let call = std::thread::spawn(move || current_thread().block_on(async { greet(&calling).await }));
    let _server = scene
        .serving
        .block_on(async { MemoryServer::start(&scene.network, "a", &TestGreeter::new("second")) });
    drop(first);
    assert_eq!(call.join().unwrap().unwrap().server, "second");
}

// E11
#[rstest]
fn a_channel_with_a_runtime_of_its_own_keeps_its_connection_there(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let scene = Scene::new(engine, &TestGreeter::new("a"));
    let own = multi_thread();
    let builder = scene.network.channel(&["a"]).runtime(own.handle().clone());
    let channel = builder.connect_lazy().unwrap();
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async { greet(&channel).await.unwrap() });
    }
    assert_eq!(scene.network.dials("a").len(), 1);
}

// E11
#[rstest]
fn the_deadline_of_a_call_does_not_hang_on_the_runtime_of_its_connection(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let scene = Scene::new(engine, &TestGreeter::new("a"));
    let channel = scene.channel();
    let (asleep, awake) = (current_thread(), current_thread());
    asleep.block_on(async { channel.ready(Duration::from_secs(60)).await.unwrap() });
    // From here on nobody runs it, but it is there: the request is never sent.
    let result = awake.block_on(greeter(&channel).say_hello(hello("x")).timeout(ms(20)).into_future());
    failed(&result, Code::DeadlineExceeded);
    drop(asleep);
}

/// A server that answers with a head at once, and with the rest when it has read the request, which it does once `reads`.
async fn answer_early(io: DuplexStream, reads: watch::Receiver<bool>) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let mut reads = reads.clone();
        tokio::spawn(async move {
            let head = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut reply = respond.send_response(head, false).unwrap();
            let mut body = request.into_body();
            if reads.wait_for(|reads| *reads).await.is_ok() {
                while let Some(Ok(data)) = body.data().await {
                    body.flow_control().release_capacity(data.len()).unwrap();
                }
            }
            let _gone = reply.send_data(vec![0; 5].into(), false);
            let trailers =
                [(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"))];
            let _gone = reply.send_trailers(trailers.into_iter().collect());
        });
    }
}

/// A network with such a server at `a`, the runtime that it is on, and what lets it read.
fn early_answers(engine: Transport) -> (Runtime, Network, watch::Sender<bool>) {
    let serving = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let network = Network::new(engine);
    let mut incoming = network.listen("a");
    let (read, reads) = watch::channel(false);
    serving.spawn(async move {
        while let Some(Ok(io)) = incoming.next().await {
            tokio::spawn(answer_early(io, reads.clone()));
        }
    });
    (serving, network, read)
}

/// A call whose request is more than any window lets through unread, once its response has begun.
async fn too_much(channel: &Channel) -> Streaming<HelloReply> {
    let requests = tokio_stream::iter(iter::repeat_n(hello(&"x".repeat(40_000)), 100));
    let mut replies = greeter(channel).chat(requests).await.unwrap();
    replies.headers().await.unwrap();
    replies
}

/// Does what must not hang.
fn in_time(what: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        what();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).unwrap();
}

// E11
#[rstest]
fn a_runtime_ends_although_requests_wait_for_room_on_it(#[values(H2, Trunkline)] engine: Transport) {
    in_time(move || {
        let (_serving, network, _read) = early_answers(engine);
        for is_held_elsewhere in [false, true] {
            let calling = multi_thread();
            let channel = network.channel(&["a"]).connect_lazy().unwrap();
            let held = calling.block_on(async {
                let mut calls = Vec::new();
                for _ in 0..10 {
                    let replies = too_much(&channel).await;
                    if is_held_elsewhere {
                        calls.push(replies);
                    } else {
                        tokio::spawn(async move { drop((replies, std::future::pending::<()>().await)) });
                    }
                }
                calls
            });
            drop(calling);
            drop(held);
        }
    });
}

// E11
#[rstest]
fn a_request_whose_runtime_has_ended_fails_its_call_and_no_other(#[values(H2, Trunkline)] engine: Transport) {
    in_time(move || {
        let (_serving, network, read) = early_answers(engine);
        let channel = network.channel(&["a"]).connect_lazy().unwrap();
        let (connected, calling) = (multi_thread(), multi_thread());
        connected.block_on(async { channel.ready(Duration::from_secs(60)).await.unwrap() });
        let mut replies = calling.block_on(too_much(&channel));
        drop(calling);
        read.send(true).unwrap();
        connected.block_on(async {
            let status = replies.message().await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().contains("has stopped"), "{status}");
            greet(&channel).await.unwrap();
        });
        assert_eq!(network.dials("a").len(), 1);
    });
}

// E11
#[rstest]
fn a_request_that_goes_on_says_the_same_when_its_runtime_ends(#[values(H2, Trunkline)] engine: Transport) {
    in_time(move || {
        let scene = Scene::new(engine, &TestGreeter::new("a"));
        let channel = scene.channel();
        let (connected, calling) = (multi_thread(), multi_thread());
        connected.block_on(async { channel.ready(Duration::from_secs(60)).await.unwrap() });
        let mut replies = calling.block_on(async {
            let ticks = IntervalStream::new(tokio::time::interval(ms(1)));
            let mut replies = greeter(&channel).chat(ticks.map(|_| hello("you"))).await.unwrap();
            for _ in 0..3 {
                replies.message().await.unwrap().unwrap();
            }
            replies
        });
        drop(calling);
        let status = connected.block_on(async {
            loop {
                if let Err(status) = replies.message().await {
                    return status;
                }
            }
        });
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("has stopped"), "{status}");
    });
}

#[test]
fn a_call_that_is_polled_outside_of_any_runtime_says_so() {
    let channel = Network::new(Transport::default()).channel(&["a"]).connect_lazy().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let call = pin!(greet(&channel));
    let Poll::Ready(result) = call.poll(&mut cx) else { panic!("nothing could ever wake it") };
    let report = failed(&result, Code::Internal);
    assert_eq!(report.sent(), Sent::No);
    assert!(report.to_string().contains("no tokio runtime here"), "{report}");

    let mut cx = Context::from_waker(Waker::noop());
    let people = tokio_stream::iter([hello("you")]);
    let conversation = pin!(greeter(&channel).chat(people).into_future());
    let Poll::Ready(result) = conversation.poll(&mut cx) else { panic!("nothing could ever wake it") };
    assert!(failed(&result, Code::Internal).to_string().contains("ChannelBuilder::runtime"));

    let mut cx = Context::from_waker(Waker::noop());
    let replies = pin!(greeter(&channel).watch(watch(1, 1)).timeout(ms(10)).into_future());
    let Poll::Ready(result) = replies.poll(&mut cx) else { panic!("nothing could ever wake it") };
    assert!(failed(&result, Code::Internal).to_string().contains("no tokio runtime here"));
}
