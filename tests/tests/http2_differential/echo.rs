//! A server on h2 that does what the path of a request says.

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task;

/// Neither side ever waits for the other to read, which a driver would see to.
const PIPE: usize = 64 << 20;

/// What a test asks of the running server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    ShutDown,
    Abort(Reason),
}

/// Starts the server, and returns the client's end of its pipe.
pub(crate) fn serve(builder: &Builder) -> DuplexStream {
    serve_with_orders(builder).0
}

pub(crate) fn serve_with_orders(builder: &Builder) -> (DuplexStream, mpsc::UnboundedSender<Order>) {
    let (ours, theirs) = duplex(PIPE);
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let builder = builder.clone();
    task::spawn(async move {
        let mut connection = builder.handshake::<_, Bytes>(theirs).await.unwrap();
        let mut may_order = true;
        loop {
            tokio::select! {
                order = ordered.recv(), if may_order => match order {
                    Some(Order::ShutDown) => connection.graceful_shutdown(),
                    Some(Order::Abort(reason)) => connection.abrupt_shutdown(reason),
                    None => may_order = false,
                },
                request = connection.accept() => match request {
                    Some(Ok((request, respond))) => drop(task::spawn(answer(request, respond))),
                    Some(Err(_)) | None => return,
                },
            }
        }
    });
    (ours, orders)
}

/// A client that gave up is no fault of the server's.
async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let path = request.uri().path().to_owned();
    let mut words = path.split('/').skip(1);
    let (verb, number) = (words.next().unwrap_or_default(), words.next().and_then(|word| word.parse().ok()));
    let number: usize = number.unwrap_or_default();
    let head = || Response::builder().header("content-type", "application/grpc");
    match verb {
        // Everything that comes goes back when all of it is here.
        "echo" => {
            let body = collect(request.into_body()).await;
            let Ok(mut send) = respond.send_response(head().body(()).unwrap(), false) else { return };
            send_all(&mut send, &body).await;
            _ = send.send_trailers(trailers());
        }
        // The fields of the request come back.
        "mirror" => {
            let mut response = head().body(()).unwrap();
            for (name, value) in request.headers() {
                response.headers_mut().append(name, value.clone());
            }
            _ = respond.send_response(response, true);
        }
        // So many messages of ten bytes, one frame each.
        "messages" => {
            let Ok(mut send) = respond.send_response(head().body(()).unwrap(), false) else { return };
            for i in 0..number {
                send_all(&mut send, format!("{i:010}").as_bytes()).await;
            }
            _ = send.send_trailers(trailers());
        }
        "only-trailers" => {
            let head = head().header("grpc-status", "12").body(()).unwrap();
            _ = respond.send_response(head, true);
        }
        // The response is complete, whatever else the client has to send.
        "early" => {
            let Ok(mut send) = respond.send_response(head().body(()).unwrap(), false) else { return };
            _ = send.send_trailers(trailers());
        }
        "reset" => respond.send_reset(Reason::from(number as u32)),
        "reset-within" => {
            let Ok(mut send) = respond.send_response(head().body(()).unwrap(), false) else { return };
            send_all(&mut send, b"part").await;
            // After it was sent.
            task::yield_now().await;
            send.send_reset(Reason::from(number as u32));
        }
        "continue" => {
            _ = respond.send_informational(Response::builder().status(103).body(()).unwrap());
            _ = respond.send_response(head().body(()).unwrap(), true);
        }
        "long-head" => {
            _ = respond.send_response(head().header("x-long", "v".repeat(number)).body(()).unwrap(), true)
        }
        // Nothing, until the client gives up.
        _ => drop(std::future::poll_fn(|context| respond.poll_reset(context)).await),
    }
}

async fn collect(mut body: RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        _ = body.flow_control().release_capacity(data.len());
        all.extend_from_slice(&data);
    }
    all
}

async fn send_all(send: &mut SendStream<Bytes>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        send.reserve_capacity(bytes.len());
        let Some(Ok(room)) = std::future::poll_fn(|context| send.poll_capacity(context)).await else {
            return;
        };
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        if send.send_data(Bytes::copy_from_slice(now), false).is_err() {
            return;
        }
        bytes = later;
    }
}

fn trailers() -> HeaderMap {
    let status = (http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"));
    HeaderMap::from_iter([status])
}
