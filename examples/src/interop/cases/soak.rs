//! Many large unary calls, on one channel or on a new channel each. The lines that it prints are read by
//! gRPC's test drivers.

#![allow(clippy::print_stderr, reason = "the lines of a soak test are its result")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use trunkline::{CallReport, StatusExt};

use super::{simple_request, size_of};
use crate::interop::error::same;
use crate::interop::{CaseError, Peer, Stub};

pub(crate) async fn rpc_soak<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    soak(peer, |peer| Ok(peer.stub().clone())).await
}

pub(crate) async fn channel_soak<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    soak(peer, Peer::another_stub).await
}

/// Where the stub of the next call comes from.
type NextStub<S> = fn(&Peer<S>) -> Result<S, CaseError>;

async fn soak<S: Stub>(peer: &Peer<S>, stub: NextStub<S>) -> Result<(), CaseError> {
    let wanted = peer.soak().iterations;
    let tally = Arc::<Tally>::default();
    let mut threads = JoinSet::new();
    for thread in 0..peer.soak().threads {
        threads.spawn(thread_of(peer.clone(), stub, Arc::clone(&tally), thread));
    }
    // What is not done by then is not done in time, and is missing in the count.
    let ended = async { while threads.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(peer.soak().overall_timeout, ended).await;
    let (ran, failures) = (tally.ran.load(Relaxed), tally.failures.load(Relaxed));
    eprintln!("soak test ran: {ran} / {wanted} iterations. total failures: {failures}");
    let allowed = peer.soak().max_failures;
    if ran == wanted && failures <= allowed {
        return Ok(());
    }
    Err(CaseError::Soak { failures, ran, wanted, allowed })
}

#[derive(Debug, Default)]
struct Tally {
    ran: AtomicU32,
    failures: AtomicU32,
}

/// The calls of one of the tasks, one after the other.
async fn thread_of<S: Stub>(peer: Peer<S>, stub: NextStub<S>, tally: Arc<Tally>, thread: u32) {
    let soak = peer.soak();
    for iteration in (thread..soak.iterations).step_by(soak.threads as usize) {
        let began = Instant::now();
        let (answer, at) = match stub(&peer) {
            Ok(stub) => one(&peer, &stub).await,
            Err(error) => (Err(error), "unknown".to_owned()),
        };
        let took = began.elapsed();
        let line = format!("soak iteration: {iteration} elapsed_ms: {} peer: {at}", took.as_millis());
        tally.ran.fetch_add(1, Relaxed);
        match answer {
            Ok(()) if took <= soak.max_latency => eprintln!("{line} succeeded"),
            outcome => {
                tally.failures.fetch_add(1, Relaxed);
                let reason =
                    outcome.err().map_or_else(|| too_slow(soak.max_latency), |error| error.to_string());
                eprintln!("{line} failed: {reason}");
            }
        }
        tokio::time::sleep_until(began + soak.min_interval).await;
    }
}

/// One call, and where it went.
async fn one<S: Stub>(peer: &Peer<S>, stub: &S) -> (Result<(), CaseError>, String) {
    let soak = peer.soak();
    let request = peer.request(simple_request(soak.request_size, soak.response_size));
    let answer = stub.unary_call(request).await;
    let report = match &answer {
        Ok(reply) => reply.extensions().get::<CallReport>(),
        Err(status) => status.call_report(),
    };
    let at = report.and_then(CallReport::address).map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let checked = answer.map_err(CaseError::from).and_then(|reply| {
        let size = size_of(reply.get_ref().payload.as_ref());
        same("the size of the reply's payload", size, Some(soak.response_size))
    });
    (checked, at)
}

fn too_slow(limit: Duration) -> String {
    format!("exceeds max acceptable latency: {}", limit.as_millis())
}
