//! The client process whose allocations are counted. It takes no times: each allocation costs more here.

use std::alloc::System;
use std::process::ExitCode;

use bench::Counts;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    bench::main(Some(counts))
}

fn counts() -> Counts {
    let stats = ALLOCATOR.stats();
    // Moved allocations are in the bytes, by what they grew or shrank, but not in the number of allocations.
    Counts {
        count: (stats.allocations + stats.reallocations) as u64,
        bytes: stats.bytes_allocated as u64,
        live: stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64,
    }
}
