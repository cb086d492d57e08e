//! Random changes of bytes; the same seed gives the same changes.
#![allow(clippy::indexing_slicing)]

use fastrand::Rng;

/// Texts that often break parsers of numbers, dates and text.
const ODD: [&str; 24] = [
    "0",
    "-1",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "-9223372036854775808",
    "1e400",
    "null",
    "\"\"",
    "[]",
    "{}",
    "+262142-12-31T23:59:59Z",
    "-262143-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "\u{1f512}",
    "\r\n",
    "\"",
    "\\",
];

/// A position between two bytes.
fn position(rng: &mut Rng, bytes: &[u8]) -> usize {
    rng.usize(..=bytes.len())
}

/// The letters and digits around a position: a number, a word, a date.
fn word(rng: &mut Rng, bytes: &[u8]) -> std::ops::Range<usize> {
    let at = position(rng, bytes);
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-:+.".contains(byte);
    let start = at - bytes[..at].iter().rev().take_while(|byte| is_word(byte)).count();
    start..at + bytes[at..].iter().take_while(|byte| is_word(byte)).count()
}

/// Changes some bytes; pieces are taken from `other`.
pub fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = position(rng, bytes);
    match rng.u8(..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => bytes.truncate(at),
        3 => {
            let end = (at + rng.usize(..64)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
        4 => {
            let end = (at + rng.usize(..256)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = position(rng, bytes);
            drop(bytes.splice(to..to, copy));
        }
        5 => {
            let from = position(rng, other);
            let end = (from + rng.usize(..256)).min(other.len());
            drop(bytes.splice(at..at, other[from..end].iter().copied()));
        }
        _ => {
            let odd = ODD[rng.usize(..ODD.len())];
            let range = if rng.bool() { word(rng, bytes) } else { at..at };
            drop(bytes.splice(range, odd.bytes()));
        }
    }
}
