//! The harness about itself: what it is there to catch it must catch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::watch::Watch;
use crate::support::wire::{Frame, PREFACE, flag, kind};
use crate::support::{hpack, setting};

/// Whether the watcher takes these frames after a preface.
fn takes(frames: &[Frame]) -> bool {
    let mut wrote = PREFACE.to_vec();
    frames.iter().for_each(|frame| frame.write(&mut wrote));
    catch_unwind(AssertUnwindSafe(|| Watch::new().read(&mut wrote))).is_ok()
}

#[test]
fn what_no_client_may_write_is_found() {
    let settings = Frame::new(kind::SETTINGS, 0, 0, b"");
    let head =
        |stream| Frame::new(kind::HEADERS, flag::END_HEADERS, stream, hpack::block(&[(":method", "GET")]));
    let data = |length: usize| Frame::new(kind::DATA, 0, 1, vec![0; length]);
    let update = Frame::new(kind::WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes());
    assert!(takes(&[settings.clone(), head(1), data(16_384), update.clone(), head(3)]));
    let forbidden: &[&[Frame]] = &[
        &[head(1)],
        &[settings.clone(), head(2)],
        &[settings.clone(), head(3), head(1)],
        &[settings.clone(), data(1)],
        &[settings.clone(), update],
        &[settings.clone(), head(1), data(16_385)],
        &[settings.clone(), head(1), data(16_384), data(16_384), data(16_384), data(16_384)],
        &[settings.clone(), Frame::new(kind::SETTINGS, flag::ACK, 0, b"")],
        &[settings.clone(), Frame::new(kind::HEADERS, 0, 1, b""), settings.clone()],
        &[settings.clone(), Frame::new(kind::PUSH_PROMISE, 0, 1, b"")],
    ];
    for (i, frames) in forbidden.iter().enumerate() {
        assert!(!takes(frames), "number {i} was taken");
    }
}

#[test]
fn settings_bind_the_client_from_its_acknowledgement_on() {
    let mut watch = Watch::new();
    let settings = Frame::new(kind::SETTINGS, 0, 0, b"");
    let block = hpack::block(&[(":method", "GET")]);
    let mut wrote = PREFACE.to_vec();
    settings.write(&mut wrote);
    Frame::new(kind::HEADERS, flag::END_HEADERS, 1, block).write(&mut wrote);
    watch.read(&mut wrote);
    let zero = crate::support::server::settings_payload(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    watch.server_sends(&Frame::new(kind::SETTINGS, 0, 0, zero).bytes());
    watch.read(&mut Frame::new(kind::DATA, 0, 1, b"before").bytes());
    watch.read(&mut Frame::new(kind::SETTINGS, flag::ACK, 0, b"").bytes());
    let late = &mut Frame::new(kind::DATA, 0, 1, b"after").bytes();
    assert!(catch_unwind(AssertUnwindSafe(|| watch.read(late))).is_err());
}
