//! Exponential backoff with jitter, as pure arithmetic (gRPC `connection-backoff.md`).

use std::time::Duration;

use rand::{Rng, RngExt};

/// How long to wait after the n-th failure in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    factor: f64,
    max: Duration,
    jitter: f64,
}

impl Backoff {
    /// gRPC's: 1 s, growing by 1.6, at most 120 s, give or take 20 %.
    pub(crate) const GRPC: Self =
        Self { initial: Duration::from_secs(1), factor: 1.6, max: Duration::from_secs(120), jitter: 0.2 };

    /// The same, with waits of at most `limit`.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        Self { max: self.max.min(limit), ..self }
    }

    /// The wait after `failures` failures in a row; the first failure is 1.
    pub(crate) fn delay(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.powi(exponent);
        jittered(Duration::from_secs_f64(seconds.min(self.max.as_secs_f64())), self.jitter, rng)
    }
}

/// A time within `fraction` of `time`, evenly spread.
pub(crate) fn jittered(time: Duration, fraction: f64, rng: &mut impl Rng) -> Duration {
    let factor = rng.random_range(1.0 - fraction..=1.0 + fraction);
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn the_wait_grows_from_one_second_to_two_minutes_give_or_take_a_fifth() {
        let mut rng = SmallRng::seed_from_u64(1);
        for (failures, seconds) in [(1, 1.0), (2, 1.6), (3, 2.56), (12, 120.0), (u32::MAX, 120.0)] {
            for _ in 0..100 {
                let delay = Backoff::GRPC.delay(failures, &mut rng).as_secs_f64();
                assert!((seconds * 0.8..=seconds * 1.2).contains(&delay), "{failures}: {delay}");
            }
        }
    }

    #[test]
    fn a_time_without_end_stays_without_end() {
        let mut rng = SmallRng::seed_from_u64(1);
        for _ in 0..100 {
            assert!(jittered(Duration::MAX, 0.1, &mut rng) > Duration::from_secs(1 << 40));
        }
    }
}
