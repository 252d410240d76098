//! Stories made by chance, for both sides: what goes in comes out, tables agree, and a decoder that nobody
//! here wrote reads the same.

use super::*;
use crate::hpack::fuzzing::{hpack_decode, hpack_round_trip, round_trip};

#[test]
fn what_goes_in_comes_out_and_the_tables_agree() {
    for seed in 0..250 {
        let tape = Random::new(seed).bytes(4000);
        assert_no_panic(seed, || hpack_round_trip(&tape));
    }
}

#[test]
fn another_decoder_reads_our_blocks() {
    let mut blocks = 0;
    for seed in 1000..1150 {
        let tape = Random::new(seed).bytes(3000);
        let mut other = loona_hpack::Decoder::new();
        assert_no_panic(seed, || {
            round_trip(&tape, |block, fields| {
                blocks += 1;
                // It refuses blocks that hold a size and no field, although an empty list may need one.
                let mut block = block.to_vec();
                let mut expected = fields.clone();
                block.push(0x88);
                expected.push((b":status".to_vec(), b"200".to_vec()));
                assert_eq!(decoded_elsewhere(&mut other, &block), expected);
            });
        });
    }
    assert!(blocks > 2500, "{blocks} blocks");
}

#[test]
fn our_decoder_reads_blocks_of_another_encoder() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut theirs = loona_hpack::Encoder::new();
        let mut ours = Decoder::new(4096, u32::MAX);
        for _ in 0..50 {
            let mut field = || (random.text(b"abcx-", 6), random.text(b"abcdefABCDEF0123/=", 60));
            let mut fields: Fields = (0..5).map(|_| field()).collect();
            fields.retain(|(name, _)| !name.is_empty());
            let block = theirs.encode(fields.iter().map(|(name, value)| (&name[..], &value[..])));
            let decoded = ours.decode(&block).unwrap();
            let read: Fields =
                decoded.headers.iter().map(|(name, value)| (name.into(), value.into())).collect();
            assert_eq!((read, decoded.verdict), (fields, Verdict::Fine), "seed {seed}");
        }
    }
}

#[test]
fn remembered_blocks_are_decoded_blocks() {
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let mut tape = vec![random.next() as u8, random.next() as u8];
        for _ in 0..random.below(12) {
            let block = hostile::likely_bytes(&mut random);
            tape.push(block.len().min(255) as u8);
            tape.extend(block.iter().take(255));
        }
        assert_no_panic(seed, || hpack_decode(&tape));
    }
}

/// From inputs that do something, by small changes: what a fuzzer does, in a bounded number of steps.
#[test]
fn changed_inputs_do_no_harm() {
    for (target, rounds) in [(hpack_decode as fn(&[u8]), 4000), (hpack_round_trip, 1500)] {
        for seed in 0..rounds {
            let mut random = Random::new(seed);
            let mut input = vec![200, 0, 200, 0, 14];
            input.extend(hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 06 8286 84be 5886"));
            input.extend(random.bytes(200));
            for _ in 0..random.below(20) {
                let position = random.below(input.len());
                match random.below(4) {
                    0 => input[position] = random.next() as u8,
                    1 => input[position] ^= 1 << random.below(8),
                    2 => input.truncate(position.max(1)),
                    _ => {
                        let copied: Vec<u8> =
                            input.iter().skip(position).take(random.below(30)).copied().collect();
                        input.splice(position..position, copied);
                    }
                }
            }
            assert_no_panic(seed, || target(&input));
        }
    }
}

/// Names the seed when a story fails.
fn assert_no_panic(seed: u64, story: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(story)) {
        eprintln!("seed {seed}");
        std::panic::resume_unwind(panic);
    }
}
