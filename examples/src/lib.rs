//! trunkline-examples
