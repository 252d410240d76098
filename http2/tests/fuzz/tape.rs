//! From bytes to choices: amounts, and frames that are mostly well formed.

use super::support::server::settings_payload;
use super::support::{flag, hpack, kind, setting};

pub(super) struct Tape<'a>(&'a [u8]);

/// Parts of header blocks, of which a block is put together.
const PARTS: usize = 16;

impl<'a> Tape<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// The next byte, if there is one.
    pub(super) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next byte; zeros follow the end.
    pub(super) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number that is often small, and often at a bound.
    pub(super) fn amount(&mut self) -> u32 {
        let byte = self.byte();
        match byte % 8 {
            0 => u32::from(byte / 8),
            1 => u32::from(self.byte()),
            2 => u32::from(self.byte()) * 100,
            3 => 16_384,
            4 => 65_535,
            5 => (1 << 31) - 1 - u32::from(byte / 8),
            6 => u32::MAX,
            _ => u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
        }
    }

    /// A frame of a server's, if something is left.
    pub(super) fn frame(&mut self) -> Option<Vec<u8>> {
        let choice = self.next()?;
        let stream = self.stream();
        let flags = self.flags(choice % 16);
        let payload = match choice % 16 {
            kind::DATA => vec![b'd'; self.amount() as usize % 2_000],
            kind::HEADERS | kind::CONTINUATION | kind::PUSH_PROMISE => self.block(),
            kind::PRIORITY => [&self.amount().to_be_bytes()[..], &[self.byte()]].concat(),
            kind::RST_STREAM | kind::WINDOW_UPDATE => self.amount().to_be_bytes().to_vec(),
            kind::SETTINGS if flags & flag::ACK != 0 => Vec::new(),
            kind::SETTINGS => self.settings(),
            kind::PING => u64::from(self.byte()).to_be_bytes().to_vec(),
            kind::GOAWAY => [u32::from(self.byte()).to_be_bytes(), self.amount().to_be_bytes()].concat(),
            _ => {
                let length = usize::from(self.byte());
                self.take(length).to_vec()
            }
        };
        let of_connection = matches!(choice % 16, kind::SETTINGS | kind::PING | kind::GOAWAY);
        // Now and then on the wrong stream, or of the wrong length.
        let stream = if of_connection && choice < 240 { 0 } else { stream };
        let mut bytes = Vec::new();
        let length = payload.len() + usize::from(choice >= 250);
        super::support::wire::write_head(&mut bytes, length, choice % 16, flags, stream);
        bytes.extend_from_slice(&payload);
        Some(bytes)
    }

    fn stream(&mut self) -> u32 {
        let byte = self.byte();
        match byte % 16 {
            0 => 0,
            1 => u32::from(byte / 16) * 2,
            2 => self.amount(),
            _ => u32::from(byte / 16) * 2 + 1,
        }
    }

    fn flags(&mut self, kind: u8) -> u8 {
        let byte = self.byte();
        match kind {
            kind::HEADERS | kind::CONTINUATION if !byte.is_multiple_of(8) => {
                flag::END_HEADERS
                    | (byte >> 3) & flag::END_STREAM
                    | (byte >> 2) & (flag::PRIORITY | flag::PADDED)
            }
            _ => byte,
        }
    }

    fn settings(&mut self) -> Vec<u8> {
        let pairs: Vec<_> = (0..self.byte() % 4)
            .map(|_| match self.byte() % 8 {
                0 => (setting::MAX_FRAME_SIZE, 16_384 + self.amount() % 20_000),
                1 => (setting::INITIAL_WINDOW_SIZE, self.amount() % 70_000),
                2 => (setting::MAX_CONCURRENT_STREAMS, u32::from(self.byte())),
                3 => (setting::HEADER_TABLE_SIZE, self.amount()),
                4 => (setting::MAX_HEADER_LIST_SIZE, self.amount()),
                name => (u16::from(name), self.amount()),
            })
            .collect();
        settings_payload(&pairs)
    }

    fn block(&mut self) -> Vec<u8> {
        let mut block = Vec::new();
        for _ in 0..self.byte() as usize % PARTS {
            match self.byte() % 16 {
                0..=3 => block.push(0x88),
                4 => block.extend(hpack::literal(":status", "103")),
                5 => block.extend(hpack::literal("content-length", self.byte().to_string())),
                6 => block.extend(hpack::literal("grpc-status", "0")),
                7 => block.extend(hpack::indexed_literal("name", "v".repeat(usize::from(self.byte())))),
                8 => block.extend(hpack::indexed(u32::from(self.byte()))),
                9 => block.extend(hpack::table_size(self.amount() as usize % 5_000)),
                10 => block.extend(hpack::literal("Upper", "case")),
                11 => block.extend(hpack::literal(":status", self.byte().to_string())),
                12 => block.extend(self.take(4)),
                13 => block.extend([0; 5]),
                _ => block.push(0xbe),
            }
        }
        block
    }
}
