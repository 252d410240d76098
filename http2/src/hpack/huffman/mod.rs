//! Strings in the Huffman code (RFC 7541 5.2): up to eight bits a step in both directions.

mod code;
#[cfg(test)]
mod tests;

use super::DecodeError;
use code::{CODES, EOS, LONG_CODES, SHORT, SHORT_CODES, SYMBOLS};

/// How many octets `text` takes in the code.
pub(super) fn encoded_length(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|&symbol| usize::from(CODES[usize::from(symbol)].length)).sum();
    bits.div_ceil(8)
}

/// Appends `text` in the code, padded with ones.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    let mut bits = 0u64;
    let mut held = 0;
    for &symbol in text {
        let code = CODES[usize::from(symbol)];
        bits = bits << code.length | u64::from(code.bits);
        held += u32::from(code.length);
        if held >= 32 {
            held -= 32;
            out.extend_from_slice(&((bits >> held) as u32).to_be_bytes());
        }
    }
    // Fewer than 32 bits are left. Ones are the beginning of EOS, which is what padding consists of.
    let octets = held.div_ceil(8);
    let padding = octets * 8 - held;
    let padded = (bits << padding | ((1 << padding) - 1)) as u32;
    let aligned = padded.checked_shl(32 - octets * 8).unwrap_or(0);
    out.extend_from_slice(&aligned.to_be_bytes()[..octets as usize]);
}

/// Appends what `encoded` stands for. It is at most 8/5 as long, since no code is shorter than five bits.
/// After an error, part of it may have been appended.
pub(super) fn decode(mut encoded: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    // The next bits at the top, zeros behind the `held` ones.
    let mut bits = 0u64;
    let mut held = 0;
    loop {
        if held < 32 {
            if let Some((word, after)) = encoded.split_first_chunk::<4>() {
                bits |= u64::from(u32::from_be_bytes(*word)) << (32 - held);
                held += 32;
                encoded = after;
            } else {
                for &octet in encoded {
                    bits |= u64::from(octet) << (56 - held);
                    held += 8;
                }
                encoded = &[];
            }
        }
        let (symbol, length) = next_code((bits >> 32) as u32);
        if length > held {
            return finish(bits, held);
        }
        // A string that contains EOS is an error (RFC 7541 5.2).
        out.push(u8::try_from(symbol).map_err(|_| DecodeError::InvalidHuffman)?);
        bits <<= length;
        held -= length;
    }
}

/// The code at the top of `window`: its symbol and length.
fn next_code(window: u32) -> (u16, u32) {
    let (symbol, length) = SHORT_CODES[(window >> (32 - SHORT)) as usize];
    if length != 0 {
        return (u16::from(symbol), u32::from(length));
    }
    for codes in &LONG_CODES {
        if window < codes.end {
            let code = window >> (32 - u32::from(codes.length));
            let position = usize::from(codes.position) + (code - codes.first) as usize;
            return (SYMBOLS[position], u32::from(codes.length));
        }
    }
    (EOS, 30)
}

/// No whole code is left: what is must be padding, fewer than eight bits and all of them ones (RFC 7541 5.2).
fn finish(bits: u64, held: u32) -> Result<(), DecodeError> {
    let ones = bits.leading_ones();
    if held < 8 && ones >= held { Ok(()) } else { Err(DecodeError::InvalidHuffman) }
}
