//! tonic's server, with its defaults but for the number of streams.

use std::io;
use std::pin::Pin;

use tokio::runtime;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::echo::echo_server::{Echo, EchoServer};
use crate::echo::{FloodRequest, Payload};

/// Above all workloads, so that no client queues.
const MAX_STREAMS: u32 = 10_000;

pub(super) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let mut server = Server::builder().max_concurrent_streams(Some(MAX_STREAMS));
        let served = server.add_service(EchoServer::new(Service)).serve_with_incoming(incoming);
        served.await.map_err(io::Error::other)
    })
}

type Messages = Pin<Box<dyn Stream<Item = Result<Payload, Status>> + Send>>;

struct Service;

#[tonic::async_trait]
impl Echo for Service {
    type FloodStream = Messages;
    type ChatStream = Messages;

    async fn say(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn flood(&self, request: Request<FloodRequest>) -> Result<Response<Messages>, Status> {
        let FloodRequest { count, size, .. } = request.into_inner();
        let filling = vec![b'.'; (size as usize).saturating_sub(8)];
        let message = move |number: u64| {
            let body = [&number.to_be_bytes()[..], &filling].concat();
            Ok(Payload { body: body.into() })
        };
        Ok(Response::new(Box::pin(tokio_stream::iter((0..count).map(message)))))
    }

    async fn chat(&self, request: Request<Streaming<Payload>>) -> Result<Response<Messages>, Status> {
        Ok(Response::new(Box::pin(request.into_inner().map(|message| message))))
    }
}
