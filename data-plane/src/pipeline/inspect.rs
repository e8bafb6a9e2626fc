//! What is in the content the caller sent.
//!
//! Law: every text of the outline is read, unescaped where it has to be, and nothing is changed yet. Texts are looked at apart,
//! but the parts of what is read as one together as well; media that is no text is told of and left. Large bodies are read off the
//! runtime. Deliberately absent: what a finding means.

mod cues;
mod mark;

use std::sync::Arc;

use bytes::Bytes;
use policy_engine::content::{Detectors, What};
use policy_engine::request::Found;
use policy_engine::vocabulary::Operation;
use proto::code::ErrorCode;

use super::Exchange;
use super::entitle::Entitled;
use crate::error::Rejection;
pub(crate) use mark::{Content, Marked, decoded, raw};

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
    /// Media that could not be looked into, by label.
    pub(crate) uninspected: Vec<(&'static str, u32)>,
}

/// Reads the content, if anybody asks what is in it.
pub(crate) async fn inspect<'s>(
    exchange: &mut Exchange<'s>,
    mut entitled: Entitled<'s>,
) -> Result<Inspected<'s>, Rejection> {
    let view = entitled.entitled.inspect;
    let Some(view) = view else {
        let (found, marked, uninspected) = (Found::default(), Vec::new(), Vec::new());
        return Ok(Inspected { entitled, found, marked, uninspected });
    };
    let content = Content::take(&mut entitled.question.outline);
    let ((marked, unread), content) = look(content, &view.detectors, &entitled.body).await?;
    content.put_back(&mut entitled.question.outline);
    let mut found = Found::default();
    let mut counts = Tally::default();
    for finding in marked.iter().flat_map(|marked| &marked.findings) {
        note(&mut found, finding.what);
        counts.add(finding.what, 1);
    }
    let mut uninspected = Tally::default();
    let elsewhere = &entitled.question.outline.elsewhere;
    let answer = answered_in(entitled.question.operation);
    unread.iter().chain(elsewhere).chain(&answer).for_each(|medium| uninspected.count(medium, 1));
    let Tally(uninspected) = uninspected;
    let lists = found.word_lists.iter().filter_map(|at| view.word_lists.get(*at as usize).cloned());
    exchange.account.found_input((counts, lists.collect()), uninspected.clone());
    Ok(Inspected { entitled, found, marked, uninspected })
}

/// The places in which something is found, and the media that cannot be read; much is read off the runtime.
///
/// # Errors
/// When it could not be read: then nothing of it passes.
pub(super) async fn look(
    content: Content,
    detectors: &Arc<Detectors>,
    body: &Bytes,
) -> Result<((Vec<Marked>, Vec<&'static str>), Content), Rejection> {
    if content.bytes() <= LARGE {
        return Ok((read(&content, detectors, body), content));
    }
    let (detectors, body) = (detectors.clone(), body.clone());
    let work = tokio::task::spawn_blocking(move || (read(&content, &detectors, &body), content));
    work.await.map_err(|_| Rejection::new(ErrorCode::Internal, "inspection failed"))
}

/// The medium of an answer that will not be looked into.
pub(crate) fn answered_in(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Image | Operation::EditImage => Some("image"),
        Operation::Speech => Some("audio"),
        _ => None,
    }
}

/// The places in which something is found, and the media that cannot be read.
fn read(content: &Content, detectors: &Detectors, body: &[u8]) -> (Vec<Marked>, Vec<&'static str>) {
    let mut marked = content.mark(detectors, body);
    let unread = content.mark_embedded(detectors, body, &mut marked);
    (marked, unread)
}

/// The places of a body in which something is found.
#[cfg(test)]
pub(crate) fn mark(detectors: &Detectors, body: &[u8], outline: &mut super::outline::Outline) -> Vec<Marked> {
    read(&Content::take(outline), detectors, body).0
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
        self.count(what.label(), count);
    }

    /// Counts findings of a label.
    pub(crate) fn count(&mut self, label: &'static str, count: u32) {
        match self.0.iter_mut().find(|(known, _)| *known == label) {
            Some((_, known)) => *known = known.saturating_add(count),
            None => self.0.push((label, count)),
        }
    }
}
