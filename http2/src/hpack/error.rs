//! What can be wrong with the coding of a header block. Apart from the decoder, since integers and strings
//! find these errors too.

use std::fmt;

use crate::ErrorCode;

/// The block cannot be decoded, or will not be, and with it the tables of the two sides no longer agree: the
/// connection is over (RFC 9113 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The block ends within a field.
    Truncated,
    /// An integer does not fit into 32 bits, or is spread over more octets than 32 bits need.
    IntegerTooLarge,
    /// An index of zero, or beyond both tables.
    InvalidIndex,
    /// A Huffman code that is EOS, or padding that is too long or not ones.
    InvalidHuffman,
    /// A table size above the one that was announced.
    SizeUpdateTooLarge,
    /// A table size after the first field of a block.
    SizeUpdateMisplaced,
    /// The announced table size was reduced below the one in use, and the block does not begin by obeying.
    SizeUpdateMissing,
    /// Far more was copied out of the table than any list may hold.
    TooMuch,
}

impl DecodeError {
    /// What happened, with the section that forbids it.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "header block ends within a field (RFC 7541 6)",
            Self::IntegerTooLarge => "integer of a header block above 32 bits (RFC 7541 5.1)",
            Self::InvalidIndex => "index beyond the header tables (RFC 7541 2.3.3)",
            Self::InvalidHuffman => "invalid Huffman code in a header block (RFC 7541 5.2)",
            Self::SizeUpdateTooLarge => "header table size above the announced one (RFC 7541 6.3)",
            Self::SizeUpdateMisplaced => "header table size changed within a header block (RFC 7541 4.2)",
            Self::SizeUpdateMissing => "reduced header table size not obeyed (RFC 7541 4.2)",
            Self::TooMuch => "header block that stands for far more than the limit (RFC 9113 10.5.1)",
        }
    }

    /// What the peer is told.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::TooMuch => ErrorCode::ENHANCE_YOUR_CALM,
            _ => ErrorCode::COMPRESSION_ERROR,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for DecodeError {}
