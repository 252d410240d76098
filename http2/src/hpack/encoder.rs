//! Header lists to blocks: which field becomes an index, which enters the table, and which stays out of it.

use super::hash::hash;
use super::index::{Hashes, Index};
use super::known_names::KnownNames;
use super::known_values::KnownValues;
use super::sightings::Sightings;
use super::static_table;
use super::template::{Template, TemplateId, Templates};
use super::{INITIAL_TABLE_SIZE, huffman, integer, list_size};
use crate::{Field, Indexing};

/// A name or value above this part of the table is never inserted: it would push out a quarter of what
/// repeats.
const MAX_PART_OF_TABLE: usize = 4;

/// When the table is full, what was seen within so many blocks may push out what is older, and nothing else
/// may. What repeats within so many blocks fits into a table of 4 KiB, together with what all of them share:
/// so the table settles, and with it the blocks of templates stay good.
const LATELY: u32 = 32;

/// Values that differ per call are Huffman-coded from this length on. Below it, a tenth of the time that a
/// request's head costs would go into saving a few bytes: a `grpc-timeout` of seven octets becomes six.
const MIN_TRANSIENT_HUFFMAN: usize = 32;

/// What a literal that is never indexed has before its index, where one that is just not indexed has zeros
/// (RFC 7541 6.2.3).
const NEVER_INDEXED: u8 = 0x10;

/// Turns header lists into blocks, for one connection.
///
/// One block is [`begin`](Self::begin), then [`encode_template`](Self::encode_template), then
/// [`encode`](Self::encode) for each field. Blocks must reach the peer in the order in which they were made,
/// and each of them must, since it may have changed the table.
pub(crate) struct Encoder {
    /// The table is never larger, whatever the peer allows.
    max_table_size: u32,
    index: Index,
    size_change: Option<SizeChange>,
    /// How many blocks were begun; it may start over. This is the encoder's time.
    now: u32,
    /// Names and fields that were in no table.
    names: Sightings,
    fields: Sightings,
    templates: Templates,
    known_names: KnownNames,
    known_values: KnownValues,
}

/// The table's size changed since the last block. The peer hears of the smallest size in between, which
/// evicted entries, and of the last (RFC 7541 4.2).
#[derive(Clone, Copy)]
struct SizeChange {
    smallest: u32,
    last: u32,
}

impl SizeChange {
    /// RFC 7541 6.3.
    #[cold]
    fn encode(self, out: &mut Vec<u8>) {
        if self.smallest < self.last {
            integer::encode(out, 0x20, 5, self.smallest as usize);
        }
        integer::encode(out, 0x20, 5, self.last as usize);
    }
}

/// How a literal treats the table, by its first bits (RFC 7541 6.2).
#[derive(Clone, Copy)]
enum Literal {
    Inserted,
    NotIndexed,
    NeverIndexed,
}

impl Encoder {
    /// An encoder whose table is the smaller of `max_table_size` and what the peer allows.
    pub(crate) fn new(max_table_size: u32) -> Self {
        let size = max_table_size.min(INITIAL_TABLE_SIZE);
        let change = SizeChange { smallest: size, last: size };
        Self {
            max_table_size,
            index: Index::new(size, max_table_size),
            size_change: (size != INITIAL_TABLE_SIZE).then_some(change),
            now: 0,
            names: Sightings::default(),
            fields: Sightings::default(),
            templates: Templates::default(),
            known_names: KnownNames::default(),
            known_values: KnownValues::new(),
        }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE, when it was received and is about to be acknowledged. The next
    /// block announces the change.
    pub(crate) fn peer_table_size(&mut self, size: u32) {
        let size = size.min(self.max_table_size);
        if self.size_change.is_none() && size as usize == self.index.limit() {
            return;
        }
        let smallest = self.size_change.map_or(size, |change| change.smallest.min(size));
        self.size_change = Some(SizeChange { smallest, last: size });
        self.index.set_limit(size);
    }

    /// Copies fields that repeat, pseudo fields first. Nothing if there are too many templates already.
    pub(crate) fn template(
        &mut self,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> Option<TemplateId> {
        self.templates.add(fields)
    }

    /// What a template's fields count in a header list, in bytes (RFC 9113 6.5.2); nothing for a template of
    /// another encoder.
    pub(crate) fn template_list_size(&self, id: TemplateId) -> Option<usize> {
        self.templates.get(id).map(Template::list_size)
    }

    /// Whether the name was in a field before, with every call as it seems, so that what can be wrong with it need not
    /// be looked for again. `false` says nothing.
    #[inline]
    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        self.known_names.contains(name)
    }

    /// Begins a block: changes of the table's size come first (RFC 7541 4.2).
    #[inline]
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        self.now = self.now.wrapping_add(1);
        if let Some(change) = self.size_change {
            self.size_change = None;
            change.encode(out);
        }
    }

    /// Appends a template's fields: the bytes of the last time, unless the table has changed since.
    #[inline]
    pub(crate) fn encode_template(&mut self, id: TemplateId, out: &mut Vec<u8>) {
        let Some(template) = self.templates.get_mut(id) else { return };
        match template.final_block(self.index.generation()) {
            Some(block) => out.extend_from_slice(block),
            None => encode_template_anew(&mut self.index, self.now, template, out),
        }
    }

    /// Appends one field.
    pub(crate) fn encode(&mut self, field: &Field<'_>, out: &mut Vec<u8>) {
        match field.indexing {
            Indexing::Adaptive => self.encode_adaptive(field.name, field.value, out),
            Indexing::Transient => self.encode_transient(field.name, field.value, out),
            Indexing::Never => self.encode_never(field.name, field.value, out),
        }
    }

    /// What is seen a second time will be seen a third: then it enters the table. The same for names: if only
    /// they repeat, one field enters the table for its name.
    #[inline(never)]
    fn encode_adaptive(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let hashes = Hashes::of(name, value);
        if let Some(index) = self.index.find_field(name, value, hashes) {
            return encode_index(index, out);
        }
        let name_index = self.index.find_name(name, hashes.name);
        let max_age = if self.index.has_room(list_size(name, value)) { u32::MAX } else { LATELY };
        let mut repeats = self.fields.saw(hashes.field, self.now).is_some_and(|age| age <= max_age);
        if name_index.is_none() {
            repeats |= self.names.saw(hashes.name, self.now).is_some_and(|age| age <= max_age);
        }
        if !admits(&self.index, name, value) {
            encode_literal(Literal::NotIndexed, name_index, name, out);
            self.encode_kept_out(value, out);
        } else if repeats {
            encode_literal(Literal::Inserted, name_index, name, out);
            encode_text(value, out);
            self.index.insert(name, value, hashes);
        } else {
            encode_literal(Literal::NotIndexed, name_index, name, out);
            encode_text(value, out);
        }
    }

    /// The value is a literal, and the name costs its length only once.
    fn encode_transient(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let Some([first, second]) = self.known_names.head(name, self.index.generation()) else {
            return self.encode_unknown_transient(name, value, out);
        };
        if value.len() < MIN_TRANSIENT_HUFFMAN {
            // A length below the prefix of seven bits is one octet.
            out.extend_from_slice(&[first, second, value.len() as u8]);
            out.extend_from_slice(value);
        } else {
            out.extend_from_slice(&[first, second]);
            encode_text(value, out);
        }
    }

    #[inline(never)]
    fn encode_unknown_transient(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let hashes = Hashes::of(name, value);
        let name_index = self.index.find_name(name, hashes.name);
        let is_inserted = name_index.is_none()
            && admits(&self.index, name, value)
            && (self.index.has_room(list_size(name, value))
                || self.names.saw(hashes.name, self.now).is_some_and(|age| age <= LATELY));
        let literal = if is_inserted { Literal::Inserted } else { Literal::NotIndexed };
        encode_literal(literal, name_index, name, out);
        if value.len() < MIN_TRANSIENT_HUFFMAN {
            encode_plain_text(value, out);
        } else {
            encode_text(value, out);
        }
        if let Some(index) = name_index {
            self.known_names.keep(name, index, self.index.generation());
        } else if is_inserted {
            self.index.insert(name, value, hashes);
        }
    }

    /// The value is in no table on the way to the server (RFC 7541 6.2.3).
    #[inline(never)]
    fn encode_never(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let generation = self.index.generation();
        if let Some([first, second]) = self.known_names.head(name, generation) {
            out.extend_from_slice(&[NEVER_INDEXED | first, second]);
        } else {
            let name_index = self.index.find_name(name, hash(name));
            encode_literal(Literal::NeverIndexed, name_index, name, out);
            if let Some(index) = name_index {
                self.known_names.keep(name, index, generation);
            }
        }
        self.encode_kept_out(value, out);
    }

    /// A value that may repeat, and yet is in no table.
    fn encode_kept_out(&mut self, value: &[u8], out: &mut Vec<u8>) {
        if let Some(text) = self.known_values.text(value) {
            out.extend_from_slice(text);
        } else {
            let start = out.len();
            encode_text(value, out);
            self.known_values.keep(value, &out[start..]);
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn index(&self) -> &Index {
        &self.index
    }
}

/// Encodes fields that repeat. Those that are not in the table enter it while there is room; if the template
/// was used lately, they push out others. So a peer may have more methods than fit into the table: those in
/// use are there.
///
/// Those of one template together take no more than the table has, or its end would push out its beginning
/// each time.
#[inline(never)]
fn encode_template_anew(index: &mut Index, now: u32, template: &mut Template, out: &mut Vec<u8>) {
    let is_frequent = template.use_again(now).is_some_and(|age| age <= LATELY);
    if !is_frequent && let Some(block) = template.block(index.generation()) {
        return out.extend_from_slice(block);
    }
    let start = out.len();
    let generation = index.generation();
    let mut room = index.limit();
    let mut is_final = true;
    for (name, value, hashes) in template.fields() {
        let size = list_size(name, value);
        if let Some(found) = index.find_field(name, value, hashes) {
            if found > static_table::LENGTH {
                room = room.saturating_sub(size);
            }
            encode_index(found, out);
            continue;
        }
        let name_index = index.find_name(name, hashes.name);
        let may_enter = size <= room && admits(index, name, value);
        if may_enter && (is_frequent || index.has_room(size)) {
            encode_literal(Literal::Inserted, name_index, name, out);
            encode_text(value, out);
            room -= size;
            index.insert(name, value, hashes);
        } else {
            encode_literal(Literal::NotIndexed, name_index, name, out);
            encode_text(value, out);
            is_final &= !may_enter;
        }
    }
    if index.generation() == generation {
        template.keep_block(&out[start..], generation, is_final);
    }
}

/// Whether a field may enter the table.
fn admits(index: &Index, name: &[u8], value: &[u8]) -> bool {
    let part = index.limit() / MAX_PART_OF_TABLE;
    name.len() <= part && value.len() <= part && list_size(name, value) <= index.limit()
}

/// RFC 7541 6.1.
fn encode_index(index: usize, out: &mut Vec<u8>) {
    integer::encode(out, 0x80, 7, index);
}

/// RFC 7541 6.2, all but the value.
fn encode_literal(literal: Literal, name_index: Option<usize>, name: &[u8], out: &mut Vec<u8>) {
    let (first, prefix) = match literal {
        Literal::Inserted => (0x40, 6),
        Literal::NotIndexed => (0x00, 4),
        Literal::NeverIndexed => (NEVER_INDEXED, 4),
    };
    match name_index {
        Some(index) => integer::encode(out, first, prefix, index),
        None => {
            out.push(first);
            encode_text(name, out);
        }
    }
}

/// A string in the Huffman code if that is shorter (RFC 7541 5.2).
fn encode_text(text: &[u8], out: &mut Vec<u8>) {
    let length = huffman::encoded_length(text);
    if length < text.len() {
        integer::encode(out, 0x80, 7, length);
        huffman::encode(text, out);
    } else {
        encode_plain_text(text, out);
    }
}

fn encode_plain_text(text: &[u8], out: &mut Vec<u8>) {
    integer::encode(out, 0x00, 7, text.len());
    out.extend_from_slice(text);
}
