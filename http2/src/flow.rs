//! Flow control (RFC 9113 section 5.2 and 6.9): what the peer lets us send, and what we let the peer send.
//! Pure arithmetic, apart because every rule about windows is here and nowhere else.

use crate::config::INITIAL_WINDOW;

/// How many bytes the peer still accepts, on one stream or on the connection.
///
/// SETTINGS may make the window of a stream negative, by no more than the largest window (RFC 9113 section 6.9.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SendWindow(i32);

/// A window would exceed 2^31 - 1, which the peer must not do (RFC 9113 section 6.9.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overflow;

impl SendWindow {
    pub(crate) fn new(bytes: u32) -> Self {
        Self(signed(bytes))
    }

    /// Bytes that may be sent now.
    #[inline]
    pub(crate) fn available(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Bytes were sent, no more than [`available`](Self::available).
    #[inline]
    pub(crate) fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.available(), "more is sent than the window allows");
        self.0 -= bytes as i32;
    }

    /// WINDOW_UPDATE came, or SETTINGS changed the initial window by so much.
    pub(crate) fn shift(&mut self, delta: i64) -> Result<(), Overflow> {
        // The largest window is the largest number.
        self.0 = i32::try_from(i64::from(self.0) + delta).map_err(|_| Overflow)?;
        Ok(())
    }
}

/// Bytes of a window, which has 31 bits.
fn signed(bytes: u32) -> i32 {
    i32::try_from(bytes).expect("windows have 31 bits")
}

/// How long what is to be given back is gathered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Thrift {
    /// Up to half of a window, so that an update comes once for many frames and long before the peer has to wait.
    Usual,
    /// Until but an eighth of the window is left. For a peer that leaves: it may have sent all that it will, and be gone
    /// before it reads the update. Then its socket resets the connection, and what it sent and we have not read is lost.
    Greatest,
}

/// The peer sent more than it was allowed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exceeded;

/// What one stream of ours lets the peer send.
///
/// `available + unread + returnable` is always the window that is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StreamCredit {
    /// The peer may still send so much. Negative after our SETTINGS made the window smaller.
    available: i32,
    /// Handed to the owner and not yet released.
    unread: u32,
    /// Released and not yet told to the peer.
    returnable: u32,
}

impl StreamCredit {
    /// `in_force` is the window that the peer must know of by now.
    pub(crate) fn new(in_force: u32) -> Self {
        Self { available: signed(in_force), unread: 0, returnable: 0 }
    }

    /// DATA came whose payload has `bytes`, of which `padding` are of no use to anybody and given back at once.
    #[inline]
    pub(crate) fn receive(&mut self, bytes: u32, padding: u32) -> Result<(), Exceeded> {
        // Nothing needs no window, and may come where there is less than none.
        if bytes > self.available.max(0) as u32 {
            return Err(Exceeded);
        }
        self.available -= bytes as i32;
        self.unread += bytes - padding;
        self.returnable += padding;
        Ok(())
    }

    /// The owner has read so much. Releasing more than was received is of no effect.
    #[inline]
    pub(crate) fn release(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.unread);
        self.unread -= bytes;
        self.returnable += bytes;
    }

    /// How much the peer may still send, or has under way.
    pub(crate) fn available(&self) -> u32 {
        u32::try_from(self.available).unwrap_or(0)
    }

    /// Whether there is enough to be told to the peer.
    #[inline]
    pub(crate) fn is_due(&self, in_force: u32, thrift: Thrift) -> bool {
        match thrift {
            Thrift::Usual => self.returnable >= (in_force / 2).max(1),
            Thrift::Greatest => {
                let eighth = in_force / 8;
                self.available <= signed(eighth) && self.returnable >= eighth.max(1)
            }
        }
    }

    /// What WINDOW_UPDATE is to say. It counts as said from here on.
    pub(crate) fn take(&mut self) -> u32 {
        let returned = std::mem::take(&mut self.returnable);
        self.available += signed(returned);
        returned
    }

    /// The peer has acknowledged another initial window.
    pub(crate) fn shift(&mut self, delta: i64) {
        let shifted = i64::from(self.available) + delta;
        self.available =
            i32::try_from(shifted).expect("a window less at most a window has 31 bits and a sign");
    }
}

/// What the connection lets the peer send over all streams.
///
/// Unlike a stream's, this window is given back on receipt as long as little is unread: what protects the memory is
/// `unread_limit`, and a window that waited for the slowest reader would starve the others. (It counts bytes. A small
/// payload that is kept keeps the chunk that it was packed in, of 8 KiB at most, unless its owner copies it.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionCredit {
    available: u32,
    /// Handed to the owner and not yet released, over all streams, those that are over too.
    unread: u64,
    window: u32,
    unread_limit: u32,
}

impl ConnectionCredit {
    pub(crate) fn new(window: u32, unread_limit: u32) -> Self {
        Self { available: INITIAL_WINDOW, unread: 0, window, unread_limit }
    }

    /// DATA came whose payload has `bytes`, for whatever stream.
    #[inline]
    pub(crate) fn receive(&mut self, bytes: u32) -> Result<(), Exceeded> {
        self.available = self.available.checked_sub(bytes).ok_or(Exceeded)?;
        Ok(())
    }

    /// So much of it goes to the owner; the rest is forgotten at once.
    #[inline]
    pub(crate) fn hand_over(&mut self, bytes: usize) {
        self.unread += bytes as u64;
    }

    /// The owner has read so much.
    #[inline]
    pub(crate) fn release(&mut self, bytes: usize) {
        self.unread = self.unread.saturating_sub(bytes as u64);
    }

    /// What WINDOW_UPDATE is to raise the window by, if it is worth a frame.
    #[inline]
    pub(crate) fn due(&self, thrift: Thrift) -> Option<u32> {
        let raise = self.missing();
        let target = self.available + raise;
        let least = match thrift {
            Thrift::Usual => target / 2,
            Thrift::Greatest => target - target / 8,
        };
        // Near the limit the window is small: then a frame's worth is awaited, not single bytes, which would make
        // the peer send single bytes (the silly window of RFC 9293 section 3.8.6.2).
        (raise > 0 && raise >= least.max(SMALLEST_UPDATE)).then_some(raise)
    }

    /// The update was queued.
    pub(crate) fn raise(&mut self, by: u32) {
        self.available += by;
    }

    /// Whether so much is unread that there is not room for the whole window.
    pub(crate) fn is_short(&self) -> bool {
        u64::from(self.unread_limit) < self.unread + u64::from(self.window)
    }

    /// What lacks of the window as it ought to be.
    #[inline]
    pub(crate) fn missing(&self) -> u32 {
        let room = u64::from(self.unread_limit).saturating_sub(self.unread);
        let target = u32::try_from(room).unwrap_or(u32::MAX).min(self.window);
        target.saturating_sub(self.available)
    }
}

/// One frame of the usual size.
const SMALLEST_UPDATE: u32 = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LARGEST_WINDOW;

    #[test]
    fn nothing_may_come_where_there_is_less_than_no_window() {
        let mut credit = StreamCredit::new(INITIAL_WINDOW);
        credit.receive(60_000, 0).unwrap();
        credit.shift(1_000 - i64::from(INITIAL_WINDOW));
        assert_eq!(credit.receive(0, 0), Ok(()));
        assert_eq!(credit.receive(1, 0), Err(Exceeded));
    }

    #[test]
    fn a_window_may_become_negative_but_not_too_large() {
        let mut window = SendWindow::new(10);
        window.consume(10);
        assert_eq!(window.shift(-5), Ok(()));
        assert_eq!(window.available(), 0);
        assert_eq!(window.shift(6), Ok(()));
        assert_eq!(window.available(), 1);
        assert_eq!(window.shift(i64::from(LARGEST_WINDOW)), Err(Overflow));
        assert_eq!(window.shift(i64::from(LARGEST_WINDOW) - 1), Ok(()));
    }

    #[test]
    fn a_stream_returns_its_window_by_halves() {
        let mut credit = StreamCredit::new(100);
        assert_eq!(credit.receive(60, 0), Ok(()));
        credit.release(49);
        assert!(!credit.is_due(100, Thrift::Usual));
        credit.release(1);
        assert!(credit.is_due(100, Thrift::Usual));
        assert_eq!(credit.take(), 50);
        assert_eq!(credit.receive(91, 0), Err(Exceeded));
        assert_eq!(credit.receive(90, 0), Ok(()));
    }

    #[test]
    fn a_peer_that_leaves_is_given_its_window_when_it_nearly_has_to_wait() {
        let mut credit = StreamCredit::new(800);
        assert_eq!(credit.receive(699, 0), Ok(()));
        credit.release(699);
        assert!(credit.is_due(800, Thrift::Usual) && !credit.is_due(800, Thrift::Greatest));
        assert_eq!(credit.receive(1, 0), Ok(()));
        assert!(credit.is_due(800, Thrift::Greatest), "whoever has read or not");
        let mut slow = StreamCredit::new(800);
        assert_eq!(slow.receive(800, 0), Ok(()));
        slow.release(99);
        assert!(!slow.is_due(800, Thrift::Greatest));
        slow.release(1);
        assert!(slow.is_due(800, Thrift::Greatest));
    }

    #[test]
    fn padding_is_given_back_without_being_read() {
        let mut credit = StreamCredit::new(100);
        assert_eq!(credit.receive(60, 50), Ok(()));
        assert!(credit.is_due(100, Thrift::Usual));
        assert_eq!(credit.take(), 50);
    }

    #[test]
    fn releasing_more_than_was_received_gains_the_peer_nothing() {
        let mut credit = StreamCredit::new(100);
        assert_eq!(credit.receive(10, 0), Ok(()));
        credit.release(1000);
        assert_eq!(credit.take(), 10);
    }

    #[test]
    fn the_connection_returns_on_receipt_while_little_is_unread() {
        let mut credit = ConnectionCredit::new(INITIAL_WINDOW, 4 * INITIAL_WINDOW);
        for _ in 0..3 {
            assert_eq!(credit.receive(INITIAL_WINDOW), Ok(()));
            credit.hand_over(INITIAL_WINDOW as usize);
            assert_eq!(credit.due(Thrift::Usual), Some(INITIAL_WINDOW));
            credit.raise(INITIAL_WINDOW);
        }
        assert_eq!(credit.receive(INITIAL_WINDOW), Ok(()));
        credit.hand_over(INITIAL_WINDOW as usize);
        assert_eq!(credit.due(Thrift::Usual), None);
        assert_eq!(credit.receive(1), Err(Exceeded));
    }

    #[test]
    fn beyond_the_unread_limit_the_connection_returns_on_release() {
        let mut credit = ConnectionCredit::new(INITIAL_WINDOW, INITIAL_WINDOW);
        assert_eq!(credit.receive(INITIAL_WINDOW), Ok(()));
        credit.hand_over(INITIAL_WINDOW as usize);
        credit.release(SMALLEST_UPDATE as usize - 1);
        assert_eq!(credit.due(Thrift::Usual), None);
        credit.release(1);
        assert_eq!(credit.due(Thrift::Usual), Some(SMALLEST_UPDATE));
    }
}
