//! Blocks that repeat, and what they were decoded to. A server answers call after call with the same few
//! bytes; they are compared, not decoded, and all calls share the list.

use super::decoder::Decoded;
use super::hash::hash;
use super::sightings::Sightings;
use super::words::is_same;

/// How many blocks are remembered: head and trailers of a handful of methods.
const MAX_BLOCKS: usize = 8;

/// In bytes. Blocks that repeat consist of indices, so they are short; to compare a long one is no longer
/// cheap.
const MAX_BLOCK: usize = 512;

/// In bytes. A few bytes of block may stand for a huge list, which a connection must not keep: with this, all
/// that is remembered is below 13 KiB.
const MAX_LIST: usize = 1024;

/// The blocks that came at least twice and changed no table.
pub(super) struct BlockCache {
    blocks: Vec<Block>,
    /// They know no time: what was seen twice is kept.
    sightings: Sightings,
}

struct Block {
    bytes: Vec<u8>,
    /// The table under which it means this.
    generation: u64,
    decoded: Decoded,
}

impl BlockCache {
    pub(super) fn new() -> Self {
        Self { blocks: Vec::new(), sightings: Sightings::default() }
    }

    /// Where the block is under this generation of the table, if it is known.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], generation: u64) -> Option<usize> {
        let is_it = |block: &Block| block.generation == generation && is_same(&block.bytes, bytes);
        self.blocks.iter().position(is_it)
    }

    /// What the block there stands for.
    #[inline]
    pub(super) fn get(&self, place: usize) -> &Decoded {
        &self.blocks[place].decoded
    }

    /// Remembers a block that did not change the table and is not remembered yet, if it was seen before. So
    /// blocks that all differ push nothing out, and cost no copy.
    pub(super) fn keep(&mut self, bytes: &[u8], generation: u64, decoded: &Decoded) {
        if bytes.len() > MAX_BLOCK || decoded.headers.footprint() > MAX_LIST {
            return;
        }
        let hash = hash(bytes);
        if self.sightings.saw(hash, 0).is_none() {
            return;
        }
        // A block of another generation is as good as gone.
        let outdated = self.blocks.iter().position(|block| block.generation != generation);
        if outdated.is_none() && self.blocks.len() < MAX_BLOCKS {
            let (bytes, decoded) = (bytes.to_vec(), decoded.clone());
            self.blocks.push(Block { bytes, generation, decoded });
            return;
        }
        // If there are a few blocks too many that repeat, some share a place, and the others stay. In the
        // order of their age, each would push out the one that comes next.
        let place = outdated.unwrap_or((hash >> 16) as usize % MAX_BLOCKS);
        self.blocks[place].replace(bytes, generation, decoded);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }
}

impl Block {
    fn replace(&mut self, bytes: &[u8], generation: u64, decoded: &Decoded) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.generation = generation;
        self.decoded.clone_from(decoded);
    }
}
