//! Codes that text is written in: base64 of either alphabet, and hexadecimal digits.
//!
//! Law: a decoded byte knows which characters it came from, and decoded text is as long as the bytes it was made of, so a finding in
//! it has a place in the run. Sources: RFC 4648 sections 4, 5 and 8. Absent on purpose: what is found, and padding.

/// A code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Six bits a character.
    Base64,
    /// Four bits a character.
    Hex,
}

impl Code {
    /// The ways in which the characters of a run may stand: it may have begun with something else.
    pub(super) fn ways(self) -> std::ops::Range<usize> {
        match self {
            Self::Base64 => 0..4,
            Self::Hex => 0..2,
        }
    }

    /// The character that the byte at `index` begins in.
    pub(super) fn start_of(self, index: usize) -> usize {
        match self {
            Self::Base64 => index * 4 / 3,
            Self::Hex => index * 2,
        }
    }

    /// One past the character that the byte before `index` ends in.
    pub(super) fn end_of(self, index: usize) -> usize {
        match self {
            Self::Base64 => (index * 4).div_ceil(3),
            Self::Hex => index * 2,
        }
    }

    /// Appends the bytes that the characters stand for; what is left over at their end is left out, and what is none of the code's
    /// stands for zero.
    pub(super) fn decode(self, characters: &[u8], bytes: &mut Vec<u8>) {
        match self {
            Self::Base64 => decode_base64(characters, bytes),
            Self::Hex => {
                let value =
                    |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
                bytes.extend(characters.chunks_exact(2).map(|pair| match pair {
                    [high, low] => value(*high).zip(value(*low)).map_or(0, |(high, low)| high << 4 | low),
                    _ => 0,
                }));
            }
        }
    }
}

/// Whether a byte is a character of base64, of either alphabet.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// What each character of either alphabet stands for.
const VALUES: [u8; 256] = {
    let mut values = [63; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let (mut place, mut rest) = (0, alphabet.as_slice());
    while let [character, others @ ..] = rest {
        if let Some(value) = values.split_at_mut(*character as usize).1.first_mut() {
            *value = if *character == b'-' { 62 } else { place };
        }
        (place, rest) = (place + 1, others);
    }
    values
};

fn decode_base64(run: &[u8], bytes: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u32, 0);
    for character in run {
        let value = VALUES.get(usize::from(*character)).copied().unwrap_or_default();
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
}

/// Bytes read as UTF-8.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// As many bytes as were read, each that is no part of a character as a zero.
    pub(super) text: String,
    /// How many of them are no part of a character that is written.
    wrong: usize,
    /// Bytes at the end that may begin a character.
    pub(super) open: Vec<u8>,
}

impl Decoded {
    /// Reads the bytes, whatever they are.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut decoded = Self::default();
        decoded.add(bytes, usize::MAX);
        decoded
    }

    /// Reads the bytes, if they read as text.
    pub(super) fn read_text(bytes: &[u8]) -> Option<Self> {
        let mut decoded = Self::default();
        decoded.add(bytes, bytes.len() / 4);
        decoded.is_text().then_some(decoded)
    }

    /// Whether it reads as text: three quarters of it. Of random bytes two fifths would.
    pub(super) fn is_text(&self) -> bool {
        self.wrong * 4 <= self.text.len()
    }

    /// Adds the bytes, as long as no more than so many are wrong.
    fn add(&mut self, mut bytes: &[u8], most: usize) {
        self.text.reserve(bytes.len());
        while self.wrong <= most {
            let (valid, wrong) = match std::str::from_utf8(bytes) {
                Ok(text) => (text, None),
                Err(error) => {
                    let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                    (std::str::from_utf8(valid).unwrap_or_default(), Some(error.error_len()))
                }
            };
            let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t');
            self.wrong += valid.bytes().filter(is_control).count();
            self.text.push_str(valid);
            let rest = bytes.get(valid.len()..).unwrap_or_default();
            let Some(length) = wrong else { return };
            let Some(length) = length else {
                self.open = rest.to_vec();
                return;
            };
            self.wrong += length;
            self.text.extend(std::iter::repeat_n('\0', length));
            bytes = rest.get(length..).unwrap_or_default();
        }
    }
}

/// The shortest run of hexadecimal digits that is looked into: eight bytes.
pub(super) const SHORTEST_HEX: usize = 16;

/// Whether some text may hold characters written as two hexadecimal digits each. One of the two is then a digit, of every two; so a
/// look at every fifteenth place tells.
pub(super) fn may_hold_hex(bytes: &[u8]) -> bool {
    let is_hex = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_hexdigit);
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).step_by(SHORTEST_HEX - 1).filter(|at| is_digit(*at) || is_digit(at + 1)).any(|at| {
        let before = (1..SHORTEST_HEX.min(at + 1)).take_while(|n| is_hex(at - n)).count();
        let from = (0..SHORTEST_HEX).take_while(|n| is_hex(at + n)).count();
        from > 0 && before + from >= SHORTEST_HEX
    })
}
