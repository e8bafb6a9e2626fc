//! Runs of text that stand for another text: base64, hexadecimal digits, and the invisible tag characters that mirror ASCII.
//!
//! Law: what is found in a run of at most [`BASE64`] or [`TAGS`] characters is found in the run as a whole, once it is complete. A
//! longer one is read as it comes, and what is found in it is found in the characters that say it, so that a stream holds no more
//! of it than of plain text; of the text it stands for, pieces that do not read as text are passed over. Runs are of bytes as sent,
//! so how they arrive is immaterial. Sources: RFC 4648 sections 4, 5 and 8; Unicode, "Tags". Absent on purpose: words of lists in
//! what does not read as text, where chance would write them; codes within codes; and runs interrupted by anything.

use super::code::{Code, Decoded, SHORTEST_HEX, is_base64};
use super::feed::Feed;
use super::{Detectors, Finding, Kinds, What};

/// The shortest run that is looked into: twelve bytes.
const SHORTEST: usize = 16;
/// The longest that is looked into as a whole.
const BASE64: usize = 480;
/// Characters of a longer one that are decoded together: whole bytes in either code.
const UNIT: usize = 64;
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
    /// The ways to read a run of base64 that is longer than is looked into as a whole.
    readings: Vec<Reading>,
    tags: Run,
}

/// A run that goes on at the end of what was read, unless it is empty.
#[derive(Debug, Default)]
struct Run {
    start: usize,
    /// Its characters; of a run that is too long, the first.
    text: String,
    /// It is longer than is looked into as a whole.
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

    /// Adds what fits, and gives back what does not.
    #[inline]
    fn add<'t>(&mut self, text: &'t str, at: usize, most: usize) -> &'t str {
        if !self.is_open() {
            self.start = at;
        }
        if self.text.len() + text.len() <= most {
            self.text.push_str(text);
            return "";
        }
        self.fill(text, most)
    }

    #[cold]
    fn fill<'t>(&mut self, text: &'t str, most: usize) -> &'t str {
        let (fits, rest) = text.split_at(text.floor_char_boundary(most.saturating_sub(self.text.len())));
        self.text.push_str(fits);
        self.long = true;
        rest
    }

    /// Whether it may be hexadecimal digits, with something glued to them or not.
    fn may_be_hex(&self) -> bool {
        self.text.split(|c: char| !c.is_ascii_hexdigit()).any(|digits| digits.len() >= SHORTEST_HEX)
    }

    /// Every way in which it may be read.
    fn ways(&self) -> impl Iterator<Item = (Code, usize)> + use<> {
        let codes = [(Code::Base64, self.telling), (Code::Hex, self.may_be_hex())];
        let codes = codes.into_iter().filter(|(_, may_be)| *may_be);
        codes.flat_map(|(code, _)| code.ways().map(move |skip| (code, skip)))
    }
}

/// One way to read a long run as it comes.
#[derive(Debug)]
struct Reading {
    code: Code,
    /// Offset, in the whole text, of its first character.
    start: usize,
    /// Characters that are not decoded yet.
    unit: Vec<u8>,
    /// Bytes that may begin a character.
    open: Vec<u8>,
    /// What is looked through: the text since the last piece that was none.
    feed: Feed,
    /// Bytes before that text.
    before: usize,
    /// Bytes of it.
    fed: usize,
}

impl Reading {
    fn new(kinds: Kinds, code: Code, start: usize) -> Self {
        let (unit, open) = (Vec::with_capacity(UNIT), Vec::new());
        Self { code, start, unit, open, feed: Feed::new(kinds), before: 0, fed: 0 }
    }

    fn push(&mut self, detectors: &Detectors, mut run: &[u8], findings: &mut Vec<Finding>) {
        while !run.is_empty() {
            let room = (UNIT - self.unit.len()).min(run.len());
            let (fits, rest) = run.split_at(room);
            self.unit.extend_from_slice(fits);
            if self.unit.len() == UNIT {
                self.decode(detectors, findings);
            }
            run = rest;
        }
    }

    fn finish(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        self.decode(detectors, findings);
        let kept = findings.len();
        self.feed.finish(detectors, findings);
        self.place(findings, kept);
    }

    fn decode(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        let mut bytes = std::mem::take(&mut self.open);
        self.code.decode(&self.unit, &mut bytes);
        self.unit.clear();
        let kept = findings.len();
        match Decoded::read_text(&bytes) {
            Some(read) => {
                self.feed.push(detectors, &read.text, findings);
                self.place(findings, kept);
                self.fed += read.text.len();
                self.open = read.open;
            }
            None => {
                if self.fed > 0 {
                    self.feed.finish(detectors, findings);
                    self.place(findings, kept);
                    self.feed = Feed::new(self.feed.kinds());
                }
                self.before += self.fed + bytes.len();
                self.fed = 0;
            }
        }
    }

    /// Moves findings from where they are in the decoded text to where they are in the whole one.
    fn place(&self, findings: &mut [Finding], from: usize) {
        for finding in findings.iter_mut().skip(from) {
            finding.start = self.start + self.code.start_of(self.before + finding.start);
            finding.end = self.start + self.code.end_of(self.before + finding.end);
        }
    }

    fn decided(&self) -> usize {
        self.start + self.code.start_of(self.before + self.feed.decided())
    }
}

/// Whether a text may hold base64: a quick look that errs to yes. Capitals are rare, so they are looked for first.
#[inline(never)] // compiled apart, its blocks stay vectors
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

impl Coded {
    /// Nothing has been read; only findings of these kinds are looked for.
    pub(super) fn new(kinds: Kinds) -> Self {
        Self { kinds, at: 0, base64: Run::default(), readings: Vec::new(), tags: Run::default() }
    }

    /// Takes the next piece; appends what is in the runs that it completes.
    pub(super) fn push(&mut self, detectors: &Detectors, piece: &str, findings: &mut Vec<Finding>) {
        if self.kinds.is_empty() {
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
    #[inline]
    pub(super) fn decided(&self) -> usize {
        let open = |run: &Run| (run.is_open() && !run.long).then_some(run.start);
        let decided = open(&self.base64).or_else(|| open(&self.tags)).unwrap_or(self.at);
        // INVARIANT: one run is open at most, and only one that is long is read in these ways.
        self.readings.iter().map(Reading::decided).fold(decided, usize::min)
    }

    fn take_base64(&mut self, detectors: &Detectors, text: &str, findings: &mut Vec<Finding>) {
        self.end_tags(detectors, findings);
        if self.base64.pads > 0 {
            self.end_base64(detectors, findings);
        }
        let (was_long, known) = (self.base64.long, self.base64.text.len());
        let rest = self.base64.add(text, self.at, BASE64);
        let fresh = self.base64.text.as_bytes().get(known.saturating_sub(1)..).unwrap_or_default();
        let pairs = fresh.iter().zip(fresh.iter().skip(1));
        self.base64.telling |= pairs.fold(false, |hit, (one, next)| hit | tells(*one, *next));
        if self.base64.long {
            self.read_long(detectors, rest, was_long, findings);
        }
    }

    /// Reads what follows in a run that is long, and at first what it began with.
    #[cold]
    fn read_long(&mut self, detectors: &Detectors, rest: &str, was_long: bool, findings: &mut Vec<Finding>) {
        let run = &self.base64;
        if !was_long {
            let reading = |(code, skip)| Reading::new(self.kinds, code, run.start + skip);
            self.readings = run.ways().map(reading).collect();
        }
        for reading in &mut self.readings {
            if !was_long {
                let text = run.text.as_bytes().get(reading.start - run.start..).unwrap_or_default();
                reading.push(detectors, text, findings);
            }
            reading.push(detectors, rest.as_bytes(), findings);
        }
    }

    fn take_other(&mut self, detectors: &Detectors, c: char, findings: &mut Vec<Finding>) {
        if c == '=' && self.base64.is_open() && self.base64.pads < 2 {
            self.base64.pads += 1;
        } else {
            self.end_base64(detectors, findings);
        }
        match char::from_u32(u32::from(c).wrapping_sub(0xe0000)).filter(|_| is_tag(c)) {
            Some(mirrored) => {
                self.tags.add(mirrored.encode_utf8(&mut [0; 4]), self.at, TAGS);
            }
            None => self.end_tags(detectors, findings),
        }
    }

    /// Looks into the base64 that ends here.
    fn end_base64(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        if !self.base64.is_open() {
            return;
        }
        let run = std::mem::take(&mut self.base64);
        if run.text.len() < SHORTEST {
            return;
        }
        if run.long {
            self.readings.iter_mut().for_each(|reading| reading.finish(detectors, findings));
            self.readings.clear();
            return;
        }
        let (mut found, mut bytes) = (Vec::new(), Vec::new());
        for (code, skip) in run.ways() {
            bytes.clear();
            code.decode(run.text.as_bytes().get(skip..).unwrap_or_default(), &mut bytes);
            let read = Decoded::read(&bytes);
            // Hexadecimal digits are seldom text, base64 of anything may hold an address.
            let is_text = read.is_text();
            if is_text || code == Code::Base64 {
                let kinds = Kinds { words: self.kinds.words && is_text, ..self.kinds };
                look(detectors, kinds, &read.text, &mut found);
            }
        }
        report(found, run.start..self.at, findings);
    }

    fn end_tags(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        if !self.tags.is_open() {
            return;
        }
        let run = std::mem::take(&mut self.tags);
        if !run.long {
            let mut found = Vec::new();
            look(detectors, self.kinds, &run.text, &mut found);
            report(found, run.start..self.at, findings);
        }
    }
}

/// Appends the kinds of what is in a text.
fn look(detectors: &Detectors, kinds: Kinds, text: &str, found: &mut Vec<What>) {
    let mut findings = Vec::new();
    detectors.scan_text(kinds, (text, text.is_ascii()), &mut findings);
    found.extend(findings.iter().map(|finding| finding.what));
}

fn report(mut found: Vec<What>, at: std::ops::Range<usize>, findings: &mut Vec<Finding>) {
    found.sort_unstable();
    found.dedup();
    findings.extend(found.into_iter().map(|what| Finding { what, start: at.start, end: at.end }));
}
