//! The two header blocks of every answer: head and trailers. They enter the client's table once, and are
//! indexes from then on, as with any real server.

use super::frame::{self, END_HEADERS, END_STREAM, HEADERS};

/// The size of table that HTTP/2 begins with. A client that wants a smaller one gets no table at all.
const DEFAULT_TABLE: u32 = 4096;

/// Entries of the dynamic table begin here; the newest comes first (RFC 7541, 2.3.3).
const NEWEST: u8 = 0x80 | 62;

const STATUS_200: u8 = 0x88;
/// `content-type` of the static table, inserted, and without indexing.
const TYPE_INSERTED: &[u8] = b"\x5f\x10application/grpc";
const TYPE_PLAIN: &[u8] = b"\x0f\x10\x10application/grpc";
const OK_INSERTED: &[u8] = b"\x40\x0bgrpc-status\x010";
const OK_PLAIN: &[u8] = b"\x00\x0bgrpc-status\x010";

/// What the client's table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Empty,
    Type,
    TypeAndStatus,
    /// It is too small; whether it has been told that its size is now 0.
    Unused {
        told: bool,
    },
}

/// Writes the heads and trailers of one connection.
#[derive(Debug)]
pub(super) struct ResponseHeads {
    table: Table,
}

impl ResponseHeads {
    pub(super) fn new() -> Self {
        Self { table: Table::Empty }
    }

    /// The client's SETTINGS_HEADER_TABLE_SIZE.
    pub(super) fn limit(&mut self, size: u32) {
        if size < DEFAULT_TABLE && !matches!(self.table, Table::Unused { .. }) {
            self.table = Table::Unused { told: false };
        }
    }

    /// Writes the head of an answer.
    pub(super) fn head(&mut self, out: &mut Vec<u8>, stream: u32) {
        let kind: &[u8] = match self.table {
            Table::Empty => {
                self.table = Table::Type;
                TYPE_INSERTED
            }
            Table::Type => &[NEWEST],
            Table::TypeAndStatus => &[NEWEST + 1],
            Table::Unused { .. } => TYPE_PLAIN,
        };
        let update = self.size_update();
        frame::write_head(out, update.len() + 1 + kind.len(), HEADERS, END_HEADERS, stream);
        out.extend_from_slice(update);
        out.push(STATUS_200);
        out.extend_from_slice(kind);
    }

    /// Writes the trailers of an answer.
    pub(super) fn trailers(&mut self, out: &mut Vec<u8>, stream: u32) {
        let status: &[u8] = match self.table {
            // A head always comes first.
            Table::Empty | Table::Type => {
                self.table = Table::TypeAndStatus;
                OK_INSERTED
            }
            Table::TypeAndStatus => &[NEWEST],
            Table::Unused { .. } => OK_PLAIN,
        };
        let update = self.size_update();
        let length = update.len() + status.len();
        frame::write_head(out, length, HEADERS, END_HEADERS | END_STREAM, stream);
        out.extend_from_slice(update);
        out.extend_from_slice(status);
    }

    /// A changed size is told at the beginning of the next block (RFC 7541, 4.2).
    fn size_update(&mut self) -> &'static [u8] {
        match &mut self.table {
            Table::Unused { told } if !*told => {
                *told = true;
                &[0x20]
            }
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Frame;
    use super::*;

    type Fields = Vec<(Vec<u8>, Vec<u8>)>;

    fn decoded(decoder: &mut loona_hpack::Decoder<'_>, mut out: &[u8]) -> Vec<Fields> {
        let mut blocks = Vec::new();
        while let Some((frame, rest)) = Frame::split(out).unwrap() {
            blocks.push(decoder.decode(frame.content().unwrap()).unwrap());
            out = rest;
        }
        blocks
    }

    fn answers(heads: &mut ResponseHeads) -> Vec<u8> {
        let mut out = Vec::new();
        // Interleaved, as answers of two calls can be.
        heads.head(&mut out, 1);
        heads.head(&mut out, 3);
        heads.trailers(&mut out, 1);
        heads.head(&mut out, 5);
        heads.trailers(&mut out, 3);
        heads.trailers(&mut out, 5);
        out
    }

    #[test]
    fn a_client_decodes_the_same_whatever_its_table_holds() {
        let head: Fields = vec![
            (b":status".to_vec(), b"200".to_vec()),
            (b"content-type".to_vec(), b"application/grpc".to_vec()),
        ];
        let trailers: Fields = vec![(b"grpc-status".to_vec(), b"0".to_vec())];
        for table_size in [4096, 0] {
            let mut heads = ResponseHeads::new();
            heads.limit(table_size);
            let blocks = decoded(&mut loona_hpack::Decoder::new(), &answers(&mut heads));
            let expected = [&head, &head, &trailers, &head, &trailers, &trailers];
            assert!(blocks.iter().eq(expected), "table of {table_size}: {blocks:?}");
        }
    }

    #[test]
    fn answers_are_a_few_bytes_once_the_table_is_filled() {
        let mut heads = ResponseHeads::new();
        answers(&mut heads);
        let mut out = Vec::new();
        heads.head(&mut out, 7);
        heads.trailers(&mut out, 7);
        assert_eq!(out.len(), 2 * frame::HEAD + 3);
    }
}
