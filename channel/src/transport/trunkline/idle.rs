//! When a connection gives back the memory that only a busy one needs. Not as soon as nothing moves: calls that come in
//! bursts would free and allocate it again each time. Nor only when no stream is open: one that waits for news may be
//! open for days.

use std::time::{Duration, Instant};

/// So long without a byte a connection counts as idle. It is found out within twice the time.
const REST_AFTER: Duration = Duration::from_secs(1);

/// ```text
///   Busy --nothing moved for a second--> Resting
///    | ^ '--looked at once a second         |
///    | '----------- something moved --------'
/// ```
#[derive(Debug)]
pub(super) enum Idle {
    Busy {
        /// Bytes that had moved when it was looked at last.
        moved: u64,
        look_at: Instant,
    },
    Resting {
        moved: u64,
    },
}

impl Default for Idle {
    fn default() -> Self {
        Self::Resting { moved: 0 }
    }
}

impl Idle {
    /// Notes how many bytes have moved so far, either way. True once, when the connection should rest.
    pub(super) fn is_due(&mut self, now: Instant, moved: u64) -> bool {
        let (before, is_resting) = match *self {
            Self::Busy { look_at, .. } if now < look_at => return false,
            Self::Busy { moved, .. } => (moved, false),
            Self::Resting { moved } => (moved, true),
        };
        if moved != before {
            *self = Self::Busy { moved, look_at: now + REST_AFTER };
            return false;
        }
        *self = Self::Resting { moved };
        !is_resting
    }

    /// When to ask again, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Busy { look_at, .. } => Some(*look_at),
            Self::Resting { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_rests_once_after_a_quiet_second_and_not_between_bursts() {
        let (mut idle, start) = (Idle::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert!(!idle.is_due(start, 0));
        assert_eq!(idle.due(), None, "nothing has moved yet");
        assert!(!idle.is_due(after(100), 10));
        assert_eq!(idle.due(), Some(after(1100)));
        assert!(!idle.is_due(after(1000), 20));
        assert!(!idle.is_due(after(1100), 20), "something moved since it was looked at");
        assert_eq!(idle.due(), Some(after(2100)));
        assert!(idle.is_due(after(2100), 20));
        assert!(!idle.is_due(after(9999), 20), "once");
        assert_eq!(idle.due(), None);
        assert!(!idle.is_due(after(10_000), 21));
        assert!(idle.is_due(after(11_000), 21), "and again");
    }
}
