//! The rest of a streamed request, once the response has begun.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::streamed::{Next, Streamed};
use super::upload::poll_hand_over;
use crate::transport::SendHalf;
use crate::vocabulary::Status;

/// What sends the rest of a streamed request. It ends with the request, with the stream, or when this is
/// dropped.
pub(crate) struct Pump(Arc<Shared>);

struct Shared {
    stage: Mutex<Stage>,
    failure: OnceLock<Status>,
    runtime: Handle,
}

/// Where the rest is. Most streams that stay open for long have said all that they will say for now, so a task
/// is made when the rest goes on for the first time; from then on it is there.
///
/// ```text
///   Begun --waits--> Parked --woken--> Starting --> Running
///      '------- woken meanwhile -------^
///
///   any --the request has ended, or nobody wants it any more--> Over
/// ```
enum Stage {
    /// With whoever began it, who tries how far it gets.
    Begun {
        woken: bool,
    },
    Parked(Rest),
    Starting,
    Running(AbortHandle),
    Over,
}

impl Pump {
    /// Hands over what is there, and the rest when it comes, then on `runtime`, whose context is to be the present one.
    pub(super) fn begin(rest: Streamed, sender: SendHalf, runtime: Handle) -> Self {
        let stage = Mutex::new(Stage::Begun { woken: false });
        let shared = Arc::new(Shared { stage, failure: OnceLock::new(), runtime });
        let mut rest = Rest { chunks: rest, sender };
        let waker = Waker::from(Arc::clone(&shared));
        match rest.poll(&shared.failure, &mut Context::from_waker(&waker)) {
            Poll::Ready(()) => *shared.stage() = Stage::Over,
            Poll::Pending => shared.park(rest),
        }
        Self(shared)
    }

    /// Why the request itself failed, if it did.
    pub(super) fn failure(&self) -> Option<&Status> {
        self.0.failure.get()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        // Not under the lock: what is dropped is the application's, and may wake.
        let former = mem::replace(&mut *self.0.stage(), Stage::Over);
        if let Stage::Running(task) = former {
            task.abort();
        }
    }
}

impl Shared {
    /// It waits for the first time.
    fn park(self: &Arc<Self>, rest: Rest) {
        let mut stage = self.stage();
        if let Stage::Begun { woken: true } = &*stage {
            *stage = Stage::Starting;
            drop(stage);
            self.spawn(rest);
        } else {
            *stage = Stage::Parked(rest);
        }
    }

    fn spawn(self: &Arc<Self>, rest: Rest) {
        let running = Running { rest, shared: Arc::clone(self) };
        // In a box, so that the task is no larger than tasks must be.
        let task = self.runtime.spawn(Box::pin(running)).abort_handle();
        let mut stage = self.stage();
        match &*stage {
            Stage::Starting => *stage = Stage::Running(task),
            _ => {
                drop(stage);
                task.abort();
            }
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // No code runs under this lock that could leave the stage half changed.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until it has a task, whose own waker is another.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut stage = self.stage();
        match &mut *stage {
            Stage::Begun { woken } => *woken = true,
            Stage::Parked(_) => {
                let Stage::Parked(rest) = mem::replace(&mut *stage, Stage::Starting) else {
                    unreachable!("it was there just above");
                };
                drop(stage);
                self.spawn(rest);
            }
            Stage::Starting | Stage::Running(_) | Stage::Over => {}
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
    fn poll(&mut self, failure: &OnceLock<Status>, cx: &mut Context<'_>) -> Poll<()> {
        let poll_next = |cx: &mut Context<'_>| self.chunks.poll_next(cx).map_ok(Next::into_chunk);
        if let Err(status) = ready!(poll_hand_over(&mut self.sender, cx, poll_next)) {
            // Whoever reads the response hears of the reset and looks here for its reason, so the reason
            // comes first.
            failure.get_or_init(|| status);
            self.sender.reset();
        }
        Poll::Ready(())
    }
}

/// The task of it.
struct Running {
    rest: Rest,
    shared: Arc<Shared>,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { rest, shared } = &mut *self;
        rest.poll(&shared.failure, cx)
    }
}
