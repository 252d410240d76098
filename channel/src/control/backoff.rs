//! How long to wait between attempts to connect to one address.

use std::time::{Duration, Instant};

use rand::RngExt;

/// Any wait beyond this is this long. It only keeps sums of times within what clocks can say.
pub(super) const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The wait between the starts of two attempts to connect to one address (gRPC `connection-backoff.md`):
/// `initial`, then each time `multiplier` times as long, at most `max`, and each wait changed at random by up
/// to `jitter` of itself either way.
///
/// The default is gRPC's: 1 s, x 1.6, at most 120 s, 20 % of jitter. It starts afresh once a connection has
/// proved itself: a call on it was answered, or it stayed up for 10 s, and for as long as the wait was.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Backoff {
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
    pub(crate) multiplier: f64,
    pub(crate) jitter: f64,
}

impl Backoff {
    /// Waits that grow from `initial` to `max`, with gRPC's multiplier and jitter.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, multiplier: 1.6, jitter: 0.2 }
    }

    /// How much longer each wait is than the one before it, at least 1. The default is 1.6.
    pub const fn multiplier(self, multiplier: f64) -> Self {
        Self { multiplier, ..self }
    }

    /// By which part of itself a wait is changed at random, from 0 to below 1. The default is 0.2.
    pub const fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(120))
    }
}

/// Where one address stands on the way from [`Backoff::initial`] to [`Backoff::max`]. A wait is drawn when an
/// attempt *starts*, and counts from there (`connection-backoff.md`); it grows when the attempt has failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackoffState {
    /// The next wait before jitter, once an attempt has failed.
    grown: Option<Duration>,
    /// When the last wait that was cut short would have ended.
    cut: Option<Instant>,
    /// Until when it is remembered although nothing waits for it.
    kept: Option<Instant>,
}

impl BackoffState {
    /// The wait that goes with an attempt that starts now.
    pub(super) fn wait(&self, settings: &Backoff, rng: &mut impl RngExt) -> Duration {
        settings.vary(self.grown.unwrap_or(settings.initial).min(settings.max), rng)
    }

    /// An attempt has failed: the next wait is longer.
    pub(super) fn grow(&mut self, settings: &Backoff) {
        let wait = self.grown.unwrap_or(settings.initial).as_secs_f64() * settings.multiplier.max(1.0);
        self.grown = Some(Duration::try_from_secs_f64(wait).unwrap_or(settings.max).min(settings.max));
    }

    /// The connection has proved itself, or somebody says that things have changed.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// There is hope before the wait ends at `until`: when to try instead, not before `from`, if that is
    /// sooner. Each wait is cut short at most once, and the one after it not before this one would have
    /// ended: hope that fails must not become the rhythm of attempts.
    pub(super) fn cut_short(&mut self, from: Instant, until: Instant) -> Option<Instant> {
        let sooner = self.cut.map_or(from, |cut| cut.max(from));
        (sooner < until).then(|| {
            self.cut = Some(until);
            sooner
        })
    }

    /// It is to be remembered until then.
    pub(super) fn keep(&mut self, until: Instant) {
        self.kept = self.kept.max(Some(until));
    }

    /// Until then it is not to be forgotten, whether anything waits for it or not.
    pub(super) fn remembered_until(&self) -> Option<Instant> {
        self.cut.max(self.kept)
    }

    /// Forgets a wait that would be over by now.
    pub(super) fn tick(&mut self, now: Instant) {
        self.cut = self.cut.filter(|cut| *cut > now);
        self.kept = self.kept.filter(|kept| *kept > now);
    }

    /// Whether no attempt has failed since the last reset.
    pub(super) fn is_fresh(&self) -> bool {
        self.grown.is_none()
    }
}

impl Backoff {
    /// The wait between two attempts at something that somebody has to mend first.
    pub(super) fn longest(&self, rng: &mut impl RngExt) -> Duration {
        self.vary(self.max, rng)
    }

    /// Jitter keeps the clients of a server that comes back from coming all at once.
    fn vary(&self, wait: Duration, rng: &mut impl RngExt) -> Duration {
        let jitter = self.jitter.clamp(0.0, 1.0);
        let factor = 1.0 + jitter * rng.random_range(-1.0..=1.0);
        Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(FOREVER).min(FOREVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn waits(settings: Backoff, count: usize) -> Vec<Duration> {
        let mut rng = StdRng::seed_from_u64(1);
        let mut state = BackoffState::default();
        let mut waits = Vec::new();
        for _ in 0..count {
            waits.push(state.wait(&settings, &mut rng));
            state.grow(&settings);
        }
        waits
    }

    // behaviour 8
    #[test]
    fn waits_grow_from_one_second_by_1_6_to_two_minutes() {
        let waits = waits(Backoff::default().jitter(0.0), 13);
        let mut expected = 1.0_f64;
        for wait in &waits {
            assert!((wait.as_secs_f64() - expected).abs() < 1e-6, "{wait:?} instead of {expected}");
            expected = (expected * 1.6).min(120.0);
        }
        assert_eq!(waits.last(), Some(&Duration::from_secs(120)));
    }

    // behaviour 8
    #[test]
    fn each_wait_is_changed_by_at_most_a_fifth_either_way() {
        let exact = waits(Backoff::default().jitter(0.0), 200);
        let varied = waits(Backoff::default(), 200);
        let ratio = |(varied, exact): (&Duration, &Duration)| varied.as_secs_f64() / exact.as_secs_f64();
        let ratios: Vec<_> = varied.iter().zip(&exact).map(ratio).collect();
        assert!(ratios.iter().all(|ratio| (0.799_999..=1.200_001).contains(ratio)));
        assert!(ratios.iter().any(|ratio| *ratio < 0.85) && ratios.iter().any(|ratio| *ratio > 1.15));
    }

    // behaviour 9
    #[test]
    fn settings_out_of_the_ordinary_are_obeyed_and_never_panic() {
        let settings =
            Backoff::new(Duration::from_millis(50), Duration::from_millis(120)).multiplier(2.0).jitter(0.0);
        assert_eq!(waits(settings, 4), [50, 100, 120, 120].map(Duration::from_millis));
        let huge = Backoff::new(Duration::MAX, Duration::MAX).multiplier(f64::INFINITY);
        assert_eq!(waits(huge, 3).len(), 3);
        let shrinking = Backoff::new(Duration::from_secs(9), Duration::from_secs(3)).jitter(0.0);
        assert_eq!(waits(shrinking, 2), [3, 3].map(Duration::from_secs));
    }

    #[test]
    fn a_wait_is_cut_short_once_and_the_next_one_not_before_it_would_have_ended() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut state = BackoffState::default();
        assert_eq!(state.cut_short(at(5), at(120)), Some(at(5)));
        assert_eq!(state.cut_short(at(6), at(125)), Some(at(120)));
        assert_eq!(state.cut_short(at(7), at(120)), None, "it ends before hope is allowed again");
        state.tick(at(124));
        assert_eq!(state.remembered_until(), Some(at(125)));
        state.tick(at(125));
        assert_eq!(state.cut_short(at(130), at(250)), Some(at(130)));
        state.reset();
        assert_eq!(state.cut_short(at(131), at(250)), Some(at(131)));
    }

    #[test]
    fn a_reset_starts_afresh() {
        let settings = Backoff::default().jitter(0.0);
        let mut rng = StdRng::seed_from_u64(1);
        let mut state = BackoffState::default();
        state.grow(&settings);
        assert!(!state.is_fresh());
        state.reset();
        assert!(state.is_fresh());
        assert_eq!(state.wait(&settings, &mut rng), Duration::from_secs(1));
    }
}
