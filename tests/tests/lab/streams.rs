//! Streams are handed out at once: nobody waits for headers that come only after the first message.

use std::time::Duration;

use rstest::rstest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use trunkline::Channel;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline_tests::{LoopbackServer, MemoryServer, Network, TestGreeter};

use crate::asking::{greeter, hello, loopback, timed};

/// The server answers nothing, not even headers, before it has heard somebody.
async fn converse(channel: &Channel) -> Duration {
    let (people, requests) = mpsc::channel(1);
    let (after, replies) = timed(async { greeter(channel).chat(ReceiverStream::new(requests)).await }).await;
    let mut replies = replies.unwrap();
    for name in ["Ada", "Grace"] {
        people.send(hello(name)).await.unwrap();
        let reply = replies.message().await.unwrap().expect("one for each");
        assert_eq!(reply.message, format!("Hello, {name}!"));
    }
    drop(people);
    assert!(replies.message().await.unwrap().is_none());
    after
}

// E10
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_conversation_is_handed_out_before_the_server_says_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    network.delay("a", Duration::from_secs(3));
    let _server = MemoryServer::start(&network, "a", &TestGreeter::new("a"));
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    assert_eq!(converse(&channel).await, Duration::ZERO, "not even the connection is waited for");
    assert_eq!(network.elapsed(), Duration::from_secs(3));
}

// E10
#[rstest]
#[tokio::test]
async fn over_sockets_a_conversation_is_handed_out_before_the_server_says_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server = LoopbackServer::start(&TestGreeter::new("a"));
    converse(&loopback(engine, &[server.address()]).connect_lazy().unwrap()).await;
}
