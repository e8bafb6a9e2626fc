//! IBANs: two letters, two check digits, and as many characters as the country prescribes, in groups or in one piece.
//!
//! Law: the check digits must hold (ISO 7064 mod 97-10), unless the text itself calls the number an IBAN just before it and it
//! stands free, in groups as prescribed. Letters before it and behind it (`IBANDE89…`), and underscores, are no part of it;
//! letters and digits mixed are a code or a hash, of which one in some thousands would pass.

use super::window::{Window, is_spaced_word};
use crate::content::normalise::letter;
use crate::content::validate;

/// Bytes of letters on either side that a number may be glued to.
const GLUED: usize = 24;

/// The end of an IBAN that starts at `start`, where the caller has seen two letters and a digit.
pub(super) fn end_of_iban(window: &Window<'_>, start: usize) -> Option<usize> {
    let country = [window.at(start)?.to_ascii_uppercase(), window.at(start + 1)?.to_ascii_uppercase()];
    let length = validate::iban_length(country)?;
    let mut compact = [0_u8; validate::IBAN_MAX];
    let (mut index, mut digits, mut usual) = (start, 0, true);
    for (nth, place) in compact.iter_mut().take(length).enumerate() {
        let gap = if nth > 0 { gap_at(window, index) } else { 0 };
        usual &= gap == 0 || (gap == 1 && matches!(window.at(index), Some(b' ' | b'-')));
        index += gap;
        let byte = window.at(index).filter(u8::is_ascii_alphanumeric)?;
        if (nth == 2 || nth == 3) && !byte.is_ascii_digit() {
            return None;
        }
        digits += usize::from(byte.is_ascii_digit());
        *place = byte.to_ascii_uppercase();
        index += 1;
    }
    let compact = compact.get(..length)?;
    let free = !window.char_before(start).is_some_and(is_spaced_word)
        && !window.char_at(index).is_some_and(is_spaced_word);
    let is_iban = match validate::mod97(compact) {
        true => free || ends_alone(window, index, index - start == length),
        false => free && usual && is_announced(window, start),
    };
    (digits * 3 >= length && is_iban).then_some(index)
}

/// Bytes that set two groups apart at `at`: a blank, a mark, or the end of a line.
fn gap_at(window: &Window<'_>, at: usize) -> usize {
    match window.at(at) {
        Some(b'\r') if window.at(at + 1) == Some(b'\n') => 2,
        Some(b' ' | b'-' | b'.' | b'/' | b'_' | b'\t' | b'\n') => 1,
        Some(byte) if matches!(letter(byte), Some(b'n' | b't')) => 1,
        _ => 0,
    }
}

/// Whether a number that ends at `end` is no part of a longer one: what follows is no letter and no digit, or, behind a number in one
/// piece, letters alone.
fn ends_alone(window: &Window<'_>, end: usize, in_piece: bool) -> bool {
    let letter = |index: &usize| window.at(*index).is_some_and(|b| b.is_ascii_alphabetic());
    let letters = if in_piece { (end..end + GLUED).take_while(letter).count() } else { 0 };
    letters < GLUED
        && !window.char_at(end + letters).is_some_and(|c| c.is_alphanumeric() && is_spaced_word(c))
}

/// Where an IBAN starts whose first digit is at `digit`: two letters before it, after a boundary or behind letters alone.
pub(super) fn start_before(window: &Window<'_>, digit: usize) -> Option<usize> {
    let start = digit.checked_sub(2)?;
    let letters = window.bytes().get(start..digit)?.iter().all(u8::is_ascii_alphabetic);
    (letters && may_start(window, start)).then_some(start)
}

/// Whether what stands before, as far as it is one word with what follows, is letters: digits would make it a code or a hash.
fn may_start(window: &Window<'_>, start: usize) -> bool {
    let mut at = start;
    while let Some(c) = window.char_before(at).filter(|c| *c != '_' && is_spaced_word(*c)) {
        if !c.is_alphabetic() || start - at >= GLUED {
            return false;
        }
        at -= c.len_utf8();
    }
    true
}

/// Whether `IBAN` stands within the twelve bytes before.
fn is_announced(window: &Window<'_>, start: usize) -> bool {
    let near = window.bytes().get(start.saturating_sub(12)..start).unwrap_or_default();
    near.windows(4).any(|word| word.eq_ignore_ascii_case(b"iban"))
}

/// The start of letters at the window's end that an IBAN may begin with.
pub(super) fn live_tail(window: &Window<'_>) -> Option<usize> {
    let letters = match window.bytes() {
        [.., one, two] if one.is_ascii_alphabetic() && two.is_ascii_alphabetic() => 2,
        [.., one] if one.is_ascii_alphabetic() => 1,
        _ => return None,
    };
    let starts = (1..=letters).rev().map(|n| window.len() - n);
    starts.into_iter().find(|start| may_start(window, *start))
}
