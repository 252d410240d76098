//! When a connection gives back the memory that only a busy one needs. Not as soon as it has no streams: calls
//! that come in bursts would free and allocate it again each time.

use std::time::{Duration, Instant};

/// So long without streams a connection counts as idle.
const REST_AFTER: Duration = Duration::from_secs(1);

/// ```text
///   Busy --no streams--> Quiet --for a second--> Resting
///     ^                    |                        |
///     '------ a stream ----'------------------------'
/// ```
#[derive(Debug, Default)]
pub(super) enum Idle {
    #[default]
    Busy,
    Quiet {
        rest_at: Instant,
    },
    Resting,
}

impl Idle {
    /// Notes whether there are streams. True once, when the connection should rest.
    pub(super) fn is_due(&mut self, now: Instant, has_streams: bool) -> bool {
        match self {
            _ if has_streams => *self = Self::Busy,
            Self::Busy => *self = Self::Quiet { rest_at: now + REST_AFTER },
            Self::Quiet { rest_at } if *rest_at <= now => {
                *self = Self::Resting;
                return true;
            }
            Self::Quiet { .. } | Self::Resting => {}
        }
        false
    }

    /// When to ask again, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Quiet { rest_at } => Some(*rest_at),
            Self::Busy | Self::Resting => None,
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
        assert!(!idle.is_due(start, false));
        assert!(!idle.is_due(after(999), false));
        assert!(!idle.is_due(after(999), true));
        assert_eq!(idle.due(), None);
        assert!(!idle.is_due(after(1500), false));
        assert_eq!(idle.due(), Some(after(2500)));
        assert!(idle.is_due(after(2500), false));
        assert!(!idle.is_due(after(9999), false), "once");
        assert_eq!(idle.due(), None);
    }
}
