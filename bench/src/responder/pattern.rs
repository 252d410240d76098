//! What a request head looks like when it comes again. A block that changes nothing in the header table means
//! the same whenever the same bytes come again while the table stays as it is, so it is compared instead of
//! decoded; only the value of `grpc-timeout` may differ, and is parsed.

use super::timeout;

/// The bytes of a block, with holes for timeouts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Same(Vec<u8>),
    Timeout,
}

impl Pattern {
    /// The pattern of `block`, which was decoded into fields of these `names`; `None` if it changes the table.
    pub(super) fn of(block: &[u8], names: &[&[u8]]) -> Option<Self> {
        let mut pieces = Vec::new();
        let (mut rest, mut same) = (block, Vec::new());
        for name in names {
            let first = *rest.first()?;
            let after_name = match first {
                // Indexed (RFC 7541, 6.1): no more to it.
                0x80.. => {
                    let (_, after) = integer(rest, 7)?;
                    same.extend_from_slice(taken(rest, after));
                    rest = after;
                    continue;
                }
                // Inserted (6.2.1), or the table's size changed (6.3).
                0x20.. => return None,
                // Without indexing, never indexed (6.2.2, 6.2.3).
                _ => match integer(rest, 4)? {
                    (0, after) => string(after)?,
                    (_, after) => after,
                },
            };
            let after = string(after_name)?;
            if *name == b"grpc-timeout" {
                same.extend_from_slice(taken(rest, after_name));
                pieces.push(Piece::Same(std::mem::take(&mut same)));
                pieces.push(Piece::Timeout);
            } else {
                same.extend_from_slice(taken(rest, after));
            }
            rest = after;
        }
        pieces.push(Piece::Same(same));
        rest.is_empty().then_some(Self(pieces))
    }

    /// Whether `block` is the same again.
    pub(super) fn matches(&self, block: &[u8]) -> bool {
        let rest = self.0.iter().try_fold(block, |rest, piece| match piece {
            Piece::Same(same) => rest.strip_prefix(same.as_slice()),
            Piece::Timeout => timeout::take_string(rest),
        });
        rest.is_some_and(<[u8]>::is_empty)
    }
}

/// What lies before `after` in `whole`.
fn taken<'a>(whole: &'a [u8], after: &[u8]) -> &'a [u8] {
    &whole[..whole.len() - after.len()]
}

/// An integer with a prefix of so many bits (RFC 7541, 5.1), and what follows it.
fn integer(input: &[u8], prefix: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = input.split_first()?;
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, rest));
    }
    // Four further bytes hold any length that fits in a frame.
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first()?;
        value += usize::from(byte & 0x7f) << shift;
        rest = after;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

/// What follows a string (RFC 7541, 5.2).
fn string(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = integer(input, 7)?;
    rest.get(length..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `:method: POST`, `:path: /p` without indexing, `grpc-timeout` with the name at 62, never indexed.
    const BLOCK: &[u8] = b"\x83\x04\x02/p\x1f\x2f\x021S\xbf";
    const NAMES: [&[u8]; 4] = [b":method", b":path", b"grpc-timeout", b"te"];

    #[test]
    fn the_same_block_with_another_timeout_matches() {
        let pattern = Pattern::of(BLOCK, &NAMES).unwrap();
        assert!(pattern.matches(BLOCK));
        assert!(pattern.matches(b"\x83\x04\x02/p\x1f\x2f\x07999999u\xbf"));
    }

    #[test]
    fn any_other_block_does_not_match() {
        let pattern = Pattern::of(BLOCK, &NAMES).unwrap();
        for other in [
            &b"\x83\x04\x02/q\x1f\x2f\x021S\xbf"[..],
            b"\x83\x04\x02/p\x1f\x2f\x02xx\xbf",
            b"\x83\x04\x02/p\x1f\x2f\x021S\xbe",
            b"\x83\x04\x02/p\x1f\x2f\x021S",
            b"\x83\x04\x02/p\x1f\x2f\x021S\xbf\xbf",
        ] {
            assert!(!pattern.matches(other));
        }
    }

    #[test]
    fn a_block_that_changes_the_table_has_no_pattern() {
        assert_eq!(Pattern::of(b"\x83\x44\x02/p", &[b":method", b":path"]), None);
        assert_eq!(Pattern::of(b"\x20\x83", &[b":method"]), None);
    }
}
