//! Flow control, up and down.

use rstest::rstest;
use trunkline::Request;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline_tests::script::{Frame, Kind, Setting, flags};

use crate::road::Road;
use crate::stage::{Server, Stage, framed, name_in, reply};

/// The DATA of `stream` that the server has got by now.
async fn arrived(server: &mut Server, stream: u32) -> Vec<u8> {
    let mut data = Vec::new();
    while server.has_sent(Kind::DATA).await {
        let frame = server.next_of(Kind::DATA).await;
        assert_eq!(frame.stream, stream);
        data.extend_from_slice(&frame.payload);
    }
    data
}

// behaviour 89
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_request_waits_for_window_and_takes_no_more_than_it_is_given(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::with(engine, &[(Setting::INITIAL_WINDOW_SIZE, 0)], |builder| builder).await;
    stage.server.give_window(false);
    for (road, shape) in Road::every() {
        let name = "a name of some length";
        let call = stage.call_with(road, shape, Request::new(name.to_owned()));
        let server = &mut stage.server;
        let stream = server.request().await.stream;
        let mut body = arrived(server, stream).await;
        assert!(body.is_empty(), "{road:?} {shape:?}: nothing without window");
        for _ in 0..7 {
            server.open_window(stream, 1).await;
            let piece = arrived(server, stream).await;
            assert_eq!(piece.len(), 1, "{road:?} {shape:?}");
            body.extend(piece);
        }
        server.open_window(stream, 1 << 20).await;
        body.extend(arrived(server, stream).await);
        assert_eq!(name_in(&body), name, "{road:?} {shape:?}");
        server.respond(stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
        server.open_window(0, 1000).await;
    }
}

// behaviour 89
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_new_initial_window_counts_for_streams_that_are_there(#[values(H2, Trunkline)] engine: Transport) {
    for (road, shape) in Road::every() {
        let mut stage = Stage::with(engine, &[(Setting::INITIAL_WINDOW_SIZE, 10)], |builder| builder).await;
        stage.server.give_window(false);
        let name = "a name of some length, so that it needs more than one window";
        let call = stage.call_with(road, shape, Request::new(name.to_owned()));
        let server = &mut stage.server;
        let stream = server.request().await.stream;
        let mut body = arrived(server, stream).await;
        assert_eq!(body.len(), 10, "{road:?} {shape:?}");
        // Below what was sent already: now the window is negative (RFC 9113 6.9.2), and opening it by as much
        // gives nothing.
        server.settings(&[(Setting::INITIAL_WINDOW_SIZE, 4)]).await;
        server.open_window(stream, 6).await;
        assert!(arrived(server, stream).await.is_empty(), "{road:?} {shape:?}");
        server.settings(&[(Setting::INITIAL_WINDOW_SIZE, 14)]).await;
        body.extend(arrived(server, stream).await);
        assert_eq!(body.len(), 20, "{road:?} {shape:?}");
        server.settings(&[(Setting::INITIAL_WINDOW_SIZE, (1 << 31) - 1 - 20)]).await;
        body.extend(arrived(server, stream).await);
        assert_eq!(name_in(&body), name, "{road:?} {shape:?}");
        server.respond(stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
    }
}

// behaviour 89
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_without_window_stops_no_other(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::with(engine, &[(Setting::INITIAL_WINDOW_SIZE, 100)], |builder| builder).await;
    stage.server.give_window(false);
    for (road, shape) in Road::every() {
        let stuck = stage.call_with(road, shape, Request::new("x".repeat(10_000)));
        let stream = stage.server.request().await.stream;
        stage.still_serves().await;
        assert!(!stuck.is_finished(), "{road:?} {shape:?}");
        stuck.cancel();
        stage.server.reset_of(stream).await;
        stage.server.open_window(0, 200).await;
    }
}

/// A server that keeps to the client's windows.
struct Window {
    stream: u32,
    /// What may be sent on the connection, and on the stream.
    left: [i64; 2],
}

impl Window {
    /// The client's windows as they are now; nothing was sent on `stream` yet, nor anything that counts on
    /// others.
    async fn of(server: &mut Server, stream: u32) -> Self {
        let settings = server.next_of(Kind::SETTINGS).await;
        let initial = settings
            .payload
            .chunks(6)
            .find(|setting| setting[..2] == [0, 4])
            .map(|setting| i64::from(u32::from_be_bytes(setting[2..].try_into().unwrap())));
        Self { stream, left: [65_535, initial.unwrap_or(65_535)] }
    }

    async fn send(&mut self, server: &mut Server, flags: u8, payload: Vec<u8>) {
        let length = i64::try_from(payload.len()).unwrap();
        while self.left.iter().any(|left| *left < length) {
            let stream = self.stream;
            let is_it =
                |frame: &Frame| frame.kind == Kind::WINDOW_UPDATE && [0, stream].contains(&frame.stream);
            let update = server.next_where("window", is_it).await;
            self.left[usize::from(update.stream != 0)] += i64::from(update.number_at(0));
        }
        self.left.iter_mut().for_each(|left| *left -= length);
        server.send(Kind::DATA, flags, self.stream, payload).await;
    }
}

// behaviour 89
#[rstest]
#[tokio::test(start_paused = true)]
async fn padding_is_given_back_like_data(#[values(H2, Trunkline)] engine: Transport) {
    // Their padding is more than the windows of the stream and of the connection.
    const FRAMES: usize = 80_000;
    for road in Road::BOTH {
        let mut stage = Stage::set(engine).await;
        let call = stage.call(road, crate::road::Shape::ServerStreaming);
        let server = &mut stage.server;
        let stream = server.request().await.stream;
        let mut window = Window::of(server, stream).await;
        server.head(stream, &[]).await;
        let padded = [&[255][..], &framed("hello"), &[0; 255]].concat();
        for _ in 0..FRAMES {
            window.send(server, flags::PADDED, padded.clone()).await;
        }
        server.trailers(stream, &[("grpc-status", "0")]).await;
        assert_eq!(call.end().await.unwrap().messages.len(), FRAMES, "{road:?}");
        stage.still_serves().await;
    }
}

// behaviour 89
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_download_of_any_length_flows_within_the_windows(#[values(H2, Trunkline)] engine: Transport) {
    for road in Road::BOTH {
        let mut stage = Stage::set(engine).await;
        let call = stage.call(road, crate::road::Shape::ServerStreaming);
        let server = &mut stage.server;
        let stream = server.request().await.stream;
        let mut window = Window::of(server, stream).await;
        server.head(stream, &[]).await;
        let message = framed(&"x".repeat(16_000));
        for _ in 0..1500 {
            window.send(server, flags::NONE, message.clone()).await;
        }
        server.trailers(stream, &[("grpc-status", "0")]).await;
        let messages = call.end().await.unwrap().messages;
        assert_eq!((messages.len(), messages[1499].len()), (1500, 16_000), "{road:?}");
        stage.still_serves().await;
    }
}
