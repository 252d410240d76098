//! When the resolver is asked to look again. Connections say first that a server has gone or moved, but they
//! say it all at once: the doubts of ten thousand lost connections are one.

use std::time::{Duration, Instant};

/// Least time between two requests to look again. Resolvers limit themselves further.
const SPACING: Duration = Duration::from_secs(1);

/// Doubts about the last resolution that the resolver has not been told yet.
#[derive(Debug)]
pub(super) struct Doubt {
    /// A connection was lost, or its server said GOAWAY.
    loss: bool,
    /// The policy wants an answer newer than this one.
    wish: Option<u64>,
    /// The last answer that the policy doubted: a wish is a level, but asked once per answer.
    wished: Option<u64>,
    /// When the resolver may be told next.
    next: Instant,
}

impl Doubt {
    pub(super) fn new(now: Instant) -> Self {
        Self { loss: false, wish: None, wished: None, next: now }
    }

    /// A connection was lost or is going away.
    pub(super) fn lost(&mut self) {
        self.loss = true;
    }

    /// The policy wishes for an answer that is newer than number `resolution`.
    pub(super) fn wish(&mut self, resolution: u64) {
        if self.wished != Some(resolution) {
            self.wished = Some(resolution);
            self.wish = Some(resolution);
        }
    }

    /// Answer number `resolution` came: a wish for something newer than the one before it is fulfilled. A
    /// loss may be news to whoever answered, so it stays doubted.
    pub(super) fn answered(&mut self, resolution: u64) {
        self.wish = self.wish.filter(|wish| *wish >= resolution);
    }

    /// There is no resolver any more, or a new one.
    pub(super) fn forget(&mut self) {
        (self.loss, self.wish, self.wished) = (false, None, None);
    }

    /// Whether the resolver should be told now; once told, the doubt is its own.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            (self.loss, self.wish, self.next) = (false, None, now + SPACING);
        }
        due
    }

    /// When the resolver should be told, if there is a doubt. A time that has passed means now.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.loss || self.wish.is_some()).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_losses_are_one_doubt_and_the_next_waits_a_second() {
        let now = Instant::now();
        let mut doubt = Doubt::new(now);
        assert!(!doubt.take(now));
        doubt.lost();
        doubt.lost();
        assert!(doubt.take(now));
        assert!(!doubt.take(now));
        doubt.lost();
        let later = now + Duration::from_millis(999);
        assert!(!doubt.take(later));
        assert_eq!(doubt.due(), Some(now + SPACING));
        assert!(doubt.take(now + SPACING));
    }

    #[test]
    fn a_policy_is_heard_once_per_answer() {
        let now = Instant::now();
        let mut doubt = Doubt::new(now);
        doubt.wish(1);
        assert!(doubt.take(now));
        doubt.wish(1);
        assert_eq!(doubt.due(), None, "asked already");
        doubt.answered(2);
        doubt.wish(2);
        assert!(doubt.take(now + SPACING));
    }

    #[test]
    fn a_wish_that_was_fulfilled_before_it_was_told_is_dropped() {
        let now = Instant::now();
        let mut doubt = Doubt::new(now);
        doubt.lost();
        assert!(doubt.take(now));
        doubt.wish(1);
        doubt.answered(2);
        assert_eq!(doubt.due(), None);
    }
}
