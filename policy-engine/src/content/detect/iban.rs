//! IBANs: two letters, two check digits, and as many characters as the country prescribes, in groups or in one piece.
//!
//! Law: the check digits must hold (ISO 7064 mod 97-10), unless the text itself calls the number an IBAN just before it.

use super::window::{Window, is_spaced_word};
use crate::content::validate;

/// The end of an IBAN that starts at `start`, where the caller has seen two letters and a digit after a boundary.
pub(super) fn end_of_iban(window: &Window<'_>, start: usize) -> Option<usize> {
    let country = [window.at(start)?.to_ascii_uppercase(), window.at(start + 1)?.to_ascii_uppercase()];
    let length = validate::iban_length(country)?;
    let mut compact = [0_u8; validate::IBAN_MAX];
    let mut index = start;
    let mut digits = 0;
    for (nth, place) in compact.iter_mut().take(length).enumerate() {
        if nth > 0 && matches!(window.at(index), Some(b' ' | b'-')) {
            index += 1;
        }
        let byte = window.at(index).filter(u8::is_ascii_alphanumeric)?;
        if (nth == 2 || nth == 3) && !byte.is_ascii_digit() {
            return None;
        }
        digits += usize::from(byte.is_ascii_digit());
        *place = byte.to_ascii_uppercase();
        index += 1;
    }
    let bounded = !window.char_at(index).is_some_and(is_spaced_word);
    let compact = compact.get(..length)?;
    (bounded && digits * 3 >= length && (validate::mod97(compact) || is_announced(window, start)))
        .then_some(index)
}

/// Where an IBAN starts whose first digit is at `digit`: two letters before it, after a boundary.
pub(super) fn start_before(window: &Window<'_>, digit: usize) -> Option<usize> {
    let start = digit.checked_sub(2)?;
    let letters = window.bytes().get(start..digit)?.iter().all(u8::is_ascii_alphabetic);
    (letters && !window.char_before(start).is_some_and(is_spaced_word)).then_some(start)
}

/// Whether `IBAN` stands within the twelve bytes before.
fn is_announced(window: &Window<'_>, start: usize) -> bool {
    let near = window.bytes().get(start.saturating_sub(12)..start).unwrap_or_default();
    near.windows(4).any(|word| word.eq_ignore_ascii_case(b"iban"))
}

/// The start of letters at the window's end that an IBAN may begin with.
pub(super) fn live_tail(window: &Window<'_>) -> Option<usize> {
    let end = window.len();
    (1..=2).map(|n| end.saturating_sub(n)).find(|start| {
        let letters = window.bytes().get(*start..).unwrap_or_default();
        *start < end
            && letters.iter().all(u8::is_ascii_alphabetic)
            && !window.char_before(*start).is_some_and(is_spaced_word)
    })
}
