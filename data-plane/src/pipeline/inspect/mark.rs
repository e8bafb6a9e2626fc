//! Where something is found in a body, and what stands there instead.
//!
//! Law: a text is read alone; parts of what is read as one alone and together; a long number with the key before it, since that says
//! whose it is. What base64 holds is read like a text, where it is one, and written back as base64. Texts are replaced as JSON
//! strings, and so are numbers: a placeholder is no number.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy_engine::content::{Blocked, Detectors, Finding, Held, Joined, Masker, mask};
use policy_engine::decision::Actions;

use super::super::outline::{Embedded, Labelled, Outline, data_url};
use super::cues::Cues;
use crate::tape::{number, text::unescape};

/// The last bytes of a label that are read: no detector looks further back.
const LABEL: usize = 128;

/// What stands between a label and its number, as it is read.
const COLON: &str = ": ";

/// What a body holds that is to be read.
#[derive(Debug, Default)]
pub(crate) struct Content {
    texts: Vec<Range<usize>>,
    joined: Vec<Vec<Range<usize>>>,
    numbers: Vec<Labelled>,
    embedded: Vec<Embedded>,
    /// The texts may be transcripts with cues, which are read as one.
    cues: bool,
}

impl Content {
    /// Of an answer, whose numbers have no labels.
    pub(crate) fn of_answer(
        texts: Vec<Range<usize>>,
        joined: Vec<Vec<Range<usize>>>,
        numbers: impl Iterator<Item = Range<usize>>,
    ) -> Self {
        let numbers = numbers.map(|at| Labelled { label: 0..0, at }).collect();
        Self { texts, joined, numbers, embedded: Vec::new(), cues: false }
    }

    /// The same, of what was heard.
    pub(crate) fn with_cues(self) -> Self {
        Self { cues: true, ..self }
    }

    /// Takes it out of an outline, to be read elsewhere.
    pub(super) fn take(outline: &mut Outline) -> Self {
        Self {
            texts: std::mem::take(&mut outline.texts),
            joined: std::mem::take(&mut outline.joined),
            numbers: std::mem::take(&mut outline.numbers),
            embedded: std::mem::take(&mut outline.embedded),
            cues: false,
        }
    }

    /// Puts it back.
    pub(super) fn put_back(self, outline: &mut Outline) {
        (outline.texts, outline.joined) = (self.texts, self.joined);
        (outline.numbers, outline.embedded) = (self.numbers, self.embedded);
    }

    /// Where the texts stand.
    pub(crate) fn texts(&self) -> &[Range<usize>] {
        &self.texts
    }

    /// Bytes to be read, a label for every number among them.
    pub(super) fn bytes(&self) -> usize {
        let embedded = self.embedded.iter().map(|embedded| &embedded.at);
        self.texts.iter().chain(embedded).map(Range::len).sum::<usize>() + self.numbers.len() * LABEL
    }

    /// The places in which something is found.
    pub(crate) fn mark(&self, detectors: &Detectors, body: &[u8]) -> Vec<Marked> {
        let mut marked = Vec::new();
        let mut findings = Vec::new();
        let mut add_as = |form: Form, places: &[Range<usize>], findings: &mut Vec<Finding>| {
            if !findings.is_empty() {
                marked.push(Marked { places: places.to_vec(), findings: std::mem::take(findings), form });
            }
        };
        let mut parts: Vec<usize> = self.joined.iter().flatten().map(|at| at.start).collect();
        parts.sort_unstable();
        for at in self.texts.iter().filter(|at| parts.is_empty() || parts.binary_search(&at.start).is_err()) {
            let text = decoded(body, at);
            let form = match self.cues.then(|| Cues::read(&text)).flatten() {
                Some(cues) => {
                    cues.scan(detectors, &mut findings);
                    Form::Cues
                }
                None => {
                    detectors.scan(&text, &mut findings);
                    Form::Plain
                }
            };
            add_as(form, std::slice::from_ref(at), &mut findings);
        }
        let mut add =
            |places: &[Range<usize>], findings: &mut Vec<Finding>| add_as(Form::Plain, places, findings);
        for places in &self.joined {
            joined(body, places).scan(detectors, &mut findings);
            add(places, &mut findings);
        }
        let mut label = (0..0, String::new());
        for number in &self.numbers {
            if label.0 != number.label {
                label = (number.label.clone(), read_label(body, &number.label));
            }
            let digits = decoded(body, &number.at);
            detectors.scan(&format!("{}{digits}", label.1), &mut findings);
            // One that begins in the label is the label's own.
            findings = moved(&findings, label.1.len(), 0);
            add(std::slice::from_ref(&number.at), &mut findings);
        }
        marked
    }

    /// The media of what is embedded and cannot be read; appends what is found in the rest of it.
    pub(super) fn mark_embedded(
        &self,
        detectors: &Detectors,
        body: &[u8],
        marked: &mut Vec<Marked>,
    ) -> Vec<&'static str> {
        let mut unread = Vec::new();
        for embedded in &self.embedded {
            let text = decoded(body, &embedded.at);
            let (head, coded) = parted(&text);
            let (held, mut findings) = (Held::read(coded), Vec::new());
            match &held {
                Held::Text(held) => {
                    detectors.scan(held, &mut findings);
                    findings = moved(&findings, 0, head.len());
                }
                Held::Opaque => unread.push(embedded.medium),
            }
            let form = if findings.is_empty() && embedded.textual {
                detectors.scan(&text, &mut findings);
                Form::Plain
            } else {
                detectors.scan(head, &mut findings);
                Form::Base64(held)
            };
            if !findings.is_empty() {
                marked.push(Marked { places: vec![embedded.at.clone()], findings, form });
            }
        }
        unread
    }
}

/// What stands before base64, and the base64.
fn parted(text: &str) -> (&str, &str) {
    let coded = data_url(text).map_or(text, |(_, coded)| coded);
    text.split_at(text.len() - coded.len())
}

/// The findings of what begins at `from`, in offsets of a text in which it begins at `to`.
fn moved(findings: &[Finding], from: usize, to: usize) -> Vec<Finding> {
    let own = findings.iter().filter(|finding| finding.start >= from);
    let moved = |at: usize| at - from + to;
    own.map(|finding| Finding { start: moved(finding.start), end: moved(finding.end), ..*finding }).collect()
}

/// Something that is read as one text, in which something is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Where it stands in the body, quotes included: one place, or those of the parts of a message.
    places: Vec<Range<usize>>,
    /// What was found in it as it reads.
    pub(crate) findings: Vec<Finding>,
    form: Form,
}

/// How what was read is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// As it reads.
    Plain,
    /// In base64 that holds this, behind what is said of it.
    Base64(Held),
    /// In the cues of a transcript, of which what was said is read alone.
    Cues,
}

impl Marked {
    /// Where the first of its places begins.
    pub(crate) fn begins_at(&self) -> usize {
        self.places.first().map_or(0, |at| at.start)
    }

    /// What was read of base64, for placeholders that its author wrote into it.
    pub(crate) fn held(&self) -> Option<&str> {
        match &self.form {
            Form::Base64(Held::Text(held)) => Some(held),
            Form::Base64(Held::Opaque) | Form::Plain | Form::Cues => None,
        }
    }

    /// The text behind base64 is masked as a text is and written as base64 again, so that it stays what its label says.
    fn recoded(
        &self,
        (text, held): (&str, &Held),
        (actions, masker): (&Actions, &mut Masker),
    ) -> Result<String, Blocked> {
        let (head, coded) = parted(text);
        let outer: Vec<Finding> =
            self.findings.iter().copied().filter(|finding| finding.start < head.len()).collect();
        let head_masked = mask::apply(head, &outer, actions, masker)?;
        let Held::Text(held) = held else { return Ok(format!("{head_masked}{coded}")) };
        let inner = moved(&self.findings, head.len(), 0);
        match mask::apply(held, &inner, actions, masker)? {
            Cow::Borrowed(_) => Ok(format!("{head_masked}{coded}")),
            Cow::Owned(masked) => Ok(format!("{head_masked}{}", BASE64_STANDARD.encode(masked))),
        }
    }

    /// What stands in each place instead, unquoted; places where nothing changes are left out.
    ///
    /// # Errors
    /// When a finding is to be blocked.
    pub(crate) fn masked(
        &self,
        body: &[u8],
        actions: &Actions,
        masker: &mut Masker,
    ) -> Result<Vec<(Range<usize>, String)>, Blocked> {
        let changed =
            |at: &Range<usize>, masked: String| (decoded(body, at) != masked).then(|| (at.clone(), masked));
        if let [at] = self.places.as_slice() {
            let text = decoded(body, at);
            let masked = match &self.form {
                Form::Plain => mask::apply(&text, &self.findings, actions, masker)?.into_owned(),
                Form::Base64(held) => self.recoded((&text, held), (actions, masker))?,
                Form::Cues => match Cues::read(&text) {
                    Some(cues) => cues.masked(&self.findings, actions, masker)?,
                    None => text.clone().into_owned(),
                },
            };
            return Ok(changed(at, masked).into_iter().collect());
        }
        let masked = joined(body, &self.places).masked(&self.findings, actions, masker)?;
        let places = self.places.iter().zip(masked);
        Ok(places.filter_map(|(at, masked)| changed(at, masked)).collect())
    }
}

/// A text of a body, unescaped; a number in full.
pub(crate) fn decoded<'b>(body: &'b [u8], at: &Range<usize>) -> Cow<'b, str> {
    if body.get(at.start) != Some(&b'"') {
        return number::in_full(body.get(at.clone()).unwrap_or_default());
    }
    let inner = raw(body, at);
    let text = std::str::from_utf8(inner).unwrap_or_default();
    if memchr::memchr(b'\\', inner).is_some() { unescape(text).into() } else { text.into() }
}

/// A text of a body as it is written between its quotes.
pub(crate) fn raw<'b>(body: &'b [u8], at: &Range<usize>) -> &'b [u8] {
    body.get(at.start + 1..at.end.saturating_sub(1)).unwrap_or_default()
}

fn joined(body: &[u8], places: &[Range<usize>]) -> Joined {
    let mut joined = Joined::default();
    places.iter().for_each(|at| joined.push(&decoded(body, at)));
    joined
}

/// Last words of labels whose numbers are instants, lengths of time, counts and ids, and labels that are too common to say whose
/// a number is.
const OF_THINGS: [&str; 12] =
    ["at", "call", "cell", "count", "id", "ms", "ns", "seconds", "text", "time", "timestamp", "ts"];

/// Whether a label says that a number is nobody's, or nothing.
fn says_little(label: &str) -> bool {
    let last = label.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or(label);
    let own = last.rfind(|c: char| c.is_ascii_uppercase()).map_or(last, |at| last.get(at..).unwrap_or(last));
    OF_THINGS.iter().any(|word| word.eq_ignore_ascii_case(last) || word.eq_ignore_ascii_case(own))
}

/// What is read before a number.
fn read_label(body: &[u8], at: &Range<usize>) -> String {
    if at.is_empty() {
        return String::new();
    }
    let label = decoded(body, at);
    if says_little(&label) {
        return String::new();
    }
    let from = label.ceil_char_boundary(label.len().saturating_sub(LABEL));
    format!("{}{COLON}", label.get(from..).unwrap_or_default())
}
