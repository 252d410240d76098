//! The rules of looking, as arithmetic on virtual times. Behaviour 52.

use super::*;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A schedule on a clock that only moves when it is told to.
struct Story {
    schedule: PollingSchedule,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        Self::with(PollingOptions::default())
    }

    fn with(options: PollingOptions) -> Self {
        Self { schedule: PollingSchedule::new(options), now: Instant::now() }
    }

    /// Waits for the next look and starts it. How long that took.
    fn look(&mut self) -> Duration {
        let start = self.now;
        loop {
            match self.schedule.poll(self.now) {
                Step::Look => return self.now - start,
                Step::WaitUntil(time) => {
                    assert!(time > self.now, "a wait that is over");
                    self.now = time;
                }
                step => panic!("{step:?} where a look was expected"),
            }
        }
    }

    fn answer(&mut self, ttl: Option<u64>) {
        let answer = Resolution { ttl: ttl.map(seconds), ..Resolution::default() };
        self.schedule.looked(self.now, Some(&Finding::Whole(answer)));
    }

    /// An answer of which a part is missing.
    fn answer_in_part(&mut self, ttl: Option<u64>) {
        let answer = Resolution { ttl: ttl.map(seconds), ..Resolution::default() };
        self.schedule.looked(self.now, Some(&Finding::Part(answer)));
    }

    fn fail(&mut self) {
        self.schedule.looked(self.now, None);
    }

    fn reject(&mut self) {
        self.schedule.reject(self.now);
    }

    /// Looks once and answers without a TTL.
    fn answered() -> Self {
        let mut story = Self::new();
        story.look();
        story.answer(None);
        story
    }
}

#[track_caller]
fn assert_about(wait: Duration, expected: Duration, fraction: f64) {
    let range = expected.mul_f64(1.0 - fraction)..=expected.mul_f64(1.0 + fraction);
    assert!(range.contains(&wait), "{wait:?} is not about {expected:?}");
}

#[test]
fn the_first_look_is_at_once_and_the_next_when_the_ttl_ends_within_5_and_30_seconds() {
    for (ttl, expected) in [(Some(0), 5), (Some(3), 5), (Some(12), 12), (Some(3600), 30), (None, 30)] {
        for seed in 0..20 {
            let options = PollingOptions { seed, ..PollingOptions::default() };
            let mut story = Story::with(options);
            assert_eq!(story.look(), Duration::ZERO);
            story.answer(ttl);
            assert_about(story.look(), seconds(expected), 0.1);
        }
    }
}

#[test]
fn an_interval_below_the_minimum_wins_over_it() {
    let options = PollingOptions::default().interval(Duration::from_millis(20)).unwrap();
    let mut story = Story::with(options);
    story.look();
    story.answer(Some(3600));
    assert_about(story.look(), Duration::from_millis(20), 0.1);
}

#[test]
fn an_endless_interval_leaves_only_ttls_and_doubts() {
    let mut story = Story::with(PollingOptions::default().interval(Duration::MAX).unwrap());
    story.look();
    story.answer(None);
    assert_eq!(story.schedule.poll(story.now), Step::Wait);
    story.schedule.refresh();
    assert_eq!(story.look(), Duration::ZERO);
    story.answer(Some(600));
    assert_about(story.look(), seconds(600), 0.1);
}

#[test]
fn a_doubt_is_answered_at_once_and_many_collapse_into_one_look() {
    // behaviour 52
    let mut story = Story::answered();
    story.now += seconds(1);
    for _ in 0..1000 {
        story.schedule.refresh();
    }
    assert_eq!(story.look(), Duration::ZERO);
    story.answer(None);
    assert!(story.look() > seconds(20), "the doubts were answered by one look");
}

#[test]
fn two_looks_for_doubts_are_thirty_seconds_apart_and_scheduled_ones_do_not_count() {
    // behaviour 52
    let mut story = Story::new();
    story.look();
    story.answer(Some(3600));
    story.now += seconds(20);
    story.schedule.refresh();
    assert_eq!(story.look(), Duration::ZERO);
    story.answer(Some(12));
    // The schedule looks after some 12 s. That is no look for a doubt, ...
    let scheduled = story.look();
    assert_about(scheduled, seconds(12), 0.1);
    story.answer(Some(3600));
    // ... so the next doubt waits for 30 s since the last look for one, no longer.
    story.now += seconds(1);
    story.schedule.refresh();
    assert_eq!(story.look(), seconds(30) - scheduled - seconds(1));
}

#[test]
fn a_doubt_that_must_wait_is_answered_by_the_scheduled_look_if_that_comes_first() {
    let mut story = Story::answered();
    story.schedule.refresh();
    story.look();
    story.answer(Some(5));
    story.schedule.refresh();
    assert_about(story.look(), seconds(5), 0.1);
    story.answer(Some(60));
    assert!(story.look() > seconds(26), "the doubt is gone");
}

#[test]
fn a_doubt_during_a_look_outlives_it_and_before_the_first_there_is_nothing_to_doubt() {
    let mut story = Story::new();
    story.schedule.refresh();
    story.look();
    story.answer(None);
    assert!(story.look() > seconds(26));
    story.schedule.refresh();
    story.answer(None);
    assert_eq!(story.look(), Duration::ZERO);
}

#[test]
fn errors_back_off_and_an_answer_ends_the_row() {
    let mut story = Story::new();
    story.look();
    for expected in [1.0, 1.6, 2.56, 4.096, 6.554, 10.486, 16.777, 26.844, 30.0, 30.0] {
        story.fail();
        assert_about(story.look(), Duration::from_secs_f64(expected), 0.21);
    }
    story.answer(None);
    assert_about(story.look(), seconds(30), 0.1);
    story.fail();
    assert_about(story.look(), seconds(1), 0.21);
}

#[test]
fn what_is_missing_of_an_answer_is_looked_for_with_backoff_but_no_later_than_the_ttl_ends() {
    let mut story = Story::new();
    story.look();
    for expected in [1.0, 1.6, 2.56, 4.096] {
        story.answer_in_part(Some(3600));
        // It backs off already.
        story.reject();
        assert_about(story.look(), Duration::from_secs_f64(expected), 0.21);
    }
    for _ in 0..10 {
        story.answer_in_part(Some(12));
        assert!(story.look() < seconds(14));
    }
    story.answer(None);
    assert_about(story.look(), seconds(30), 0.1);
    story.answer_in_part(None);
    assert_about(story.look(), seconds(1), 0.21);
}

#[test]
fn the_backoff_ends_at_the_interval_or_at_two_minutes() {
    for (interval, expected) in [(seconds(5), 5), (seconds(3600), 120), (Duration::MAX, 120)] {
        let mut story = Story::with(PollingOptions::default().interval(interval).unwrap());
        for _ in 0..20 {
            story.look();
            story.fail();
        }
        assert_about(story.look(), seconds(expected), 0.21);
    }
}

#[test]
fn a_doubt_does_not_wait_for_the_backoff() {
    let mut story = Story::with(PollingOptions::default().interval(Duration::MAX).unwrap());
    for _ in 0..20 {
        story.look();
        story.fail();
    }
    story.schedule.refresh();
    assert_eq!(story.look(), Duration::ZERO);
    story.fail();
    story.schedule.refresh();
    assert_eq!(story.look(), seconds(30));
}

#[test]
fn rejected_answers_back_off_like_errors_although_each_look_succeeds() {
    // behaviour 23
    let mut story = Story::new();
    story.look();
    for expected in [1.0, 1.6, 2.56, 4.096] {
        story.answer(None);
        story.reject();
        // Said twice: once per answer is what counts.
        story.reject();
        assert_about(story.look(), Duration::from_secs_f64(expected), 0.21);
    }
    story.answer(None);
    assert_about(story.look(), seconds(30), 0.1);
    story.answer(None);
    story.reject();
    assert_about(story.look(), seconds(1), 0.21);
}

#[test]
fn a_rejection_without_an_answer_changes_nothing() {
    let mut story = Story::new();
    story.reject();
    assert_eq!(story.look(), Duration::ZERO);
    story.reject();
    story.fail();
    story.reject();
    assert_about(story.look(), seconds(1), 0.21);
}

#[test]
fn a_look_that_does_not_end_is_given_up_after_its_limit_and_counts_as_failed() {
    let mut story = Story::new();
    story.look();
    let limit = story.now + seconds(30);
    assert_eq!(story.schedule.poll(story.now), Step::WaitUntil(limit));
    story.now = limit;
    assert_eq!(story.schedule.poll(story.now), Step::GiveUp(seconds(30)));
    assert_about(story.look(), seconds(1), 0.21);
}

#[test]
fn the_same_seed_gives_the_same_times() {
    let times = |seed| {
        let mut story = Story::with(PollingOptions { seed, ..PollingOptions::default() });
        (0..10)
            .map(|_| {
                let wait = story.look();
                story.answer(None);
                wait
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(times(7), times(7));
    assert_ne!(times(7), times(8));
}

#[test]
fn a_time_of_zero_is_refused_where_it_is_set() {
    let options = PollingOptions::default;
    let error = options().interval(Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("`interval`"), "{error}");
    assert!(options().min_interval(Duration::ZERO).is_err());
    assert!(options().doubt_interval(Duration::ZERO).is_err());
    assert!(options().lookup_limit(Duration::ZERO).is_err());
}
