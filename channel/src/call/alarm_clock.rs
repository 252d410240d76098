//! One timer for the deadlines of many calls. It is apart because a timer of its own costs a quick call more
//! than all the rest of it: it is made, put into the runtime's table and taken out again, and next to none
//! ever rings. Here an alarm is an entry in a list, and only the earliest is known to the runtime.
//!
//! Each runtime on which calls of a channel wait has a clock, since a runtime rings for the calls that are
//! polled on it, whatever becomes of others.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::channel::NoRuntime;

/// How long a clock rests after each look at its alarms, for each of them. A look takes a few nanoseconds an
/// alarm, so looking takes a twentieth of the time at most; and a deadline is late by 10 ms where a hundred
/// thousand calls wait, or have waited lately.
const REST_PER_ALARM: Duration = Duration::from_nanos(100);

/// The clocks of one channel.
#[derive(Debug, Default)]
pub(crate) struct AlarmClocks {
    /// Of the runtime that was the first to wait. Most channels have no other, so this one is found without a
    /// lock, and stays when its runtime goes.
    first: OnceLock<Arc<AlarmClock>>,
    others: Mutex<Vec<Arc<AlarmClock>>>,
}

impl AlarmClocks {
    /// Sets an alarm on the clock of `runtime`, which wakes `cx`.
    ///
    /// # Errors
    /// The runtime has shut down, or has no timers.
    pub(super) fn set(&self, at: Instant, runtime: &Handle, cx: &Context<'_>) -> Result<Alarm, NoRuntime> {
        self.on(runtime.id()).set(at, runtime, cx.waker())
    }

    fn on(&self, runtime: Id) -> Arc<AlarmClock> {
        let first = self.first.get_or_init(|| AlarmClock::new(runtime));
        if first.runtime == runtime {
            return Arc::clone(first);
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = others.iter().find(|clock| clock.runtime == runtime) {
            return Arc::clone(clock);
        }
        // Runtimes come and go; a clock that stands still is of one that went, or is made anew when needed.
        others.retain(|clock| clock.face().task.is_running());
        let clock = AlarmClock::new(runtime);
        others.push(Arc::clone(&clock));
        clock
    }
}

impl Drop for AlarmClocks {
    /// No calls are left, so nothing is to be waited for.
    fn drop(&mut self) {
        let others = mem::take(self.others.get_mut().unwrap_or_else(PoisonError::into_inner));
        for clock in self.first.take().into_iter().chain(others) {
            clock.look_sooner(Instant::now());
        }
    }
}

/// The alarms of a channel's calls on one runtime.
#[derive(Debug)]
struct AlarmClock {
    runtime: Id,
    face: Mutex<Face>,
}

#[derive(Debug, Default)]
struct Face {
    alarms: Vec<Entry>,
    /// The first of the free entries.
    free: Option<usize>,
    /// When to look at the alarms: never later than the earliest of them, but perhaps earlier, since an alarm
    /// that is taken back leaves this alone.
    looks_at: Option<Instant>,
    /// They are not looked at before this.
    rests_until: Option<Instant>,
    task: Task,
}

#[derive(Debug)]
enum Entry {
    Set { at: Instant, waker: Waker },
    Rung,
    Free { next: Option<usize> },
}

/// The task of a clock.
///
/// ```text
///               an alarm is set                 it panicked: the runtime has no timers
///   Standing -----------------> Running ---------------------------------------------> Broken
///      ^                           |
///      `---------------------------'
///        no alarm is left, or its runtime went away
/// ```
#[derive(Debug, Default)]
enum Task {
    #[default]
    Standing,
    /// With what wakes it to look sooner.
    Running(Option<Waker>),
    Broken,
}

impl Task {
    fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }
}

impl AlarmClock {
    fn new(runtime: Id) -> Arc<Self> {
        Arc::new(Self { runtime, face: Mutex::default() })
    }

    fn set(self: Arc<Self>, at: Instant, runtime: &Handle, waker: &Waker) -> Result<Alarm, NoRuntime> {
        let mut face = self.face();
        let starts = match face.task {
            Task::Running(_) => false,
            Task::Standing => true,
            Task::Broken => return Err(NoRuntime::NoTimers),
        };
        if starts {
            face.task = Task::Running(None);
        }
        let index = face.insert(Entry::Set { at, waker: waker.clone() });
        drop_then_wake(face, |face| face.sooner(at));
        let alarm = Alarm { clock: self, index };
        if starts {
            // Not under the lock: a runtime that has shut down drops the task at once, and that comes back
            // here.
            runtime.spawn(Ringing { clock: Arc::clone(&alarm.clock), sleep: None, in_turn: false });
            if !alarm.clock.face().task.is_running() {
                return Err(NoRuntime::Gone);
            }
        }
        Ok(alarm)
    }

    fn look_sooner(&self, at: Instant) {
        drop_then_wake(self.face(), |face| face.sooner(at));
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        // No code runs under this lock that could leave `Face` half changed.
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakers are foreign code, so none is called under the lock.
fn drop_then_wake(mut face: MutexGuard<'_, Face>, change: impl FnOnce(&mut Face) -> Option<Waker>) {
    let waker = change(&mut face);
    drop(face);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Face {
    fn insert(&mut self, entry: Entry) -> usize {
        let Some(index) = self.free else {
            self.alarms.push(entry);
            return self.alarms.len() - 1;
        };
        let Entry::Free { next } = mem::replace(&mut self.alarms[index], entry) else {
            unreachable!("only free entries are in the list of the free");
        };
        self.free = next;
        index
    }

    /// Looks at `at` if that is sooner, and not before it has rested; who is to be woken for it.
    fn sooner(&mut self, at: Instant) -> Option<Waker> {
        let at = self.rests_until.map_or(at, |rest| at.max(rest));
        if self.looks_at.is_some_and(|looks_at| looks_at <= at) {
            return None;
        }
        self.looks_at = Some(at);
        match &mut self.task {
            Task::Running(waker) => waker.take(),
            Task::Standing | Task::Broken => None,
        }
    }

    /// Rings the alarms whose time has come, and says when to look again; `None` if none is left.
    fn look(&mut self, now: Instant, rung: &mut Vec<Waker>) -> Option<Instant> {
        let (mut earliest, mut all_free) = (None::<Instant>, true);
        for entry in &mut self.alarms {
            all_free &= matches!(entry, Entry::Free { .. });
            match entry {
                Entry::Set { at, .. } if *at <= now => {
                    if let Entry::Set { waker, .. } = mem::replace(entry, Entry::Rung) {
                        rung.push(waker);
                    }
                }
                Entry::Set { at, .. } => earliest = Some(earliest.map_or(*at, |earliest| earliest.min(*at))),
                Entry::Rung | Entry::Free { .. } => {}
            }
        }
        if all_free {
            // Many calls may have waited at some time, and nobody knows when as many will again.
            (self.alarms, self.free) = (Vec::new(), None);
        }
        let alarms = u32::try_from(self.alarms.len()).unwrap_or(u32::MAX);
        let rest = now + REST_PER_ALARM * alarms;
        self.rests_until = Some(rest);
        earliest.map(|earliest| earliest.max(rest))
    }
}

/// An alarm that was set. Dropping it takes it back.
#[derive(Debug)]
pub(super) struct Alarm {
    clock: Arc<AlarmClock>,
    index: usize,
}

/// How an alarm stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AlarmState {
    /// Its time has not come.
    Set,
    Rung,
    /// Its clock stands still: its runtime went away. It is to be set anew, elsewhere.
    Lost,
}

impl Alarm {
    /// Whether it was set on the clock of that runtime.
    pub(super) fn is_on(&self, runtime: Id) -> bool {
        self.clock.runtime == runtime
    }

    /// How it stands; while it is set, it wakes `cx`.
    pub(super) fn poll(&self, cx: &Context<'_>) -> AlarmState {
        let mut face = self.clock.face();
        let is_running = face.task.is_running();
        let old = match &mut face.alarms[self.index] {
            Entry::Rung => return AlarmState::Rung,
            Entry::Set { .. } if !is_running => return AlarmState::Lost,
            Entry::Set { waker, .. } if waker.will_wake(cx.waker()) => return AlarmState::Set,
            Entry::Set { waker, .. } => mem::replace(waker, cx.waker().clone()),
            Entry::Free { .. } => unreachable!("an entry is free once its alarm is dropped"),
        };
        // Not under the lock: it is foreign code.
        drop(face);
        drop(old);
        AlarmState::Set
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let mut face = self.clock.face();
        let free = Entry::Free { next: face.free };
        let taken_back = mem::replace(&mut face.alarms[self.index], free);
        face.free = Some(self.index);
        drop(face);
        // Not under the lock: it holds a waker.
        drop(taken_back);
    }
}

/// The task of a clock.
struct Ringing {
    clock: Arc<AlarmClock>,
    /// Made within the task: a runtime without timers is the task's panic then, and not the caller's.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Set while it is polled: dropped with it set, it has panicked.
    in_turn: bool,
}

impl Future for Ringing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.in_turn = true;
        let turn = this.turn(cx);
        this.in_turn = false;
        turn
    }
}

impl Ringing {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut rung = Vec::new();
        loop {
            let now = Instant::now();
            let mut face = self.clock.face();
            if face.looks_at.is_some_and(|at| at <= now) {
                face.looks_at = face.look(now, &mut rung);
            }
            let Some(at) = face.looks_at else {
                face.task = Task::Standing;
                drop(face);
                rung.into_iter().for_each(Waker::wake);
                return Poll::Ready(());
            };
            face.task = Task::Running(Some(cx.waker().clone()));
            drop(face);
            rung.drain(..).for_each(Waker::wake);
            let sleep = match &mut self.sleep {
                Some(sleep) => {
                    sleep.as_mut().reset(at);
                    sleep
                }
                None => self.sleep.insert(Box::pin(sleep_until(at))),
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Ringing {
    /// Whoever waits still is woken, to set an alarm elsewhere or to say that there is nowhere.
    fn drop(&mut self) {
        let mut face = self.clock.face();
        if !face.task.is_running() {
            return;
        }
        face.task = if self.in_turn { Task::Broken } else { Task::Standing };
        face.looks_at = None;
        let waiting: Vec<_> = face.alarms.iter().filter_map(Entry::waker).cloned().collect();
        drop(face);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Entry {
    fn waker(&self) -> Option<&Waker> {
        match self {
            Self::Set { waker, .. } => Some(waker),
            Self::Rung | Self::Free { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Wake;
    use tokio::runtime::Builder;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn set(clocks: &AlarmClocks, after: Duration, cx: &Context<'_>) -> Alarm {
        clocks.set(Instant::now() + after, &Handle::current(), cx).unwrap()
    }

    /// Waits for an alarm that was set for somebody else too.
    async fn rung(alarm: &Alarm) {
        poll_fn(|cx| match alarm.poll(cx) {
            AlarmState::Rung => Poll::Ready(()),
            state => {
                assert_eq!(state, AlarmState::Set);
                Poll::Pending
            }
        })
        .await;
    }

    fn alarms(clocks: &AlarmClocks) -> usize {
        clocks.on(Handle::current().id()).face().alarms.len()
    }

    #[tokio::test(start_paused = true)]
    async fn alarms_ring_each_at_its_time_in_whatever_order_they_were_set() {
        let (clocks, cx) = (AlarmClocks::default(), Context::from_waker(Waker::noop()));
        let began = Instant::now();
        let alarms = [300, 100, 200].map(|after| (after, set(&clocks, ms(after), &cx)));
        let mut in_turn: Vec<_> = alarms.iter().collect();
        in_turn.sort_by_key(|(after, _)| *after);
        for (after, alarm) in in_turn {
            rung(alarm).await;
            let took = began.elapsed();
            assert!((ms(*after)..=ms(after + 1)).contains(&took), "{after}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_taken_back_wakes_nobody_and_its_entry_is_used_again() {
        struct Nobody;
        impl Wake for Nobody {
            fn wake(self: Arc<Self>) {
                panic!("it was taken back");
            }
        }
        let clocks = AlarmClocks::default();
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Nobody));
            drop(set(&clocks, ms(100), &Context::from_waker(&waker)));
        }
        let cx = Context::from_waker(Waker::noop());
        let kept = set(&clocks, ms(200), &cx);
        assert_eq!(alarms(&clocks), 1);
        rung(&kept).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_has_nothing_to_wait_for_ends_and_starts_again() {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let (clocks, cx) = (AlarmClocks::default(), Context::from_waker(Waker::noop()));
        for _ in 0..2 {
            drop(set(&clocks, ms(100), &cx));
            assert_eq!(tasks(), 1);
            tokio::time::sleep(ms(200)).await;
            assert_eq!((tasks(), alarms(&clocks)), (0, 0));
        }
        drop(set(&clocks, Duration::from_secs(3600), &cx));
        drop(clocks);
        tokio::task::yield_now().await;
        assert_eq!(tasks(), 0, "a channel that is gone leaves no task behind");
    }

    #[test]
    fn many_alarms_are_not_looked_at_all_the_time_however_soon_others_are_to_ring() {
        let (mut face, now) = (Face::default(), Instant::now());
        for _ in 0..100_000 {
            face.insert(Entry::Set { at: now + ms(1000), waker: Waker::noop().clone() });
        }
        face.looks_at = face.look(now, &mut Vec::new());
        face.sooner(now + ms(1));
        assert_eq!(face.looks_at, Some(now + ms(10)));
        face.looks_at = face.look(now + ms(10), &mut Vec::new());
        face.sooner(now + ms(30));
        assert_eq!(face.looks_at, Some(now + ms(30)));
    }

    #[test]
    fn alarms_of_a_runtime_that_goes_away_are_lost_and_say_so() {
        let clocks = AlarmClocks::default();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let alarm = runtime.block_on(async {
            let cx = Context::from_waker(Waker::noop());
            set(&clocks, ms(100_000), &cx)
        });
        drop(runtime);
        assert_eq!(alarm.poll(&Context::from_waker(Waker::noop())), AlarmState::Lost);
    }

    #[test]
    fn a_runtime_that_has_shut_down_and_one_without_timers_are_errors() {
        let (clocks, cx) = (AlarmClocks::default(), Context::from_waker(Waker::noop()));
        let gone = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = gone.handle().clone();
        drop(gone);
        let result = clocks.set(Instant::now() + ms(100), &handle, &cx);
        assert!(matches!(result, Err(NoRuntime::Gone)));

        let no_timers = Builder::new_current_thread().build().unwrap();
        let handle = no_timers.handle().clone();
        let alarm = clocks.set(Instant::now() + ms(100), &handle, &cx).unwrap();
        no_timers.block_on(tokio::task::yield_now());
        assert_eq!(alarm.poll(&cx), AlarmState::Lost);
        let result = clocks.set(Instant::now() + ms(100), &handle, &cx);
        assert!(matches!(result, Err(NoRuntime::NoTimers)));
    }
}
