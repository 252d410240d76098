//! What becomes of calls, as a policy is told. A caller who drops a call learns nothing more of it; how the
//! channel counted its end is heard here.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use trunkline::balancer::{
    Balancer, BalancerConfig, BalancerState, CallInfo, Input, PickFirst, PickResult, Picker, Plan,
};
use trunkline_proto::wire::Code;

/// The newest that happened to any call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// It was given a connection.
    Began,
    /// It ended with this code.
    Ended(Code),
}

/// Hears of calls, one after the other; of those that overlap, of the newest only.
#[derive(Debug)]
pub struct ProgressWatch(watch::Receiver<Progress>);

impl ProgressWatch {
    /// Waits until something happens that was not seen yet.
    pub async fn next(&mut self) -> Progress {
        match self.0.changed().await {
            Ok(()) => *self.0.borrow_and_update(),
            // Whoever watches a peer has it, and with it the sender.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Makes `pick_first`, and hears of every call that it chose for.
#[derive(Clone, Debug)]
pub(super) struct Watched(watch::Sender<Progress>);

impl Default for Watched {
    fn default() -> Self {
        Self(watch::Sender::new(Progress::Began))
    }
}

impl Watched {
    pub(super) fn watch(&self) -> ProgressWatch {
        ProgressWatch(self.0.subscribe())
    }

    pub(super) fn pick_first(&self) -> BalancerConfig {
        let pick_first = BalancerConfig::from(PickFirst::new());
        let (name, json, tell) = (pick_first.name().to_owned(), pick_first.json().clone(), self.0.clone());
        BalancerConfig::new(&name, json, move |seed| WatchedBalancer {
            inner: pick_first.start(seed),
            tell: tell.clone(),
            said: None,
        })
    }
}

struct WatchedBalancer {
    inner: Box<dyn Balancer>,
    tell: watch::Sender<Progress>,
    /// What the inner policy said, and the same with a picker that tells.
    said: Option<(BalancerState, BalancerState)>,
}

impl Balancer for WatchedBalancer {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let inner = self.inner.update(input, plan);
        match &self.said {
            Some((before, outer)) if *before == inner => outer.clone(),
            _ => {
                let picker = WatchedPicker { inner: Arc::clone(&inner.picker), tell: self.tell.clone() };
                let outer = BalancerState::new(inner.connectivity, Arc::new(picker));
                self.said = Some((inner, outer.clone()));
                outer
            }
        }
    }
}

struct WatchedPicker {
    inner: Arc<dyn Picker>,
    tell: watch::Sender<Progress>,
}

impl Picker for WatchedPicker {
    fn pick(&self, call: &CallInfo<'_>) -> PickResult<'_> {
        match self.inner.pick(call) {
            PickResult::Ready(pick) => {
                self.tell.send_replace(Progress::Began);
                let tell = self.tell.clone();
                PickResult::Ready(pick.on_finish(move |outcome| {
                    tell.send_replace(Progress::Ended(outcome.code));
                }))
            }
            other => other,
        }
    }
}

impl fmt::Debug for WatchedPicker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
