//! The dynamic table (RFC 7541 2.3.2): first in, first out, bounded in bytes. Both sides of a connection keep
//! the same one, so encoder and decoder share this file; each keeps a note of its own with every entry.

use std::collections::VecDeque;

use super::{ENTRY_OVERHEAD, list_size};

/// A dynamic table whose entries carry a note each.
pub(super) struct Table<N> {
    /// Oldest first.
    entries: VecDeque<Entry<N>>,
    /// Names and values, in the order of the entries, behind those of entries that are gone.
    text: Vec<u8>,
    /// How many bytes at the front of `text` are gone for good. `Entry::start` counts them, too.
    forgotten: u64,
    size: usize,
    limit: usize,
    /// How many entries were ever inserted: the number of the newest.
    inserted: u64,
    generation: u64,
}

struct Entry<N> {
    /// Where its name begins, counted from the first byte that the table ever held.
    start: u64,
    name_length: u32,
    value_length: u32,
    note: N,
}

impl<N> Table<N> {
    /// An empty table of at most `limit` bytes, as RFC 7541 4.1 counts them.
    pub(super) fn new(limit: u32) -> Self {
        let (entries, text) = (VecDeque::new(), Vec::new());
        Self { entries, text, forgotten: 0, size: 0, limit: limit as usize, inserted: 0, generation: 0 }
    }

    /// The bytes that the table may hold.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a field of this size may enter without pushing another out.
    pub(super) fn has_room(&self, size: usize) -> bool {
        self.size + size <= self.limit
    }

    /// Changes with every insertion, eviction and change of the limit. Under one generation an index means
    /// one field.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The entry at `position`; the newest is at 0.
    pub(super) fn get(&self, position: usize) -> Option<(&[u8], &[u8], &N)> {
        let entry = self.entries.get(self.entries.len().checked_sub(position + 1)?)?;
        let start = (entry.start - self.forgotten) as usize;
        let (name, rest) = self.text[start..].split_at(entry.name_length as usize);
        Some((name, &rest[..entry.value_length as usize], &entry.note))
    }

    /// Entries are numbered in the order in which they came, from 1 on. The number of the newest.
    pub(super) fn newest(&self) -> u64 {
        self.inserted
    }

    /// The position of the entry of this number, unless it was evicted.
    pub(super) fn position(&self, number: u64) -> Option<usize> {
        let position = self.inserted.checked_sub(number)? as usize;
        (position < self.entries.len()).then_some(position)
    }

    /// Puts a field in front of all others, and the oldest out until there is room. A field that is larger
    /// than the table empties it and is not kept (RFC 7541 4.4).
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], note: N) {
        self.generation += 1;
        let size = list_size(name, value);
        self.evict(self.limit.saturating_sub(size));
        if size > self.limit {
            return;
        }
        self.compact();
        let start = self.forgotten + self.text.len() as u64;
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        self.size += size;
        self.inserted += 1;
        let (name_length, value_length) = (name.len() as u32, value.len() as u32);
        self.entries.push_back(Entry { start, name_length, value_length, note });
    }

    /// Changes how many bytes the table may hold, and evicts what is too much (RFC 7541 4.3).
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.generation += 1;
        self.limit = limit as usize;
        self.evict(self.limit);
        self.compact();
        self.text.shrink_to(self.limit.saturating_mul(2));
    }

    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(entry) = self.entries.pop_front() else { return };
            self.size -= entry.name_length as usize + entry.value_length as usize + ENTRY_OVERHEAD;
        }
    }

    /// Moves the text that is left to the front, once at least as much is gone: `text` holds at most twice
    /// what the table may, and each byte is moved about once.
    fn compact(&mut self) {
        let end = self.forgotten + self.text.len() as u64;
        let gone = (self.entries.front().map_or(end, |entry| entry.start) - self.forgotten) as usize;
        if gone * 2 >= self.text.len() {
            self.text.drain(..gone);
            self.forgotten += gone as u64;
        }
    }

    /// How many entries there are, the bytes that they count, and the bytes that are allocated for their
    /// text.
    #[cfg(any(test, fuzzing))]
    pub(super) fn measure(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.size, self.text.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &Table<u32>) -> Vec<&str> {
        let name = |position| table.get(position).map(|(name, _, _)| std::str::from_utf8(name).unwrap());
        (0..).map_while(name).collect()
    }

    /// Entries of 40 bytes: names of three bytes, values of five.
    fn filled(limit: u32, entries: &[&str]) -> Table<u32> {
        let mut table = Table::new(limit);
        for (note, name) in entries.iter().enumerate() {
            table.insert(name.as_bytes(), b"value", note as u32);
        }
        table
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_goes_first() {
        let table = filled(120, &["one", "two", "tri", "qua"]);
        assert_eq!(names(&table), ["qua", "tri", "two"]);
        assert_eq!(table.get(2), Some((&b"two"[..], &b"value"[..], &1)));
        assert_eq!(table.get(3), None);
        assert_eq!(table.get(usize::MAX - 1), None);
    }

    #[test]
    fn an_entry_that_fills_the_table_is_kept_and_a_larger_one_empties_it() {
        let mut table = filled(40, &["one", "two"]);
        assert_eq!(names(&table), ["two"]);
        table.insert(b"four", b"value", 9);
        assert_eq!((names(&table).len(), table.size), (0, 0));
        table.insert(b"tri", b"value", 9);
        assert_eq!(names(&table), ["tri"]);
    }

    #[test]
    fn a_smaller_limit_evicts_and_a_larger_one_brings_nothing_back() {
        let mut table = filled(4096, &["one", "two", "tri"]);
        table.set_limit(119);
        assert_eq!(names(&table), ["tri", "two"]);
        table.set_limit(0);
        table.set_limit(4096);
        assert_eq!(names(&table).len(), 0);
    }

    #[test]
    fn numbers_name_entries_until_they_are_evicted() {
        let table = filled(80, &["one", "two", "tri"]);
        assert_eq!(
            [3, 2, 1, 0, 4].map(|number| table.position(number)),
            [Some(0), Some(1), None, None, None]
        );
        assert_eq!(table.newest(), 3);
    }

    #[test]
    fn the_text_of_a_table_in_use_stays_bounded() {
        let mut table = Table::new(1000);
        for round in 0..10_000u32 {
            let value = vec![b'v'; round as usize * 7 % 400];
            table.insert(b"name", &value, round);
            assert!(table.text.len() <= 2 * 1000, "{} bytes", table.text.len());
            assert_eq!(table.get(0), Some((&b"name"[..], &value[..], &round)));
        }
        assert!(table.text.capacity() <= 4 * 1000);
    }

    #[test]
    fn every_change_is_a_new_generation() {
        let mut table = filled(80, &["one"]);
        let before = table.generation();
        table.insert(b"two", b"value", 0);
        let after = table.generation();
        table.set_limit(80);
        assert!(before < after && after < table.generation());
    }
}
