//! Runs of text that stand for another text: base64, and the invisible tag characters that mirror ASCII.
//!
//! Law: a run is looked into once it is complete and at most [`BASE64`] or [`TAGS`] characters long, and what is found in it is
//! found in the run as a whole; longer runs are let go, which bounds what a stream holds. Runs are of bytes as sent, so how they
//! arrive is immaterial. Sources: RFC 4648 sections 4 and 5; Unicode, "Tags". Absent on purpose: words of lists, which are
//! too short to tell from chance, codes within codes, and runs interrupted by anything.

use super::{Detectors, Finding, Kinds, What};
use crate::vocabulary::Entity;

/// The shortest run that is looked into: twelve bytes.
const SHORTEST: usize = 16;
/// The longest.
const BASE64: usize = 480;
/// The most tag characters in a run.
const TAGS: usize = 254;

/// Bytes that are looked at together.
const BLOCK: usize = 32;
/// The first byte of every tag character in UTF-8.
const TAG_LEAD: u8 = 0xf3;

/// A scan for coded runs that is fed a text in pieces.
#[derive(Debug)]
pub(super) struct Coded {
    kinds: Kinds,
    /// Absolute offset of the end of what was read.
    at: usize,
    base64: Run,
    tags: Run,
}

/// A run that goes on at the end of what was read, unless it is empty.
#[derive(Debug, Default)]
struct Run {
    start: usize,
    /// Its characters; of a run that is too long, some.
    text: String,
    /// It is longer than is looked into.
    long: bool,
    /// `=` signs at its end.
    pads: u8,
    /// A capital follows a small letter or a digit in it.
    telling: bool,
}

impl Run {
    fn is_open(&self) -> bool {
        self.long || !self.text.is_empty()
    }

    fn add(&mut self, text: &str, at: usize, most: usize) {
        if !self.is_open() {
            self.start = at;
        }
        match self.text.len() + text.len() <= most {
            true => self.text.push_str(text),
            false => self.long = true,
        }
    }
}

/// Whether a text may hold base64: a quick look that errs to yes. Capitals are rare, so they are looked for first.
pub(super) fn may_be_in(text: &str) -> bool {
    let (mut bytes, mut after) = (text.as_bytes(), text.as_bytes().get(1..).unwrap_or_default());
    let is_capital = |hit: bool, b: &u8| hit | b.is_ascii_uppercase();
    let pairs = |bytes: &[u8], after: &[u8]| {
        bytes.iter().zip(after).fold(false, |hit, (one, next)| hit | tells(*one, *next))
    };
    while let (Some((block, rest)), Some((next, rest_after))) =
        (bytes.split_first_chunk::<BLOCK>(), after.split_first_chunk::<BLOCK>())
    {
        if next.iter().fold(false, is_capital) && pairs(block, next) {
            return true;
        }
        (bytes, after) = (rest, rest_after);
    }
    pairs(bytes, after)
}

/// The same of tag characters, which a text of ASCII has none of.
pub(super) fn may_hold_tags(text: &str) -> bool {
    memchr::memchr(TAG_LEAD, text.as_bytes()).is_some()
}

/// Whether two bytes are as in base64 and hardly ever in prose: a capital behind a small letter or a digit. Whatever encodes digits
/// has such a pair: the last character of three digits is a small letter or a digit, the first of the next three is a capital.
fn tells(one: u8, next: u8) -> bool {
    (one.is_ascii_lowercase() | one.is_ascii_digit()) & next.is_ascii_uppercase()
}

/// A tag character that mirrors one of printable ASCII.
fn is_tag(c: char) -> bool {
    ('\u{e0020}'..='\u{e007e}').contains(&c)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

impl Coded {
    /// Nothing has been read; only findings of these kinds are looked for.
    pub(super) fn new(kinds: Kinds) -> Self {
        Self { kinds, at: 0, base64: Run::default(), tags: Run::default() }
    }

    /// Takes the next piece; appends what is in the runs that it completes.
    pub(super) fn push(&mut self, detectors: &Detectors, piece: &str, findings: &mut Vec<Finding>) {
        if self.kinds.entities == 0 {
            self.at += piece.len();
            return;
        }
        let mut rest = piece;
        while let Some(c) = rest.chars().next() {
            let run = rest.bytes().take_while(|byte| is_base64(*byte)).count();
            let (read, tail) = rest.split_at(if run > 0 { run } else { c.len_utf8() });
            match run {
                0 => self.take_other(detectors, c, findings),
                _ => self.take_base64(detectors, read, findings),
            }
            self.at += read.len();
            rest = tail;
        }
    }

    /// Says that no piece follows; appends what is in the runs that end with the text.
    pub(super) fn finish(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        self.end_base64(detectors, findings);
        self.end_tags(detectors, findings);
    }

    /// Offset in the whole text before whose characters no further finding starts.
    pub(super) fn decided(&self) -> usize {
        let open = [&self.base64, &self.tags].into_iter().filter(|run| run.is_open() && !run.long);
        open.map(|run| run.start).min().unwrap_or(self.at)
    }

    fn take_base64(&mut self, detectors: &Detectors, text: &str, findings: &mut Vec<Finding>) {
        self.end_tags(detectors, findings);
        if self.base64.pads > 0 {
            self.end_base64(detectors, findings);
        }
        let before = self.base64.text.bytes().last().into_iter();
        let pairs = before.chain(text.bytes()).zip(text.bytes().skip(usize::from(!self.base64.is_open())));
        self.base64.telling |= pairs.fold(false, |hit, (one, next)| hit | tells(one, next));
        self.base64.add(text, self.at, BASE64);
    }

    fn take_other(&mut self, detectors: &Detectors, c: char, findings: &mut Vec<Finding>) {
        if c == '=' && self.base64.is_open() && self.base64.pads < 2 {
            self.base64.pads += 1;
        } else {
            self.end_base64(detectors, findings);
        }
        match char::from_u32(u32::from(c).wrapping_sub(0xe0000)).filter(|_| is_tag(c)) {
            Some(mirrored) => self.tags.add(mirrored.encode_utf8(&mut [0; 4]), self.at, TAGS),
            None => self.end_tags(detectors, findings),
        }
    }

    /// Looks into the base64 that ends here. It may have begun with something else (`name/`, `key_`), so each of the four ways in
    /// which its characters may stand is tried.
    fn end_base64(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        if !self.base64.is_open() {
            return;
        }
        let run = std::mem::take(&mut self.base64);
        if run.long || !run.telling || run.text.len() < SHORTEST {
            return;
        }
        let found = (0..4).fold(0, |found, skip| {
            let text = decoded(run.text.as_bytes().get(skip..).unwrap_or_default());
            found | self.look(detectors, &String::from_utf8_lossy(&text))
        });
        report(found, run.start..self.at, findings);
    }

    fn end_tags(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        if !self.tags.is_open() {
            return;
        }
        let run = std::mem::take(&mut self.tags);
        if !run.long {
            report(self.look(detectors, &run.text), run.start..self.at, findings);
        }
    }

    /// The kinds of what is in a text, one bit each.
    fn look(&self, detectors: &Detectors, text: &str) -> u32 {
        let mut found = Vec::new();
        detectors.scan_text(Kinds { words: false, ..self.kinds }, (text, text.is_ascii()), &mut found);
        let bit = |finding: &Finding| if let What::Entity(entity) = finding.what { entity.bit() } else { 0 };
        found.iter().fold(0, |all, finding| all | bit(finding))
    }
}

fn report(found: u32, at: std::ops::Range<usize>, findings: &mut Vec<Finding>) {
    let kinds = Entity::ALL.iter().filter(|entity| found & entity.bit() != 0);
    findings.extend(kinds.map(|entity| Finding {
        what: What::Entity(*entity),
        start: at.start,
        end: at.end,
    }));
}

/// The bytes that base64 of either alphabet stands for; what is left over at its end is left out.
fn decoded(run: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4 + 1);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in run {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
