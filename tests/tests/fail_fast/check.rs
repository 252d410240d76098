//! What is checked of each row of the table.

use tokio::time::{Instant, sleep};
use trunkline::{Address, CallReport, Code, FailFast, Origin, Status, StatusExt, Transport};

use crate::lab::{Lab, MODES, TARGET, call, policies, secs, there, timed};
use crate::table::Row;

/// How long the calls wait that do.
const PATIENCE: std::time::Duration = secs(60);

pub(crate) async fn check(engine: Transport, row: &Row) {
    for mode in MODES {
        fails_as_its_mode_says(engine, row, mode).await;
        recovers_by_itself(engine, row, mode).await;
        harms_nobody_else(engine, row, mode).await;
    }
    is_dialled_so_often_and_not_more(engine, row).await;
}

/// A channel to the address of the row and others, of which this one has the peer of the row.
async fn lab(engine: Transport, row: &Row, others: &[&Address]) -> (Lab, Address) {
    let (lab, address) = (Lab::new(engine), (row.address)());
    lab.place(&address, (row.peer)(&lab)).await;
    lab.resolve(&[&[&address], others].concat());
    (lab, address)
}

async fn fails_as_its_mode_says(engine: Transport, row: &Row, mode: FailFast) {
    let (lab, address) = lab(engine, row, &[]).await;
    let channel = lab.channel(row.speaks).fail_fast(mode).connect_lazy().unwrap();
    let (answer, took) = timed(call(&channel, PATIENCE)).await;
    let status = answer.unwrap_err();
    assert_cause(row, &address, &status);
    let waits = match mode {
        FailFast::Always => false,
        FailFast::Permanent => !row.permanent,
        _ => true,
    };
    let (expected, line) = if waits {
        ((Code::DeadlineExceeded, PATIENCE), line_after_a_wait(row, &status))
    } else {
        ((row.code, row.takes), line(row, &status))
    };
    assert_eq!((status.code(), took), expected, "{mode:?}: {status}");
    assert_eq!(status.message(), line);
    assert_eq!(report(&status).is_permanent(), row.permanent);
    assert_eq!(lab.unheard.started(), 0, "nothing was said to a server that could not be trusted");
}

/// Whatever the mode, the report says why.
#[track_caller]
fn assert_cause(row: &Row, address: &Address, status: &Status) {
    let report = report(status);
    let cause = report.cause().expect("a connection was at fault");
    assert_eq!((cause.phase(), cause.is_permanent()), (row.phase, row.permanent), "{cause}");
    assert!(cause.message().starts_with(row.says), "{cause}");
    assert_eq!(cause.address(), Some(address));
    assert_eq!((report.sent(), report.origin()), (row.sent, Origin::Channel), "{status}");
    assert_eq!((report.address(), report.target()), (Some(address), TARGET));
}

/// The one line that a tired person reads.
fn line(row: &Row, status: &Status) -> String {
    let notes = match (row.permanent, row.takes.is_zero()) {
        (true, _) => "[permanent; 1 of 1 addresses failed; next attempt in 120 s]",
        (false, true) => "[1 of 1 addresses failed; next attempt in 1 s]",
        // It took longer than its backoff, so the next attempt is under way.
        (false, false) => "[1 of 1 addresses failed]",
    };
    let cause = report(status).cause().expect("a connection was at fault");
    let address = (row.address)();
    format!("{TARGET} ({address}): {}: {} {notes}", cause.phase(), cause.message())
}

/// The same for who has waited for as long as it could.
fn line_after_a_wait(row: &Row, status: &Status) -> String {
    let cause = report(status).cause().expect("a connection was at fault");
    let doing = "deadline of 60s exceeded while waiting for a connection";
    let notes = if row.permanent { " [permanent]" } else { "" };
    format!("{TARGET} ({}): {doing}; last cause: {cause}{notes}", (row.address)())
}

#[track_caller]
fn report(status: &Status) -> &CallReport {
    status.call_report().expect("every failed call has a report")
}

/// Once the server is mended, calls are answered, and nobody had to touch the channel.
async fn recovers_by_itself(engine: Transport, row: &Row, mode: FailFast) {
    let (lab, address) = lab(engine, row, &[]).await;
    let channel = lab.channel(row.speaks).fail_fast(mode).connect_lazy().unwrap();
    assert!(call(&channel, PATIENCE).await.is_err());
    lab.mend(&address, row.speaks);
    let mended = Instant::now();
    while let Err(status) = call(&channel, PATIENCE).await {
        // The backoff's maximum, and the attempt that was under way.
        assert!(mended.elapsed() <= secs(120) + row.takes, "{mode:?}: {status}");
        sleep(secs(1)).await;
    }
    assert_eq!(lab.greeter.started(), 1);
}

/// Beside a good server no call fails, and the bad one costs no more dials than alone.
async fn harms_nobody_else(engine: Transport, row: &Row, mode: FailFast) {
    for policy in policies() {
        let good = there();
        let (lab, bad) = lab(engine, row, &[&good]).await;
        lab.mend(&good, row.speaks);
        let name = policy.name().to_owned();
        let channel = lab.channel(row.speaks).fail_fast(mode).balancer(policy).connect_lazy().unwrap();
        for _ in 0..60 {
            let reply =
                call(&channel, PATIENCE).await.unwrap_or_else(|status| panic!("{name}, {mode:?}: {status}"));
            assert_eq!(reply.server, "good");
            sleep(secs(10)).await;
        }
        assert_eq!(lab.dials(&good), 1, "{name}");
        // pick_first has found what it looked for; round_robin wants them all.
        let expected = if name == "round_robin" { row.dials } else { 1 };
        // The last dial of those that are permanent falls on the end of the ten minutes.
        let dials = lab.network.dials(&bad.to_string());
        let in_time = dials.iter().filter(|at| **at < secs(600)).count();
        assert_eq!(in_time, expected, "{name}: {dials:?}");
    }
}

/// However many calls there are.
async fn is_dialled_so_often_and_not_more(engine: Transport, row: &Row) {
    let (lab, address) = lab(engine, row, &[]).await;
    let channel = lab.channel(row.speaks).connect_lazy().unwrap();
    let began = Instant::now();
    while began.elapsed() < secs(600) {
        let status = call(&channel, PATIENCE).await.unwrap_err();
        assert_eq!(status.code(), row.code, "{status}");
        sleep(secs(1)).await;
    }
    let dials = lab.network.dials(&address.to_string());
    let in_time = dials.iter().filter(|at| **at < secs(600)).count();
    assert_eq!(in_time, row.dials, "{dials:?}");
}
