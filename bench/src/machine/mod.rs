//! What the bench asks of the machine, and what it tells about it. Pinning and the files in `/proc` are
//! Linux's; elsewhere nothing is pinned and those figures are missing.

pub(crate) mod affinity;
pub(crate) mod description;
pub(crate) mod others;
pub(crate) mod resident;
pub(crate) mod usage;
