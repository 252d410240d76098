//! The one task of a channel that carries out what the control plane wishes. It holds no policy: it drains
//! what has happened, stamps the time, and does what it is told.

mod dial;
mod log;
mod seat;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use indexmap::IndexMap;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep};
use trunkline_balancer::{Failure, FixedPicker};
use trunkline_proto::{ConnectivityState, wire::Code};
use trunkline_resolver::{Resolver, ResolverOptions, ResolverRegistry, Target};

pub(crate) use self::dial::DialSettings;
use self::dial::{Dial, DialHandle};
pub(crate) use self::seat::Seat;
use crate::call::CallMeter;
use crate::channel::Core;
use crate::control::{Action, ControlOptions, ControlPlane, DialId, DialNews, Event, Snapshot};
use crate::transport::Connection;

/// Events taken in one turn before the task lets others run: enough for every dial of a channel to have news
/// at once.
const EVENTS_PER_TURN: usize = 1024;

/// All that a driver works with, wherever it runs. When its runtime goes away, this waits for the next one.
pub(crate) struct Engine {
    plane: ControlPlane<Connection>,
    mailbox: UnboundedReceiver<Box<Event<Connection>>>,
    events: EventSender,
    calls: Arc<CallMeter>,
    dial: Arc<DialSettings>,
    names: Names,
}

/// The way to the driver. In boxes, since the queue has room for dozens of events, few of which ever come.
///
/// Unbounded, since what is sent is bounded: a few pieces of news per dial, a demand per address and snapshot, and
/// what the application asks for.
#[derive(Clone)]
pub(crate) struct EventSender(UnboundedSender<Box<Event<Connection>>>);

impl EventSender {
    /// The receiver is gone only once the channel is closed or broken, and then there is nothing to be told.
    pub(crate) fn send(&self, event: Event<Connection>) {
        let _nobody = self.0.send(Box::new(event));
    }
}

/// How this channel's resolver is made.
pub(crate) struct Names {
    pub(crate) registry: ResolverRegistry,
    pub(crate) target: Target,
    pub(crate) options: ResolverOptions,
}

impl Engine {
    pub(crate) fn new(options: ControlOptions, dial: DialSettings, names: Names) -> Self {
        let now = Instant::now();
        let plane = ControlPlane::new(options, now.into_std());
        let (events, mailbox) = unbounded_channel();
        let events = EventSender(events);
        let calls = Arc::new(CallMeter::new(now));
        Self { plane, mailbox, events, calls, dial: Arc::new(dial), names }
    }

    /// What calls read before the driver has ever run.
    pub(crate) fn first_snapshot(&self) -> Arc<Snapshot<Connection>> {
        Arc::clone(self.plane.snapshot())
    }

    pub(crate) fn events(&self) -> EventSender {
        self.events.clone()
    }

    pub(crate) fn calls(&self) -> Arc<CallMeter> {
        Arc::clone(&self.calls)
    }
}

/// The task.
pub(crate) struct Driver {
    /// `None` once the channel is closed.
    engine: Option<Box<Engine>>,
    core: Weak<Core>,
    dials: HashMap<DialId, DialHandle>,
    resolver: Option<Box<dyn Resolver>>,
    /// Made when it is first needed, within the task.
    sleep: Option<Pin<Box<Sleep>>>,
    actions: Vec<Action<Connection>>,
    /// Set while it is polled: dropped with it set, it has panicked.
    in_turn: bool,
}

impl Driver {
    /// Takes the engine's seat. To be spawned on a runtime, within which this is called.
    fn new(engine: Box<Engine>, core: Weak<Core>) -> Self {
        Self {
            engine: Some(engine),
            core,
            dials: HashMap::new(),
            resolver: None,
            sleep: None,
            actions: Vec::new(),
            in_turn: false,
        }
    }

    /// One turn: what has happened goes in, what is wished comes out. Ready when the channel is closed.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(engine) = &mut self.engine else { return Poll::Ready(()) };
        let now = Instant::now().into_std();
        let mut taken = 0;
        while taken < EVENTS_PER_TURN {
            let Poll::Ready(Some(event)) = engine.mailbox.poll_recv(cx) else { break };
            taken += 1;
            if let Event::Dial(id, DialNews::Failed(_) | DialNews::Lost { .. }) = &*event {
                self.dials.remove(id);
            }
            engine.plane.handle(now, *event);
        }
        let mut more = taken == EVENTS_PER_TURN;
        if let Some(resolver) = &mut self.resolver
            && let Poll::Ready(answer) = resolver.poll_next(cx)
        {
            engine.plane.handle(now, Event::Resolved(answer));
            // One answer per turn: a resolver that always has one must not keep the task.
            more = true;
        }
        engine.plane.handle(now, Event::Activity(engine.calls.sample()));
        let mut actions = std::mem::take(&mut self.actions);
        engine.plane.poll(now, &mut actions);
        more |= actions
            .iter()
            .any(|action| matches!(action, Action::StartResolver | Action::Refresh | Action::Reject));
        let finished = engine.plane.is_finished();
        let timeout = engine.plane.poll_timeout();
        for action in actions.drain(..) {
            self.act(action);
        }
        self.actions = actions;
        if finished {
            return Poll::Ready(());
        }
        if let Some(timeout) = timeout {
            let timeout = Instant::from_std(timeout);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(timeout)));
            if sleep.deadline() != timeout {
                sleep.as_mut().reset(timeout);
            }
            more |= sleep.as_mut().poll(cx).is_ready();
        }
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn act(&mut self, action: Action<Connection>) {
        let Some(engine) = &mut self.engine else { return };
        match action {
            Action::Dial { id, address, deadline } => {
                let dial =
                    Dial { id, address, deadline, settings: Arc::clone(&engine.dial), news: engine.events() };
                self.dials.insert(id, dial.spawn());
            }
            Action::HangUp(id) => self.dials.get(&id).into_iter().for_each(DialHandle::hang_up),
            Action::Abort(id) => self.dials.get(&id).into_iter().for_each(DialHandle::abort),
            Action::StartResolver => self.start_resolver(),
            Action::StopResolver => self.resolver = None,
            Action::Refresh => self.resolver.iter_mut().for_each(|resolver| resolver.refresh()),
            Action::Reject => self.resolver.iter_mut().for_each(|resolver| resolver.reject()),
            Action::Publish(snapshot) => {
                if let Some(core) = self.core.upgrade() {
                    core.publish(snapshot);
                }
            }
            Action::Note(change) => log::note(&engine.names.target, &change),
        }
    }
}

impl Driver {
    fn start_resolver(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let Names { registry, target, options } = &engine.names;
        let resolver = registry.watch(target, options);
        self.resolver = Some(resolver.expect("the channel's builder has built one of the same scheme"));
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.in_turn = true;
        let turn = this.turn(cx);
        this.in_turn = false;
        if turn.is_ready() {
            this.engine = None;
            if let Some(core) = this.core.upgrade() {
                core.seat().finish();
                core.nudge();
            }
        }
        turn
    }
}

impl Drop for Driver {
    /// The runtime is going away, or the driver has panicked. In neither case may anybody wait for ever.
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        let Some(core) = self.core.upgrade() else { return };
        if self.in_turn {
            core.publish(broken(&core.snapshot()));
            core.seat().finish();
        } else {
            core.lose_connections();
            core.seat().park(engine);
        }
        core.nudge();
    }
}

/// What calls read after the driver has panicked: nothing works any more, and nothing hangs.
fn broken(last: &Snapshot<Connection>) -> Arc<Snapshot<Connection>> {
    let failure = Failure::new(Code::Internal, "the channel's driver panicked; build a new channel");
    Arc::new(Snapshot {
        version: last.version + 1,
        connectivity: ConnectivityState::Shutdown,
        is_asleep: false,
        picker: FixedPicker::Drop(failure).shared(),
        entries: IndexMap::new(),
        methods: Arc::clone(&last.methods),
        trouble: Arc::from([]),
        next_attempt: None,
    })
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("target", &self.names.target).finish_non_exhaustive()
    }
}
