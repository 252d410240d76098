//! A seeded source of chance: the same seed tells the same story, and a failing test prints it.

/// xorshift64*, which is good enough to choose frames with.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Spreads neighbouring seeds; the state must not be zero.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    /// True in one of `n` cases.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    pub(crate) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs `story` for each of `seeds`, and says which of them failed.
pub(crate) fn for_seeds(seeds: u64, story: impl Fn(&mut Random)) {
    for seed in 0..seeds {
        let guard = SaySeed(seed);
        story(&mut Random::new(seed));
        std::mem::forget(guard);
    }
}

struct SaySeed(u64);

impl Drop for SaySeed {
    #[allow(clippy::print_stderr, reason = "a test that fails says what it failed with")]
    fn drop(&mut self) {
        eprintln!("failed with seed {}", self.0);
    }
}
