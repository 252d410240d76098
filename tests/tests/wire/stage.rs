//! A channel, connected to a server that does what a story tells it to.

use std::time::Duration;

use prost::Message;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use trunkline::{Channel, ChannelBuilder, Code, Request, Status, Transport};
use trunkline_tests::greeter::{HelloReply, HelloRequest};
use trunkline_tests::script::{Peer, Pipes, Setting, pipes};

use crate::road::{Answered, Road, Shape};

/// Where the server is, as channels know it.
pub(crate) const TARGET: &str = "ipv4:10.0.0.7:443";

/// Longer than anything takes. Under a paused clock this is no time at all.
pub(crate) const LONG: Duration = Duration::from_secs(1000);

/// The server's end of a connection.
pub(crate) type Server = Peer<DuplexStream>;

/// A channel and the server to which it is connected.
pub(crate) struct Stage {
    pub(crate) channel: Channel,
    pub(crate) server: Server,
    /// Where further connections of the channel come out.
    pub(crate) pipes: Pipes,
}

impl Stage {
    pub(crate) async fn set(engine: Transport) -> Self {
        Self::with(engine, &[], |builder| builder).await
    }

    /// With these SETTINGS of the server, and a channel that is configured so.
    pub(crate) async fn with(
        engine: Transport,
        settings: &[(Setting, u32)],
        configure: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
    ) -> Self {
        let (connector, mut pipes) = pipes();
        let builder =
            Channel::builder(TARGET).transport(engine).transport(engine).plaintext().connector(connector);
        let channel = configure(builder).connect_lazy().unwrap();
        channel.wake();
        let mut server = pipes.accept().await;
        server.greet(settings).await;
        channel.ready(LONG).await.unwrap();
        Self { channel, server, pipes }
    }

    /// A stage whose connection has answered a call already, so that its loss is no failure to connect.
    pub(crate) async fn proven(engine: Transport) -> Self {
        let mut stage = Self::set(engine).await;
        stage.still_serves().await;
        stage
    }

    /// Begins a call.
    pub(crate) fn call(&self, road: Road, shape: Shape) -> Calling {
        self.call_with(road, shape, Request::new("you".to_owned()))
    }

    pub(crate) fn call_with(&self, road: Road, shape: Shape, name: Request<String>) -> Calling {
        Calling(tokio::spawn(road.call(self.channel.clone(), shape, name)))
    }

    /// What becomes of a call to which the server answers so, on the stream that it is told. Another call is
    /// under way meanwhile, and must not notice.
    pub(crate) async fn answered(
        &mut self,
        road: Road,
        shape: Shape,
        answer: impl AsyncFnOnce(&mut Server, u32),
    ) -> Result<Answered, Status> {
        let neighbour = self.call(Road::Own, Shape::Unary);
        let beside = self.server.request().await.stream;
        let call = self.call(road, shape);
        let stream = self.server.request().await.stream;
        answer(&mut self.server, stream).await;
        let result = call.end().await;
        self.server.respond(beside, &reply("to the neighbour"), "0").await;
        assert_eq!(neighbour.end().await.unwrap().messages, ["to the neighbour"]);
        self.assert_same_connection();
        result
    }

    /// The status of a call to which the server answers so, and which must fail.
    pub(crate) async fn failed(
        &mut self,
        road: Road,
        shape: Shape,
        answer: impl AsyncFnOnce(&mut Server, u32),
    ) -> Status {
        match self.answered(road, shape, answer).await {
            Err(status) => status,
            Ok(answered) => panic!("{road:?} {shape:?}: {answered:?}"),
        }
    }

    /// The connection still carries calls, and is still the only one.
    pub(crate) async fn still_serves(&mut self) {
        let call = self.call(Road::Own, Shape::Unary);
        let stream = self.server.request().await.stream;
        self.server.respond(stream, &reply("still here"), "0").await;
        assert_eq!(call.end().await.unwrap().messages, ["still here"]);
        self.assert_same_connection();
    }

    pub(crate) fn assert_same_connection(&self) {
        assert_eq!(self.pipes.waiting(), 0, "the channel has dialled again");
    }
}

/// A call that goes on by itself. Dropping it lets it go on.
pub(crate) struct Calling(JoinHandle<Result<Answered, Status>>);

impl Calling {
    /// What it came to. No call may hang.
    pub(crate) async fn end(self) -> Result<Answered, Status> {
        match tokio::time::timeout(LONG, self.0).await {
            Ok(result) => result.unwrap(),
            Err(_elapsed) => panic!("the call hangs"),
        }
    }

    /// The status of a call that must fail with this code.
    pub(crate) async fn fails(self, code: Code) -> Status {
        let status = self.end().await.expect_err("the call was to fail");
        assert_eq!(status.code(), code, "{status}");
        status
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn cancel(self) {
        self.0.abort();
    }
}

/// A greeting, encoded and not framed.
pub(crate) fn reply(message: &str) -> Vec<u8> {
    HelloReply { message: message.to_owned(), ..HelloReply::default() }.encode_to_vec()
}

/// The same, framed as gRPC has it.
pub(crate) fn framed(message: &str) -> Vec<u8> {
    let reply = reply(message);
    let length = u32::try_from(reply.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), &reply].concat()
}

/// The name in a request's body.
pub(crate) fn name_in(body: &[u8]) -> String {
    HelloRequest::decode(&body[5..]).unwrap().name
}

/// Lets all tasks say what they have to say now.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
