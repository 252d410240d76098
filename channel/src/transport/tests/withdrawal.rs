//! Calls that are given up: what the server sees of them, and what they leave behind.

use std::task::Waker;

use bytes::Bytes;
use rstest::rstest;

use super::fixture::*;

/// The frames that the client says until the next HEADERS for a stream above `after`, which are taken too: the
/// kind of each, and its stream.
async fn until_next_request(peer: &mut Frames, after: u32) -> (Vec<(u8, u32)>, u32) {
    let mut before = Vec::new();
    loop {
        let (kind, _, stream, _) = peer.next().await.expect("the client closed the connection");
        if kind == HEADERS && stream > after {
            return (before, stream);
        }
        if stream != 0 {
            before.push((kind, stream));
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_dropped_before_the_driver_saw_it_leaves_nothing_running(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 65
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    peer.hear_everything().await;
    // Nobody else runs in between: the connection has not been moved since the call began.
    drop(call(&connection, "withdrawn").await);
    assert_eq!(streams(&connection), 0);
    settle().await;
    let mut stream = call(&connection, "meant").await;
    match engine {
        // A command that nobody took is taken back.
        Trunkline => {
            let (before, id) = until_next_request(&mut peer, 0).await;
            assert_eq!((before, id), (vec![], 1), "not a frame of the first call, not even its number");
            peer.answer(id, b"x").await;
        }
        // This engine opens streams in the caller's hands, so the best that it can do is to close them again.
        _ => {
            let (before, id) = until_next_request(&mut peer, 1).await;
            let opened = before.contains(&(HEADERS, 1));
            assert_eq!(before.contains(&(RST_STREAM, 1)), opened, "{before:?}");
            assert!(!before.contains(&(DATA, 1)), "{before:?}");
            peer.answer(id, b"x").await;
        }
    }
    assert_eq!(answer(&mut stream).await, (b"x".to_vec(), "0".to_owned()));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_dropped_behind_a_full_pipe_stays_unsaid_or_is_reset(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 65
    let (mut dial, io) = Dial::begin_narrow(engine, 1000).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    peer.hear_everything().await;
    // More than the pipe holds, so that what follows waits in the client.
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![b'x'; 50_000]);
    let mut first = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    settle().await;
    let second = call(&connection, "given up").await;
    settle().await;
    drop(second);
    settle().await;
    let mut said = Vec::new();
    while let Ok(Some((kind, _, stream, _))) =
        tokio::time::timeout(std::time::Duration::from_millis(1), peer.next()).await
    {
        said.push((kind, stream));
    }
    let times = |frame| said.iter().filter(|said| **said == frame).count();
    assert_eq!(times((RST_STREAM, 3)), times((HEADERS, 3)), "{said:?}");
    peer.answer(1, b"y").await;
    assert_eq!(answer(&mut first).await.0, b"y");
    assert_eq!(streams(&connection), 0);
}

// h2 does not tell what of a stream is written.
#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_can_be_taken_back_and_what_was_begun_cannot() {
    let (_dial, connection, mut peer) = Dial::with_settings(Trunkline, &[(MAX_CONCURRENT_STREAMS, 2)]).await;
    let slots = [connection.reserve().await.unwrap(), connection.reserve().await.unwrap()];
    // The server thinks better of it while both have their places.
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
    settle().await;
    let [mut first, second] =
        slots.map(|slot| slot.start(head(), Bytes::new().into(), true, Waker::noop()).unwrap());
    settle().await;
    assert!(!first.take_back() && second.take_back());
    assert_eq!(streams(&connection), 2, "it has its place until it is dropped");
    drop(second);
    assert_eq!(streams(&connection), 1);
    assert_eq!(until_next_request(&mut peer, 0).await.1, 1);
    peer.answer(1, b"y").await;
    assert_eq!(answer(&mut first).await.0, b"y");
    let mut third = call(&connection, "third").await;
    assert_eq!(until_next_request(&mut peer, 1).await, (vec![], 3), "not even its number was used");
    peer.answer(3, b"z").await;
    assert_eq!(answer(&mut third).await.0, b"z");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_sender_that_is_dropped_with_its_stream_takes_its_queue_along(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 65
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (stream, mut sender) = call_streaming(&connection).await;
    // More than the window: most of it waits.
    sender.send(Bytes::from(vec![0; 300_000]), false).unwrap();
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    drop((stream, sender));
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, CANCEL.to_be_bytes().to_vec()));
    peer.open_window(0, 1 << 20).await;
    settle().await;
    let mut other = call(&connection, "other").await;
    let (before, id) = until_next_request(&mut peer, id).await;
    assert!(before.is_empty(), "after its reset nothing of it is said: {before:?}");
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut other).await.0, b"x");
    assert_eq!(streams(&connection), 0);
}
