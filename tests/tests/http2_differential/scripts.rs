//! What a server may send to a client that has three streams open: 1 and 3, whose requests have ended, and 5, whose
//! request has not. In pieces, between which the client may do what it has to do.

use crate::hpack::{block, indexed, indexed_literal, literal, table_size};
use crate::wire::{Frame, LARGEST_WINDOW, flag, kind, setting};

/// The windows that both clients give, for streams and for the connection: that of the protocol.
pub(crate) const WINDOW: u32 = 65_535;

pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// After the server's SETTINGS and its acknowledgement, unless it says these itself.
    parts: Vec<Vec<u8>>,
}

impl Script {
    pub(crate) fn parts(&self) -> impl Iterator<Item = Vec<u8>> {
        self.parts.iter().cloned()
    }

    /// Another piece.
    fn then(mut self, frames: &[Frame]) -> Self {
        self.parts.push(frames.iter().flat_map(Frame::bytes).collect());
        self
    }
}

fn after_settings(name: &'static str, frames: &[Frame]) -> Script {
    let greeting = [settings(&[]), frame(kind::SETTINGS, flag::ACK, 0, b"")];
    Script { name, parts: Vec::new() }.then(&greeting).then(frames)
}

fn from_the_start(name: &'static str, frames: &[Frame]) -> Script {
    Script { name, parts: Vec::new() }.then(frames)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(kind, flags, stream, payload)
}

fn headers(stream: u32, fields: &[(&str, &str)], end: bool) -> Frame {
    raw_headers(stream, block(fields), end)
}

fn raw_headers(stream: u32, block: Vec<u8>, end: bool) -> Frame {
    frame(kind::HEADERS, flag::END_HEADERS | u8::from(end), stream, block)
}

fn head(stream: u32) -> Frame {
    headers(stream, &[(":status", "200"), ("content-type", "application/grpc")], false)
}

fn trailers(stream: u32) -> Frame {
    headers(stream, &[("grpc-status", "0")], true)
}

fn data(stream: u32, data: &[u8]) -> Frame {
    frame(kind::DATA, 0, stream, data)
}

fn last_data(stream: u32, data: &[u8]) -> Frame {
    frame(kind::DATA, flag::END_STREAM, stream, data)
}

fn reset(stream: u32, code: u32) -> Frame {
    frame(kind::RST_STREAM, 0, stream, code.to_be_bytes())
}

fn window(stream: u32, by: u32) -> Frame {
    frame(kind::WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

fn goaway(last: u32, code: u32) -> Frame {
    frame(kind::GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
}

fn settings(settings: &[(u16, u32)]) -> Frame {
    let pair = |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(kind::SETTINGS, 0, 0, settings.iter().flat_map(pair).collect::<Vec<_>>())
}

fn priority(stream: u32, depends_on: u32) -> Frame {
    frame(kind::PRIORITY, 0, stream, [&depends_on.to_be_bytes()[..], &[15]].concat())
}

/// A head with one more field.
fn head_with(name: &str, value: &str) -> Frame {
    headers(1, &[(":status", "200"), (name, value)], false)
}

pub(crate) fn all() -> Vec<Script> {
    [in_order(), beginnings(), frames_out_of_shape(), states(), windows(), blocks(), fields(), messages()]
        .into_iter()
        .flatten()
        .collect()
}

fn in_order() -> Vec<Script> {
    let ok = after_settings;
    vec![
        ok("a response", &[head(1), data(1, b"data"), trailers(1)]),
        ok("a response that ends by data", &[head(1), last_data(1, b"data")]),
        ok("only trailers", &[headers(1, &[(":status", "200"), ("grpc-status", "5")], true)]),
        ok("empty data that ends", &[head(1), last_data(1, b"")]),
        ok("responses that mix", &[head(1), head(3), data(3, b"3"), data(1, b"1"), trailers(3), trailers(1)]),
        ok("an early response", &[head(5), data(5, b"no"), trailers(5)]),
        ok("an early response and a reset", &[head(5), data(5, b"no"), trailers(5), reset(5, 0)]),
        ok("informational heads", &[headers(1, &[(":status", "103")], false), head(1), trailers(1)]),
        ok("padding", &[head(1), frame(kind::DATA, flag::PADDED, 1, b"\x03data\0\0\0"), trailers(1)]),
        ok(
            "priority in headers",
            &[frame(kind::HEADERS, 0x25, 1, [&[0, 0, 0, 0, 1], &block(&[(":status", "204")])[..]].concat())],
        ),
        ok(
            "priorities",
            &[priority(1, 0), priority(99, 1), head(1), priority(1, 3), trailers(1), priority(1, 0)],
        ),
        ok("unknown frames", &[frame(0xfa, 0xff, 0, b"x"), frame(0xfb, 0, 1, b"x"), head(1), trailers(1)]),
        ok("unknown settings", &[settings(&[(0x99, 7), (0, 0)]), head(1), trailers(1)]),
        ok(
            "undefined flags",
            &[
                frame(kind::HEADERS, 0xd4, 1, block(&[(":status", "200")])),
                frame(kind::DATA, 0xf6, 1, b"x"),
                trailers(1),
            ],
        ),
        ok(
            "the reserved bit",
            &[frame(kind::HEADERS, 4, 1 | 1 << 31, block(&[(":status", "200")])), trailers(1)],
        ),
        ok("a ping", &[frame(kind::PING, 0, 0, [7; 8]), head(1), trailers(1)]),
        ok("an answer to no ping", &[frame(kind::PING, flag::ACK, 0, [7; 8]), head(1), trailers(1)]),
        ok("resets", &[reset(1, 7), head(3), data(3, b"part"), reset(3, 2), reset(5, 8)]),
        ok("a reset of an unknown code", &[reset(1, 0xdead)]),
        ok("a reset without an error", &[head(1), reset(1, 0)]),
        ok("goaway", &[goaway(3, 0), head(1), trailers(1), head(3), trailers(3)]),
        ok("goaway twice", &[goaway(LARGEST_WINDOW, 0), goaway(1, 0), head(1), trailers(1)]),
        ok("goaway with an error", &[goaway(1, 2)]),
        ok("a status that is no success", &[headers(1, &[(":status", "503")], true)]),
        ok(
            "altsvc and origin",
            &[frame(kind::ALTSVC, 0, 0, b"\0\0h2"), frame(kind::ORIGIN, 0, 0, b""), head(1), trailers(1)],
        ),
    ]
}

fn beginnings() -> Vec<Script> {
    vec![
        from_the_start("headers before settings", &[head(1), settings(&[])]),
        from_the_start("a ping before settings", &[frame(kind::PING, 0, 0, [0; 8])]),
        from_the_start("goaway before settings", &[goaway(0, 11)]),
        from_the_start("an update before settings", &[window(0, 1)]),
        from_the_start("an acknowledgement before settings", &[frame(kind::SETTINGS, flag::ACK, 0, b"")]),
        from_the_start("an unknown frame before settings", &[frame(0xfa, 0, 0, b"")]),
        Script {
            name: "http/1",
            parts: vec![b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec()],
        },
        from_the_start("no acknowledgement", &[settings(&[]), head(1), data(1, b"data"), trailers(1)]),
        from_the_start(
            "settings of all kinds",
            &[settings(&[(1, 0), (2, 0), (3, 9), (4, 100), (5, 20_000), (6, 9_000)]), head(1), trailers(1)],
        ),
    ]
}

fn frames_out_of_shape() -> Vec<Script> {
    let bad = after_settings;
    let large = vec![0; 16_385];
    vec![
        bad("data on stream 0", &[data(0, b"x")]),
        bad("headers on stream 0", &[head(0)]),
        bad("priority on stream 0", &[priority(0, 1)]),
        bad("reset on stream 0", &[reset(0, 8)]),
        bad("settings on a stream", &[frame(kind::SETTINGS, 0, 1, b"")]),
        bad("ping on a stream", &[frame(kind::PING, 0, 1, [0; 8])]),
        bad("goaway on a stream", &[frame(kind::GOAWAY, 0, 1, [0; 8])]),
        bad("continuation on stream 0", &[frame(kind::CONTINUATION, 4, 0, b"")]),
        bad(
            "a push",
            &[frame(
                kind::PUSH_PROMISE,
                4,
                1,
                [
                    &2_u32.to_be_bytes()[..],
                    &block(&[
                        (":method", "GET"),
                        (":scheme", "http"),
                        (":path", "/"),
                        (":authority", "test"),
                    ]),
                ]
                .concat(),
            )],
        ),
        bad("data too large", &[head(1), data(1, &large)]),
        bad("headers too large", &[raw_headers(1, large.clone(), false)]),
        bad("settings too large", &[frame(kind::SETTINGS, 0, 0, vec![0; 16_386])]),
        bad("an unknown frame too large", &[frame(0xfa, 0, 0, large)]),
        bad("a reset too short", &[frame(kind::RST_STREAM, 0, 1, [0; 3])]),
        bad("a reset too long", &[frame(kind::RST_STREAM, 0, 1, [0; 5])]),
        bad("a ping too short", &[frame(kind::PING, 0, 0, [0; 7])]),
        bad("a ping too long", &[frame(kind::PING, 0, 0, [0; 9])]),
        bad("goaway too short", &[frame(kind::GOAWAY, 0, 0, [0; 7])]),
        bad("an update too short", &[frame(kind::WINDOW_UPDATE, 0, 0, [1; 3])]),
        bad("an update of a stream too long", &[frame(kind::WINDOW_UPDATE, 0, 1, [1; 5])]),
        bad("a priority too short", &[frame(kind::PRIORITY, 0, 1, [0; 4])]),
        bad("a priority too long on an idle stream", &[frame(kind::PRIORITY, 0, 99, [0; 6])]),
        bad("settings of a part", &[frame(kind::SETTINGS, 0, 0, [0; 5])]),
        bad("an acknowledgement with settings", &[frame(kind::SETTINGS, flag::ACK, 0, [0; 6])]),
        bad("an acknowledgement too many", &[frame(kind::SETTINGS, flag::ACK, 0, b"")]),
        bad("push enabled", &[settings(&[(setting::ENABLE_PUSH, 1)])]),
        bad("push neither on nor off", &[settings(&[(setting::ENABLE_PUSH, 2)])]),
        bad("an initial window too large", &[settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)])]),
        bad("a frame size too small", &[settings(&[(setting::MAX_FRAME_SIZE, 16_383)])]),
        bad("a frame size too large", &[settings(&[(setting::MAX_FRAME_SIZE, 1 << 24)])]),
        bad("data of no padding length", &[head(1), frame(kind::DATA, flag::PADDED, 1, b"")]),
        bad("data of too much padding", &[head(1), frame(kind::DATA, flag::PADDED, 1, [4, 0, 0, 0])]),
        bad(
            "data of padding alone",
            &[head(1), frame(kind::DATA, flag::PADDED, 1, [3, 0, 0, 0]), trailers(1)],
        ),
        bad("headers of too much padding", &[frame(kind::HEADERS, 12, 1, [9, 0x88])]),
        bad("headers too short for priority", &[frame(kind::HEADERS, 0x24, 1, [0; 4])]),
    ]
}

fn states() -> Vec<Script> {
    let bad = after_settings;
    let over = [head(1), trailers(1)];
    let then = |name, late: Frame| bad(name, &over).then(&[late]);
    vec![
        bad("headers on an idle stream", &[head(7)]),
        bad("data on an idle stream", &[data(7, b"x")]),
        bad("a reset on an idle stream", &[reset(7, 8)]),
        bad("an update on an idle stream", &[window(7, 1)]),
        bad("headers on a stream of the server's", &[head(2)]),
        bad("data on a stream of the server's", &[data(2, b"x")]),
        bad("a reset on a stream of the server's", &[reset(2, 8)]),
        bad("an update on a stream of the server's", &[window(2, 1)]),
        then("data after both ends", data(1, b"x")),
        then("headers after both ends", trailers(1)),
        then("an update after both ends", window(1, 1)),
        then("a reset after both ends", reset(1, 8)),
        then("a priority after both ends", priority(1, 0)),
        bad("data after the end of a response", &[head(5), trailers(5)]).then(&[data(5, b"x")]),
        bad("headers after the end of a response", &[head(5), trailers(5)]).then(&[trailers(5)]),
        bad("an update after the end of a response", &[head(5), trailers(5)]).then(&[window(5, 1)]),
        bad("data after a reset", &[reset(1, 8)]).then(&[data(1, b"x")]),
        bad("headers after a reset", &[reset(1, 8)]).then(&[head(1)]),
        bad("a reset after a reset", &[reset(1, 8)]).then(&[reset(1, 8)]),
        bad("data after a fault", &[data(1, b"x")]).then(&[data(1, b"y"), head(3), trailers(3)]),
        bad("headers after a fault", &[data(1, b"x")]).then(&[head(1), head(3), trailers(3)]),
        bad("goaway that grows", &[goaway(1, 0), goaway(3, 0)]),
        bad(
            "frames of streams that goaway excluded",
            &[goaway(1, 0), head(3), data(3, b"x"), head(1), trailers(1)],
        ),
        bad("a stream that depends on itself", &[priority(1, 1)]),
        bad(
            "headers that depend on themselves",
            &[frame(kind::HEADERS, 0x24, 1, [&[0, 0, 0, 1, 1], &block(&[(":status", "200")])[..]].concat())],
        ),
    ]
}

fn windows() -> Vec<Script> {
    let bad = after_settings;
    let full = |stream| {
        (0..4).map(|i| data(stream, &vec![0; if i < 3 { 16_384 } else { 16_383 }])).collect::<Vec<_>>()
    };
    vec![
        bad("a window used up", &[&[head(1)][..], &full(1)].concat()),
        bad("a window of a stream overrun", &[&[head(1)][..], &full(1), &[data(1, b"!")]].concat()),
        bad(
            "the window of the connection overrun",
            &[&[head(1), head(3)][..], &full(1), &[data(3, b"!")]].concat(),
        ),
        bad("an update of a stream by nothing", &[window(1, 0)]),
        bad("an update of the connection by nothing", &[window(0, 0)]),
        bad("an update of a stream too large", &[window(5, LARGEST_WINDOW), head(1), trailers(1)]),
        bad("an update of the connection too large", &[window(0, LARGEST_WINDOW)]),
        bad("an update of a stream whose request has ended, too large", &[window(1, LARGEST_WINDOW)]),
        bad(
            "updates to the largest window",
            &[window(5, LARGEST_WINDOW - WINDOW), window(0, LARGEST_WINDOW - WINDOW), head(1), trailers(1)],
        ),
        bad(
            "settings that make a window too large",
            &[window(5, 1), settings(&[(setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW)])],
        ),
    ]
}

fn blocks() -> Vec<Script> {
    let script = after_settings;
    let begun = |stream| frame(kind::HEADERS, 0, stream, block(&[(":status", "200")]));
    let end = |stream| frame(kind::CONTINUATION, flag::END_HEADERS, stream, literal("a", "b"));
    vec![
        script("a continuation", &[begun(1), end(1), trailers(1)]),
        script("empty continuations", &[begun(1), frame(kind::CONTINUATION, 0, 1, b""), end(1), trailers(1)]),
        script("data within a block", &[begun(1), data(1, b"x")]),
        script("headers within a block", &[begun(1), head(3)]),
        script("a ping within a block", &[begun(1), frame(kind::PING, 0, 0, [0; 8])]),
        script("an unknown frame within a block", &[begun(1), frame(0xfa, 0, 0, b"")]),
        script("a continuation of another stream", &[begun(1), end(3)]),
        script("a continuation of nothing", &[end(1)]),
        script("a block on a stream that is over", &[head(1), trailers(1), begun(1), end(1)]),
        script("an index of nothing", &[raw_headers(1, vec![0x80], false)]),
        script("an index beyond the tables", &[raw_headers(1, indexed(62), false)]),
        script("a block that ends within a field", &[raw_headers(1, vec![0x88, 0, 5, b'n'], false)]),
        script("an integer without end", &[raw_headers(1, vec![0xff; 20], false)]),
        script("a table too large", &[raw_headers(1, [table_size(4_097), vec![0x88]].concat(), true)]),
        script(
            "a table resized",
            &[raw_headers(1, [table_size(0), table_size(4_096), vec![0x88]].concat(), true)],
        ),
        script("a table resized too late", &[raw_headers(1, [vec![0x88], table_size(0)].concat(), true)]),
        script(
            "a table used",
            &[
                raw_headers(1, [vec![0x88], indexed_literal("a", "b")].concat(), true),
                raw_headers(3, [vec![0x88], indexed(62)].concat(), true),
            ],
        ),
        script(
            "a table used after a fault",
            &[
                raw_headers(1, indexed_literal("a", "b"), true),
                raw_headers(3, [vec![0x88], indexed(62)].concat(), true),
            ],
        ),
        script("huffman padding too long", &[raw_headers(1, vec![0x88, 0, 0x82, 0xff, 0xff, 0], false)]),
        script(
            "a huffman end of string",
            &[raw_headers(1, vec![0x88, 0, 0x84, 0xff, 0xff, 0xff, 0xff, 0], false)],
        ),
    ]
}

fn fields() -> Vec<Script> {
    let script = |name, frame: Frame| after_settings(name, &[frame, head(3), trailers(3)]);
    vec![
        script("an uppercase name", head_with("Name", "x")),
        script("an empty name", head_with("", "x")),
        script("a name with a space", head_with("na me", "x")),
        script("a value with a line end", head_with("name", "a\nb")),
        script("a value with a nul", head_with("name", "a\0b")),
        script("a value with a delete", head_with("name", "a\u{7f}b")),
        script("a value that starts with a space", head_with("name", " x")),
        script("a value that ends with a space", head_with("name", "x ")),
        script("connection", head_with("connection", "close")),
        script("keep-alive", head_with("keep-alive", "x")),
        script("transfer-encoding", head_with("transfer-encoding", "chunked")),
        script("upgrade", head_with("upgrade", "h2c")),
        script("te", head_with("te", "trailers")),
        script("no status", headers(1, &[("name", "x")], false)),
        script("two statuses", headers(1, &[(":status", "200"), (":status", "200")], false)),
        script("a status after a field", headers(1, &[("name", "x"), (":status", "200")], false)),
        script("a status of two digits", headers(1, &[(":status", "20")], false)),
        script("a status of words", headers(1, &[(":status", "abc")], false)),
        script("a status of 099", headers(1, &[(":status", "099")], false)),
        script("a path in a response", headers(1, &[(":status", "200"), (":path", "/")], false)),
        script("an unknown pseudo field", headers(1, &[(":status", "200"), (":x", "/")], false)),
        script("a status of 999", headers(1, &[(":status", "999")], true)),
    ]
}

fn messages() -> Vec<Script> {
    let script = after_settings;
    let sized = |length: &'static str| head_with("content-length", length);
    vec![
        script("data before a head", &[data(1, b"x"), head(3), trailers(3)]),
        script("empty data before a head", &[data(1, b""), head(3), trailers(3)]),
        script("the end before a head", &[last_data(1, b""), head(3), trailers(3)]),
        script(
            "trailers without end",
            &[head(1), headers(1, &[("grpc-status", "0")], false), head(3), trailers(3)],
        ),
        script("a second head", &[head(1), head(1), head(3), trailers(3)]),
        script(
            "a second head that ends",
            &[head(1), headers(1, &[(":status", "200")], true), head(3), trailers(3)],
        ),
        script("trailers with a path", &[head(1), headers(1, &[(":path", "/")], true), head(3), trailers(3)]),
        script("trailers alone", &[trailers(1), head(3), trailers(3)]),
        script(
            "an informational head that ends",
            &[headers(1, &[(":status", "103")], true), head(3), trailers(3)],
        ),
        script(
            "an informational head after the final one",
            &[head(1), headers(1, &[(":status", "103")], false), head(3), trailers(3)],
        ),
        script("switching protocols", &[headers(1, &[(":status", "101")], false), head(3), trailers(3)]),
        script(
            "data after an informational head",
            &[headers(1, &[(":status", "103")], false), data(1, b"x")],
        ),
        script("content-length that is right", &[sized("4"), data(1, b"data"), trailers(1)]),
        script("content-length exceeded", &[sized("4"), data(1, b"data!"), head(3), trailers(3)]),
        script("content-length not reached", &[sized("4"), last_data(1, b"dat"), head(3), trailers(3)]),
        script(
            "content-length not reached by trailers",
            &[sized("4"), data(1, b"dat"), trailers(1), head(3), trailers(3)],
        ),
        script(
            "content-length without content",
            &[headers(1, &[(":status", "200"), ("content-length", "4")], true), head(3), trailers(3)],
        ),
        script("content-length of words", &[sized("four"), head(3), trailers(3)]),
        script("content-length with a sign", &[sized("+4"), head(3), trailers(3)]),
        script(
            "two content-lengths",
            &[
                headers(1, &[(":status", "200"), ("content-length", "4"), ("content-length", "5")], false),
                head(3),
                trailers(3),
            ],
        ),
        script(
            "content-length of no content",
            &[headers(1, &[(":status", "204"), ("content-length", "4")], true)],
        ),
        script(
            "content-length of not modified",
            &[headers(1, &[(":status", "304"), ("content-length", "4")], true)],
        ),
        script(
            "a header list too large",
            &[headers(1, &[(":status", "200"), ("a", &"v".repeat(9_000))], true)],
        ),
    ]
}
