//! HPACK (RFC 7541): header lists to bytes and back, with a table on either side of the connection.
//!
//! ```text
//!     Encoder                                        Decoder
//!        ├── template, known_names, known_values        ├── block_cache   what repeats is compared
//!        │     what repeats is copied                   ├── rules         what RFC 9113 lets a response have
//!        ├── sightings: what was seen lately            └── Headers       the list, flat and shared
//!        └── index: the table, searched by hash         │
//!              └────────────── table · static_table · huffman · integer
//! ```
//!
//! Nothing here knows of frames or streams. A block is decoded in the order in which it arrived, whatever
//! becomes of its stream, since the tables of both sides must stay the same.

mod block_cache;
mod decoder;
mod encoder;
mod error;
mod field;
mod hash;
mod huffman;
mod index;
mod integer;
mod known_names;
mod known_values;
mod rules;
mod sightings;
mod static_table;
mod table;
mod template;
mod words;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub(crate) use decoder::{Decoded, Decoder, Verdict};
pub(crate) use encoder::Encoder;
pub(crate) use error::DecodeError;
pub use field::{Field, Indexing};
pub(crate) use rules::{is_connection_specific, is_field_name, is_field_value, trimmed};
pub use template::TemplateId;

/// The size of both tables until SETTINGS_HEADER_TABLE_SIZE says otherwise, in bytes as [`ENTRY_OVERHEAD`]
/// counts them (RFC 9113 6.5.2).
pub(crate) const INITIAL_TABLE_SIZE: u32 = 4096;

/// What a field counts beyond its name and value, in the tables (RFC 7541 4.1) and in the size of a header
/// list (RFC 9113 6.5.2).
pub(crate) const ENTRY_OVERHEAD: usize = 32;

/// What a field counts in a header list, in bytes (RFC 9113 6.5.2).
pub(crate) fn list_size(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + ENTRY_OVERHEAD
}
