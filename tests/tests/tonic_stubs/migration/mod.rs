//! From tonic's channel to ours: the same program twice, which differs in one line.

mod after;
mod before;

use trunkline_tests::{LoopbackServer, TestGreeter};

#[tokio::test]
async fn the_same_program_runs_on_either_channel() {
    let server = LoopbackServer::start(&TestGreeter::new("a"));
    let url = format!("http://{}", server.address());
    assert_eq!(before::greet(url.clone()).await.unwrap(), "Hello, Ada!");
    assert_eq!(after::greet(url).await.unwrap(), "Hello, Ada!");
}

#[test]
fn the_change_is_one_line() {
    let (before, after) = (include_str!("before.rs").lines(), include_str!("after.rs").lines());
    let code = |line: &&str| !line.starts_with("//!");
    let changed: Vec<_> =
        before.filter(code).zip(after.filter(code)).filter(|(before, after)| before != after).collect();
    assert_eq!(changed.len(), 1, "{changed:#?}");
    assert_eq!(include_str!("before.rs").lines().count(), include_str!("after.rs").lines().count());
}
