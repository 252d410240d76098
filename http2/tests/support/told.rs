//! What the engine told, in words that can be compared: the only place that reads its events.

use std::fmt;

use trunkline_http2::{Event, Headers};

/// One event. Streams are named by their ids, since a slot is used more than once.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Told {
    SettingsReceived,
    StreamLimit(Option<u32>),
    SettingsAcknowledged,
    GoAway { last: u32, code: u32, debug: Vec<u8> },
    IdsExhausted,
    Pong(u64),
    Head { stream: u32, status: u16, fields: Vec<(String, String)>, end: bool },
    Data { stream: u32, data: Vec<u8>, end: bool },
    Trailers { stream: u32, fields: Vec<(String, String)> },
    Reset { stream: u32, code: u32 },
    NotProcessed { stream: u32 },
    Violation { stream: u32, code: u32 },
    Writable { stream: u32 },
}

impl Told {
    pub(crate) fn of(event: Event) -> Self {
        match event {
            Event::SettingsReceived => Self::SettingsReceived,
            Event::StreamLimit(limit) => Self::StreamLimit(limit),
            Event::SettingsAcknowledged => Self::SettingsAcknowledged,
            Event::GoAway { last_stream_id, code, debug_data } => {
                Self::GoAway { last: last_stream_id, code: code.0, debug: debug_data.to_vec() }
            }
            Event::IdsExhausted => Self::IdsExhausted,
            Event::Pong { opaque } => Self::Pong(opaque),
            Event::Head { stream, status, headers, end } => {
                Self::Head { stream: stream.id(), status: status.as_u16(), fields: text(&headers), end }
            }
            Event::Data { stream, data, end } => Self::Data { stream: stream.id(), data: data.to_vec(), end },
            Event::Trailers { stream, headers } => {
                Self::Trailers { stream: stream.id(), fields: text(&headers) }
            }
            Event::Reset { stream, code } => Self::Reset { stream: stream.id(), code: code.0 },
            Event::NotProcessed { stream } => Self::NotProcessed { stream: stream.id() },
            Event::Violation { stream, violation } => {
                Self::Violation { stream: stream.id(), code: violation.code().0 }
            }
            Event::Writable { stream } => Self::Writable { stream: stream.id() },
            other => panic!("an event that no story knows: {other:?}"),
        }
    }

    /// The stream that it is about.
    pub(crate) fn stream(&self) -> Option<u32> {
        match *self {
            Self::Head { stream, .. }
            | Self::Data { stream, .. }
            | Self::Trailers { stream, .. }
            | Self::Reset { stream, .. }
            | Self::NotProcessed { stream }
            | Self::Violation { stream, .. }
            | Self::Writable { stream } => Some(stream),
            _ => None,
        }
    }

    /// Whether the server's half of the stream is over with it.
    pub(crate) fn is_last(&self) -> bool {
        match *self {
            Self::Head { end, .. } | Self::Data { end, .. } => end,
            Self::Trailers { .. } | Self::Reset { .. } | Self::NotProcessed { .. } => true,
            Self::Violation { .. } => true,
            _ => false,
        }
    }
}

/// Appends an event; data that follows data of the same stream joins it, since where the engine cuts is its
/// own affair.
pub(crate) fn join(told: &mut Vec<Told>, next: Told) {
    if let (Some(Told::Data { stream, data, end }), Told::Data { stream: again, data: more, end: last }) =
        (told.last_mut(), &next)
        && stream == again
        && !*end
    {
        data.extend_from_slice(more);
        *end = *last;
        return;
    }
    told.push(next);
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingsReceived => f.write_str("SettingsReceived"),
            Self::StreamLimit(limit) => write!(f, "StreamLimit({limit:?})"),
            Self::SettingsAcknowledged => f.write_str("SettingsAcknowledged"),
            Self::GoAway { last, code, debug } => {
                write!(f, "GoAway(last {last}, code {code}, {:?})", debug.escape_ascii().to_string())
            }
            Self::IdsExhausted => f.write_str("IdsExhausted"),
            Self::Pong(opaque) => write!(f, "Pong({opaque:#x})"),
            Self::Head { stream, status, fields, end } => {
                write!(f, "Head({stream}, {status}, {fields:?}, end {end})")
            }
            Self::Data { stream, data, end } => {
                let start = &data[..data.len().min(40)];
                write!(f, "Data({stream}, {} bytes: {}, end {end})", data.len(), start.escape_ascii())
            }
            Self::Trailers { stream, fields } => write!(f, "Trailers({stream}, {fields:?})"),
            Self::Reset { stream, code } => write!(f, "Reset({stream}, {code})"),
            Self::NotProcessed { stream } => write!(f, "NotProcessed({stream})"),
            Self::Violation { stream, code } => write!(f, "Violation({stream}, {code})"),
            Self::Writable { stream } => write!(f, "Writable({stream})"),
        }
    }
}

fn text(headers: &Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}
