//! Streams that have something to send take turns, whatever their sizes and windows.

use std::collections::HashMap;

use crate::support::random::for_seeds;
use crate::support::{Story, kind, setting};

#[test]
fn between_two_frames_of_a_stream_every_other_that_could_sends_one() {
    for_seeds(60, |random| {
        let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
        story.server().window(0, 1 << 30);
        let streams: Vec<_> = (0..2 + random.below(6)).map(|_| story.upload()).collect();
        let mut left = HashMap::new();
        for stream in &streams {
            let bytes = 1 + random.below(200_000);
            for _ in 0..4 {
                story.send(*stream, vec![0; bytes.div_ceil(4)], false);
            }
            left.insert(stream.id(), 4 * bytes.div_ceil(4));
        }
        story.take_frames();
        // All windows open at one moment, each wide enough.
        story.server().settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 24)]);
        let turns: Vec<_> =
            story.take_frames().into_iter().filter(|frame| frame.kind == kind::DATA).collect();
        let mut since: HashMap<u32, Vec<u32>> = HashMap::new();
        for frame in &turns {
            let others = since.insert(frame.stream, Vec::new());
            for (id, _) in left.iter().filter(|(id, bytes)| **bytes > 0 && **id != frame.stream) {
                let had_a_turn = others.as_ref().is_none_or(|others| others.contains(id));
                assert!(had_a_turn, "{id} had no turn between two of {}", frame.stream);
            }
            since.values_mut().for_each(|others| others.push(frame.stream));
            *left.get_mut(&frame.stream).unwrap() -= frame.payload.len();
        }
        assert!(left.values().all(|bytes| *bytes == 0));
    });
}
