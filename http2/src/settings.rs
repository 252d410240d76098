//! SETTINGS, both sides: what the peer allows us, and which of ours it has acknowledged.

use std::collections::VecDeque;
use std::time::Instant;

use crate::config::{INITIAL_WINDOW, LARGEST_FRAME_LIMIT, LARGEST_WINDOW, SMALLEST_FRAME_LIMIT};
use crate::frame::{Settings, setting};
use crate::hpack::INITIAL_TABLE_SIZE;
use crate::{Config, ConnectionError};

/// What the peer's SETTINGS say, as far as they came (RFC 9113 section 6.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PeerSettings {
    pub(crate) header_table_size: u32,
    pub(crate) max_concurrent_streams: Option<u32>,
    pub(crate) initial_window: u32,
    pub(crate) max_frame_size: u32,
    pub(crate) max_header_list_size: Option<u32>,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            header_table_size: INITIAL_TABLE_SIZE,
            max_concurrent_streams: None,
            initial_window: INITIAL_WINDOW,
            max_frame_size: SMALLEST_FRAME_LIMIT,
            max_header_list_size: None,
        }
    }
}

impl PeerSettings {
    /// These after a SETTINGS frame. Parameters that nobody here knows are ignored (RFC 9113 section 6.5.2).
    ///
    /// `smallest_table` becomes the smallest header table among the values, since the encoder has to say so even
    /// if a larger one follows (RFC 7541 section 4.2).
    pub(crate) fn after(
        mut self,
        settings: &Settings<'_>,
        smallest_table: &mut Option<u32>,
    ) -> Result<Self, ConnectionError> {
        for (identifier, value) in settings.iter() {
            match identifier {
                setting::HEADER_TABLE_SIZE => {
                    *smallest_table = Some(smallest_table.map_or(value, |smallest| smallest.min(value)));
                    self.header_table_size = value;
                }
                setting::ENABLE_PUSH if value != 0 => {
                    return Err(ConnectionError::protocol("a server must not enable push (RFC 9113 6.5.2)"));
                }
                setting::MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = Some(value),
                setting::INITIAL_WINDOW_SIZE if value > LARGEST_WINDOW => {
                    return Err(ConnectionError::flow_control(
                        "initial window above 2^31-1 (RFC 9113 6.5.2)",
                    ));
                }
                setting::INITIAL_WINDOW_SIZE => self.initial_window = value,
                setting::MAX_FRAME_SIZE if !(SMALLEST_FRAME_LIMIT..=LARGEST_FRAME_LIMIT).contains(&value) => {
                    return Err(ConnectionError::protocol(
                        "SETTINGS_MAX_FRAME_SIZE out of range (RFC 9113 6.5.2)",
                    ));
                }
                setting::MAX_FRAME_SIZE => self.max_frame_size = value,
                setting::MAX_HEADER_LIST_SIZE => self.max_header_list_size = Some(value),
                _ => {}
            }
        }
        Ok(self)
    }

    /// Payload of our frames: what the peer accepts, but not so much that one stream holds up the others.
    #[inline]
    pub(crate) fn frame_limit(&self) -> usize {
        self.max_frame_size.min(LARGEST_SENT_FRAME) as usize
    }
}

/// SETTINGS of ours that wait for their acknowledgement, which come in the order in which they were sent.
#[derive(Debug)]
pub(crate) struct OwnSettings {
    unacknowledged: VecDeque<Instant>,
    /// Whether the peer has acknowledged the first, which are the only ones that change something.
    in_force: bool,
}

impl OwnSettings {
    /// The first SETTINGS were queued.
    pub(crate) fn begun(now: Instant) -> Self {
        Self { unacknowledged: VecDeque::from([now]), in_force: false }
    }

    /// More SETTINGS were queued, if there are not too many.
    pub(crate) fn sent(&mut self, now: Instant) -> bool {
        let has_room = self.unacknowledged.len() < MAX_UNACKNOWLEDGED;
        if has_room {
            self.unacknowledged.push_back(now);
        }
        has_room
    }

    /// An acknowledgement came. `true`: it was the first, and what we announced is in force.
    pub(crate) fn acknowledged(&mut self) -> Result<bool, ConnectionError> {
        if self.unacknowledged.pop_front().is_none() {
            return Err(ConnectionError::protocol(
                "acknowledgement of SETTINGS that were not sent (RFC 9113 6.5.3)",
            ));
        }
        Ok(!std::mem::replace(&mut self.in_force, true))
    }

    /// When the oldest that is unacknowledged was queued.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.unacknowledged.front().copied()
    }

    /// The window of new streams, as the peer must know it by now (RFC 9113 section 6.9.2).
    #[inline]
    pub(crate) fn window_in_force(&self, config: &Config) -> u32 {
        if self.in_force { config.stream_window } else { INITIAL_WINDOW }
    }
}

/// What we announce: what differs from the initial values, and that nothing may be pushed.
pub(crate) fn announced(config: &Config) -> Vec<(u16, u32)> {
    let mut parameters = vec![
        (setting::ENABLE_PUSH, 0),
        (setting::INITIAL_WINDOW_SIZE, config.stream_window),
        (setting::MAX_HEADER_LIST_SIZE, config.max_header_list_size),
    ];
    if config.max_frame_size != SMALLEST_FRAME_LIMIT {
        parameters.push((setting::MAX_FRAME_SIZE, config.max_frame_size));
    }
    if config.decoder_table_size != INITIAL_TABLE_SIZE {
        parameters.push((setting::HEADER_TABLE_SIZE, config.decoder_table_size));
    }
    parameters
}

/// A stream's turn: four usual frames. Longer ones gain little, and what comes behind them waits.
const LARGEST_SENT_FRAME: u32 = 64 << 10;
/// SETTINGS of ours that may be under way. One answers what a caller asks; the rest is patience.
pub(crate) const MAX_UNACKNOWLEDGED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn after(parameters: &[(u16, u32)]) -> Result<(PeerSettings, Option<u32>), ConnectionError> {
        let mut payload = Vec::new();
        for (identifier, value) in parameters {
            payload.extend_from_slice(&identifier.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let mut smallest = None;
        let after = PeerSettings::default().after(&Settings::read(&payload)?, &mut smallest)?;
        Ok((after, smallest))
    }

    #[test]
    fn the_last_value_of_a_parameter_holds_and_the_smallest_table_is_known() {
        let (settings, smallest) = after(&[(1, 4096), (1, 0), (1, 100), (3, 7), (99, 1), (2, 0)]).unwrap();
        assert_eq!(settings.header_table_size, 100);
        assert_eq!(smallest, Some(0));
        assert_eq!(settings.max_concurrent_streams, Some(7));
        assert_eq!(settings.initial_window, INITIAL_WINDOW);
        assert_eq!(after(&[(1, u32::MAX)]).unwrap().1, Some(u32::MAX));
        assert_eq!(after(&[(3, 7)]).unwrap().1, None);
    }

    #[test]
    fn values_out_of_range_are_errors_of_the_right_kind() {
        assert_eq!(after(&[(2, 1)]).unwrap_err().code(), ErrorCode::PROTOCOL_ERROR);
        assert_eq!(after(&[(2, 2)]).unwrap_err().code(), ErrorCode::PROTOCOL_ERROR);
        assert_eq!(after(&[(4, 1 << 31)]).unwrap_err().code(), ErrorCode::FLOW_CONTROL_ERROR);
        assert_eq!(after(&[(5, 16_383)]).unwrap_err().code(), ErrorCode::PROTOCOL_ERROR);
        assert_eq!(after(&[(5, 1 << 24)]).unwrap_err().code(), ErrorCode::PROTOCOL_ERROR);
        assert!(after(&[(4, (1 << 31) - 1), (5, 16_384), (5, (1 << 24) - 1)]).is_ok());
    }
}
