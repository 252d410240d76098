//! What a session answers, frame by frame.

use super::frame::{
    self, ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PING, SETTINGS, WINDOW_UPDATE,
};
use super::message;
use super::session::Session;
use super::violation::Violation;
use super::{CONNECTION_WINDOW, MAX_FRAME};
use crate::echo::{FloodRequest, Payload};
use prost::Message;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A client that writes by hand.
struct Client {
    session: Session,
    encoder: loona_hpack::Encoder<'static>,
    input: Vec<u8>,
}

impl Client {
    /// After the SETTINGS, which grant this much per stream.
    fn new(window: u32) -> Self {
        let mut client =
            Self { session: Session::new(), encoder: loona_hpack::Encoder::new(), input: PREFACE.to_vec() };
        let mut settings = vec![0, 4];
        settings.extend_from_slice(&window.to_be_bytes());
        frame::write(&mut client.input, SETTINGS, 0, 0, &settings);
        let kinds: Vec<u8> = client.answers().iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [SETTINGS, WINDOW_UPDATE, SETTINGS]);
        client
    }

    fn block(&mut self, method: &str) -> Vec<u8> {
        let path = format!("/bench.v1.Echo/{method}");
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", &path),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", "1S"),
        ];
        self.encoder.encode(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    fn head(&mut self, stream: u32, method: &str) -> &mut Self {
        let block = self.block(method);
        frame::write(&mut self.input, HEADERS, END_HEADERS, stream, &block);
        self
    }

    fn data(&mut self, stream: u32, bytes: &[u8], flags: u8) -> &mut Self {
        frame::write(&mut self.input, DATA, flags, stream, bytes);
        self
    }

    fn window(&mut self, stream: u32, increment: u32) -> &mut Self {
        frame::write(&mut self.input, WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
        self
    }

    /// Kind, flags, stream and payload of all that is answered.
    fn answers(&mut self) -> Vec<(u8, u8, u32, Vec<u8>)> {
        assert_eq!(self.session.receive(&self.input), Ok(self.input.len()));
        self.input.clear();
        let mut answers = Vec::new();
        loop {
            let mut out = self.session.output();
            if out.is_empty() {
                return answers;
            }
            let length = out.len();
            while let Some((frame, rest)) = Frame::split(out).unwrap() {
                answers.push((frame.kind, frame.flags, frame.stream, frame.payload.to_vec()));
                out = rest;
            }
            self.session.wrote(length);
        }
    }

    fn violation(&mut self) -> Violation {
        self.session.receive(&self.input).unwrap_err()
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message::write_payload(&mut out, body);
    out
}

fn shapes(answers: &[(u8, u8, u32, Vec<u8>)]) -> Vec<(u8, u32)> {
    answers.iter().map(|(kind, _, stream, _)| (*kind, *stream)).collect()
}

#[test]
fn a_small_call_is_answered_in_three_frames() {
    let mut client = Client::new(65_535);
    for stream in [1, 3] {
        let body = framed(b"12345678");
        let answers = client.head(stream, "Say").data(stream, &body, END_STREAM).answers();
        assert_eq!(shapes(&answers), [(HEADERS, stream), (DATA, stream), (HEADERS, stream)]);
        assert_eq!(answers[1].3, body);
        assert_eq!(answers[2].1, END_HEADERS | END_STREAM);
    }
}

#[test]
fn a_message_in_pieces_and_an_empty_last_frame_are_one_call() {
    let mut client = Client::new(65_535);
    let body = framed(b"12345678");
    client.head(1, "Say");
    for byte in &body {
        client.data(1, &[*byte], 0);
    }
    let answers = client.data(1, &[], END_STREAM).answers();
    assert_eq!(answers[1].3, body);
}

#[test]
fn a_large_answer_obeys_the_windows() {
    let mut client = Client::new(10);
    let body = framed(&[7; 100]);
    let answers = client.head(1, "Say").data(1, &body, END_STREAM).answers();
    assert_eq!(shapes(&answers), [(HEADERS, 1), (DATA, 1)]);
    assert_eq!(answers[1].3.len(), 10);
    // The other stream has a window of its own.
    let answers = client.head(3, "Say").data(3, &framed(b""), END_STREAM).answers();
    assert_eq!(shapes(&answers), [(HEADERS, 3), (DATA, 3), (HEADERS, 3)]);
    let answers = client.window(1, 1000).answers();
    assert_eq!(shapes(&answers), [(DATA, 1), (HEADERS, 1)]);
    assert_eq!(answers[0].3, body[10..]);
}

#[test]
fn large_requests_are_given_their_windows_back() {
    let mut client = Client::new(1 << 20);
    client.head(1, "Say");
    let body = framed(&vec![1; 1 << 20]);
    let mut credit = 0;
    for piece in body.chunks(MAX_FRAME) {
        for (kind, _, stream, payload) in client.data(1, piece, 0).answers() {
            assert_eq!((kind, stream), (WINDOW_UPDATE, 1));
            credit += u32::from_be_bytes(payload.try_into().unwrap());
        }
    }
    assert!(credit >= 1 << 19, "{credit}");
    let answers = client.data(1, &[], END_STREAM).answers();
    let echoed: Vec<u8> =
        answers.iter().filter(|(kind, ..)| *kind == DATA).flat_map(|answer| answer.3.clone()).collect();
    // The connection's window is the default one.
    assert_eq!(echoed, body[..65_535]);
}

#[test]
fn a_flood_is_numbered() {
    let mut client = Client::new(65_535);
    let request = FloodRequest { count: 3, size: 8, packed: false };
    let mut body = vec![0, 0, 0, 0, request.encoded_len() as u8];
    request.encode(&mut body).unwrap();
    let answers = client.head(1, "Flood").data(1, &body, END_STREAM).answers();
    assert_eq!(shapes(&answers), [(HEADERS, 1), (DATA, 1), (DATA, 1), (DATA, 1), (HEADERS, 1)]);
    let last = Payload::decode(&answers[3].3[5..]).unwrap();
    assert_eq!(last.body[..], 2_u64.to_be_bytes());
}

#[test]
fn a_chat_answers_at_once_and_ends_when_the_client_does() {
    let mut client = Client::new(65_535);
    assert_eq!(shapes(&client.head(1, "Chat").answers()), [(HEADERS, 1)]);
    let body = framed(b"12345678");
    assert_eq!(client.data(1, &body, 0).answers()[0].3, body);
    assert_eq!(shapes(&client.data(1, &[], END_STREAM).answers()), [(HEADERS, 1)]);
}

#[test]
fn pings_are_answered() {
    let mut client = Client::new(65_535);
    frame::write(&mut client.input, PING, 0, 0, b"01234567");
    assert_eq!(client.answers(), [(PING, ACK, 0, b"01234567".to_vec())]);
}

#[test]
fn a_head_may_go_on_in_another_frame() {
    let mut client = Client::new(65_535);
    let block = client.block("Chat");
    frame::write(&mut client.input, HEADERS, 0, 1, &block[..3]);
    frame::write(&mut client.input, CONTINUATION, END_HEADERS, 1, &block[3..]);
    assert_eq!(shapes(&client.answers()), [(HEADERS, 1)]);
    // But nothing may come between.
    frame::write(&mut client.input, HEADERS, 0, 3, &block[..3]);
    frame::write(&mut client.input, PING, 0, 0, &[0; 8]);
    assert_eq!(client.violation(), Violation::Continuation);
}

#[test]
fn more_than_the_connections_window_at_once_is_refused() {
    let mut client = Client::new(65_535);
    client.head(1, "Say");
    for _ in 0..CONNECTION_WINDOW as usize / MAX_FRAME {
        client.data(1, &[0; MAX_FRAME], 0);
    }
    // Credit was given while it was read, so the stream is what has too much: a message of zeros goes on.
    assert_eq!(client.session.receive(&client.input), Ok(client.input.len()));
    assert_eq!(
        Client::new(1).data(1, &[0; MAX_FRAME + 1], 0).violation(),
        Violation::FrameSize(MAX_FRAME + 1)
    );
}

#[test]
fn streams_do_not_begin_twice() {
    let mut client = Client::new(65_535);
    client.head(3, "Chat").answers();
    assert_eq!(client.head(1, "Chat").violation(), Violation::StreamId);
}
