//! Header tables of both sides agree, however their sizes change: requests are decoded, and responses encoded, by
//! an implementation that is not ours.

use loona_hpack::Encoder;
use trunkline_http2::Config;

use crate::support::random::{Random, for_seeds};
use crate::support::{Story, flag, hpack, kind, setting};

fn fields(random: &mut Random) -> Vec<(String, String)> {
    let names = ["x-a", "x-b", "grpc-timeout", "user-agent", "cookie", "x-long-name-that-takes-room"];
    let count = random.below(6);
    (0..count)
        .map(|_| {
            let length = if random.one_in(10) { random.below(2_000) } else { random.below(60) };
            let value: String = (0..length).map(|_| char::from(b'!' + random.byte() % 90)).collect();
            // Half of them repeat.
            let value = if random.one_in(2) { format!("same-{}", random.below(4)) } else { value };
            ((*random.choose(&names)).to_owned(), value)
        })
        .collect()
}

#[test]
fn requests_are_understood_under_any_size_that_the_server_gives_its_table() {
    for_seeds(25, |random| {
        let limit = random.below(8_000) as u32;
        let mut story = Story::with(Config { encoder_table_limit: limit, ..Config::default() });
        for _ in 0..40 {
            for _ in 0..random.below(3) {
                let size = if random.one_in(4) { 0 } else { random.below(9_000) as u32 };
                story.server().settings(&[(setting::HEADER_TABLE_SIZE, size)]);
            }
            let fields = fields(random);
            let borrowed: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let call = story.try_open(&borrowed, b"", true).unwrap();
            assert_eq!(story.request(call).fields[6..], fields);
        }
    });
}

#[test]
fn responses_are_understood_under_any_size_that_the_server_chooses() {
    for_seeds(60, |random| {
        let limit = random.below(8_000);
        let mut story = Story::with(Config { decoder_table_size: limit as u32, ..Config::default() });
        let mut encoder = Encoder::new();
        // RFC 7541 4.2: after our acknowledged change the first block begins with the server's.
        let mut update = Some(random.below(limit + 1));
        for _ in 0..40 {
            if random.one_in(8) {
                update = Some(random.below(limit + 1));
            }
            let mut block = Vec::new();
            if let Some(size) = update.take() {
                encoder.set_max_table_size(size);
                if random.one_in(2) {
                    // Lower in between: everything is forgotten.
                    encoder.set_max_table_size(0);
                    encoder.set_max_table_size(size);
                    block.extend(hpack::table_size(0));
                }
                block.extend(hpack::table_size(size));
            }
            let fields = fields(random);
            let status = (&b":status"[..], &b"200"[..]);
            let all = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            block.extend(encoder.encode([status].into_iter().chain(all)));
            let call = story.call();
            let cut = random.below(block.len() + 1);
            story.server().frame(kind::HEADERS, 0, call, &block[..cut]).frame(
                kind::CONTINUATION,
                flag::END_HEADERS,
                call,
                &block[cut..],
            );
            assert_eq!(story.expect_head(call), fields);
            story.reset(call, trunkline_http2::ErrorCode::CANCEL);
        }
        story.expect_nothing();
    });
}
