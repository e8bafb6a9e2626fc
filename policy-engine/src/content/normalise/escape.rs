//! Characters written as escapes: `%40`, `&#64;`, `&#x40;`, `&commat;`, and those of JSON ([`backslash`]).
//!
//! Law: what stands at a `%`, `&` or `\` is decided by at most 16 bytes from there on, so an escape that is cut in two is one
//! escape still. One level of double escaping is read (`%2540`, `&amp;#64;`). Sources: RFC 3986 section 2.1; HTML, "Named
//! character references", of which the few that stand in addresses and numbers. Absent on purpose: percent escapes of anything
//! but printable ASCII, and of UTF-8.

pub(super) mod backslash;

/// Most digits of a character's number.
const DIGITS: usize = 7;

/// Named characters that addresses and numbers are written with.
const NAMES: [(&[u8], char); 10] = [
    (b"commat;", '@'),
    (b"period;", '.'),
    (b"lowbar;", '_'),
    (b"plus;", '+'),
    (b"hyphen;", '-'),
    (b"dash;", '-'),
    (b"nbsp;", ' '),
    (b"lpar;", '('),
    (b"rpar;", ')'),
    (b"sol;", '/'),
];

/// What a `%`, `&` or `\` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// A character, written in so many bytes.
    Of(char, usize),
    /// Nothing: it stands for itself.
    None,
    /// What follows will tell.
    Open,
}

/// Whether the end of the bytes is the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// More may follow.
    Open,
    /// Nothing follows.
    Known,
}

/// The offset of the next byte that may begin an escape.
pub(super) fn next(bytes: &[u8]) -> Option<usize> {
    memchr::memchr3(b'%', b'&', b'\\', bytes)
}

/// Whether a whole text holds an escape.
pub(super) fn is_in(text: &str) -> bool {
    let mut bytes = text.as_bytes();
    while let Some(rest) = next(bytes).and_then(|at| bytes.get(at..)) {
        if matches!(read(rest, Rest::Known), Escape::Of(..)) {
            return true;
        }
        bytes = rest.get(1..).unwrap_or_default();
    }
    false
}

/// What the first byte of `bytes` begins.
pub(super) fn read(bytes: &[u8], rest: Rest) -> Escape {
    let read = match bytes.first() {
        Some(b'%') => percent(bytes),
        Some(b'&') => entity(bytes, rest),
        Some(b'\\') => backslash::read(bytes),
        _ => Escape::None,
    };
    if read == Escape::Open && rest == Rest::Known { Escape::None } else { read }
}

fn percent(bytes: &[u8]) -> Escape {
    let after = bytes.get(1..).unwrap_or_default();
    let start = if after.starts_with(b"25") { 3 } else { 1 };
    let digits = bytes.get(start..).unwrap_or_default();
    let digits = digits.get(..2).unwrap_or(digits);
    match (digits.len(), hex(digits)) {
        (2, Some(value)) => match char::from_u32(value).filter(|c| c.is_ascii_graphic() || *c == ' ') {
            Some(c) => Escape::Of(c, start + 2),
            None => Escape::None,
        },
        (0 | 1, Some(_)) => Escape::Open,
        _ => Escape::None,
    }
}

fn entity(bytes: &[u8], rest: Rest) -> Escape {
    let after = bytes.get(1..).unwrap_or_default();
    let start = if after.starts_with(b"amp;") { 5 } else { 1 };
    let name = bytes.get(start..).unwrap_or_default();
    if name.first() == Some(&b'#') {
        return numbered(name, start, rest);
    }
    match NAMES.iter().find(|(known, _)| name.starts_with(known)) {
        Some((known, c)) => Escape::Of(*c, start + known.len()),
        None if NAMES.iter().any(|(known, _)| known.starts_with(name)) => Escape::Open,
        None if b"amp;".starts_with(after) => Escape::Open,
        None => Escape::None,
    }
}

/// `#64;` or `#x40;`, with or without the semicolon, as browsers read it.
fn numbered(name: &[u8], start: usize, rest: Rest) -> Escape {
    let is_hex = matches!(name.get(1), Some(b'x' | b'X'));
    let from = 1 + usize::from(is_hex);
    let is_digit = |byte: &&u8| if is_hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let count = name.iter().skip(from).take_while(is_digit).count();
    let end = from + count;
    if name.len() == end && count <= DIGITS && rest == Rest::Open {
        return Escape::Open;
    }
    let digits = name.get(from..end).unwrap_or_default();
    let value = match is_hex {
        true => hex(digits),
        false => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
    };
    let c = value.filter(|_| (1..=DIGITS).contains(&count)).and_then(char::from_u32);
    match c.filter(|c| !c.is_ascii_control()) {
        Some(c) => Escape::Of(c, start + end + usize::from(name.get(end) == Some(&b';'))),
        None => Escape::None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value: u32, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_whole_or_not_at_all() {
        for (text, c) in [
            ("%40", '@'),
            ("%2540", '@'),
            ("%34", '4'),
            ("%2e", '.'),
            ("%20", ' '),
            ("&#64;", '@'),
            ("&#064;", '@'),
            ("&#x40;", '@'),
            ("&#X0040;", '@'),
            ("&commat;", '@'),
            ("&amp;#64;", '@'),
            ("&amp;#x0000040;", '@'),
            ("&period;", '.'),
            ("&#65312;", '＠'),
        ] {
            assert_eq!(read(text.as_bytes(), Rest::Known), Escape::Of(c, text.len()), "{text}");
            assert!(text.len() <= 16, "{text}");
            for cut in 1..text.len() {
                let part = read(&text.as_bytes()[..cut], Rest::Open);
                assert_eq!(part, Escape::Open, "{text} cut at {cut}");
            }
        }
        assert_eq!(read(b"&#64x", Rest::Known), Escape::Of('@', 4));
        for text in [
            "%",
            "%4",
            "%zz",
            "%0a",
            "%c3%a9",
            "&",
            "&amp;",
            "& co",
            "&#;",
            "&#x;",
            "&#0;",
            "&#12345678;",
            "&copy;",
            "&#xd800;",
        ] {
            assert_eq!(read(text.as_bytes(), Rest::Known), Escape::None, "{text}");
        }
    }
}
