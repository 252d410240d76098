//! One stream: how it runs, and the ways in which it ends.

use bytes::Bytes;
use http::Response;

use super::fixture::*;
use crate::transport::{SendClosed, StreamError, StreamEvent, TransportOptions};

async fn echoing() -> (Dial, crate::transport::Connection) {
    let (mut dial, io) = Dial::begin(&TransportOptions::default()).await;
    tokio::spawn(async move { serve(server(io).await, echo) });
    let connection = dial.ready().await;
    (dial, connection)
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_gets_its_answer_and_gives_its_place_back() {
    let (dial, connection) = echoing().await;
    assert_eq!(dial.usage().await.last_used, None);
    let mut stream = call(&connection, "hello").await;
    assert_eq!(answer(&mut stream).await, (b"hello".to_vec(), "0".to_owned()));
    let usage = dial.usage().await;
    assert!(usage.answered);
    assert_eq!(usage.last_used, Some(tokio::time::Instant::now().into_std()));
}
