//! Whether it may go ahead, on which terms, and what of it is masked.
//!
//! Law: decided by `policy_engine::decide` alone; the changes to the body are worked out once, whichever candidates are tried.
//! Placeholders keep clear of those the caller wrote itself. Deliberately absent: opinions.

use std::ops::Range;
use std::sync::Arc;

use policy_engine::content::Masker;
use policy_engine::decision::{Actions, Decision, Denial, Permit};
use policy_engine::reason::{Reason, ReasonCode};
use policy_engine::request::Found;
use policy_engine::vocabulary::{MaskAction, Operation};

use super::Exchange;
use super::entitle::Entitled;
use super::inspect::{Inspected, Marked, answered_in, decoded, raw};
use super::outline::{UsageOption, Written};
use super::patch::Patches;
use crate::error::Rejection;
use crate::tape::text::escape;

/// A request that may go ahead.
pub(crate) struct Permitted<'s> {
    /// The request.
    pub(crate) entitled: Entitled<'s>,
    /// What was found in it.
    pub(crate) found: Found,
    /// The terms.
    pub(crate) permit: Permit,
    /// What is changed in the body whoever it goes to.
    pub(crate) patches: Patches,
    /// The numbering of placeholders, which the answer goes on with.
    pub(crate) masker: Masker,
}

/// Asks the policy, and works out the changes it demands.
pub(crate) fn decide<'s>(
    exchange: &mut Exchange<'s>,
    inspected: Inspected<'s>,
) -> Result<Permitted<'s>, Rejection> {
    let Inspected { entitled, found, marked, uninspected } = inspected;
    exchange.knows_rules(entitled.question.caller, &entitled.question.arrival)?;
    let snapshot = &exchange.runtime.snapshot;
    let mut permit =
        match policy_engine::decide(&entitled.question.request(), &entitled.entitled, &found, snapshot) {
            Decision::Allow(permit) => permit,
            Decision::Deny(denial) => {
                exchange.account.denied(&denial, exchange.runtime);
                return Err(Rejection::denied(&denial));
            }
        };
    exchange.account.permitted(&permit, exchange.runtime, entitled.body.len());
    exchange.drop_killed(&mut permit)?;
    if entitled.question.outline.token_numbers > 0 && (acts(&permit.input) || permit.output_decides) {
        let line = "token numbers cannot be inspected, and policy demands it: send the text";
        let prompts = entitled.question.operation == Operation::Complete;
        return Err(Rejection::unsupported(if prompts { "prompt" } else { "input" }, line));
    }
    let unheard =
        answered_in(entitled.question.operation).is_some() && (acts(&permit.output) || permit.output_decides);
    if acts(&permit.input) || unheard {
        permit.notices.extend(notice(&uninspected));
    }
    let mut permitted =
        Permitted { entitled, found, permit, patches: Patches::default(), masker: Masker::new() };
    permitted.mask(&marked)?;
    permitted.ask_usage();
    permitted.store_nothing();
    Ok(permitted)
}

impl Permitted<'_> {
    fn mask(&mut self, marked: &[Marked]) -> Result<(), Rejection> {
        if self.permit.input.is_empty() && self.permit.output.is_empty() {
            return Ok(());
        }
        let (body, actions) = (&self.entitled.body, &self.permit.input);
        let outline = &self.entitled.question.outline;
        let textual = outline.embedded.iter().filter(|embedded| embedded.textual);
        let texts = outline.texts.iter().chain(textual.map(|embedded| &embedded.at));
        reserve_placeholders(body, texts, &mut self.masker);
        marked.iter().filter_map(Marked::held).for_each(|held| self.masker.reserve(held));
        for marked in marked {
            let masked = marked.masked(body, actions, &mut self.masker);
            // `decide` has refused what is blocked; a policy that says otherwise here is refused all the same.
            let masked = masked
                .map_err(|_| Rejection::denied(&Denial::of(Reason::plain(ReasonCode::ContentBlocked))))?;
            masked.iter().for_each(|(at, text)| self.patches.add(at.clone(), quoted(text)));
        }
        Ok(())
    }

    /// Nothing is stored at a vendor. One that is not told that stores what is asked of the Responses API.
    fn store_nothing(&mut self) {
        let Some(stated) = &self.entitled.question.outline.stated else { return };
        let at = stated.store.clone();
        let said = if at.is_empty() { &br#""store":false,"#[..] } else { &b"false"[..] };
        self.patches.add(at, said);
    }

    /// Usage is always asked for on streams, and shown only to who asked for it.
    fn ask_usage(&mut self) {
        let outline = &self.entitled.question.outline;
        if !outline.stream {
            return;
        }
        match &outline.usage {
            UsageOption::Asked => {}
            UsageOption::Absent(at) => {
                self.patches.add(*at..*at, &br#""stream_options":{"include_usage":true},"#[..]);
            }
            UsageOption::Beside(at) => self.patches.add(*at..*at, &br#""include_usage":true,"#[..]),
            UsageOption::Instead(at, Written::Options) => {
                self.patches.add(at.clone(), &br#"{"include_usage":true}"#[..]);
            }
            UsageOption::Instead(at, Written::Value) => self.patches.add(at.clone(), &b"true"[..]),
        }
    }
}

/// What the caller is told of media that policy would act on, could it be looked into.
fn notice(uninspected: &[(&'static str, u32)]) -> Option<Arc<str>> {
    let kinds: Vec<_> = uninspected.iter().map(|(kind, _)| *kind).collect();
    (!kinds.is_empty())
        .then(|| format!("not inspected for what policy masks or blocks: {}", kinds.join(", ")).into())
}

/// Whether any finding changes something.
pub(crate) fn acts(actions: &Actions) -> bool {
    let lists = actions.word_lists.iter().map(|(_, action)| action);
    actions.entities.iter().flatten().chain(lists).any(|action| *action != MaskAction::Detect)
}

/// Keeps clear of the placeholders that texts of a body hold already.
pub(super) fn reserve_placeholders<'t>(
    body: &[u8],
    texts: impl IntoIterator<Item = &'t Range<usize>>,
    masker: &mut Masker,
) {
    for at in texts {
        if may_hold_placeholder(raw(body, at)) {
            masker.reserve(&decoded(body, at));
        }
    }
}

/// Whether a text, as written, may hold a placeholder: every one begins with a bracket, written as such or as `\u005b`. Most texts
/// hold none and are spared the decoding.
fn may_hold_placeholder(raw: &[u8]) -> bool {
    memchr::memchr(b'[', raw).is_some() || memchr::memmem::find(raw, b"\\u005").is_some()
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    escape(text, &mut out);
    out.push(b'"');
    out
}
