//! What a story expects. Events are expected in their order and all of them; frames where a story cares.

use trunkline_http2::{ErrorCode, StreamKey};

use super::story::Story;
use super::told::Told;
use super::wire::{Frame, kind};

impl Story {
    /// The next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Told {
        if self.told.is_empty() {
            panic!("nothing was told{}", self.state());
        }
        self.told.remove(0)
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, expected: Told) {
        let told = self.next();
        assert_eq!(told, expected, "{}", self.state());
    }

    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        assert_eq!(self.told, [], "nothing should have been told{}", self.state());
        assert!(self.machine.over.is_none(), "{}", self.state());
    }

    /// A head of 200 that does not end the response; its other fields.
    #[track_caller]
    pub(crate) fn expect_head(&mut self, stream: StreamKey) -> Vec<(String, String)> {
        match self.next() {
            Told::Head { stream: told, status: 200, fields, end: false } if told == stream.id() => fields,
            other => panic!("no head of {}, but {other:?}{}", stream.id(), self.state()),
        }
    }

    /// A head that ends the response.
    #[track_caller]
    pub(crate) fn expect_only_trailers(&mut self, stream: StreamKey) -> Vec<(String, String)> {
        match self.next() {
            Told::Head { stream: told, status: 200, fields, end: true } if told == stream.id() => fields,
            other => panic!("no head and end of {}, but {other:?}{}", stream.id(), self.state()),
        }
    }

    /// Data up to something else.
    #[track_caller]
    pub(crate) fn expect_data(&mut self, stream: StreamKey, data: impl AsRef<[u8]>) {
        self.expect(Told::Data { stream: stream.id(), data: data.as_ref().to_vec(), end: false });
    }

    #[track_caller]
    pub(crate) fn expect_last_data(&mut self, stream: StreamKey, data: impl AsRef<[u8]>) {
        self.expect(Told::Data { stream: stream.id(), data: data.as_ref().to_vec(), end: true });
    }

    #[track_caller]
    pub(crate) fn expect_trailers(&mut self, stream: StreamKey) -> Vec<(String, String)> {
        match self.next() {
            Told::Trailers { stream: told, fields } if told == stream.id() => fields,
            other => panic!("no trailers of {}, but {other:?}{}", stream.id(), self.state()),
        }
    }

    /// A whole response as `Server::response` sends it.
    #[track_caller]
    pub(crate) fn expect_response(&mut self, stream: StreamKey, data: impl AsRef<[u8]>) {
        self.expect_head(stream);
        self.expect_data(stream, data);
        self.expect_trailers(stream);
    }

    #[track_caller]
    pub(crate) fn expect_reset(&mut self, stream: StreamKey, code: ErrorCode) {
        self.expect(Told::Reset { stream: stream.id(), code: code.0 });
    }

    #[track_caller]
    pub(crate) fn expect_not_processed(&mut self, stream: StreamKey) {
        self.expect(Told::NotProcessed { stream: stream.id() });
    }

    /// The stream is over, the server is told why, and the connection goes on.
    #[track_caller]
    pub(crate) fn expect_stream_error(&mut self, stream: StreamKey, code: ErrorCode) {
        self.expect(Told::Violation { stream: stream.id(), code: code.0 });
        self.expect_rst_stream(stream, code);
        self.expect_works();
    }

    /// The server was told that the stream is over.
    #[track_caller]
    pub(crate) fn expect_rst_stream(&mut self, stream: StreamKey, code: ErrorCode) {
        let reset = self.request(stream).reset.map(ErrorCode);
        assert_eq!(reset, Some(code), "RST_STREAM for {}{}", stream.id(), self.state());
    }

    /// The connection is over, and the server is told why, last of all.
    #[track_caller]
    pub(crate) fn expect_connection_error(&mut self, code: ErrorCode) {
        let over = self.machine.over.as_ref().map(|error| error.code());
        assert_eq!(over, Some(code), "{}", self.state());
        let last = self.watch.frames.last();
        let said = last.filter(|frame| frame.kind == kind::GOAWAY).map(|frame| frame.number_at(4));
        assert_eq!(said, Some(code.0), "a GOAWAY that says so is the last frame, not {last:?}");
        self.told.clear();
    }

    /// Nothing is pending, and a whole call succeeds.
    #[track_caller]
    pub(crate) fn expect_works(&mut self) {
        self.expect_nothing();
        let stream = self.call();
        self.server().response(stream, b"works");
        self.expect_response(stream, b"works");
        self.release(stream, 5);
        self.expect_nothing();
    }

    /// The frames since they were last taken are these.
    #[track_caller]
    pub(crate) fn expect_frames(&mut self, expected: &[Frame]) {
        assert_eq!(self.take_frames(), expected);
    }

    #[track_caller]
    pub(crate) fn expect_no_frames(&mut self) {
        self.expect_frames(&[]);
    }

    /// What a failed expectation says of the rest.
    fn state(&self) -> String {
        let from = self.watch.frames.len().saturating_sub(5);
        format!(
            "\n  over: {:?}\n  then told: {:?}\n  last written: {:?}",
            self.machine.over,
            self.told,
            &self.watch.frames[from..]
        )
    }
}
