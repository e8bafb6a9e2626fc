//! Payment card numbers: a length and a start that a scheme issues, a Luhn digit, and digits grouped as people write them.
//!
//! Law: the number stands free, or, written in one piece, touches nothing but letters and underscores; digits of a longer
//! number or a fraction are no card, whatever their sum.

use super::number::{Group, Join, Number, Touch};
use super::window::{Window, is_spaced_word};
use crate::content::validate;

/// Hexadecimal digits on either side that tell of a hash.
const HASH: usize = 24;
/// The least of them that do.
const LEAST: usize = 8;

/// The end of the card number that the first groups of a number make.
pub(super) fn end_of_card(window: &Window<'_>, number: &Number) -> Option<usize> {
    let touch = number.touch;
    let in_row = touch != Touch::Free && follows_group_of_four(window, number.start);
    let groups = number.groups();
    (1..=groups.len()).rev().find_map(|count| {
        let chosen = groups.get(..count)?;
        let next = groups.get(count).map(|group| group.join).or(number.beyond);
        let ends = next.is_none_or(|join| join == Join::Space && !is_spelled(chosen));
        let total = chosen.iter().map(|group| group.length).sum();
        let digits = number.digits().get(..total)?;
        let end = chosen.last()?.end;
        let is_card = (13..=19).contains(&total)
            && ends
            && !(in_row && count > 1)
            && is_written_as_card(chosen, touch)
            && validate::is_issued(digits)
            && validate::luhn(digits)
            && !runs_on(window, end, count)
            && !(count == 1 && is_in_hash(window, number.start, end));
        is_card.then_some(end)
    })
}

/// The end of the card number in one piece whose first digit, behind a letter or an underscore, is at `start`.
pub(super) fn end_of_glued(window: &Window<'_>, start: usize) -> Option<usize> {
    let number = Number::read_piece(window, start);
    let end = number.groups().first()?.end;
    let digits = number.digits();
    let is_card = number.beyond.is_none()
        && (13..=19).contains(&digits.len())
        && validate::is_issued(digits)
        && validate::luhn(digits)
        && !runs_on(window, end, 1)
        && !is_in_hash(window, start, end);
    is_card.then_some(end)
}

/// Whether the digits are part of a word of hexadecimal digits with others among them: one hash in some thousands has a card's.
fn is_in_hash(window: &Window<'_>, start: usize, end: usize) -> bool {
    let hex = |byte: Option<u8>| byte.filter(u8::is_ascii_hexdigit);
    let before: Vec<u8> = (0..HASH.min(start)).map_while(|n| hex(window.before(start - n))).collect();
    let after: Vec<u8> = (0..HASH).map_while(|n| hex(window.at(end + n))).collect();
    let goes_on = |length: usize, c: Option<char>| length < HASH && c.is_some_and(is_spaced_word);
    !goes_on(before.len(), window.char_before(start - before.len()))
        && !goes_on(after.len(), window.char_at(end + after.len()))
        && before.len() + after.len() >= LEAST
        && before.iter().chain(&after).any(u8::is_ascii_digit)
}

/// Whether four digits and a space stand before: a table of numbers more likely than a card.
fn follows_group_of_four(window: &Window<'_>, start: usize) -> bool {
    let is_digit =
        |back: usize| window.before(start.saturating_sub(back)).is_some_and(|b| b.is_ascii_digit());
    (1..=4).all(is_digit) && !is_digit(5)
}

/// In one piece; in groups of four, or four, six and the rest; or, when nothing stands before, digit by digit.
fn is_written_as_card(groups: &[Group], touch: Touch) -> bool {
    let Some((first, rest)) = groups.split_first() else { return false };
    let Some(join) = rest.first().map(|group| group.join) else { return true };
    let uniform =
        matches!(join, Join::Space | Join::Dash | Join::Dot) && rest.iter().all(|group| group.join == join);
    let fours = rest.iter().rev().skip(1).all(|group| group.length == 4);
    let sixes = matches!(rest, [six, last] if six.length == 6 && matches!(last.length, 4 | 5));
    uniform && ((first.length == 4 && (fours || sixes)) || (is_spelled(groups) && touch == Touch::Free))
}

fn is_spelled(groups: &[Group]) -> bool {
    groups.len() > 1 && groups.iter().all(|group| group.length == 1)
}

/// Whether what follows makes the digits part of something longer. A stop or a hyphen before a letter does not, nor does a letter
/// behind a number in one piece.
fn runs_on(window: &Window<'_>, end: usize, groups: usize) -> bool {
    match window.char_at(end) {
        Some('-' | '.' | '/' | ':') => window.at(end + 1).is_some_and(|b| b.is_ascii_digit()),
        Some(c) => groups > 1 && is_spaced_word(c),
        None => false,
    }
}
