//! Blocks to header lists: strict about the coding, bounded in memory, and true to the table whatever becomes
//! of a list.

use super::block_cache::BlockCache;
use super::rules::{Kind, content_length, judge, trimmed};
use super::table::Table;
use super::{DecodeError, huffman, integer, list_size, static_table};
use crate::headers::{Headers, HeadersBuilder};

/// Turns the blocks of one connection into header lists, in the order in which they arrived.
pub(crate) struct Decoder {
    table: Table<Kind>,
    /// The largest size that the peer may choose for the table.
    max_table_size: u32,
    /// The next block must begin with a size of at most this much.
    required_size: Option<u32>,
    max_list_size: usize,
    /// The list that is being decoded.
    fields: HeadersBuilder,
    /// How many bytes the last block had copied out of the tables.
    copied: usize,
    blocks: BlockCache,
    /// What the last block stood for that was not known: one list at most, whose callers have it too.
    last: Option<Decoded>,
}

/// A response's header list, and whether it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The regular fields; empty unless the verdict is `Fine`.
    pub(crate) headers: Headers,
    /// `:status`. Heads must have it, trailers must not: that is the caller's to judge.
    pub(crate) status: Option<u16>,
    /// `content-length`, in the head of a response that is not informational.
    pub(crate) content_length: Option<u64>,
    pub(crate) verdict: Verdict,
}

/// Whether a header list may be handed out. Whatever the verdict, the table is as the peer believes it to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    /// It is larger than what we announced as SETTINGS_MAX_HEADER_LIST_SIZE.
    TooLarge,
    /// It breaks a rule of RFC 9113 8.2 or 8.3, and which.
    Malformed(&'static str),
}

impl Decoder {
    /// A decoder whose table is `table_size` bytes until the peer chooses less, or
    /// [`set_table_size`](Self::set_table_size) says otherwise. On a connection that begins that is
    /// [`INITIAL_TABLE_SIZE`](super::INITIAL_TABLE_SIZE), whatever our SETTINGS say, until the peer
    /// acknowledges them.
    ///
    /// Lists are kept up to `max_list_size` bytes, as RFC 9113 6.5.2 counts them.
    pub(crate) fn new(table_size: u32, max_list_size: u32) -> Self {
        Self {
            table: Table::new(table_size),
            max_table_size: table_size,
            required_size: None,
            max_list_size: max_list_size as usize,
            fields: HeadersBuilder::default(),
            copied: 0,
            blocks: BlockCache::new(),
            last: None,
        }
    }

    /// The peer acknowledged this SETTINGS_HEADER_TABLE_SIZE of ours. If it is below the table's size, the
    /// next block must begin by reducing that (RFC 7541 4.2).
    pub(crate) fn set_table_size(&mut self, size: u32) {
        self.max_table_size = size;
        if (size as usize) < self.table.limit() {
            let required = self.required_size.map_or(size, |required| required.min(size));
            self.required_size = Some(required);
        }
    }

    /// Decodes one whole block. After an error the tables of both sides differ, and the connection cannot go
    /// on.
    #[inline]
    pub(crate) fn decode(&mut self, block: &[u8]) -> Result<&Decoded, DecodeError> {
        let known = self.blocks.find(block, self.table.generation());
        match known.filter(|_| self.required_size.is_none()) {
            Some(known) => {
                self.copied = 0;
                Ok(self.blocks.get(known))
            }
            None => self.decode_anew(block),
        }
    }

    /// How many bytes the last block that was decoded had copied out of the tables: a few bytes of block may cost a lot
    /// of that.
    pub(crate) fn copied(&self) -> usize {
        self.copied
    }

    /// Gives memory back that no block needs.
    pub(crate) fn rest(&mut self) {
        self.last = None;
    }

    #[inline(never)]
    fn decode_anew(&mut self, block: &[u8]) -> Result<&Decoded, DecodeError> {
        let generation = self.table.generation();
        let decoded = self.decode_fields(block)?;
        if self.table.generation() == generation {
            self.blocks.keep(block, generation, &decoded);
        }
        Ok(self.last.insert(decoded))
    }

    pub(super) fn decode_fields(&mut self, block: &[u8]) -> Result<Decoded, DecodeError> {
        self.fields.clear();
        self.copied = 0;
        let mut list = List { status: None, size: 0, has_regular: false, verdict: Verdict::Fine };
        let mut rest = self.decode_size_updates(block)?;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            // Of a list that is not handed out, all that matters is what it does to the table: a few bytes of block
            // may stand for a lot of list.
            let is_wanted = list.verdict == Verdict::Fine;
            let (kind, size) = match first {
                0x80.. if !is_wanted => {
                    lookup(&self.table, integer::decode(first, 7, &mut rest)? as usize)?;
                    continue;
                }
                0x80.. => self.decode_indexed(first, &mut rest)?,
                0x40.. => self.decode_literal(first, 6, &mut rest)?,
                0x20.. => return Err(DecodeError::SizeUpdateMisplaced),
                _ if !is_wanted => {
                    self.pass_literal(first, &mut rest)?;
                    continue;
                }
                // Without indexing, or never indexed: to us there is no difference (RFC 7541 6.2.2, 6.2.3).
                _ => self.decode_literal(first, 4, &mut rest)?,
            };
            if self.copied > MOST_COPIED.max(self.max_list_size.saturating_mul(LISTS_COPIED)) {
                return Err(DecodeError::TooMuch);
            }
            if !list.keeps(kind, size, self.max_list_size) {
                self.fields.drop_field();
            } else if kind == Kind::Spaced {
                let value = trimmed(self.fields.last_field().1).to_vec();
                self.fields.set_value(&value);
            }
        }
        if list.verdict != Verdict::Fine {
            self.fields.clear();
        }
        let (headers, status) = (self.fields.build(), list.status);
        let is_head = status.is_some_and(|status| status >= 200);
        match if is_head { content_length(&headers) } else { Ok(None) } {
            Ok(content_length) => Ok(Decoded { headers, status, content_length, verdict: list.verdict }),
            Err(reason) => {
                let (headers, verdict) = (Headers::default(), Verdict::Malformed(reason));
                Ok(Decoded { headers, status, content_length: None, verdict })
            }
        }
    }

    /// RFC 7541 6.3: sizes of the table, before all fields.
    fn decode_size_updates<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        while let Some((&first @ 0x20..=0x3f, after)) = rest.split_first() {
            rest = after;
            let size = integer::decode(first, 5, &mut rest)?;
            if size > self.max_table_size {
                return Err(DecodeError::SizeUpdateTooLarge);
            }
            self.required_size.take_if(|required| size <= *required);
            self.table.set_limit(size);
        }
        if self.required_size.is_some() { Err(DecodeError::SizeUpdateMissing) } else { Ok(rest) }
    }

    /// RFC 7541 6.1: a field that is in a table.
    fn decode_indexed(&mut self, first: u8, rest: &mut &[u8]) -> Result<(Kind, usize), DecodeError> {
        let index = integer::decode(first, 7, rest)? as usize;
        let (name, value, kind) = lookup(&self.table, index)?;
        self.copied += name.len() + value.len();
        self.fields.begin_field();
        self.fields.bytes().extend_from_slice(name);
        self.fields.end_name();
        self.fields.bytes().extend_from_slice(value);
        self.fields.end_value();
        Ok((kind.unwrap_or_else(|| judge(name, value)), list_size(name, value)))
    }

    /// RFC 7541 6.2: a field whose value, and perhaps name, is in the block. With a prefix of six bits it
    /// enters the table.
    fn decode_literal(
        &mut self,
        first: u8,
        prefix: u32,
        rest: &mut &[u8],
    ) -> Result<(Kind, usize), DecodeError> {
        let index = integer::decode(first, prefix, rest)? as usize;
        self.fields.begin_field();
        match index {
            0 => decode_text(rest, self.fields.bytes())?,
            // Copied, since the insertion may evict the entry that it comes from (RFC 7541 4.4).
            _ => {
                let (name, ..) = lookup(&self.table, index)?;
                self.copied += name.len();
                self.fields.bytes().extend_from_slice(name);
            }
        }
        self.fields.end_name();
        decode_text(rest, self.fields.bytes())?;
        self.fields.end_value();
        let (name, value) = self.fields.last_field();
        let kind = judge(name, value);
        if prefix == 6 {
            self.table.insert(name, value, kind);
        }
        Ok((kind, list_size(name, value)))
    }

    /// The same for a field that neither enters the table nor is handed out: it is only checked.
    fn pass_literal(&mut self, first: u8, rest: &mut &[u8]) -> Result<(), DecodeError> {
        let index = integer::decode(first, 4, rest)? as usize;
        self.fields.begin_field();
        if index == 0 {
            decode_text(rest, self.fields.bytes())?;
        } else {
            lookup(&self.table, index)?;
        }
        decode_text(rest, self.fields.bytes())?;
        self.fields.drop_field();
        Ok(())
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn table(&self) -> &Table<impl Sized> {
        &self.table
    }

    /// The bytes that are allocated for lists to come.
    #[cfg(test)]
    pub(super) fn capacity(&mut self) -> usize {
        self.fields.bytes().capacity()
    }

    #[cfg(test)]
    pub(super) fn cached_blocks(&self) -> usize {
        self.blocks.len()
    }
}

/// How much one block may have copied out of the tables, in bytes and in lists of the largest size: of a list that is
/// too large, what enters the table has to be copied still. It is a few milliseconds of work.
const MOST_COPIED: usize = 4 << 20;
const LISTS_COPIED: usize = 16;

/// What is known of the list that is being decoded.
struct List {
    status: Option<u16>,
    size: usize,
    has_regular: bool,
    verdict: Verdict,
}

impl List {
    /// Whether the next field belongs to the list that is handed out.
    fn keeps(&mut self, kind: Kind, size: usize, max_size: usize) -> bool {
        if self.verdict != Verdict::Fine {
            return false;
        }
        self.size += size;
        if self.size > max_size {
            self.verdict = Verdict::TooLarge;
            return false;
        }
        match kind {
            Kind::Regular | Kind::Spaced => {
                self.has_regular = true;
                return true;
            }
            Kind::Status(_) if self.has_regular => {
                self.verdict = Verdict::Malformed("pseudo field after a regular field (RFC 9113 8.3)");
            }
            Kind::Status(_) if self.status.is_some() => {
                self.verdict = Verdict::Malformed(":status twice (RFC 9113 8.3)");
            }
            Kind::Status(status) => self.status = Some(status),
            Kind::Illegal(reason) => self.verdict = Verdict::Malformed(reason),
        }
        false
    }
}

/// Name and value of an entry, and its kind if it was judged when it came.
type Entry<'a> = (&'a [u8], &'a [u8], Option<Kind>);

/// The entry at an index of both tables (RFC 7541 2.3.3).
fn lookup(table: &Table<Kind>, index: usize) -> Result<Entry<'_>, DecodeError> {
    let position = index.checked_sub(1).ok_or(DecodeError::InvalidIndex)?;
    if let Some(&(name, value)) = static_table::FIELDS.get(position) {
        return Ok((name, value, None));
    }
    let (name, value, &kind) = table.get(position - static_table::LENGTH).ok_or(DecodeError::InvalidIndex)?;
    Ok((name, value, Some(kind)))
}

/// RFC 7541 5.2: appends the string that `rest` begins with.
fn decode_text(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let (&first, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
    *rest = after;
    let length = integer::decode(first, 7, rest)? as usize;
    let (text, after) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *rest = after;
    if first & 0x80 == 0 {
        out.extend_from_slice(text);
        Ok(())
    } else {
        huffman::decode(text, out)
    }
}
