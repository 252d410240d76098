//! trunkline-codegen
