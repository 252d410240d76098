//! The encoder's dynamic table, which can be searched. Apart from the table itself, since a decoder never
//! searches.

use super::hash::{hash, join};
use super::static_table;
use super::table::Table;

/// One search list for about so many bytes of table: fields of gRPC count 50 to 80 bytes.
const BYTES_PER_LIST: usize = 64;

/// Even an empty table has a few lists, and even a huge one has no more than fill 32 KiB.
const MIN_LISTS: usize = 16;
const MAX_LISTS: usize = 4096;

/// Both tables as an encoder sees them.
///
/// Every list of entries whose hashes end alike goes from the newest to the oldest, linked by the numbers of
/// the entries. Entries are evicted oldest first, so a list simply ends at the first number that is gone, and
/// eviction costs nothing.
pub(super) struct Index {
    table: Table<Links>,
    /// The newest entry of each list, by hash of the name.
    by_name: Lists,
    /// The same by hash of name and value.
    by_field: Lists,
}

/// The number of the newest entry of each list, 0 where there is none. Numbers begin at 1.
struct Lists {
    /// None before the first entry.
    newest: Vec<u64>,
    /// How many there will be, a power of two.
    count: usize,
}

/// What an entry knows of its lists.
struct Links {
    name_hash: u32,
    field_hash: u32,
    older_by_name: u64,
    older_by_field: u64,
}

/// The hashes of a name and of a whole field. Computed once, they serve all searches.
#[derive(Clone, Copy)]
pub(super) struct Hashes {
    pub(super) name: u32,
    pub(super) field: u32,
}

impl Hashes {
    pub(super) fn of(name: &[u8], value: &[u8]) -> Self {
        let name = hash(name);
        Self { name, field: join(name, hash(value)) }
    }
}

impl Index {
    /// An empty table of `size` bytes, which will never have more than `max_size`.
    pub(super) fn new(size: u32, max_size: u32) -> Self {
        let count = (max_size as usize / BYTES_PER_LIST).next_power_of_two().clamp(MIN_LISTS, MAX_LISTS);
        Self { table: Table::new(size), by_name: Lists::new(count), by_field: Lists::new(count) }
    }

    /// The index of this field in either table (RFC 7541 2.3.3).
    pub(super) fn find_field(&self, name: &[u8], value: &[u8], hashes: Hashes) -> Option<usize> {
        static_table::find_field(name, value, hashes.field).or_else(|| {
            let mut number = self.by_field.newest(hashes.field);
            loop {
                let position = self.table.position(number)?;
                let (entry_name, entry_value, links) = self.table.get(position)?;
                if links.field_hash == hashes.field && entry_name == name && entry_value == value {
                    return Some(static_table::LENGTH + 1 + position);
                }
                number = links.older_by_field;
            }
        })
    }

    /// The index of some field of this name in either table.
    pub(super) fn find_name(&self, name: &[u8], name_hash: u32) -> Option<usize> {
        static_table::find_name(name, name_hash).or_else(|| {
            let mut number = self.by_name.newest(name_hash);
            loop {
                let position = self.table.position(number)?;
                let (entry_name, _, links) = self.table.get(position)?;
                if links.name_hash == name_hash && entry_name == name {
                    return Some(static_table::LENGTH + 1 + position);
                }
                number = links.older_by_name;
            }
        })
    }

    /// Puts a field into the table, which must have room for it once it is empty.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], hashes: Hashes) {
        let links = Links {
            name_hash: hashes.name,
            field_hash: hashes.field,
            older_by_name: self.by_name.newest(hashes.name),
            older_by_field: self.by_field.newest(hashes.field),
        };
        self.table.insert(name, value, links);
        self.by_name.set_newest(hashes.name, self.table.newest());
        self.by_field.set_newest(hashes.field, self.table.newest());
    }

    /// The bytes that the table may hold.
    pub(super) fn limit(&self) -> usize {
        self.table.limit()
    }

    /// Whether a field of this size may enter without pushing another out.
    pub(super) fn has_room(&self, size: usize) -> bool {
        self.table.has_room(size)
    }

    /// Changes how many bytes the table may hold.
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.table.set_limit(limit);
    }

    /// Under one generation an index means one field.
    pub(super) fn generation(&self) -> u64 {
        self.table.generation()
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn table(&self) -> &Table<impl Sized> {
        &self.table
    }
}

impl Lists {
    fn new(count: usize) -> Self {
        Self { newest: Vec::new(), count }
    }

    fn newest(&self, hash: u32) -> u64 {
        self.newest.get(self.list(hash)).copied().unwrap_or_default()
    }

    fn set_newest(&mut self, hash: u32, number: u64) {
        if self.newest.is_empty() {
            self.newest = vec![0; self.count];
        }
        let list = self.list(hash);
        self.newest[list] = number;
    }

    fn list(&self, hash: u32) -> usize {
        hash as usize & (self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(index: &mut Index, name: &str, value: &str) {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        index.insert(name, value, Hashes::of(name, value));
    }

    fn find(index: &Index, name: &str, value: &str) -> (Option<usize>, Option<usize>) {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let hashes = Hashes::of(name, value);
        (index.find_field(name, value, hashes), index.find_name(name, hashes.name))
    }

    #[test]
    fn indices_count_from_the_newest() {
        let mut index = Index::new(4096, 4096);
        insert(&mut index, "one", "1");
        insert(&mut index, "two", "2");
        assert_eq!(find(&index, "one", "1"), (Some(63), Some(63)));
        assert_eq!(find(&index, "two", "2"), (Some(62), Some(62)));
        assert_eq!(find(&index, "two", "3"), (None, Some(62)));
        assert_eq!(find(&index, "tri", "3"), (None, None));
    }

    #[test]
    fn the_static_table_comes_first() {
        let mut index = Index::new(4096, 4096);
        insert(&mut index, ":path", "/svc/Method");
        assert_eq!(find(&index, ":path", "/svc/Method"), (Some(62), Some(4)));
        assert_eq!(find(&index, ":path", "/"), (Some(4), Some(4)));
    }

    #[test]
    fn what_was_evicted_is_not_found_however_long_the_lists() {
        // Room for 10 entries of 35 bytes, in 16 lists: all lists are linked and cut many times.
        let mut index = Index::new(359, 359);
        let name = |number: u32| format!("{:02}", number % 100);
        for number in 0..1000 {
            insert(&mut index, &name(number), "v");
            for back in 0..20 {
                let Some(older) = number.checked_sub(back) else { break };
                let expected = (back < 10).then_some(62 + back as usize);
                assert_eq!(find(&index, &name(older), "v"), (expected, expected), "{back} back of {number}");
            }
        }
    }

    #[test]
    fn fields_of_equal_hashes_are_told_apart() {
        let mut index = Index::new(4096, 4096);
        let same = Hashes { name: 5, field: 5 };
        index.insert(b"one", b"1", same);
        index.insert(b"two", b"2", same);
        assert_eq!(index.find_field(b"one", b"1", same), Some(63));
        assert_eq!(index.find_name(b"two", 5), Some(62));
        assert_eq!(index.find_field(b"two", b"1", same), None);
    }
}
