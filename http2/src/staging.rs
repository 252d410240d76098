//! How much is made ready to be written at a time. What lies ready can no longer give way to other streams, so it should
//! be little where the socket is full; where it takes all at once, each write less is won.

/// Bytes that lie ready while the socket does not take all of them. A frame more than the round number, so that the end of a message of a
/// round size goes out with the rest of it.
const LEAST: usize = (256 + 16) << 10;

/// Bytes that lie ready where the socket takes as many at once: a message of a mebibyte is one write.
const MOST: usize = (1024 + 16) << 10;

/// The limit of that, which doubles when a write took all of as much, and is the least again when one was cut short.
#[derive(Debug)]
pub(crate) struct Staging {
    limit: usize,
    shown: usize,
}

impl Default for Staging {
    fn default() -> Self {
        Self { limit: LEAST, shown: 0 }
    }
}

impl Staging {
    /// So many bytes may lie ready; the last frame may exceed it.
    #[inline]
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// So many are about to be written.
    #[inline]
    pub(crate) fn show(&mut self, bytes: usize) {
        self.shown = bytes;
    }

    /// Of those, so many were written, and so many lie ready still.
    #[inline]
    pub(crate) fn written(&mut self, bytes: usize, left: usize) {
        if bytes < self.shown {
            self.limit = LEAST;
        } else if left == 0 && bytes >= self.limit {
            self.limit = (self.limit * 2).min(MOST);
        }
        self.shown = self.shown.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_lies_ready_where_all_is_taken_at_once_and_less_where_it_is_not() {
        let mut staging = Staging::default();
        let mut write = |shown, written, left| {
            staging.show(shown);
            staging.written(written, left);
            staging.limit()
        };
        assert_eq!(write(LEAST - 1, LEAST - 1, 0), LEAST, "there was no more");
        assert_eq!(write(LEAST, LEAST, 1), LEAST, "it was not all");
        assert_eq!(write(LEAST, LEAST, 0), 2 * LEAST);
        assert_eq!(write(2 * LEAST, 2 * LEAST, 0), MOST);
        assert_eq!(write(MOST, MOST, 0), MOST);
        assert_eq!(write(MOST, MOST - 1, 1), LEAST);
    }
}
