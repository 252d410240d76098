//! What a client must say of the size of its header table (RFC 7541 4.2, RFC 9113 4.3.1). Apart, since decoders do not
//! insist on it, the harness's not either.

use super::hpack;

pub(crate) struct TableSize {
    /// What the decoder believes it to be.
    said: usize,
    /// What the client has acknowledged last.
    allowed: usize,
    /// The smallest that it has acknowledged since the last block.
    smallest: Option<usize>,
}

impl TableSize {
    pub(crate) fn new() -> Self {
        Self { said: 4_096, allowed: 4_096, smallest: None }
    }

    pub(crate) fn acknowledge(&mut self, size: usize) {
        self.allowed = size;
        self.smallest = Some(self.smallest.map_or(size, |smallest| smallest.min(size)));
    }

    /// The client's next block.
    pub(crate) fn check(&mut self, block: &[u8]) {
        let updates = hpack::size_updates(block);
        assert!(updates.len() <= 2, "RFC 7541 4.2: at most two sizes of the table, not {updates:?}");
        if let Some(smallest) = self.smallest.take().filter(|smallest| *smallest < self.said) {
            let obeys = updates.first().is_some_and(|first| *first <= smallest);
            assert!(obeys, "RFC 9113 4.3.1: {updates:?} after a table of {smallest} was acknowledged");
        }
        if let Some(last) = updates.last() {
            assert!(*last <= self.allowed, "RFC 7541 6.3: {last} is above {}", self.allowed);
            self.said = *last;
        }
    }
}
