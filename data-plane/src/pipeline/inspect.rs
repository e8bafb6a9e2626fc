//! What is in the content the caller sent.
//!
//! Law: every text of the outline is read once, unescaped where it has to be, and nothing is changed yet. Texts are looked at
//! apart, so nothing is found across two of them. Large bodies are read off the runtime. Deliberately absent: what a finding means.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use policy_engine::content::{Detectors, Finding, What};
use policy_engine::request::Found;
use proto::code::ErrorCode;

use super::Exchange;
use super::entitle::Entitled;
use super::tape::text::unescape;
use crate::error::Rejection;

/// More text than this is read off the runtime, so that it keeps nobody waiting.
const LARGE: usize = 64 * 1024;

/// A request whose content was read.
pub(crate) struct Inspected<'s> {
    /// The request.
    pub(crate) entitled: Entitled<'s>,
    /// What was found, for the decision.
    pub(crate) found: Found,
    /// Where, for masking.
    pub(crate) marked: Vec<Marked>,
}

/// One text in which something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Where the text stands in the body, quotes included.
    pub(crate) at: Range<usize>,
    /// What was found in it, unescaped.
    pub(crate) findings: Vec<Finding>,
}

/// Reads the content, if anybody asks what is in it.
pub(crate) async fn inspect<'s>(
    exchange: &mut Exchange<'s>,
    mut entitled: Entitled<'s>,
) -> Result<Inspected<'s>, Rejection> {
    let view = entitled.entitled.inspect;
    let Some(view) = view else {
        return Ok(Inspected { entitled, found: Found::default(), marked: Vec::new() });
    };
    let texts = &mut entitled.question.outline.texts;
    let large = texts.iter().map(Range::len).sum::<usize>() > LARGE;
    let marked = if large {
        let (detectors, body, taken) = (view.detectors.clone(), entitled.body.clone(), std::mem::take(texts));
        let work = tokio::task::spawn_blocking(move || (mark(&detectors, &body, &taken), taken));
        let (marked, taken) =
            work.await.map_err(|_| Rejection::new(ErrorCode::Internal, "inspection failed"))?;
        *texts = taken;
        marked
    } else {
        mark(&view.detectors, &entitled.body, texts)
    };
    let mut found = Found::default();
    let mut counts = Tally::default();
    for finding in marked.iter().flat_map(|marked| &marked.findings) {
        note(&mut found, finding.what);
        counts.add(finding.what, 1);
    }
    exchange.account.found_input(counts);
    Ok(Inspected { entitled, found, marked })
}

/// The texts in which something is found, in order.
pub(crate) fn mark(detectors: &Arc<Detectors>, body: &Bytes, texts: &[Range<usize>]) -> Vec<Marked> {
    let mut marked = Vec::new();
    let mut findings = Vec::new();
    for at in texts {
        detectors.scan(&decoded(body, at), &mut findings);
        if !findings.is_empty() {
            marked.push(Marked { at: at.clone(), findings: std::mem::take(&mut findings) });
        }
    }
    marked
}

/// A text of a body, unescaped.
pub(crate) fn decoded<'b>(body: &'b [u8], at: &Range<usize>) -> std::borrow::Cow<'b, str> {
    let inner = raw(body, at);
    let text = std::str::from_utf8(inner).unwrap_or_default();
    if memchr::memchr(b'\\', inner).is_some() { unescape(text).into() } else { text.into() }
}

/// A text of a body as it is written between its quotes.
pub(crate) fn raw<'b>(body: &'b [u8], at: &Range<usize>) -> &'b [u8] {
    body.get(at.start + 1..at.end.saturating_sub(1)).unwrap_or_default()
}

/// Takes a finding into what a decision sees; true if it was new there.
pub(crate) fn note(found: &mut Found, what: What) -> bool {
    match what {
        What::Entity(entity) => found.note_entity(entity),
        What::Word(list) => found.note_words(list),
    }
}

/// Findings by label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(pub(crate) Vec<(&'static str, u32)>);

impl Tally {
    /// Counts findings of a kind.
    pub(crate) fn add(&mut self, what: What, count: u32) {
        let label = what.label();
        match self.0.iter_mut().find(|(known, _)| *known == label) {
            Some((_, known)) => *known = known.saturating_add(count),
            None => self.0.push((label, count)),
        }
    }
}
