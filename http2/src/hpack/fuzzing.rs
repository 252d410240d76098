//! What fuzzers run: functions of bytes that panic when the code errs. They are compiled for tests, which
//! drive them with a seeded mutator, and for cargo-fuzz, which sets `cfg(fuzzing)`; never into the product.

use super::table::Table;
use super::*;

/// Names and values.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Blocks from a hostile peer: whatever they are, a decoder that remembers blocks gives the same answers as
/// one that decodes each of them, and neither keeps more than it was told to.
pub fn hpack_decode(input: &[u8]) {
    let mut tape = Tape(input);
    let (table_size, max_list_size) = (tape.number(), tape.number());
    let mut decoder = Decoder::new(table_size, max_list_size);
    let mut plain = Decoder::new(table_size, max_list_size);
    while let Some(length) = tape.next() {
        let block = tape.take(usize::from(length));
        // Several times, since only what repeats is remembered.
        for _ in 0..3 {
            let decoded = decoder.decode(block).cloned();
            assert_eq!(decoded, plain.decode_fields(block));
            let Ok(decoded) = decoded else { return };
            let size: usize = decoded.headers.iter().map(|(name, value)| list_size(name, value)).sum();
            assert!(size <= max_list_size as usize, "a list of {size} bytes");
            let (_, size, capacity) = decoder.table().measure();
            let limit = table_size as usize;
            assert!(size <= limit && capacity <= 4 * limit, "{size} and {capacity} bytes of {limit}");
            assert_same(decoder.table(), plain.table());
        }
    }
}

/// Lists from an encoder to a decoder, under changing table sizes: what goes in comes out, and the tables
/// agree.
pub fn hpack_round_trip(input: &[u8]) {
    round_trip(input, |_, _| {});
}

/// The same; `observe` sees every block and what it holds.
pub(super) fn round_trip(input: &[u8], mut observe: impl FnMut(&[u8], &Fields)) {
    let mut tape = Tape(input);
    let mut encoder = Encoder::new(tape.number());
    let mut decoder = Decoder::new(INITIAL_TABLE_SIZE, u32::MAX);
    let mut templates: Vec<(TemplateId, Fields)> = Vec::new();
    while let Some(order) = tape.next() {
        match order % 16 {
            0 => {
                let size = tape.number();
                decoder.set_table_size(size);
                encoder.peer_table_size(size);
            }
            1 => {
                let fields: Vec<_> = (0..tape.byte() % 8).map(|_| (tape.name(), tape.value())).collect();
                let id = encoder.template(fields.iter().map(|(name, value)| (name, value)));
                templates.extend(id.map(|id| (id, fields)));
            }
            _ => {
                let (mut block, mut expected) = (Vec::new(), Vec::new());
                encoder.begin(&mut block);
                let chosen = usize::from(tape.byte()).checked_rem(templates.len());
                if let Some((id, fields)) = chosen.and_then(|chosen| templates.get(chosen)) {
                    encoder.encode_template(*id, &mut block);
                    expected.clone_from(fields);
                }
                for _ in 0..tape.byte() % 6 {
                    let (name, value) = (tape.name(), tape.value());
                    let indexing = match tape.byte() % 4 {
                        0 => Indexing::Transient,
                        1 => Indexing::Never,
                        _ => Indexing::Adaptive,
                    };
                    encoder.encode(&Field { name: &name, value: &value, indexing }, &mut block);
                    expected.push((name, value));
                }
                let decoded = decoder.decode(&block).expect("what our encoder wrote");
                assert_eq!(decoded.verdict, Verdict::Fine);
                let fields: Vec<_> = decoded.headers.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
                assert_eq!(fields, expected);
                assert_same(encoder.index().table(), decoder.table());
                observe(&block, &expected);
            }
        }
    }
}

fn assert_same<L, R>(left: &Table<L>, right: &Table<R>) {
    assert_eq!(left.measure().0, right.measure().0, "the tables have different numbers of entries");
    for position in 0..left.measure().0 {
        let left = left.get(position).map(|(name, value, _)| (name, value));
        let right = right.get(position).map(|(name, value, _)| (name, value));
        assert_eq!(left, right, "position {position}");
    }
}

/// Bytes that are read as decisions.
struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// At its end, the tape goes on with zeros.
    fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A size: small ones are frequent, and none is beyond what a test should allocate.
    fn number(&mut self) -> u32 {
        match self.byte() {
            small @ 0..=127 => u32::from(small) * 8,
            large => u32::from(large - 128) * 256 + u32::from(self.byte()),
        }
    }

    /// The name of a regular field, from few letters, so that names repeat.
    fn name(&mut self) -> Vec<u8> {
        const NAMES: [&[u8]; 6] =
            [b"grpc-timeout", b"content-type", b"date", b"te", b"grpc-status", b"accept-encoding"];
        const LETTERS: &[u8; 8] = b"abex-_1.";
        match self.byte() {
            known if usize::from(known % 16) < NAMES.len() && known % 16 != 3 => {
                NAMES[usize::from(known % 16)].into()
            }
            other => (0..=other % 5).map(|_| LETTERS[usize::from(self.byte() % 8)]).collect(),
        }
    }

    /// A value that RFC 9113 allows.
    fn value(&mut self) -> Vec<u8> {
        let length = match self.byte() {
            short @ 0..=239 => usize::from(short % 12),
            long => usize::from(long - 239) * 40,
        };
        let octet = |octet: u8| if matches!(octet, 0 | b'\n' | b'\r' | b' ' | b'\t') { b'~' } else { octet };
        self.take(length)
            .iter()
            .map(|&byte| octet(if byte & 1 == 0 { byte } else { b'a' | byte & 7 }))
            .collect()
    }
}
