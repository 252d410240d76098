//! Stories of both sides.
