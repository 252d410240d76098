//! What can go wrong, and whose fault it is: with the connection, with one stream, with a wish of the caller.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why a stream or a connection ended (RFC 9113 section 7). Peers may send codes that nobody registered.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Not an error: an orderly end.
    pub const NO_ERROR: Self = Self(0x0);
    /// A rule of the protocol was broken.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// The sender failed by itself.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// More was sent than a window allowed, or a window became too large.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// SETTINGS were not acknowledged in time.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame came for a stream that had ended.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame of a length that it cannot have.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The stream was refused before anything was processed: it may be tried again.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is no longer wanted.
    pub const CANCEL: Self = Self(0x8);
    /// A header block could not be decoded, so the header tables no longer agree.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The connection of a CONNECT request was lost.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer does things that cost too much.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The security of the transport is too weak.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// HTTP/1.1 is wanted instead.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        NAMES.get(self.0 as usize).copied()
    }
}

impl fmt::Display for ErrorCode {
    /// The registered name, or the number in hexadecimal, such as `0x2a`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The connection is over: the peer broke a rule that concerns all of it, or did not answer in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionError {
    code: ErrorCode,
    reason: Cow<'static, str>,
}

impl ConnectionError {
    pub(crate) fn new(code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into() }
    }

    pub(crate) fn protocol(reason: &'static str) -> Self {
        Self::new(ErrorCode::PROTOCOL_ERROR, reason)
    }

    pub(crate) fn frame_size(reason: &'static str) -> Self {
        Self::new(ErrorCode::FRAME_SIZE_ERROR, reason)
    }

    pub(crate) fn flow_control(reason: &'static str) -> Self {
        Self::new(ErrorCode::FLOW_CONTROL_ERROR, reason)
    }

    pub(crate) fn calm(reason: &'static str) -> Self {
        Self::new(ErrorCode::ENHANCE_YOUR_CALM, reason)
    }

    /// What our GOAWAY carries.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the peer did, and the section that forbids it.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl Error for ConnectionError {}

/// The response broke a rule that concerns its stream alone; the stream was reset for it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StreamViolation {
    /// A header list beyond [`Config::max_header_list_size`](crate::Config::max_header_list_size).
    HeadersTooLarge {
        /// The limit, in bytes as RFC 9113 section 6.5.2 counts them.
        limit: u32,
    },
    /// A malformed response (RFC 9113 section 8.1.1), or a frame that the stream may not have.
    Protocol(Cow<'static, str>),
    /// More DATA than the stream's window allowed, or a window beyond its maximum (RFC 9113 section 6.9.1).
    FlowControl(Cow<'static, str>),
    /// A frame of a wrong length (RFC 9113 section 4.2).
    FrameSize(Cow<'static, str>),
}

impl StreamViolation {
    /// What our RST_STREAM carries.
    pub fn code(&self) -> ErrorCode {
        match self {
            // The limit is ours and the peer need not know it: no rule is broken, it is merely too much.
            Self::HeadersTooLarge { .. } => ErrorCode::ENHANCE_YOUR_CALM,
            Self::Protocol(_) => ErrorCode::PROTOCOL_ERROR,
            Self::FlowControl(_) => ErrorCode::FLOW_CONTROL_ERROR,
            Self::FrameSize(_) => ErrorCode::FRAME_SIZE_ERROR,
        }
    }
}

impl fmt::Display for StreamViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadersTooLarge { limit } => write!(f, "header list larger than {limit} bytes"),
            Self::Protocol(reason) | Self::FlowControl(reason) | Self::FrameSize(reason) => {
                f.write_str(reason)
            }
        }
    }
}

impl Error for StreamViolation {}

/// Why no stream was opened. Nothing was queued.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The connection takes no new streams: GOAWAY was received, or it was closed, or it has failed.
    Draining,
    /// All stream ids of the connection are used up (RFC 9113 section 5.1.1).
    IdsExhausted,
    /// As many streams are open as the peer's SETTINGS_MAX_CONCURRENT_STREAMS allows.
    TooManyStreams {
        /// The peer's limit.
        limit: u32,
    },
    /// The header list is larger than the peer's SETTINGS_MAX_HEADER_LIST_SIZE.
    HeadersTooLarge {
        /// Bytes, as RFC 9113 section 6.5.2 counts them.
        size: usize,
        /// The peer's limit.
        limit: u32,
    },
    /// A field that HTTP/2 cannot carry (RFC 9113 section 8.2.1), or pseudo fields that make no request (section
    /// 8.3.1).
    Invalid(Cow<'static, str>),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining => f.write_str("the connection takes no new streams"),
            Self::IdsExhausted => f.write_str("the stream ids of the connection are used up"),
            Self::TooManyStreams { limit } => write!(f, "the peer allows {limit} streams at a time"),
            Self::HeadersTooLarge { size, limit } => {
                write!(f, "header list of {size} bytes, the peer accepts {limit}")
            }
            Self::Invalid(reason) => f.write_str(reason),
        }
    }
}

impl Error for OpenError {}

/// The stream is over, or its sending half has ended: what was to be sent was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamGone;

impl fmt::Display for StreamGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream takes no more data")
    }
}

impl Error for StreamGone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_shown_by_name_and_unknown_ones_by_number() {
        assert_eq!(ErrorCode::NO_ERROR.to_string(), "NO_ERROR");
        assert_eq!(ErrorCode::HTTP_1_1_REQUIRED.to_string(), "HTTP_1_1_REQUIRED");
        assert_eq!(ErrorCode(0x2a).to_string(), "0x2a");
    }

    #[test]
    fn an_error_says_its_code_and_what_was_done() {
        let error = ConnectionError::new(ErrorCode::PROTOCOL_ERROR, "DATA on stream 0 (RFC 9113 6.1)");
        assert_eq!(error.to_string(), "PROTOCOL_ERROR: DATA on stream 0 (RFC 9113 6.1)");
    }
}
