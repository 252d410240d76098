//! Request heads: which method is called, and that the head is one that gRPC sends.

use loona_hpack::Decoder;

use super::pattern::Pattern;
use super::timeout;
use super::violation::Violation;

/// Heads that are recognised when they come again. A client has one per method; more are forgotten.
const MAX_PATTERNS: usize = 16;

/// The methods of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Say,
    Flood,
    Chat,
}

/// Reads the heads of one connection.
pub(super) struct RequestHeads {
    decoder: Decoder<'static>,
    /// Of the table as it is now.
    seen: Vec<Seen>,
    newest: HeadSize,
}

/// A head that was decoded once.
struct Seen {
    pattern: Pattern,
    method: Method,
    /// The size of its fields as literals.
    plain: usize,
}

/// How many bytes a request head takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadSize {
    /// On the wire.
    pub(crate) coded: usize,
    /// If each field were a literal: a byte that says so, and name and value with a length of one byte each.
    pub(crate) plain: usize,
}

impl RequestHeads {
    pub(super) fn new() -> Self {
        Self { decoder: Decoder::new(), seen: Vec::new(), newest: HeadSize::default() }
    }

    /// The method that the head in `block` calls.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Method, Violation> {
        if let Some(seen) = self.seen.iter().find(|seen| seen.pattern.matches(block)) {
            self.newest = HeadSize { coded: block.len(), plain: seen.plain };
            return Ok(seen.method);
        }
        let fields = self.decoder.decode(block).map_err(|_| Violation::HeaderBlock)?;
        let method = check(&fields)?;
        let plain = fields.iter().map(|(name, value)| 3 + name.len() + value.len()).sum();
        self.newest = HeadSize { coded: block.len(), plain };
        let names: Vec<&[u8]> = fields.iter().map(|(name, _)| name.as_slice()).collect();
        match Pattern::of(block, &names) {
            Some(pattern) => {
                if self.seen.len() == MAX_PATTERNS {
                    self.seen.clear();
                }
                self.seen.push(Seen { pattern, method, plain });
            }
            // The table has changed, and with it what indexes mean.
            None => self.seen.clear(),
        }
        Ok(method)
    }

    /// The size of the newest head.
    pub(super) fn newest(&self) -> HeadSize {
        self.newest
    }
}

/// What a head must say. A deadline is among it: figures count only for calls that have one.
fn check(fields: &[(Vec<u8>, Vec<u8>)]) -> Result<Method, Violation> {
    let find = |wanted: &'static str| {
        let field = fields.iter().find(|(name, _)| name == wanted.as_bytes());
        field.map(|(_, value)| value.as_slice()).ok_or(Violation::RequestHead(wanted))
    };
    let demand = |name, holds: fn(&[u8]) -> bool| {
        find(name).and_then(|value| if holds(value) { Ok(()) } else { Err(Violation::RequestHead(name)) })
    };
    demand(":method", |value| value == b"POST")?;
    demand(":scheme", |value| value == b"http")?;
    demand("te", |value| value == b"trailers")?;
    demand("content-type", |value| value.starts_with(b"application/grpc"))?;
    demand("grpc-timeout", timeout::is_valid)?;
    match find(":path")? {
        b"/bench.v1.Echo/Say" => Ok(Method::Say),
        b"/bench.v1.Echo/Flood" => Ok(Method::Flood),
        b"/bench.v1.Echo/Chat" => Ok(Method::Chat),
        _ => Err(Violation::RequestHead(":path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [(&str, &str); 6] = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/bench.v1.Echo/Say"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", "1S"),
    ];

    fn encode(encoder: &mut loona_hpack::Encoder<'_>, fields: &[(&str, &str)]) -> Vec<u8> {
        encoder.encode(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    #[test]
    fn a_head_is_understood_when_new_and_when_it_comes_again() {
        let (mut encoder, mut heads) = (loona_hpack::Encoder::new(), RequestHeads::new());
        let mut coded = 0;
        for _ in 0..5 {
            let block = encode(&mut encoder, &HEAD);
            coded = block.len();
            assert_eq!(heads.read(&block), Ok(Method::Say));
        }
        assert!(!heads.seen.is_empty(), "the same block was decoded each time");
        let plain = HEAD.iter().map(|(name, value)| 3 + name.len() + value.len()).sum();
        assert_eq!(heads.newest(), HeadSize { coded, plain });
    }

    #[test]
    fn a_changed_table_is_not_confused_with_the_one_before() {
        let (mut encoder, mut heads) = (loona_hpack::Encoder::new(), RequestHeads::new());
        let mut other = HEAD;
        other[2].1 = "/bench.v1.Echo/Chat";
        for _ in 0..3 {
            assert_eq!(heads.read(&encode(&mut encoder, &HEAD)), Ok(Method::Say));
        }
        for _ in 0..3 {
            assert_eq!(heads.read(&encode(&mut encoder, &other)), Ok(Method::Chat));
            assert_eq!(heads.read(&encode(&mut encoder, &HEAD)), Ok(Method::Say));
        }
    }

    #[test]
    fn a_call_without_a_deadline_is_refused() {
        let block = encode(&mut loona_hpack::Encoder::new(), &HEAD[..5]);
        assert_eq!(RequestHeads::new().read(&block), Err(Violation::RequestHead("grpc-timeout")));
    }

    #[test]
    fn a_method_that_nobody_knows_is_refused() {
        let mut head = HEAD;
        head[2].1 = "/bench.v1.Echo/Shout";
        let block = encode(&mut loona_hpack::Encoder::new(), &head);
        assert_eq!(RequestHeads::new().read(&block), Err(Violation::RequestHead(":path")));
    }
}
