//! HEADERS and CONTINUATION (RFC 9113 sections 6.2 and 6.10): from fragments to heads and trailers, and what a
//! response may look like (section 8).

use std::time::Instant;

use http::StatusCode;

use super::Connection;
use super::data::{Violation, malformed};
use crate::budget::USEFUL_FRAME;
use crate::frame::{Head, flag, split_headers};
use crate::hpack::{Decoded, Verdict};
use crate::streams::Receiving;
use crate::{ConnectionError, Event};

/// A header block whose END_HEADERS has not come.
#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) stream: u32,
    about: About,
    /// CONTINUATION frames so far.
    continuations: u32,
}

/// What HEADERS say besides the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    end: bool,
    /// The stream depends on itself (RFC 7540 section 5.3.1).
    is_circular: bool,
}

impl Connection {
    /// HEADERS. Tells about the block, and its bytes, if it is whole.
    #[inline]
    pub(super) fn receive_headers<'a>(
        &mut self,
        head: Head,
        payload: &'a [u8],
    ) -> Result<Option<(About, &'a [u8])>, ConnectionError> {
        self.check_opened(head.stream)?;
        let (fragment, dependency) = split_headers(head, payload)?;
        let about = About { end: head.has(flag::END_STREAM), is_circular: dependency == Some(head.stream) };
        self.check_block_size(fragment.len())?;
        if head.has(flag::END_HEADERS) {
            return Ok(Some((about, fragment)));
        }
        if self.streams.find(head.stream).is_none() {
            self.check_reset(head.stream)?;
        }
        self.block = fragment.to_vec();
        self.open_block = Some(OpenBlock { stream: head.stream, about, continuations: 0 });
        Ok(None)
    }

    /// CONTINUATION. Tells about the block, whose bytes move to `whole`, if it is whole.
    #[cold]
    pub(super) fn receive_continuation(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
        whole: &mut Vec<u8>,
    ) -> Result<Option<About>, ConnectionError> {
        if payload.is_empty() {
            self.spend(now, 1)?;
        }
        self.check_block_size(self.block.len() + payload.len())?;
        self.block.extend_from_slice(payload);
        let most = self.config.max_header_block.div_ceil(BYTES_PER_CONTINUATION);
        let block = self.open_block.as_mut().expect("CONTINUATION is admitted in an open block only");
        block.continuations += 1;
        if block.continuations as usize > most.max(MAX_CONTINUATIONS) {
            return Err(ConnectionError::calm("header block in too many frames (RFC 9113 10.5.1)"));
        }
        if !head.has(flag::END_HEADERS) {
            return Ok(None);
        }
        let about = block.about;
        self.open_block = None;
        *whole = std::mem::take(&mut self.block);
        Ok(Some(about))
    }

    fn check_block_size(&self, bytes: usize) -> Result<(), ConnectionError> {
        if bytes <= self.config.max_header_block {
            return Ok(());
        }
        Err(ConnectionError::calm("header block above the limit (RFC 9113 10.5.1)"))
    }

    /// A whole block. It is decoded whatever becomes of its stream, since the table must stay the peer's
    /// (RFC 9113 section 4.3).
    #[inline]
    pub(super) fn receive_block(
        &mut self,
        now: Instant,
        id: u32,
        about: About,
        block: &[u8],
    ) -> Result<(), ConnectionError> {
        let decoded =
            self.decoder.decode(block).map_err(|error| ConnectionError::new(error.code(), error.reason()))?;
        let Some(stream) = self.streams.find(id) else {
            self.check_reset(id)?;
            return self.spend(now, 1 + self.price_of_copies());
        };
        let open = self.streams.get_mut(stream).expect("the stream was found");
        let block = match judge(open.receiving, open.content.as_deref().copied(), about, decoded) {
            Ok(block) => block,
            Err(violation) => {
                self.violate(stream, violation);
                return self.spend(now, self.price_of_copies());
            }
        };
        if let Block::Informational = block {
            return self.spend(now, 1 + self.price_of_copies());
        }
        open.receiving = if about.end { Receiving::Ended } else { Receiving::Body };
        let is_closed = open.is_closed();
        self.budget.earn(USEFUL_FRAME);
        let headers = decoded.headers.clone();
        match block {
            Block::Head { status, content } => {
                open.content = content.map(Box::new);
                self.tell(Event::Head { stream, status, headers, end: about.end });
            }
            _ => self.tell(Event::Trailers { stream, headers }),
        }
        if is_closed {
            self.forget(stream);
        }
        // Each field of a table may be of use twice. Who says them over and over means our memory.
        match self.price_of_copies_beyond(2 * self.config.decoder_table_size as usize) {
            0 => Ok(()),
            price => self.spend(now, price),
        }
    }

    /// What the last block costs beyond its frames, if nobody gets its list.
    fn price_of_copies(&self) -> u32 {
        self.price_of_copies_beyond(0)
    }

    #[inline]
    fn price_of_copies_beyond(&self, useful: usize) -> u32 {
        let copied = self.decoder.copied().saturating_sub(useful);
        u32::try_from(copied / BYTES_PER_FRAME).unwrap_or(u32::MAX)
    }
}

/// A block that is as it should be.
enum Block {
    /// 1xx, of which more may follow.
    Informational,
    /// The final head, with what content-length leaves to come.
    Head {
        status: StatusCode,
        content: Option<u64>,
    },
    Trailers,
}

/// What the block is, by where its stream stands.
#[inline]
fn judge(
    receiving: Receiving,
    content: Option<u64>,
    about: About,
    decoded: &Decoded,
) -> Result<Block, Violation> {
    if receiving == Receiving::Ended {
        return Err(Violation::Closed);
    }
    if about.is_circular {
        return Err(malformed("stream that depends on itself (RFC 7540 5.3.1)"));
    }
    match decoded.verdict {
        Verdict::Fine if receiving == Receiving::Head => judge_head(about, decoded),
        Verdict::Fine => judge_trailers(about, decoded, content),
        Verdict::TooLarge => Err(Violation::TooLarge),
        Verdict::Malformed(reason) => Err(malformed(reason)),
    }
}

#[inline]
fn judge_head(about: About, decoded: &Decoded) -> Result<Block, Violation> {
    let Some(status) = decoded.status else {
        return Err(malformed("response without :status (RFC 9113 8.3.2)"));
    };
    match status {
        101 => Err(malformed("101 Switching Protocols, which HTTP/2 does not have (RFC 9113 8.6)")),
        100..200 if about.end => Err(malformed("informational response that ends the stream (RFC 9113 8.1)")),
        100..200 => Ok(Block::Informational),
        _ => {
            let status =
                StatusCode::from_u16(status).map_err(|_| malformed(":status out of range (RFC 9110 15)"))?;
            // These have no content, whatever content-length says (RFC 9110 sections 8.6 and 15.4.5).
            let has_content = status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
            let content = decoded.content_length.filter(|_| has_content);
            if about.end && content.is_some_and(|length| length > 0) {
                return Err(malformed("response ends before its content-length (RFC 9113 8.1.1)"));
            }
            Ok(Block::Head { status, content })
        }
    }
}

fn judge_trailers(about: About, decoded: &Decoded, content: Option<u64>) -> Result<Block, Violation> {
    if !about.end {
        return Err(malformed("second head, or trailers that do not end the stream (RFC 9113 8.1)"));
    }
    if decoded.status.is_some() {
        return Err(malformed("pseudo field in trailers (RFC 9113 8.1)"));
    }
    if content.is_some_and(|left| left > 0) {
        return Err(malformed("DATA does not add up to content-length (RFC 9113 8.1.1)"));
    }
    Ok(Block::Trailers)
}

/// So many bytes that are copied out of the header tables cost as much as a frame.
const BYTES_PER_FRAME: usize = 4 << 10;
/// A block of the largest size may come in frames of a quarter of the usual one; each costs a look even when it is small.
const BYTES_PER_CONTINUATION: usize = 4 << 10;
/// And a smaller one in as many as the largest of the default size, a mebibyte.
const MAX_CONTINUATIONS: usize = 256;
