//! When to send a PING, and when to give the connection up. A machine without timers and without frames: it
//! is asked with the time, and says what to do and when to ask again.

use std::time::{Duration, Instant};

use super::Keepalive;

/// The keepalive of one connection (gRFC A8).
///
/// ```text
///            silent for `every`, and streams or `while_idle`
///   Quiet ----------------------------------------------------> Pinged --- silent for `timeout` ---> (dead)
///     ^                                                            |
///     '---------------------- any byte from the peer --------------'
/// ```
///
/// Without streams (and without `while_idle`) it rests. A stream that is started after a long rest is
/// preceded by a silence longer than `every`, so a PING goes with it: a connection that died meanwhile is
/// found out within `timeout`.
#[derive(Debug)]
pub(super) struct KeepaliveClock {
    settings: Keepalive,
    bytes_read: u64,
    last_read: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Quiet,
    Pinged { deadline: Instant },
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing before this time, if there is one, or before something happens on the connection.
    Sleep(Option<Instant>),
    /// Send a PING and ask again.
    Ping,
    /// Nothing came for `timeout` after a PING: the connection is dead.
    Dead,
}

impl KeepaliveClock {
    /// A clock for a connection that begins at `now`. `doublings` is how often servers have complained about
    /// our PINGs.
    pub(super) fn new(settings: Keepalive, doublings: u32, now: Instant) -> Self {
        let every = settings.every.saturating_mul(2_u32.saturating_pow(doublings));
        Self { settings: Keepalive { every, ..settings }, bytes_read: 0, last_read: now, state: State::Quiet }
    }

    /// How long the answer to a PING may take.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// What to do at `now`, when so many bytes have come in all, and there are streams (`active`) or not. To
    /// be asked at the time that it named, and whenever one of the arguments changed.
    pub(super) fn beat(&mut self, now: Instant, bytes_read: u64, active: bool) -> Beat {
        // Bytes are compared by their number, since they may come in the very instant of the PING.
        if self.bytes_read != bytes_read {
            self.bytes_read = bytes_read;
            self.last_read = now;
            self.state = State::Quiet;
        }
        if let State::Pinged { deadline } = self.state {
            return if now < deadline { Beat::Sleep(Some(deadline)) } else { Beat::Dead };
        }
        if !active && !self.settings.while_idle {
            return Beat::Sleep(None);
        }
        let due = self.last_read + self.settings.every;
        if now < due {
            return Beat::Sleep(Some(due));
        }
        self.state = State::Pinged { deadline: now + self.settings.timeout };
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);
    const TIMEOUT: Duration = Duration::from_secs(2);

    fn clock(while_idle: bool) -> (KeepaliveClock, Instant) {
        let start = Instant::now();
        (KeepaliveClock::new(Keepalive { every: EVERY, timeout: TIMEOUT, while_idle }, 0, start), start)
    }

    #[test]
    fn silence_leads_to_a_ping_and_further_silence_to_death() {
        // behaviour 83
        let (mut clock, start) = clock(false);
        let sent = start + EVERY;
        assert_eq!(clock.beat(start, 0, true), Beat::Sleep(Some(sent)));
        assert_eq!(clock.beat(sent, 0, true), Beat::Ping);
        assert_eq!(clock.beat(sent, 0, true), Beat::Sleep(Some(sent + TIMEOUT)));
        assert_eq!(clock.beat(sent + TIMEOUT, 0, true), Beat::Dead);
    }

    #[test]
    fn any_byte_puts_the_ping_off_and_counts_as_its_answer_even_in_the_same_instant() {
        // behaviour 83
        let (mut clock, start) = clock(false);
        let heard = start + EVERY / 2;
        assert_eq!(clock.beat(heard, 10, true), Beat::Sleep(Some(heard + EVERY)));
        let sent = heard + EVERY;
        assert_eq!(clock.beat(sent, 10, true), Beat::Ping);
        assert_eq!(clock.beat(sent, 27, true), Beat::Sleep(Some(sent + EVERY)));
    }

    #[test]
    fn without_streams_it_rests_unless_told_otherwise() {
        // behaviour 83
        let (mut clock_resting, start) = clock(false);
        assert_eq!(clock_resting.beat(start + EVERY * 100, 0, false), Beat::Sleep(None));
        let (mut clock_watching, start) = clock(true);
        assert_eq!(clock_watching.beat(start + EVERY * 100, 0, false), Beat::Ping);
    }

    #[test]
    fn a_stream_after_a_long_rest_is_accompanied_by_a_ping() {
        let (mut clock, start) = clock(false);
        assert_eq!(clock.beat(start, 0, false), Beat::Sleep(None));
        assert_eq!(clock.beat(start + EVERY * 100, 0, true), Beat::Ping);
    }

    #[test]
    fn a_ping_is_watched_even_if_the_last_stream_ends_meanwhile() {
        let (mut clock, start) = clock(false);
        assert_eq!(clock.beat(start + EVERY, 0, true), Beat::Ping);
        assert_eq!(clock.beat(start + EVERY + TIMEOUT, 0, false), Beat::Dead);
    }

    #[test]
    fn pings_are_never_closer_than_the_interval() {
        // behaviour 83
        let (mut clock, start) = clock(true);
        let (mut bytes_read, mut pings) = (0, Vec::new());
        for half_second in 0..200 {
            let now = start + Duration::from_millis(500) * half_second;
            if clock.beat(now, bytes_read, half_second % 3 == 0) == Beat::Ping {
                pings.push(now);
                bytes_read += 17;
            }
        }
        assert!(pings.len() > 5);
        assert!(pings.windows(2).all(|pair| pair[1] - pair[0] >= EVERY), "{pings:?}");
    }

    #[test]
    fn each_complaint_doubles_the_interval() {
        let start = Instant::now();
        let settings = Keepalive { every: EVERY, timeout: TIMEOUT, while_idle: true };
        let mut clock = KeepaliveClock::new(settings, 2, start);
        assert_eq!(clock.beat(start, 0, true), Beat::Sleep(Some(start + EVERY * 4)));
    }
}
