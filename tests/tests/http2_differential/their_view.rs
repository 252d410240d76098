//! A script as h2's client takes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture};
use http::{Method, Request};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::task;

use crate::outcome::{End, Outcome, Seen, read_frames};
use crate::scripts::{Script, WINDOW};

pub(crate) async fn run(script: &Script) -> Outcome {
    let (io, mut server) = duplex(64 << 20);
    let mut builder = Builder::new();
    builder.enable_push(false).initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    builder.max_header_list_size(256 << 10);
    let (mut requests, connection) = builder.handshake::<_, Bytes>(io).await.unwrap();
    let connection = task::spawn(connection);
    let mut tasks = Vec::new();
    let mut bodies = Vec::new();
    let mut streams = BTreeMap::new();
    for end in [true, true, false] {
        let request = Request::builder().method(Method::POST).uri("http://test/").body(()).unwrap();
        let (response, body) = requests.send_request(request, end).unwrap();
        let id = response.stream_id().as_u32();
        let seen = Arc::new(Mutex::new(Seen::default()));
        tasks.push(task::spawn(listen(response, seen.clone())));
        // Dropped, it would be a reset.
        bodies.push(body);
        streams.insert(id, seen);
    }
    let mut unread = Vec::new();
    let mut frames = read_frames(&mut server, &mut unread).await;
    for part in script.parts() {
        _ = server.write_all(&part).await;
        frames.extend(read_frames(&mut server, &mut unread).await);
    }
    let streams = streams.into_iter().map(|(id, seen)| (id, seen.lock().unwrap().clone())).collect();
    tasks.into_iter().for_each(|task| task.abort());
    connection.abort();
    drop(bodies);
    Outcome { gave_up: None, streams }.with_frames(&frames)
}

async fn listen(response: ResponseFuture, seen: Arc<Mutex<Seen>>) {
    let end = match read(response, &seen).await {
        Ok(()) => End::Complete,
        Err(error) if error.is_go_away() && error.is_remote() => End::NotProcessed,
        Err(error) if error.is_reset() && error.is_remote() => End::Reset(error.reason().unwrap().into()),
        Err(error) if error.is_reset() => End::Faulty,
        Err(_) => End::Lost,
    };
    seen.lock().unwrap().end = end;
    // The handles live on: dropping them would write resets that no script asked for.
    std::future::pending::<()>().await;
}

async fn read(response: ResponseFuture, seen: &Mutex<Seen>) -> Result<(), h2::Error> {
    let response = response.await?;
    seen.lock().unwrap().status = Some(response.status().as_u16());
    let mut body = response.into_body();
    // It must outlive this function; a task that was aborted drops it.
    let result = read_body(&mut body, seen).await;
    std::mem::forget(body);
    result
}

async fn read_body(body: &mut h2::RecvStream, seen: &Mutex<Seen>) -> Result<(), h2::Error> {
    while let Some(data) = body.data().await {
        seen.lock().unwrap().body.extend_from_slice(&data?);
    }
    let trailers = body.trailers().await?;
    seen.lock().unwrap().trailers = trailers.map(|trailers| trailers.len());
    Ok(())
}
