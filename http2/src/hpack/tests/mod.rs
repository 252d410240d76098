//! Both sides together: the examples of RFC 7541, what each side keeps, and stories made by chance.

mod agreement;
mod appendix_a;
mod appendix_c;
mod blocks;
mod hostile;
mod policy;

use super::fuzzing::Fields;
use super::table::Table;
use super::*;

/// A block with these fields in this way of treating the table.
fn block(encoder: &mut Encoder, fields: &[(&str, &str)], indexing: Indexing) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for (name, value) in fields {
        encoder.encode(&Field { name: name.as_bytes(), value: value.as_bytes(), indexing }, &mut out);
    }
    out
}

/// A block with a template's fields.
fn template_block(encoder: &mut Encoder, id: TemplateId) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder.encode_template(id, &mut out);
    out
}

/// What a decoder that nobody here wrote makes of a block.
fn decoded_elsewhere(decoder: &mut loona_hpack::Decoder<'static>, block: &[u8]) -> Fields {
    decoder.decode(block).unwrap_or_else(|error| panic!("{error:?} in {block:02x?}"))
}

/// What is in a table, newest first.
fn entries<N>(table: &Table<N>) -> Fields {
    (0..)
        .map_while(|position| table.get(position))
        .map(|(name, value, _)| (name.into(), value.into()))
        .collect()
}

fn owned(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Bytes written as the RFC writes them.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// Chance from a seed (xorshift).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn text(&mut self, alphabet: &[u8], max_length: usize) -> Vec<u8> {
        let length = self.below(max_length + 1);
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    fn bytes(&mut self, max_length: usize) -> Vec<u8> {
        let length = self.below(max_length + 1);
        (0..length).map(|_| self.next() as u8).collect()
    }
}
