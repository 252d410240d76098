//! From the ids of open streams to their slots. Every frame asks this, so it is a table of two words a place and one
//! multiplication, rather than a map for any key.

/// Open addressing, at most half full, so that a search ends after a step or two.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// Id and slot; id 0, which is the connection's, marks a free place. Their number is a power of two, or none.
    places: Vec<(u32, u32)>,
    taken: usize,
}

impl Ids {
    /// How many ids there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.taken
    }

    /// Remembers an id that is not there yet.
    #[inline]
    pub(crate) fn insert(&mut self, id: u32, slot: u32) {
        if self.places.len() < 2 * (self.taken + 1) {
            self.grow();
        }
        self.taken += 1;
        self.put(id, slot);
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<u32> {
        self.find(id).map(|at| self.places[at].1)
    }

    /// Forgets an id. Those that had to give way to it move up, so that no search ends before them.
    #[inline]
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(mut free) = self.find(id) else { return };
        self.taken -= 1;
        let mask = self.places.len() - 1;
        let mut at = free;
        loop {
            at = (at + 1) & mask;
            let (next, _) = self.places[at];
            if next == 0 {
                break;
            }
            // Whether its search passes the free place: that lies between where it begins and where it ends.
            let passed = at.wrapping_sub(self.home(next)) & mask;
            if passed >= (at.wrapping_sub(free) & mask) {
                self.places[free] = self.places[at];
                free = at;
            }
        }
        self.places[free] = (0, 0);
    }

    /// All ids with their slots, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.places.iter().copied().filter(|(id, _)| *id != 0)
    }

    #[inline]
    fn find(&self, id: u32) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mask = self.places.len() - 1;
        let mut at = self.home(id);
        loop {
            match self.places[at & mask].0 {
                found if found == id => return Some(at & mask),
                0 => return None,
                _ => at += 1,
            }
        }
    }

    #[inline]
    fn put(&mut self, id: u32, slot: u32) {
        let mask = self.places.len() - 1;
        let mut at = self.home(id);
        while self.places[at & mask].0 != 0 {
            at += 1;
        }
        self.places[at & mask] = (id, slot);
    }

    /// Where the search for an id begins. Ids are ours and count upwards: nobody chooses them to collide, and 2^32
    /// divided by the golden ratio spreads them evenly (Knuth, volume 3, section 6.4).
    #[inline]
    fn home(&self, id: u32) -> usize {
        let spread = id.wrapping_mul(0x9e37_79b9);
        (spread >> (u32::BITS - self.places.len().trailing_zeros())) as usize
    }

    fn grow(&mut self) {
        self.resize((2 * self.places.len()).max(FEWEST_PLACES));
    }

    /// Gives memory back, if there is far more than the ids that are left need.
    pub(crate) fn rest(&mut self) {
        if self.places.len() > FEWEST_PLACES.max(8 * self.taken) {
            self.resize((4 * self.taken).next_power_of_two().max(FEWEST_PLACES));
        }
    }

    fn resize(&mut self, places: usize) {
        let before = std::mem::replace(&mut self.places, vec![(0, 0); places]);
        for (id, slot) in before.into_iter().filter(|(id, _)| *id != 0) {
            self.put(id, slot);
        }
    }

    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }
}

/// Room for eight streams in one cache line and a half.
const FEWEST_PLACES: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_is_a_map_whatever_comes_and_goes() {
        let mut ids = Ids::default();
        let mut model = HashMap::new();
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = 1;
        for _ in 0..100_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            if seed % 1000 == 999 {
                ids.rest();
            } else if seed % 100 < 50 && model.len() < 300 {
                ids.insert(next, next / 3);
                model.insert(next, next / 3);
                next += 2;
            } else if let Some(&id) = model.keys().min_by_key(|id| u64::from(**id).wrapping_mul(seed)) {
                ids.remove(id);
                ids.remove(id);
                model.remove(&id);
                assert_eq!(ids.get(id), None);
            }
            let asked = u32::try_from(seed % u64::from(next)).unwrap();
            assert_eq!(ids.get(asked | 1), model.get(&(asked | 1)).copied());
            assert_eq!(ids.len(), model.len());
        }
        let all: HashMap<_, _> = ids.iter().collect();
        assert_eq!(all, model);
    }

    #[test]
    fn nothing_is_found_where_nothing_ever_was() {
        let mut ids = Ids::default();
        assert_eq!(ids.get(1), None);
        ids.remove(1);
        assert_eq!(ids.len(), 0);
    }
}
