//! The rest of a streamed request, once the response has begun.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::streamed::{Next, Silent, Streamed};
use super::upload::poll_hand_over;
use crate::transport::SendHalf;
use crate::vocabulary::Status;

/// What sends the rest of a streamed request. It ends with the request, with the stream, or when this is
/// dropped.
pub(crate) struct Pump(Arc<Pumping>);

struct Pumping {
    state: Mutex<State>,
    runtime: Handle,
}

struct State {
    stage: Stage,
    /// Why the request itself failed.
    failure: Option<Status>,
}

/// Where the rest is. Most streams that stay open for long have said all that they will say for now, so a task
/// is made when the rest goes on for the first time; from then on it is there.
///
/// ```text
///   Begun --waits--> Parked --woken--> Starting --first turn of the task--> Running
///    | '-------- woken meanwhile --------^ |                                   |
///    |                                     | the runtime has ended             |
///    |                                     v                                   |
///    '--all is handed over--------------> Over <------ all is handed over -----'
///                                          ^
///                         dropped, whatever the stage; Parked by way of LetGo
/// ```
///
/// Whoever wakes may hold locks that the application's stream or the sender take when they are dropped. So a wake never
/// owns them: they stay here until the task has its first turn.
enum Stage {
    /// With whoever began it, who tries how far it gets.
    Begun {
        woken: bool,
    },
    Parked(Parked),
    /// It is about to be dropped, and no wake makes a task for that.
    LetGo(#[expect(dead_code, reason = "it is there to be dropped after the stream")] Box<Parked>),
    Starting {
        rest: Box<Rest>,
        task: Option<AbortHandle>,
    },
    Running {
        task: Option<AbortHandle>,
    },
    Over,
}

impl Pump {
    /// Hands over what is there, and the rest when it comes, then on `runtime`, whose context is to be the present one.
    pub(super) fn begin(rest: Streamed, sender: SendHalf, runtime: Handle) -> Self {
        let state = State { stage: Stage::Begun { woken: false }, failure: None };
        let pumping = Arc::new(Pumping { state: Mutex::new(state), runtime });
        let mut rest = Rest { chunks: rest, sender };
        let waker = Waker::from(Arc::clone(&pumping));
        match rest.poll(&pumping, &mut Context::from_waker(&waker)) {
            Poll::Ready(()) => pumping.end(),
            Poll::Pending => pumping.park(rest.into()),
        }
        Self(pumping)
    }

    /// Why the request itself failed, if it did.
    pub(super) fn failure(&self) -> Option<Status> {
        self.0.state().failure.clone()
    }

    /// The stream is about to be dropped, and this behind it. What wakes for that makes no task.
    pub(super) fn let_go(&self) {
        let stage = &mut self.0.state().stage;
        *stage = match mem::replace(stage, Stage::Over) {
            Stage::Parked(parked) => Stage::LetGo(Box::new(parked)),
            other => other,
        };
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Pumping {
    /// It waits for the first time.
    fn park(self: &Arc<Self>, parked: Parked) {
        let mut state = self.state();
        if let Stage::Begun { woken: true } = &state.stage {
            state.stage = Stage::Starting { rest: parked.into(), task: None };
            drop(state);
            self.spawn();
        } else {
            state.stage = Stage::Parked(parked);
        }
    }

    /// Makes the task.
    fn spawn(self: &Arc<Self>) {
        let run = Run { pumping: Arc::clone(self), rest: None, has_begun: false };
        let handle = self.runtime.spawn(run).abort_handle();
        let mut state = self.state();
        match &mut state.stage {
            Stage::Starting { task, .. } | Stage::Running { task } => *task = Some(handle),
            _ => {
                drop(state);
                handle.abort();
            }
        }
    }

    /// The first turn of the task. `None` if nobody wants it any more.
    fn start(&self) -> Option<Box<Rest>> {
        let stage = &mut self.state().stage;
        match mem::replace(stage, Stage::Over) {
            Stage::Starting { rest, task } => {
                *stage = Stage::Running { task };
                Some(rest)
            }
            _ => None,
        }
    }

    /// The task was dropped before its first turn: its runtime has ended. The stream is reset, as it is when a runtime ends
    /// that has the task. By another thread, since this may be a wake.
    fn strand(self: &Arc<Self>) {
        if !matches!(self.state().stage, Stage::Starting { .. }) {
            return;
        }
        self.fail_for_want_of_a_runtime();
        let pumping = Arc::clone(self);
        let spawned = thread::Builder::new().name("trunkline-stranded".into()).spawn(move || pumping.end());
        if let Err(error) = spawned {
            tracing::error!(%error, "a request whose runtime has stopped stays until its call ends");
        }
    }

    fn fail_for_want_of_a_runtime(&self) {
        let text = "the runtime that would have sent the rest of the request has stopped";
        self.fail(Status::unavailable(text));
    }

    /// Notes why the request failed, unless a reason is known.
    fn fail(&self, status: Status) {
        let mut state = self.state();
        let spare = if state.failure.is_none() { state.failure.replace(status) } else { Some(status) };
        drop(state);
        drop(spare);
    }

    fn end(&self) {
        if let Stage::Running { task: Some(task) } | Stage::Starting { task: Some(task), .. } = &self.leave()
        {
            task.abort();
        }
    }

    /// Over. The former stage is to be dropped now, not under the lock: it holds what is the application's, and may wake.
    fn leave(&self) -> Stage {
        mem::replace(&mut self.state().stage, Stage::Over)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code runs under this lock that could leave the stage half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until it has a task, whose own waker is another.
impl Wake for Pumping {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state();
        match mem::replace(&mut state.stage, Stage::Over) {
            Stage::Begun { .. } => state.stage = Stage::Begun { woken: true },
            Stage::Parked(parked) => {
                state.stage = Stage::Starting { rest: parked.into(), task: None };
                drop(state);
                self.spawn();
            }
            other => state.stage = other,
        }
    }
}

/// What is left to send, and where to.
struct Rest {
    chunks: Streamed,
    sender: SendHalf,
}

impl Rest {
    /// Ready when there is nothing more to do.
    fn poll(&mut self, pumping: &Pumping, cx: &mut Context<'_>) -> Poll<()> {
        let poll_next = |cx: &mut Context<'_>| self.chunks.poll_next(cx).map_ok(Next::into_chunk);
        if let Err(status) = ready!(poll_hand_over(&mut self.sender, cx, poll_next)) {
            // Whoever reads the response hears of the reset and looks here for its reason, so the reason
            // comes first.
            pumping.fail(status);
            self.sender.reset();
        }
        Poll::Ready(())
    }
}

/// A rest that waits. There may be a hundred thousand of them, and most have nothing at hand.
enum Parked {
    Bare { source: Silent, sender: SendHalf },
    Whole(Box<Rest>),
}

impl From<Rest> for Parked {
    fn from(Rest { chunks, sender }: Rest) -> Self {
        match chunks.into_silent() {
            Ok(source) => Self::Bare { source, sender },
            Err(chunks) => Self::Whole(Box::new(Rest { chunks, sender })),
        }
    }
}

impl From<Parked> for Box<Rest> {
    fn from(parked: Parked) -> Self {
        match parked {
            Parked::Bare { source, sender } => Self::new(Rest { chunks: Streamed::resumed(source), sender }),
            Parked::Whole(rest) => rest,
        }
    }
}

/// The task of it.
struct Run {
    pumping: Arc<Pumping>,
    /// In a box, so that the task is no larger than tasks must be.
    rest: Option<Box<Rest>>,
    has_begun: bool,
}

impl Future for Run {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { pumping, rest, has_begun } = &mut *self;
        if !mem::replace(has_begun, true) {
            *rest = pumping.start();
        }
        if let Some(rest) = rest {
            ready!(rest.poll(pumping, cx));
        }
        drop(pumping.leave());
        Poll::Ready(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.has_begun {
            self.pumping.strand();
        } else if matches!(self.pumping.state().stage, Stage::Running { .. }) {
            // Neither is it done nor does nobody want it. What is dropped next resets the stream.
            self.pumping.fail_for_want_of_a_runtime();
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_says_nothing_for_now_is_small() {
        // Who makes it larger should know why.
        assert!(size_of::<Pumping>() <= 72, "{}", size_of::<Pumping>());
    }
}
