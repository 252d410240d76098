//! Something that is done with every call: a token goes out with each, by an interceptor that tonic has, and a
//! layer of one's own says how long each took. Layers see the calls of our own stubs and of tonic's alike.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tonic::service::InterceptorLayer;
use tower_service::Service;
use trunkline::connect::BoxFuture;
use trunkline::metadata::MetadataValue;
use trunkline::{Body, Channel, LayeredService, Request, Status, StatusExt};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::server::RunningServer;

/// Adds a token. One that has expired would be an error here, and the call would end with it unsent.
fn authorize(mut request: Request<()>) -> Result<Request<()>, Status> {
    let mut token = MetadataValue::from_static("Bearer of good news");
    // It is in no log and in no header table on the way.
    token.set_sensitive(true);
    request.metadata_mut().insert("authorization", token);
    Ok(request)
}

/// Says how long each call took until its response began.
#[derive(Clone)]
struct Timed(LayeredService);

impl Service<http::Request<Body>> for Timed {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Status>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (method, began) = (request.uri().path().to_owned(), Instant::now());
        let has_token = request.headers().contains_key("authorization");
        let response = self.0.call(request);
        Box::pin(async move {
            let response = response.await;
            println!("{method}, with a token: {has_token}, took {:?}", began.elapsed());
            response
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start("alpha", "127.0.0.1:0".parse()?, Arc::default())?;
    let channel = Channel::builder(format!("http://{}", server.address()))
        // The first that is added sees a call first.
        .layer(InterceptorLayer::new(authorize))
        .layer(tower_layer::layer_fn(Timed))
        .connect_lazy()?;
    let reply = GreeterClient::new(channel).say_hello(HelloRequest { name: "Ada".to_owned() }).await?;
    println!("{} says: {}", reply.server, reply.message);

    // One that refuses: nothing was sent, and the status says so.
    let closed = Channel::builder(format!("http://{}", server.address()))
        .layer(InterceptorLayer::new(|_: Request<()>| Err(Status::unauthenticated("no token"))))
        .connect_lazy()?;
    if let Err(status) = GreeterClient::new(closed).say_hello(HelloRequest::default()).await {
        println!("{:?}, sent: {:?}", status.code(), status.call_report().map(|report| report.sent()));
    }
    Ok(())
}
