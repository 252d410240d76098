//! What an application says of a call: interceptors, metadata, timeouts, and options of ours on requests of
//! stubs that know nothing of them.

use rstest::rstest;
use tokio::time::Instant;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::metadata::MetadataValue;
use trunkline::{Code, FailFast, Request, RequestExt, Status};
use trunkline_tests::{Answer, MemoryServer, Network, TestGreeter, ms};

use super::greeter::greeter_client::GreeterClient;
use super::{Here, hello, watch};

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_interceptor_adds_metadata_to_every_shape_of_call(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let token = |mut request: Request<()>| -> Result<Request<()>, Status> {
        request.metadata_mut().insert("x-token", MetadataValue::from_static("secret"));
        Ok(request)
    };
    let mut client = GreeterClient::with_interceptor(here.channel(), token);
    client.say_hello(hello("Ada")).await.unwrap();
    client.watch(watch(1)).await.unwrap();
    client.record(tokio_stream::iter([hello("Ada")])).await.unwrap();
    client.chat(tokio_stream::iter([hello("Ada")])).await.unwrap();
    let heard = here.greeter.heard();
    assert_eq!(heard.len(), 4);
    assert!(heard.iter().all(|call| call.metadata.get("x-token").unwrap() == "secret"));
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_that_refuses_is_the_end_of_the_call() {
    let here = Here::new(Transport::default());
    let refuse =
        |_: Request<()>| -> Result<Request<()>, Status> { Err(Status::unauthenticated("who are you?")) };
    let mut client = GreeterClient::with_interceptor(here.channel(), refuse);
    let status = client.say_hello(hello("Ada")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "who are you?"));
    assert!(here.network.dialled().is_empty(), "nobody was even connected to");
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn the_timeout_that_tonic_knows_ends_the_call_and_is_told_to_the_server(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Here::with(engine, TestGreeter::new("a").slow(ms(10_000)));
    let mut request = Request::new(hello("Ada"));
    request.set_timeout(ms(300));
    let began = Instant::now();
    let status = here.client().say_hello(request).await.unwrap_err();
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(300)));
    let heard = here.greeter.heard();
    assert!(heard[0].metadata.contains_key("grpc-timeout"), "{heard:?}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn of_two_timeouts_ours_counts(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::with(engine, TestGreeter::new("a").slow(ms(10_000)));
    let mut request = Request::new(hello("Ada")).with_timeout(ms(200));
    request.set_timeout(ms(300));
    let began = Instant::now();
    let status = here.client().say_hello(request).await.unwrap_err();
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(200)));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_timeout_covers_the_body_of_a_stream(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let request = Request::new(watch(0)).with_timeout(ms(300));
    let began = Instant::now();
    let mut replies = here.client().watch(request).await.unwrap().into_inner();
    let status = loop {
        match replies.message().await {
            Ok(reply) => assert!(reply.is_some(), "the server has no end"),
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(300)));
}

// behaviour 62
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_request_may_wait_for_a_server_that_is_not_there_yet(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let mut client = GreeterClient::new(channel);
    let status = client.say_hello(hello("Ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "the default is not to wait");

    let request = Request::new(hello("Ada")).with_fail_fast(FailFast::Never);
    let (reply, _server) = tokio::join!(client.say_hello(request), async {
        tokio::time::sleep(ms(5000)).await;
        MemoryServer::start(&network, "a", &TestGreeter::new("a"))
    });
    assert_eq!(reply.unwrap().into_inner().server, "a");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn options_survive_interceptors(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::with(engine, TestGreeter::new("a").answering(|_| Answer::after(ms(10_000))));
    let mut client = GreeterClient::with_interceptor(here.channel(), |request: Request<()>| Ok(request));
    let began = Instant::now();
    let status = client.say_hello(Request::new(hello("Ada")).with_timeout(ms(200))).await.unwrap_err();
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(200)));
}
