//! The Huffman code of RFC 7541 appendix B, as tables that the compiler builds.
//!
//! The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and a
//! longer code continues where the shorter ones ended. So the lengths say everything, and everything else
//! follows from them.

/// The symbol that ends a string, which no string may contain.
pub(super) const EOS: u16 = 256;

/// The longest code, in bits.
const MAX_LENGTH: usize = 30;

/// The shortest code above [`SHORT`] bits.
pub(super) const FIRST_LONG: usize = 10;

/// Codes of up to so many bits are found in one step: all letters and digits, and what is frequent in URLs.
pub(super) const SHORT: u32 = 8;

/// The length of each symbol's code in bits, EOS last.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
    30, // EOS
];

/// One symbol's code: its bits, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u32,
    pub(super) length: u8,
}

/// Each symbol's code.
pub(super) static CODES: [Code; 257] = codes();

/// What the next [`SHORT`] bits begin with, where that is a whole code: its symbol and length; length 0 where
/// the code is longer.
pub(super) static SHORT_CODES: [(u8, u8); 1 << SHORT] = short_codes();

/// For each length, the longer codes.
pub(super) static LONG_CODES: [LongCodes; MAX_LENGTH + 1 - FIRST_LONG] = long_codes();

/// All symbols in the order of their codes.
pub(super) static SYMBOLS: [u16; 257] = symbols();

/// The codes of one length.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongCodes {
    /// Codes of this length or less are below this number, if they stand at the top of 32 bits.
    pub(super) end: u32,
    /// The first of them.
    pub(super) first: u32,
    /// Where in [`SYMBOLS`] theirs begin.
    pub(super) position: u16,
    pub(super) length: u8,
}

const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let mut position = 0;
    let mut length = 0;
    while length <= MAX_LENGTH {
        let mut symbol = 0;
        while symbol < symbols.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[position] = symbol as u16;
                position += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

const fn codes() -> [Code; 257] {
    let mut codes = [Code { bits: 0, length: 0 }; 257];
    let symbols = symbols();
    let mut position = 0;
    let mut next = 0;
    let mut before = 0;
    while position < symbols.len() {
        let symbol = symbols[position] as usize;
        let length = LENGTHS[symbol];
        next <<= length - before;
        codes[symbol] = Code { bits: next, length };
        next += 1;
        before = length;
        position += 1;
    }
    codes
}

const fn short_codes() -> [(u8, u8); 1 << SHORT] {
    let mut short = [(0, 0); 1 << SHORT];
    let codes = codes();
    let mut symbol = 0;
    while symbol < EOS as usize {
        let Code { bits, length } = codes[symbol];
        if length as u32 <= SHORT {
            let free = SHORT - length as u32;
            let mut tail = 0;
            while tail < 1 << free {
                short[((bits << free) | tail) as usize] = (symbol as u8, length);
                tail += 1;
            }
        }
        symbol += 1;
    }
    short
}

const fn long_codes() -> [LongCodes; MAX_LENGTH + 1 - FIRST_LONG] {
    let mut long = [LongCodes { end: 0, first: 0, position: 0, length: 0 }; MAX_LENGTH + 1 - FIRST_LONG];
    let codes = codes();
    let symbols = symbols();
    let mut length = FIRST_LONG;
    let mut end = 0;
    while length <= MAX_LENGTH {
        let mut first = None;
        let mut position = 0;
        while position < symbols.len() {
            let code = codes[symbols[position] as usize];
            if code.length as usize == length {
                if first.is_none() {
                    first = Some((code.bits, position as u16));
                }
                // The very last code is all ones: behind it is the end of all numbers.
                end = ((code.bits as u64 + 1) << (32 - length)) as u32;
            }
            position += 1;
        }
        let (first, position) = match first {
            Some(first) => first,
            None => (0, 0),
        };
        let end = if length == MAX_LENGTH { u32::MAX } else { end };
        long[length - FIRST_LONG] = LongCodes { end, first, position, length: length as u8 };
        length += 1;
    }
    long
}
