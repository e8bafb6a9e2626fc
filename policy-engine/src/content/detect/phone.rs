//! Telephone numbers: a form that only telephones have, or a plausible form where the text speaks of telephones.
//!
//! Law: precision first. Dates, times, fractions, IP addresses, amounts and bare identifiers are not numbers to call, unless an
//! international prefix or a telling word says so. Sources: ITU-T E.164 (lengths, calling codes), E.123 (notation), NANP.
//!
//! | form | example | needs a telling word |
//! |---|---|---|
//! | `+` and an assigned calling code | `+44 20 7946 0958` | no |
//! | `00` and an assigned calling code, in groups | `001-668-040-8670` | no |
//! | North American, in its own grouping | `(978) 645-9740`, `978-645-9740` | no |
//! | bracketed area | `(11) 4706-6184` | no |
//! | Russian and Chinese, in their own grouping | `8 (495) 123-45-67`, `138-0013-8000` | no |
//! | trunk `0`, in groups | `0479 50 54 03`, `06-24312407` | no |
//! | other groups | `481 7531`, `650 253 0000` | yes |
//! | one piece, `00` and a calling code in front or not | `2546712361`, `00493012345678` | yes, near |

use super::context::{Context, Lean, is_named_after};
use super::number::{Group, Join, Number, Touch, runs_on};
use super::window::{Window, is_spaced_word};
use crate::content::validate;

/// How sure the form alone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Only where the text speaks of telephones, near.
    Piece,
    /// Only where the text speaks of telephones.
    Loose,
    /// Unless the text speaks of something else.
    Typical,
    /// Always.
    International,
}

/// Where the number's own signs begin: the `+` and the bracket before its first digit.
pub(super) fn start_of_phone(window: &Window<'_>, first: usize) -> usize {
    let is_sign = |at: usize, sign: u8| window.before(at) == Some(sign);
    match (is_sign(first, b'+'), is_sign(first, b'(')) {
        (true, _) => first - 1 - usize::from(is_sign(first - 1, b'(')),
        (_, true) => first - 1 - usize::from(is_sign(first - 1, b'+')),
        _ => first,
    }
}

/// The start of signs at the window's end that a telephone number may begin with.
pub(super) fn live_tail(window: &Window<'_>) -> Option<usize> {
    let start = start_of_phone(window, window.len());
    (start < window.len()).then_some(start)
}

/// The telephone number that a number is, given where its signs start: where it starts itself, and where it ends.
pub(super) fn find_phone(
    window: &Window<'_>,
    context: &Context,
    signed: usize,
    number: &Number,
) -> Option<(usize, usize)> {
    let signs = window.slice(signed, number.start);
    let (plus, bracket) = (signs.contains('+'), signs.contains('('));
    if follows_country_code(window, signed) {
        return None;
    }
    let chosen = choose(number, plus || bracket)?;
    let closes = chosen.iter().any(|group| group.join == Join::Close);
    let start =
        if bracket && !closes { signed + usize::from(window.at(signed) == Some(b'(')) } else { signed };
    let total: usize = chosen.iter().map(|group| group.length).sum();
    let digits = number.digits().get(..total)?;
    let form = form_of(chosen, digits, plus, bracket && closes)?;
    let end = with_extension(window, chosen.last()?.end, form);
    let named = is_named_after(window, end);
    if runs_on(window, end) && !named {
        return None;
    }
    let marked = window.char_before(start).is_some_and(|c| "#$€£¥%^~*".contains(c));
    // A piece, or one too short for most countries, must be named closely.
    let near = match form {
        _ if total < 7 => 3,
        Form::Piece => 6,
        _ => usize::MAX,
    };
    let spoken = || match context.before(window, start) {
        Lean::Phone(distance) => (distance < near, true),
        Lean::Other(distance) => (false, distance > 3),
        Lean::Silent => (false, true),
    };
    let accepted = match form {
        Form::International => true,
        Form::Typical => named || (!marked && spoken().1),
        Form::Loose | Form::Piece => !marked && !is_listed(window, start, end) && (named || spoken().0),
    };
    accepted.then_some((start, end))
}

/// Whether a comma joins it to digits on either side: a list of values, or the thousands of an amount.
fn is_listed(window: &Window<'_>, start: usize, end: usize) -> bool {
    let is_digit = |b: u8| b.is_ascii_digit();
    let left = window.before(start) == Some(b',') && window.before(start - 1).is_some_and(is_digit);
    left || (window.at(end) == Some(b',') && window.at(end + 1).is_some_and(is_digit))
}

/// Whether a country code and a space stand before, so that the number started there.
fn follows_country_code(window: &Window<'_>, start: usize) -> bool {
    let back = |from: usize, most: usize, is: fn(u8) -> bool| {
        from - (0..most.min(from)).take_while(|n| window.before(from - n).is_some_and(is)).count()
    };
    let end = back(start, 2, |b| b == b' ');
    let code = back(end, 5, |b| b.is_ascii_digit());
    let digits = window.slice(code, end);
    end < start
        && (matches!(digits, "1" | "7" | "8")
            || digits.starts_with("00")
            || window.slice(code.saturating_sub(3), code) == "00 "
            || (!digits.is_empty() && window.before(code) == Some(b'+')))
}

/// The groups that are one number: all that were read, or, where several numbers stand in a row, the first in North American
/// grouping. A number that something joined precedes must show by its own signs or grouping that it starts here.
fn choose(number: &Number, signed: bool) -> Option<&[Group]> {
    let groups = number.groups();
    let american = american_length(groups);
    let starts = match number.touch {
        Touch::Part => false,
        Touch::Free => true,
        Touch::Joined { by_space } => by_space && (signed || american.is_some()),
    };
    if !starts {
        return None;
    }
    let total = number.digits().len();
    let whole = number.beyond.is_none() && total <= 17;
    match american {
        Some(count) if groups.get(count).is_some_and(|group| group.join == Join::Space) => {
            groups.get(..count)
        }
        _ => whole.then_some(groups),
    }
}

/// How many of the first groups are `ddd-ddd-dddd`, with or without a leading country code, and not joined by spaces alone.
fn american_length(groups: &[Group]) -> Option<usize> {
    let lengths = |from: usize| {
        let of = |n: usize| groups.get(from + n).map(|group| group.length);
        (of(0), of(1), of(2)) == (Some(3), Some(3), Some(4))
    };
    let written = |to: usize| {
        groups.get(..to).is_some_and(|groups| {
            groups.iter().skip(1).any(|g| matches!(g.join, Join::Dash | Join::Dot | Join::Close))
        })
    };
    let coded = groups.first().is_some_and(|group| group.length <= 3);
    [(0, 3), (1, 4)]
        .into_iter()
        .find(|(from, to)| (*from == 0 || coded) && lengths(*from) && written(*to))
        .map(|(_, to)| to)
}

fn form_of(groups: &[Group], digits: &[u8], plus: bool, bracketed: bool) -> Option<Form> {
    let total = digits.len();
    let first = groups.first()?;
    // `2) 415-555-2671` is the second of a list.
    let is_item = first.length <= 2 && !(plus || bracketed) && closes_unopened(groups);
    if is_item || !is_bracketed_well(groups, digits) {
        return None;
    }
    if plus && is_international(digits) {
        return Some(Form::International);
    }
    let code = digits.strip_prefix(&[0, 0]).and_then(validate::calling_code);
    if groups.len() == 1 {
        let fits = (7..=13).contains(&total) || (code.is_some() && (10..=17).contains(&total));
        return fits.then_some(Form::Piece);
    }
    // `0049 30/123456`: a slash sets the area apart.
    let slashes = groups.iter().filter(|group| group.join == Join::Slash).count();
    let is_fraction = is_fraction(groups) && !(code.is_some() && slashes == 1);
    if is_date(groups, digits) || is_address(groups, digits) || is_fraction || is_round(groups, digits) {
        return None;
    }
    let apart = |code: usize| {
        first.length == code + 2 || (first.length == 2 && groups.get(1).is_some_and(|g| g.length == code))
    };
    if code.is_some_and(apart) && (10..=17).contains(&total) {
        return Some(Form::International);
    }
    let area = bracketed && (2..=5).contains(&first.length) && (8..=12).contains(&total) && !is_year(digits);
    let american = american_length(groups) == Some(groups.len()) && matches!(total, 10 | 11);
    if !plus && (area || american || has_trunk(groups, digits) || is_eastern(groups, digits)) {
        return Some(Form::Typical);
    }
    let dots = groups.iter().filter(|group| group.join == Join::Dot).count();
    let mixed = dots > 0 && dots + 1 < groups.len();
    (!mixed && (6..=15).contains(&total)).then_some(Form::Loose)
}

/// An assigned calling code and a length that E.164, or North America, allows.
fn is_international(digits: &[u8]) -> bool {
    match (validate::calling_code(digits), digits.first()) {
        (Some(_), Some(1)) => digits.len() == 11,
        (Some(_), _) => (8..=15).contains(&digits.len()),
        (None, _) => false,
    }
}

/// A bracketed area after one digit, as in Russia, or a Chinese mobile number in its own grouping.
fn is_eastern(groups: &[Group], digits: &[u8]) -> bool {
    let lengths = |expected: &[usize]| groups.iter().map(|group| group.length).eq(expected.iter().copied());
    let area =
        matches!(groups, [one, area, ..] if one.length == 1 && area.join == Join::Open && area.length > 2);
    (area && matches!(digits.len(), 10..=12)) || (matches!(digits, [1, 3..=9, ..]) && lengths(&[3, 4, 4]))
}

/// A trunk `0` and the area in one group, then one to five others. Pairs are French, and exactly five: others are bytes.
fn has_trunk(groups: &[Group], digits: &[u8]) -> bool {
    let total = digits.len();
    let pairs = groups.iter().all(|group| group.length == 2);
    matches!(digits, [0, 1..=9, ..])
        && groups.first().is_some_and(|first| (2..=5).contains(&first.length))
        && (2..=6).contains(&groups.len())
        && if pairs { total == 10 } else { (9..=12).contains(&total) }
        && groups
            .iter()
            .skip(2)
            .all(|group| matches!(group.join, Join::Space | Join::Dash | Join::Dot) && group.length >= 2)
}

/// What opens, after a country code or after `00` and one, closes after one group.
fn is_bracketed_well(groups: &[Group], digits: &[u8]) -> bool {
    let opened = groups.iter().position(|group| group.join == Join::Open);
    let closed = |at: usize| groups.get(at + 1).is_some_and(|group| group.join == Join::Close);
    let closes = groups.iter().filter(|group| group.join == Join::Close).count();
    let coded = matches!(groups, [zeros, ..] if zeros.length == 2) && digits.starts_with(&[0, 0]);
    opened.is_none_or(|at| (at == 1 || (at == 2 && coded)) && closed(at)) && closes <= 1
}

/// Whether a bracket closes behind the first group that none of the groups opened.
fn closes_unopened(groups: &[Group]) -> bool {
    groups.get(1).is_some_and(|group| group.join == Join::Close)
}

fn value(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value: u32, digit| value.saturating_mul(10).saturating_add(u32::from(*digit)))
}

fn is_year(digits: &[u8]) -> bool {
    matches!(digits.get(..4).map(value), Some(1900..=2099))
}

/// Day, month and year in any order, with or without a time behind.
fn is_date(groups: &[Group], digits: &[u8]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let split = |from: usize, length: usize| digits.get(from..from + length).map_or(0, value);
    let parts = (split(0, a.length), split(a.length, b.length), split(a.length + b.length, c.length));
    let day_month = |x: u32, y: u32| (1..=31).contains(&x) && (1..=31).contains(&y) && (x <= 12 || y <= 12);
    let marked = matches!(b.join, Join::Dash | Join::Dot | Join::Slash) && b.join == c.join;
    let leading_year =
        a.length == 4 && is_year(digits) && b.length <= 2 && c.length <= 2 && day_month(parts.1, parts.2);
    let trailing_year = a.length <= 2 && b.length <= 2 && day_month(parts.0, parts.1);
    let year = c.length == 4 && (1900..2100).contains(&parts.2);
    marked && (leading_year || (trailing_year && (year || (c.length == 2 && groups.len() == 3))))
}

/// Four dotted groups that each fit a byte.
fn is_address(groups: &[Group], digits: &[u8]) -> bool {
    let mut from = 0;
    groups.len() == 4
        && groups.iter().skip(1).all(|group| group.join == Join::Dot)
        && groups.iter().all(|group| {
            let part = digits
                .get(from..from + group.length)
                .map_or(u32::MAX, |d| if d.len() > 3 { u32::MAX } else { value(d) });
            from += group.length;
            part <= 255
        })
}

/// One stop between two groups, or a slash after the first: decimals, ratios.
fn is_fraction(groups: &[Group]) -> bool {
    groups.iter().skip(2).any(|group| group.join == Join::Slash)
        || matches!(groups, [first, second] if second.join == Join::Dot || (second.join == Join::Slash && first.length > 5))
}

/// An amount in round thousands.
fn is_round(groups: &[Group], digits: &[u8]) -> bool {
    groups.first().is_some_and(|first| digits.iter().skip(first.length).all(|digit| *digit == 0))
}

/// The end with `x123`, `ext. 123` and the like.
fn with_extension(window: &Window<'_>, end: usize, form: Form) -> usize {
    if form == Form::Piece {
        return end;
    }
    let mut index = end;
    if matches!(window.at(index), Some(b' ' | b',')) {
        index += 1 + usize::from(window.at(index + 1) == Some(b' '));
    }
    let letters =
        (0..10).take_while(|n| window.at(index + n).is_some_and(|b| b.is_ascii_alphabetic())).count();
    if !matches!(
        window.slice(index, index + letters).to_ascii_lowercase().as_str(),
        "x" | "ext" | "extension" | "extn"
    ) {
        return end;
    }
    index += letters;
    index += (0..2).take_while(|n| matches!(window.at(index + n), Some(b' ' | b'.' | b':'))).count();
    let digits = (0..7).take_while(|n| window.at(index + n).is_some_and(|b| b.is_ascii_digit())).count();
    let bounded = !window.char_at(index + digits).is_some_and(is_spaced_word);
    if (1..=6).contains(&digits) && bounded { index + digits } else { end }
}
