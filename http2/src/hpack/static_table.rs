//! The static table (RFC 7541 appendix A), and an index over it that the compiler builds.

use super::hash::{hash, join};

/// The fields that both sides know from the start. The first has index 1.
pub(super) static FIELDS: [(&[u8], &[u8]); LENGTH] = ENTRIES;

/// How many there are: the dynamic table begins behind them.
pub(super) const LENGTH: usize = 61;

/// The index of the field of this name and value. `field_hash` is the hash of both, joined.
pub(super) fn find_field(name: &[u8], value: &[u8], field_hash: u32) -> Option<usize> {
    probe(&FIELD_SLOTS, field_hash, |field| *field == (name, value))
}

/// The index of the first field of this name.
pub(super) fn find_name(name: &[u8], name_hash: u32) -> Option<usize> {
    probe(&NAME_SLOTS, name_hash, |field| field.0 == name)
}

/// Four times as many slots as fields: nearly every search ends at its first slot.
const SLOTS: usize = 256;

/// Open addressing: a slot holds an index, or 0 where nothing is.
static FIELD_SLOTS: [u8; SLOTS] = slots(true);
static NAME_SLOTS: [u8; SLOTS] = slots(false);

fn probe(slots: &[u8; SLOTS], hash: u32, is_it: impl Fn(&(&[u8], &[u8])) -> bool) -> Option<usize> {
    let mut slot = hash as usize % SLOTS;
    loop {
        // An empty slot holds 0, which is no index: the search ends.
        let index = usize::from(slots[slot]);
        let field = FIELDS.get(index.wrapping_sub(1))?;
        if is_it(field) {
            return Some(index);
        }
        slot = (slot + 1) % SLOTS;
    }
}

const fn slots(with_values: bool) -> [u8; SLOTS] {
    let mut slots = [0; SLOTS];
    let mut entry = 0;
    while entry < LENGTH {
        let (name, value) = ENTRIES[entry];
        // Fields of one name stand together: the first of them stands for the name.
        let is_first = entry == 0 || !equal(ENTRIES[entry - 1].0, name);
        if with_values || is_first {
            let hash = if with_values { join(hash(name), hash(value)) } else { hash(name) };
            let mut slot = hash as usize % SLOTS;
            while slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = entry as u8 + 1;
        }
        entry += 1;
    }
    slots
}

/// `==` of slices, which is not `const`.
const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut position = 0;
    while position < left.len() {
        if left[position] != right[position] {
            return false;
        }
        position += 1;
    }
    true
}

const ENTRIES: [(&[u8], &[u8]); LENGTH] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_every_name_is_found_where_it_stands() {
        for (position, (name, value)) in FIELDS.iter().enumerate() {
            let first = FIELDS.iter().position(|field| field.0 == *name).unwrap();
            assert_eq!(find_field(name, value, join(hash(name), hash(value))), Some(position + 1));
            assert_eq!(find_name(name, hash(name)), Some(first + 1));
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for (name, value) in [("grpc-timeout", "1S"), (":method", "PUT"), ("", ""), ("accept", "x")] {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            assert_eq!(find_field(name, value, join(hash(name), hash(value))), None);
        }
        assert_eq!(find_name(b"grpc-timeout", hash(b"grpc-timeout")), None);
    }

    #[test]
    fn wrong_hashes_end_too() {
        assert!((0..SLOTS as u32).all(|hash| find_name(b"nowhere", hash).is_none()));
    }
}
