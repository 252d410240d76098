//! One stream: how its response comes, and the ways in which it ends.

use std::ops::Range;
use std::task::Waker;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rstest::rstest;
use tokio::time::Instant;
use trunkline_proto::framing::SmallBytes;
use trunkline_proto::wire::names::GRPC_STATUS;

use super::fixture::*;
use crate::transport::{Connection, RequestHead, StreamError, StreamEvent, StreamViolation};

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_unary_call_gets_its_answer_and_tells_that_the_connection_is_good(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (dial, connection) = Dial::echoing(engine).await;
    assert_eq!(dial.usage().await.last_used, None);
    let mut stream = call(&connection, "hello").await;
    assert_eq!(answer(&mut stream).await, (b"hello".to_vec(), "0".to_owned()));
    let usage = dial.usage().await;
    assert!(usage.answered);
    assert_eq!(usage.last_used, Some(Instant::now().into_std()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn trailers_alone_are_a_head_that_ends(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, &[STATUS_200, GRPC_STATUS_0].concat()).await;
    match event(&mut stream).await {
        StreamEvent::Head(head) => {
            assert!(head.end && head.headers.get(&GRPC_STATUS) == Some(b"0"), "{head:?}")
        }
        event => panic!("{event:?}"),
    }
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_body_without_trailers_ends_without_them(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    peer.send(DATA, END_STREAM, id, b"x").await;
    assert!(matches!(event(&mut stream).await, StreamEvent::Head(head) if !head.end));
    assert!(matches!(event(&mut stream).await, StreamEvent::Data(data) if data == "x"));
    assert!(matches!(event(&mut stream).await, StreamEvent::End));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_is_not_for_us_is_ignored(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 98
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    let (unknown_frame, priority, altsvc) = (0xfa, 2, 10);
    let (unknown_setting, status_103) = ((0x1234, 7), b"\x08\x03103");
    peer.send(unknown_frame, 0xff, id, b"whatever").await;
    peer.send(priority, 0, id, &[0, 0, 0, 0, 16]).await;
    peer.send(altsvc, 0, 0, b"\0\0h2=\":1\"").await;
    peer.settings(&[unknown_setting]).await;
    peer.send(HEADERS, END_HEADERS, id, status_103).await;
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut stream).await, (b"x".to_vec(), "0".to_owned()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_that_the_server_resets_says_with_which_code(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 93
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    for code in [0, 2, 8, 11] {
        let mut stream = call(&connection, "hello").await;
        let (_, id, _) = peer.next_of(HEADERS).await;
        peer.reset(id, code).await;
        assert!(matches!(failed(&mut stream).await, StreamError::Reset(found) if found == code));
    }
    assert_eq!(streams(&connection), 0);
    assert!(connection.is_open());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_refused_stream_was_never_processed(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    let refused_stream = 7;
    peer.reset(id, refused_stream).await;
    assert!(matches!(failed(&mut stream).await, StreamError::Refused));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reset_without_error_after_the_trailers_is_a_clean_end(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, _sender) = call_streaming(&connection).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"x").await;
    peer.reset(id, 0).await;
    settle().await;
    assert_eq!(answer(&mut stream).await, (b"x".to_vec(), "0".to_owned()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_dropped_stream_is_cancelled_and_its_place_is_free(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    drop(stream);
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, CANCEL.to_be_bytes().to_vec()));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn malformed_headers_fail_their_stream_alone(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, mut other) = (call(&connection, "a").await, call(&connection, "b").await);
    let (_, first, _) = peer.next_of(HEADERS).await;
    let (_, second, _) = peer.next_of(HEADERS).await;
    // `connection: x` has no place in HTTP/2.
    peer.send(HEADERS, END_HEADERS, first, &[STATUS_200, b"\x00\x0aconnection\x01x"].concat()).await;
    let error = failed(&mut stream).await;
    assert!(matches!(error, StreamError::Violation(StreamViolation::Protocol(_))), "{error:?}");
    peer.answer(second, b"x").await;
    assert_eq!(answer(&mut other).await.1, "0");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn nothing_comes_after_the_last_event(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection) = Dial::echoing(engine).await;
    let mut stream = call(&connection, "hello").await;
    answer(&mut stream).await;
    let after = tokio::time::timeout(Duration::from_secs(3600), event(&mut stream));
    assert!(after.await.is_err());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_stops_its_sender_and_nobody_else(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    let window = usize::try_from(crate::transport::options::STREAM_WINDOW).unwrap();
    for _ in 0..window / 16_384 {
        peer.send(DATA, 0, id, &[b'x'; 16_384]).await;
    }
    settle().await;
    assert_eq!(peer.window_updates(id).await, 0, "nothing was read, and the window grew");
    assert!(matches!(event(&mut stream).await, StreamEvent::Head(_)));
    let mut read = 0;
    while read < window {
        match event(&mut stream).await {
            StreamEvent::Data(data) => read += data.len(),
            event => panic!("{event:?}"),
        }
    }
    settle().await;
    let given_back = peer.window_updates(id).await;
    assert!(given_back > window / 2, "{given_back} of {window} given back");
    // The connection's window is larger than the stream's, so another stream was never in want of it.
    let mut other = call(&connection, "other").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"y").await;
    assert_eq!(answer(&mut other).await.0, b"y");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn padding_counts_as_read(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    let padded = 8;
    let frame = [&[255][..], b"x", &[0; 255]].concat();
    for _ in 0..3000 {
        peer.send(DATA, padded, id, &frame).await;
    }
    settle().await;
    // Only the padding: the data was not read.
    assert!(peer.window_updates(id).await >= 512 << 10);
    assert!(matches!(event(&mut stream).await, StreamEvent::Head(_)));
    assert!(
        matches!(event(&mut stream).await, StreamEvent::Data(data) if data.iter().all(|byte| *byte == b'x'))
    );
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_request_carries_what_grpc_wants(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, io) = Dial::begin(engine).await;
    let accepting =
        tokio::spawn(async move { server(io).await.accept().await.unwrap().unwrap().0.into_parts().0 });
    let connection = dial.ready().await;
    let mut head = head();
    head.deadline = Some(Instant::now().into_std() + Duration::from_secs(1));
    head.headers.get_or_insert_default().insert("x-one", HeaderValue::from_static("1"));
    let _stream =
        connection.reserve().await.unwrap().start(head, SmallBytes::default(), true, Waker::noop()).unwrap();
    let request = accepting.await.unwrap();
    assert_eq!((request.method.as_str(), request.uri.path()), ("POST", "/greeter.Greeter/SayHello"));
    assert_eq!(request.uri.to_string(), "http://greeter.prod/greeter.Greeter/SayHello");
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "test"),
        ("grpc-timeout", "1000000u"),
        ("x-one", "1"),
    ] {
        assert_eq!(request.headers[name], value);
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_deadline_never_enters_the_header_table(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    // What all requests have in common enters the table by and by.
    for timeout in 1..10 {
        let mut head = head();
        head.deadline = Some(Instant::now().into_std() + Duration::from_secs(timeout));
        let _stream = connection
            .reserve()
            .await
            .unwrap()
            .start(head, SmallBytes::default(), true, Waker::noop())
            .unwrap();
        let block = peer.next_of(HEADERS).await.2;
        assert!(timeout < 5 || insertions(&block) == 0, "{engine:?}, request {timeout}: {block:x?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_tells_one_call_from_others_never_enters_the_header_table() {
    // The h2 crate puts all of it there.
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    for number in 0..1000 {
        // Three calls for one request of somebody's.
        let id = HeaderValue::try_from(format!("request-{}", number / 3)).unwrap();
        let trace = HeaderValue::try_from(format!("00-{:032x}-00f067aa0ba902b7-01", number / 3)).unwrap();
        let headers =
            [("x-request-id", id), ("traceparent", trace), ("x-app", HeaderValue::from_static("shop"))];
        let block = block_of(&connection, &mut peer, headers).await;
        assert!(number < 5 || insertions(&block) == 0, "request {number}: {block:x?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_secret_never_enters_a_header_table_on_its_way(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut token = HeaderValue::from_static("Bearer of a secret");
    token.set_sensitive(true);
    for number in 0..10 {
        let block = block_of(&connection, &mut peer, [("authorization", token.clone())]).await;
        assert_eq!(fields(&block, 0x10..0x20), 1, "{engine:?}, request {number}: {block:x?}");
        assert!(number < 5 || insertions(&block) == 0, "{engine:?}, request {number}: {block:x?}");
    }
}

/// The header block of a request with these headers.
async fn block_of<const N: usize>(
    connection: &Connection,
    peer: &mut Frames,
    headers: [(&'static str, HeaderValue); N],
) -> Vec<u8> {
    let headers = headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value));
    let head = RequestHead { headers: Some(Box::new(headers.collect())), ..head() };
    let slot = connection.reserve().await.unwrap();
    let _stream = slot.start(head, SmallBytes::default(), true, Waker::noop()).unwrap();
    peer.next_of(HEADERS).await.2
}

/// How many fields of a header block enter the table (RFC 7541 6.2.1).
fn insertions(block: &[u8]) -> usize {
    fields(block, 0x40..0x80)
}

/// How many fields of a header block begin so.
fn fields(mut block: &[u8], kind: Range<u8>) -> usize {
    let mut count = 0;
    while let Some(first) = block.first() {
        // RFC 7541 6: an indexed field, one that enters the table, a new size of it, and one that does not.
        let (index_bits, literal) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        count += usize::from(kind.contains(first));
        let index = take_integer(&mut block, index_bits);
        let strings = if literal { 1 + usize::from(index == 0) } else { 0 };
        for _ in 0..strings {
            let length = take_integer(&mut block, 7);
            block = &block[length..];
        }
    }
    count
}

/// An integer with a prefix of so many bits (RFC 7541 5.1).
fn take_integer(block: &mut &[u8], bits: u32) -> usize {
    let mask = (1 << bits) - 1;
    let mut value = usize::from(block[0] & mask);
    *block = &block[1..];
    if value == usize::from(mask) {
        for shift in (0..).step_by(7) {
            let byte = block[0];
            *block = &block[1..];
            value += usize::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
    }
    value
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_head_that_http2_forbids_is_told_apart_from_one_that_was_never_sent(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection) = Dial::echoing(engine).await;
    let mut head = head();
    head.headers.get_or_insert_default().insert("connection", HeaderValue::from_static("x"));
    let error = connection
        .reserve()
        .await
        .unwrap()
        .start(head, SmallBytes::default(), true, Waker::noop())
        .unwrap_err();
    assert!(matches!(error, StreamError::Violation(StreamViolation::Request(_))), "{error:?}");
    assert_eq!(streams(&connection), 0);
}
