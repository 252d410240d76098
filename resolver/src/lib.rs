//! trunkline-resolver
