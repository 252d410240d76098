//! What fuzzers run: functions of bytes that panic when the engine errs. Whatever the input, the engine does not
//! panic, tells of each stream in order, writes only what a client may write (the watcher of the stories), and
//! makes the same of it however the bytes are cut (each story is told again at its end).

#[path = "../support/mod.rs"]
pub(crate) mod support;

#[path = "grammar.rs"]
mod grammar;
#[path = "tape.rs"]
mod tape;

use std::collections::BTreeSet;
use std::time::Duration;

use trunkline_http2::{Config, ErrorCode, OpenError};

use self::grammar::Grammar;
use self::support::Story;
use self::tape::Tape;

/// Commands of one input.
const MOST_COMMANDS: usize = 300;

/// Raw bytes of a server, after its SETTINGS.
#[allow(dead_code, reason = "cargo-fuzz runs it; the tests run what is in it")]
pub(crate) fn bytes(input: &[u8]) {
    observe_bytes(input);
}

/// Frames of a server that are mostly well formed, after its SETTINGS.
#[allow(dead_code, reason = "cargo-fuzz runs it; the tests run what is in it")]
pub(crate) fn frames(input: &[u8]) {
    observe_frames(input);
}

/// What a client does, what a server sends, and what a socket and a clock do, in any order.
#[allow(dead_code, reason = "cargo-fuzz runs it; the tests run what is in it")]
pub(crate) fn operations(input: &[u8]) {
    observe_operations(input);
}

/// What came of it, in words that can be compared.
pub(crate) fn observe_bytes(input: &[u8]) -> BTreeSet<String> {
    let mut run = Run::with_streams();
    run.story.server().raw(input);
    run.end()
}

pub(crate) fn observe_frames(input: &[u8]) -> BTreeSet<String> {
    let mut run = Run::with_streams();
    let mut tape = Tape::new(input);
    for _ in 0..MOST_COMMANDS {
        let Some(frame) = tape.frame() else { break };
        run.story.server().raw(frame);
        run.listen();
    }
    run.end()
}

pub(crate) fn observe_operations(input: &[u8]) -> BTreeSet<String> {
    let mut tape = Tape::new(input);
    let mut run = Run::new(config(&mut tape));
    for _ in 0..MOST_COMMANDS {
        let Some(command) = tape.next() else { break };
        run.command(command, &mut tape);
        run.listen();
    }
    run.end()
}

fn config(tape: &mut Tape<'_>) -> Config {
    Config {
        stream_window: tape.amount(),
        connection_window: tape.amount(),
        unread_limit: tape.amount(),
        max_header_list_size: 200 + tape.amount() % 1_000,
        max_header_block: 500,
        decoder_table_size: tape.amount() % 5_000,
        encoder_table_limit: tape.amount() % 5_000,
        send_buffer: 1 + tape.amount() as usize % 5_000,
        first_stream_id: if tape.byte() == 0 { (1 << 31) - 7 } else { 1 },
        ..Config::default()
    }
}

struct Run {
    story: Story,
    grammar: Grammar,
    streams: Vec<trunkline_http2::StreamKey>,
    shown: BTreeSet<String>,
}

impl Run {
    fn new(config: Config) -> Self {
        let story = Story::before_settings(config);
        Self { story, grammar: Grammar::default(), streams: Vec::new(), shown: BTreeSet::new() }
    }

    /// With the server's SETTINGS in, and streams in several states.
    fn with_streams() -> Self {
        let mut run =
            Self::new(Config { max_header_list_size: 500, max_header_block: 1_000, ..Config::default() });
        run.story.server().settings(&[]).settings_ack();
        for body in [&b""[..], &[b'd'; 100], &[b'd'; 70_000]] {
            let stream = run.story.call_with(body);
            run.streams.push(stream);
        }
        let (upload, begun, reset, over) =
            (run.story.upload(), run.story.call(), run.story.call(), run.story.call());
        run.streams.extend([upload, begun, reset, over]);
        run.story.server().head(begun).head(upload).only_trailers(over);
        run.story.reset(reset, ErrorCode::CANCEL);
        run.grammar.reset_here(reset.id());
        run.listen();
        run
    }

    fn command(&mut self, command: u8, tape: &mut Tape<'_>) {
        match command % 32 {
            0..=3 => self.open(tape),
            4 => {
                let Some(stream) = self.choose(tape) else { return };
                let (length, end) = (tape.amount() as usize % 40_000, tape.byte().is_multiple_of(3));
                self.story.send(stream, vec![b'd'; length], end);
            }
            5 => {
                let Some(stream) = self.choose(tape) else { return };
                self.story.reset(stream, ErrorCode::CANCEL);
                self.grammar.reset_here(stream.id());
            }
            6 => {
                let Some(stream) = self.choose(tape) else { return };
                self.story.release(stream, tape.amount() as usize);
            }
            7 => drop(self.story.ping(u64::from(tape.byte()))),
            8 => drop(self.story.probe()),
            9 if tape.byte() == 0 => self.story.close(ErrorCode::NO_ERROR),
            10 => self.story.advance(Duration::from_millis(u64::from(tape.amount()) % 40_000)),
            11 => self.story.stall(),
            12 => self.story.unstall(),
            13 => self.story.write(usize::from(tape.byte())),
            14 => self.story.rest(),
            15 => drop(self.story.server().settings(&[])),
            16 => drop(self.story.server().settings_ack()),
            17 => {
                let length = usize::from(tape.byte());
                self.story.server().raw(tape.take(length));
            }
            18 => {
                let Some(stream) = self.choose(tape) else { return };
                self.story.stop_sending(stream);
            }
            _ => {
                if let Some(frame) = tape.frame() {
                    self.story.server().raw(frame);
                }
            }
        }
    }

    fn open(&mut self, tape: &mut Tape<'_>) {
        let can_open = self.story.engine().can_open();
        let value = "v".repeat(usize::from(tape.byte()));
        let (length, end) = (tape.amount() as usize % 40_000, tape.byte().is_multiple_of(2));
        match self.story.try_open(&[("x-name", &value)], vec![b'd'; length], end) {
            Ok(stream) => {
                assert!(can_open);
                self.grammar.opened(stream.id());
                self.streams.push(stream);
            }
            Err(OpenError::HeadersTooLarge { .. }) => assert!(can_open),
            Err(error) => assert!(!can_open, "{error}"),
        }
    }

    fn choose(&mut self, tape: &mut Tape<'_>) -> Option<trunkline_http2::StreamKey> {
        let byte = usize::from(tape.byte());
        let newest = self.streams.len().checked_sub(1)?;
        Some(self.streams[newest - byte % 8 % self.streams.len()])
    }

    fn listen(&mut self) {
        for told in std::mem::take(&mut self.story.told) {
            let words = format!("{told:?}");
            let name: String = words.chars().take_while(|c| c.is_alphabetic()).collect();
            self.shown.insert(format!("{name}, end {}", told.is_last()));
            self.grammar.hear(&told);
        }
        let open = self.story.engine().active_streams();
        assert!(open <= self.streams.len() - self.grammar.surely_over());
        // None of them panics, whatever the state; nor does what concerns streams that are over.
        let engine = self.story.engine();
        let _ = (engine.stream_limit(), engine.is_draining(), engine.unanswered_since());
        let _ = (engine.connection_send_window(), engine.poll_timeout(), engine.wanted(b""));
        for stream in self.streams.iter().rev().take(8) {
            let engine = self.story.engine();
            let _ =
                (engine.is_sent(*stream), engine.is_writable(*stream), engine.is_window_exhausted(*stream));
        }
    }

    fn end(mut self) -> BTreeSet<String> {
        self.listen();
        self.story.unstall();
        self.listen();
        if let Some(error) = self.story.error() {
            self.shown.insert(error.to_string());
            assert!(self.story.try_call().is_err());
            self.story.expect_connection_error(error.code());
        }
        for frame in self.story.take_frames() {
            self.shown.insert(format!("frame {} with {:#x}", frame.kind, frame.flags));
        }
        self.shown
    }
}
