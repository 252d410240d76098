//! Who may begin another call, and with which number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::sample::Extent;

/// Clones give out the same numbers.
#[derive(Clone, Debug)]
pub(super) struct Tickets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    next: AtomicU64,
    end: u64,
    closed: AtomicBool,
}

impl Tickets {
    /// As many as `extent` has calls; without end until they are [closed](Self::close) if it is a time.
    pub(super) fn new(extent: Extent) -> Self {
        let end = match extent {
            Extent::For(_) => u64::MAX,
            Extent::Calls(calls) => calls,
        };
        Self(Arc::new(Inner { next: AtomicU64::new(0), end, closed: AtomicBool::new(false) }))
    }

    pub(super) fn take(&self) -> Option<u64> {
        if self.0.closed.load(Relaxed) {
            return None;
        }
        Some(self.0.next.fetch_add(1, Relaxed)).filter(|number| *number < self.0.end)
    }

    pub(super) fn close(&self) {
        self.0.closed.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_calls_were_ordered() {
        let tickets = Tickets::new(Extent::Calls(2));
        let taken: Vec<_> = (0..4).map(|_| tickets.clone().take()).collect();
        assert_eq!(taken, [Some(0), Some(1), None, None]);
    }

    #[test]
    fn there_are_none_once_they_are_closed() {
        let tickets = Tickets::new(Extent::For(std::time::Duration::ZERO));
        assert_eq!(tickets.take(), Some(0));
        tickets.close();
        assert_eq!(tickets.take(), None);
    }
}
