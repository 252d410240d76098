//! What a server sees of a client, and what an application sees through it, in words that fit both.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, DuplexStream};
use trunkline_http2::ErrorCode;

use crate::wire::{Frame, PREFACE, kind};

/// How a client took what it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The code of its GOAWAY, if it ended the connection.
    pub(crate) gave_up: Option<u32>,
    pub(crate) streams: BTreeMap<u32, Seen>,
}

/// One response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<usize>,
    pub(crate) end: End,
    /// The code of the client's RST_STREAM.
    pub(crate) reset: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// More may come.
    #[default]
    Waiting,
    Complete,
    Reset(u32),
    NotProcessed,
    /// Given up by the client for a fault of the response.
    Faulty,
    /// Lost with the connection.
    Lost,
}

/// What the client has written since it was last asked.
pub(crate) async fn read_frames(io: &mut DuplexStream, unread: &mut Vec<u8>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut bytes = vec![0; 1 << 20];
    // All that is there: the clock stands still until nobody has anything to do.
    while let Ok(Ok(read @ 1..)) =
        tokio::time::timeout(std::time::Duration::from_millis(5), io.read(&mut bytes)).await
    {
        unread.extend_from_slice(&bytes[..read]);
    }
    if unread.starts_with(PREFACE) {
        unread.drain(..PREFACE.len());
    }
    while let Some(frame) = Frame::take(unread) {
        frames.push(frame);
    }
    frames
}

impl Outcome {
    /// Adds what is to be seen on the wire. An orderly GOAWAY is no giving up.
    pub(crate) fn with_frames(mut self, frames: &[Frame]) -> Self {
        for frame in frames {
            match frame.kind {
                kind::GOAWAY if frame.number_at(4) != 0 => self.gave_up = Some(frame.number_at(4)),
                kind::RST_STREAM => {
                    let seen = self.streams.entry(frame.stream).or_default();
                    seen.reset = seen.reset.or(Some(frame.number_at(0)));
                }
                _ => {}
            }
        }
        if self.gave_up.is_some() {
            // Which streams are told before all is lost is each client's affair, and so is what they had.
            for seen in self.streams.values_mut().filter(|seen| seen.end != End::Complete) {
                *seen = Seen { end: End::Lost, ..Seen::default() };
            }
        }
        self
    }
}

/// Both outcomes in words, as far as they differ.
pub(crate) fn differences(ours: &Outcome, theirs: &Outcome) -> (String, String) {
    (words(ours, theirs), words(theirs, ours))
}

fn words(outcome: &Outcome, other: &Outcome) -> String {
    if let Some(code) = outcome.gave_up {
        let unlike = outcome != other;
        return if unlike { format!("connection error {}", ErrorCode(code)) } else { String::new() };
    }
    let nothing = Seen::default();
    // Beside a connection that was given up, what happened says more than what did not.
    let beside = |id: &u32| if other.gave_up.is_some() { Some(&nothing) } else { other.streams.get(id) };
    let unlike = outcome.streams.iter().filter(|(id, seen)| beside(id) != Some(*seen));
    let words: Vec<_> = unlike.map(|(id, seen)| format!("stream {id}: {}", seen.words())).collect();
    if words.is_empty() && outcome != other { "goes on".to_owned() } else { words.join("; ") }
}

impl Seen {
    fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.status.map(|status| status.to_string()));
        words.extend((!self.body.is_empty()).then(|| format!("{} bytes", self.body.len())));
        words.extend(self.trailers.map(|fields| format!("{fields} trailers")));
        words.push(match self.end {
            End::Waiting => "goes on".to_owned(),
            End::Complete => "complete".to_owned(),
            End::Reset(code) => format!("reset by the server, {}", ErrorCode(code)),
            End::NotProcessed => "not processed".to_owned(),
            End::Faulty => "stream error".to_owned(),
            End::Lost => "lost".to_owned(),
        });
        words.extend(self.reset.map(|code| format!("RST_STREAM {}", ErrorCode(code))));
        words.join(", ")
    }
}
