//! Header blocks. What is sent is written as literals, so that a test controls every byte; what the client
//! sends needs a real decoder, since its tables live as long as the connection.

use loona_hpack::Decoder;

/// Headers in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first header called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _value)| found == name).map(|(_name, value)| value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn decode(decoder: &mut Decoder<'static>, block: &[u8]) -> Self {
        let headers = decoder.decode(block).unwrap_or_else(|error| panic!("no header block: {error:?}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self(headers.into_iter().map(|(name, value)| (text(name), text(value))).collect())
    }
}

/// A header as a literal without indexing, uncompressed (RFC 7541 6.2.2).
pub fn literal(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut header = vec![0];
    for text in [name.as_bytes(), value.as_ref()] {
        put_length(&mut header, text.len());
        header.extend_from_slice(text);
    }
    header
}

pub(super) fn literals(headers: &[(&str, &str)]) -> Vec<u8> {
    headers.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// RFC 7541 5.1, with a prefix of seven bits.
fn put_length(header: &mut Vec<u8>, length: usize) {
    const PREFIX: usize = 127;
    let byte = |number: usize| u8::try_from(number).expect("seven bits and one are a byte");
    let Some(mut rest) = length.checked_sub(PREFIX) else {
        header.push(byte(length));
        return;
    };
    header.push(byte(PREFIX));
    while rest >= 128 {
        header.push(byte((rest % 128) | 128));
        rest /= 128;
    }
    header.push(byte(rest));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_at_any_length() {
        for length in [0, 1, 126, 127, 128, 254, 255, 16_383, 16_384, 300_000] {
            let value = "x".repeat(length);
            let headers = Headers::decode(&mut Decoder::new(), &literal("x-long", &value));
            assert_eq!(headers.get("x-long"), Some(&*value));
        }
    }
}
