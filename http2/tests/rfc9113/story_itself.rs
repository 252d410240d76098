//! The harness about itself: what it is there to catch it must catch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::server::settings_payload;
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
    let reset = Frame::new(kind::RST_STREAM, 0, 1, 8_u32.to_be_bytes());
    let fine = [settings.clone(), head(1), data(16_384), update.clone(), head(3), reset.clone(), head(5)];
    assert!(takes(&fine));
    let forbidden: &[&[Frame]] = &[
        &[head(1)],
        &[settings.clone(), head(2)],
        &[settings.clone(), head(3), head(1)],
        &[settings.clone(), data(1)],
        &[settings.clone(), update.clone()],
        &[settings.clone(), head(1), data(16_385)],
        &[settings.clone(), head(1), data(16_384), data(16_384), data(16_384), data(16_384)],
        &[settings.clone(), Frame::new(kind::SETTINGS, flag::ACK, 0, b"")],
        &[settings.clone(), Frame::new(kind::HEADERS, 0, 1, b""), settings.clone()],
        &[settings.clone(), head(1), reset.clone(), update.clone()],
        &[settings.clone(), head(1), reset.clone(), data(1)],
        &[settings.clone(), head(1), reset.clone(), reset.clone()],
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
    let zero = settings_payload(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    watch.server_sends(&Frame::new(kind::SETTINGS, 0, 0, zero).bytes(), || 0);
    watch.read(&mut Frame::new(kind::DATA, 0, 1, b"before").bytes());
    watch.read(&mut Frame::new(kind::SETTINGS, flag::ACK, 0, b"").bytes());
    let late = &mut Frame::new(kind::DATA, 0, 1, b"after").bytes();
    assert!(catch_unwind(AssertUnwindSafe(|| watch.read(late))).is_err());
}

#[test]
fn the_servers_reset_binds_the_client_but_for_what_lies_ready() {
    let data = Frame::new(kind::DATA, 0, 1, b"data").bytes();
    let update = Frame::new(kind::WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes()).bytes();
    let reset = Frame::new(kind::RST_STREAM, 0, 1, 8_u32.to_be_bytes()).bytes();
    let sends = |before: &[u8], lies_ready: usize, after: &[u8]| {
        let mut watch = Watch::new();
        let settings = Frame::new(kind::SETTINGS, 0, 0, b"").bytes();
        let block = hpack::block(&[(":method", "GET")]);
        let head = Frame::new(kind::HEADERS, flag::END_HEADERS, 1, block).bytes();
        watch.read(&mut [PREFACE, &settings, &head].concat());
        watch.server_sends(&[before, &reset].concat(), || lies_ready);
        catch_unwind(AssertUnwindSafe(|| watch.read(&mut after.to_vec()))).is_ok()
    };
    assert!(sends(b"", 0, b"") && sends(b"", data.len(), &data) && sends(&data, 0, &reset));
    for late in [&data, &update, &reset] {
        assert!(!sends(b"", 0, late));
        assert!(!sends(b"", data.len(), &[&data[..], late].concat()));
    }
    assert!(!sends(&data, 0, &data));
}

#[test]
fn streams_are_counted_against_the_limit_that_is_acknowledged() {
    let ack = Frame::new(kind::SETTINGS, flag::ACK, 0, b"").bytes();
    let block = hpack::block(&[(":method", "GET")]);
    let head =
        |flags, stream| Frame::new(kind::HEADERS, flag::END_HEADERS | flags, stream, &block[..]).bytes();
    let (upload, call) = (head(0, 1), head(flag::END_STREAM, 1));
    let next = head(0, 3);
    let reset = Frame::new(kind::RST_STREAM, 0, 1, 8_u32.to_be_bytes()).bytes();
    let end = Frame::new(kind::DATA, flag::END_STREAM, 1, b"").bytes();
    let cut = Frame::new(kind::HEADERS, flag::END_STREAM, 1, b"").bytes();
    let rest = Frame::new(kind::CONTINUATION, flag::END_HEADERS, 1, b"").bytes();
    // What the client writes first, what the server says to it, and what the client writes then.
    type Turn<'a> = (&'a [&'a [u8]], &'a [&'a [u8]], &'a [&'a [u8]]);
    let takes = |(first, server, then): Turn<'_>| {
        let mut watch = Watch::new();
        let limit = settings_payload(&[(setting::MAX_CONCURRENT_STREAMS, 1)]);
        watch.server_sends(&Frame::new(kind::SETTINGS, 0, 0, limit).bytes(), || 0);
        watch.read(&mut [PREFACE, &Frame::new(kind::SETTINGS, 0, 0, b"").bytes()].concat());
        watch.read(&mut first.concat());
        watch.server_sends(&server.concat(), || 0);
        catch_unwind(AssertUnwindSafe(|| watch.read(&mut then.concat()))).is_ok()
    };
    let fine: [Turn<'_>; 6] = [
        (&[&upload], &[], &[&next, &ack]),
        (&[&ack, &call], &[&end], &[&next]),
        (&[&ack, &call], &[&cut, &rest], &[&next]),
        (&[&ack, &upload], &[&end], &[&end, &next]),
        (&[&ack, &upload], &[], &[&reset, &next]),
        (&[&ack, &upload], &[&reset], &[&next]),
    ];
    for (i, turn) in fine.into_iter().enumerate() {
        assert!(takes(turn), "number {i} was refused");
    }
    let forbidden: [Turn<'_>; 5] = [
        (&[&upload], &[], &[&ack, &next]),
        (&[&ack, &call], &[], &[&next]),
        (&[&ack, &call], &[&cut], &[&next]),
        (&[&ack, &upload], &[&end], &[&next]),
        (&[&ack, &upload], &[], &[&end, &next]),
    ];
    for (i, turn) in forbidden.into_iter().enumerate() {
        assert!(!takes(turn), "number {i} was taken");
    }
}

/// Whether the watcher takes a block that begins with these sizes, after the client has acknowledged those.
fn takes_sizes(acknowledged: &[u32], sizes: &[usize]) -> bool {
    let mut watch = Watch::new();
    let empty = |flags| Frame::new(kind::SETTINGS, flags, 0, b"");
    watch.read(&mut [PREFACE, &empty(0).bytes()[..]].concat());
    for size in acknowledged {
        let settings = settings_payload(&[(setting::HEADER_TABLE_SIZE, *size)]);
        watch.server_sends(&Frame::new(kind::SETTINGS, 0, 0, settings).bytes(), || 0);
        watch.read(&mut empty(flag::ACK).bytes());
    }
    let mut block: Vec<u8> = sizes.iter().flat_map(|size| hpack::table_size(*size)).collect();
    block.extend(hpack::block(&[(":method", "GET")]));
    let mut head = Frame::new(kind::HEADERS, flag::END_HEADERS, 1, block).bytes();
    catch_unwind(AssertUnwindSafe(|| watch.read(&mut head))).is_ok()
}

#[test]
fn a_smaller_table_is_announced_by_the_next_block() {
    let taken: [(&[u32], &[usize]); 7] = [
        (&[], &[]),
        (&[], &[100]),
        (&[4_096], &[]),
        (&[100], &[100]),
        (&[100], &[7]),
        (&[100, 8_192], &[100, 8_192]),
        (&[8_192], &[]),
    ];
    for (acknowledged, sizes) in taken {
        assert!(takes_sizes(acknowledged, sizes), "{sizes:?} after {acknowledged:?}");
    }
    let refused: [(&[u32], &[usize]); 6] = [
        (&[100], &[]),
        (&[100], &[101]),
        (&[100, 4_096], &[]),
        (&[100, 4_096], &[4_096]),
        (&[100, 4_096], &[0, 100, 4_096]),
        (&[100, 200], &[100, 201]),
    ];
    for (acknowledged, sizes) in refused {
        assert!(!takes_sizes(acknowledged, sizes), "{sizes:?} after {acknowledged:?}");
    }
}
