//! Settings and limits of a connection, with their reasons.

use std::time::Duration;

use crate::hpack::INITIAL_TABLE_SIZE;

/// How a connection behaves. Build it from [`Config::default`] by changing fields; a value outside of what
/// HTTP/2 allows is moved to the nearest that is allowed, when the connection is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// SETTINGS_INITIAL_WINDOW_SIZE that we announce: how many bytes of one response body the peer may send before
    /// they are released. Default 1 MiB, 1 to 2^31 - 1: with 0 no response would ever have a body.
    pub stream_window: u32,
    /// How many bytes of all response bodies together may be under way. Default 16 MiB, 65 535 to 2^31 - 1. Raised
    /// above HTTP/2's initial value by a WINDOW_UPDATE right after the preface.
    pub connection_window: u32,
    /// How many bytes may be received and not yet released, over all streams. Default 64 MiB, at least
    /// `connection_window`. As long as less is unread, the connection's window is given back on receipt, so
    /// that readers that are slow do not starve the others; beyond it, on release.
    pub unread_limit: u32,
    /// SETTINGS_MAX_FRAME_SIZE that we announce. Default 16 KiB, 16 KiB to 16 MiB - 1. A larger frame is a
    /// connection error, since a frame is buffered whole.
    pub max_frame_size: u32,
    /// SETTINGS_MAX_HEADER_LIST_SIZE that we announce. Default 256 KiB, as RFC 9113 section 6.5.2 counts. It is
    /// checked while decoding; a larger list fails its stream alone.
    pub max_header_list_size: u32,
    /// Compressed bytes of one header block over all of its frames. Default 1 MiB. A larger one is a
    /// connection error, ENHANCE_YOUR_CALM, since the header tables cannot be kept without reading it.
    pub max_header_block: usize,
    /// SETTINGS_HEADER_TABLE_SIZE that we announce for what the peer encodes. Default 4096 bytes.
    pub decoder_table_size: u32,
    /// The largest header table for what we encode, whatever the peer allows. Default 4096 bytes.
    pub encoder_table_limit: u32,
    /// How many bytes of one stream may wait to be sent before it counts as not writable. Default 256 KiB, at
    /// least 1.
    pub send_buffer: usize,
    /// How long the peer may take to acknowledge SETTINGS; then the connection fails with SETTINGS_TIMEOUT.
    /// Default 30 s, which counts from when they were queued, so it should be longer than what is queued before them may
    /// take. `None`: for ever.
    pub settings_timeout: Option<Duration>,
    /// The id of the first stream. Default 1; an even one is made odd. Tests start near the end.
    pub first_stream_id: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stream_window: 1 << 20,
            connection_window: 16 << 20,
            unread_limit: 64 << 20,
            max_frame_size: SMALLEST_FRAME_LIMIT,
            max_header_list_size: 256 << 10,
            max_header_block: 1 << 20,
            decoder_table_size: INITIAL_TABLE_SIZE,
            encoder_table_limit: INITIAL_TABLE_SIZE,
            send_buffer: 256 << 10,
            settings_timeout: Some(Duration::from_secs(30)),
            first_stream_id: 1,
        }
    }
}

impl Config {
    /// The same within what HTTP/2 allows, so that nobody behind this line has to check again.
    pub(crate) fn allowed(self) -> Self {
        let connection_window = self.connection_window.clamp(INITIAL_WINDOW, LARGEST_WINDOW);
        Self {
            stream_window: self.stream_window.clamp(1, LARGEST_WINDOW),
            connection_window,
            unread_limit: self.unread_limit.max(connection_window),
            max_frame_size: self.max_frame_size.clamp(SMALLEST_FRAME_LIMIT, LARGEST_FRAME_LIMIT),
            send_buffer: self.send_buffer.max(1),
            first_stream_id: self.first_stream_id.min(LAST_STREAM_ID) | 1,
            ..self
        }
    }
}

/// The window of every stream and of the connection before anything else was said (RFC 9113 section 6.9.2).
pub(crate) const INITIAL_WINDOW: u32 = 65_535;
/// No window may be larger (RFC 9113 section 6.9.1).
pub(crate) const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// Every peer accepts frames of this size (RFC 9113 section 4.2).
pub(crate) const SMALLEST_FRAME_LIMIT: u32 = 1 << 14;
/// No peer may announce more (RFC 9113 section 6.5.2).
pub(crate) const LARGEST_FRAME_LIMIT: u32 = (1 << 24) - 1;
/// Ids have 31 bits, and ours are odd (RFC 9113 section 5.1.1).
pub(crate) const LAST_STREAM_ID: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http2_forbids_is_moved_to_the_nearest_allowed() {
        let config = Config {
            stream_window: u32::MAX,
            connection_window: 1,
            unread_limit: 1,
            max_frame_size: 1,
            first_stream_id: u32::MAX - 1,
            ..Config::default()
        };
        let allowed = config.allowed();
        assert_eq!(allowed.stream_window, LARGEST_WINDOW);
        assert_eq!(allowed.connection_window, INITIAL_WINDOW);
        assert_eq!(allowed.unread_limit, INITIAL_WINDOW);
        assert_eq!(allowed.max_frame_size, 16_384);
        assert_eq!(allowed.first_stream_id, LAST_STREAM_ID);
        assert_eq!(Config { stream_window: 0, ..Config::default() }.allowed().stream_window, 1);
        assert_eq!(Config::default().allowed(), Config::default());
    }
}
