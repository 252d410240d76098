//! What the counting binary counts. The allocator is a binary's choice, and counting slows every allocation:
//! so there are two binaries, and the one that takes times has the system's allocator as it is.

/// What was asked of the allocator since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Allocations; one that is moved to grow counts again.
    pub count: u64,
    /// Bytes of all allocations, and what the moved ones grew by.
    pub bytes: u64,
    /// Bytes that are allocated now.
    pub live: u64,
}

/// Reads the counts.
pub type CountAllocations = fn() -> Counts;
