//! What a peer may cost without being of use. Counted per time and per useful frame, never per lifetime, so that a
//! long healthy connection never dies of it.

use std::time::{Duration, Instant};

use crate::config::LARGEST_WINDOW;

/// A leaky bucket of frames. Frames that carry nothing (empty DATA, PING, SETTINGS, WINDOW_UPDATE, unknown types,
/// ...) are paid from it; it fills by time, and by every frame that is of use, in whichever direction.
///
/// Beside it stands the data that we sent, which window updates answer: they depend on its bytes, and come all at
/// once when a server takes its time before it reads.
///
/// And beside both the data that may be under way to streams that we reset: its sender could not know.
#[derive(Debug)]
pub(crate) struct Budget {
    /// What is above [`BURST`] is lost when something is paid from it, not before: frames that are of use come far
    /// more often, and cost one addition.
    left: u64,
    /// Bytes for which window updates may come. Those above [`LARGEST_WINDOW`] are lost like the burst's.
    sent: u64,
    /// Bytes that may still come for streams that we reset.
    late: u32,
    /// Until when time has been credited.
    credited: Instant,
}

/// The peer's useless frames are more than anybody needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exhausted;

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: BURST, sent: 0, late: 0, credited: now }
    }

    /// A useful frame came or went, worth so many useless ones.
    #[inline]
    pub(crate) fn earn(&mut self, frames: u32) {
        self.left += u64::from(frames);
    }

    /// A DATA frame of ours went, with a payload of so many bytes.
    #[inline]
    pub(crate) fn earn_sent(&mut self, bytes: usize) {
        self.earn(SENT_DATA);
        self.sent += bytes as u64;
    }

    /// Pays for a WINDOW_UPDATE: from the data that it answers, if there is so much.
    #[inline]
    pub(crate) fn spend_update(&mut self, now: Instant) -> Result<(), Exhausted> {
        match self.sent.min(u64::from(LARGEST_WINDOW)).checked_sub(BYTES_PER_UPDATE) {
            Some(left) => self.sent = left,
            None => self.spend(now, 1)?,
        }
        Ok(())
    }

    /// We reset a stream on which so many bytes may have been under way; over all streams no more than `most` can be.
    pub(crate) fn earn_reset(&mut self, bytes: u32, most: u32) {
        self.late = self.late.saturating_add(bytes).min(most);
    }

    /// Pays for DATA of so many bytes on a stream that we reset: from what may have been under way, if there is so much.
    pub(crate) fn spend_late(&mut self, now: Instant, bytes: u32) -> Result<(), Exhausted> {
        match self.late.checked_sub(bytes.max(LEAST_LATE)) {
            Some(left) => self.late = left,
            None => self.spend(now, 1)?,
        }
        Ok(())
    }

    /// Pays for useless frames.
    #[inline]
    pub(crate) fn spend(&mut self, now: Instant, frames: u32) -> Result<(), Exhausted> {
        self.refill(now);
        self.left = self.left.min(BURST).checked_sub(u64::from(frames)).ok_or(Exhausted)?;
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.credited).as_millis();
        let whole = u32::try_from(elapsed).unwrap_or(u32::MAX);
        if whole == 0 {
            return;
        }
        self.left = (self.left + u64::from(whole) * REFILL_PER_MILLISECOND).min(BURST);
        // Time that finds the bucket full is not saved up; the rest of a millisecond is.
        let is_full = self.left == BURST;
        self.credited = if is_full { now } else { self.credited + Duration::from_millis(u64::from(whole)) };
    }
}

/// What a response's head, its data and its end earn each: a server may add a PING for its bandwidth estimate and a
/// WINDOW_UPDATE to every frame that means something, as some do.
pub(crate) const USEFUL_FRAME: u32 = 2;
/// What a DATA frame of ours earns, whatever its size: servers may answer each with a WINDOW_UPDATE for the stream,
/// one for the connection, and a PING.
const SENT_DATA: u32 = 4;
/// Bytes of our data that earn one WINDOW_UPDATE besides. Servers of Go's net/http2 return the window by 4 KiB, and
/// grpc-go behind them by 8 KiB, each time on the stream and on the connection: that is two in 4 KiB.
const BYTES_PER_UPDATE: u64 = 1 << 10;
/// DATA that comes too late counts as so many bytes at least. Few messages of gRPC are shorter, whose prefix alone has
/// five: so a window full of small ones passes, and one of single bytes does not.
const LEAST_LATE: u32 = 16;
/// What a stream that we open earns: besides its window updates the server may send PRIORITY or a late reset.
pub(crate) const OPENED_STREAM: u32 = 4;

/// Useless frames that may come at once. 10 000 cost a few milliseconds to read. What servers that mean well send
/// more of in one go is window updates, and those are paid by the bytes that they answer.
const BURST: u64 = 10_000;
/// 1000 in a second cost less than a thousandth of a core; keepalive, window updates and new settings together need
/// a hundredth of it.
const REFILL_PER_MILLISECOND: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn a_burst_passes_and_more_passes_with_time() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        for _ in 0..BURST {
            assert_eq!(budget.spend(start, 1), Ok(()));
        }
        assert_eq!(budget.spend(start, 1), Err(Exhausted));
        let later = start + Duration::from_micros(2900);
        assert_eq!(budget.spend(later, 2), Ok(()));
        assert_eq!(budget.spend(later, 1), Err(Exhausted));
        // The part of a millisecond that was not credited is not lost.
        assert_eq!(budget.spend(start + Duration::from_millis(3), 1), Ok(()));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn time_saves_up_no_more_than_a_burst() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(budget.spend(later, BURST as u32), Ok(()));
        assert_eq!(budget.spend(later, 1), Err(Exhausted));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn data_that_was_sent_pays_for_window_updates_and_for_nothing_else() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        budget.earn_sent(64 << 20);
        for _ in 0..2 * (64 << 20) / 4096 {
            assert_eq!(budget.spend_update(now), Ok(()));
        }
        assert_eq!(budget.spend(now, BURST as u32), Ok(()));
        assert_eq!(budget.spend(now, 1), Err(Exhausted));
        while budget.spend_update(now).is_ok() {}
        assert_eq!(budget.sent, 0);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn data_that_was_under_way_to_a_reset_stream_is_free_and_no_more_of_it() {
        let now = Instant::now();
        for (frame, free) in [(16_384, 64), (100, (1 << 20) / 100), (1, (1 << 20) / 16)] {
            let mut budget = Budget::new(now);
            // What the connection's window keeps back is not under way.
            for _ in 0..3 {
                budget.earn_reset(1 << 19, 1 << 20);
            }
            for _ in 0..free + BURST {
                assert_eq!(budget.spend_late(now, frame), Ok(()));
            }
            assert_eq!(budget.spend_late(now, frame), Err(Exhausted), "{frame}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn useful_frames_pay_for_useless_ones_for_ever() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        for _ in 0..1_000_000 {
            budget.earn(USEFUL_FRAME);
            assert_eq!(budget.spend(now, USEFUL_FRAME), Ok(()));
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn useful_frames_save_up_no_more_than_a_burst() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        for _ in 0..1_000_000 {
            budget.earn(USEFUL_FRAME);
        }
        assert_eq!(budget.spend(now, BURST as u32), Ok(()));
        assert_eq!(budget.spend(now, 1), Err(Exhausted));
    }
}
