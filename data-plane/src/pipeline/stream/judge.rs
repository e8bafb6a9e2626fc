//! What is made of a finding on a stream: masked, blocked, or asked about once more.
//!
//! Law: a string that is no piece of a longer text is a whole text, read as in an answer that comes whole; a new kind of data is asked about
//! wherever it stands, before it leaves; after a refusal nothing leaves any more. Deliberately absent: what of an event is a text, and what is held back of one.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use policy_engine::content::mask::apply;
use policy_engine::content::{Detectors, HoldBack, Masker, What};
use policy_engine::decision::Actions;
use policy_engine::vocabulary::Id;

use super::super::again::Again;
use super::super::decide::{Permitted, acts, quoted};
use super::super::dialect;
use super::super::inspect::Tally;
use super::super::patch::Patches;
use crate::error::Rejection;
use crate::runtime::Runtime;
use crate::tape::{Kind, Value};
use crate::upstream::error::{Kind as Failure, UpstreamError};

/// Texts that are remembered for having nothing in them, and how long they may be: every event brings the same few.
const CLEAN: (usize, usize) = (16, 256);

/// The judge of one stream.
pub(super) struct Judge {
    detectors: Arc<Detectors>,
    actions: Arc<Actions>,
    /// The numbering of placeholders.
    pub(super) masker: Masker,
    /// Where a new finding may change the decision.
    again: Option<Again>,
    /// Whole texts, as written, in which nothing was found.
    clean: Vec<Box<[u8]>>,
    /// Something may have to be masked, so that what spells a text goes.
    spells: bool,
    /// A name of a member of the event at hand was masked.
    renamed: bool,
    /// Nothing leaves any more.
    over: bool,
}

impl Judge {
    /// Of an answer to a request on its terms.
    pub(super) fn new(
        detectors: Arc<Detectors>,
        permitted: Permitted<'_>,
        runtime: Arc<Runtime>,
        endpoint: Id,
    ) -> Self {
        let Permitted { entitled, found, permit, masker, .. } = permitted;
        let again = Again { question: entitled.question, found, runtime, endpoint };
        let again = permit.output_decides.then_some(again);
        let actions =
            again.as_ref().map_or_else(|| permit.output.clone(), |again| again.foresee(&permit.output));
        let actions = Arc::new(actions);
        let spells = acts(&actions) || again.is_some();
        let clean = Vec::new();
        Self { detectors, actions, masker, again, clean, spells, renamed: false, over: false }
    }

    /// What holds back a text of the stream.
    pub(super) fn hold(&self) -> HoldBack {
        HoldBack::new(self.detectors.clone(), self.actions.clone())
    }

    /// What is looked for, and what becomes of it.
    pub(super) fn terms(&self) -> (Arc<Detectors>, Arc<Actions>) {
        (self.detectors.clone(), self.actions.clone())
    }

    /// Whether nothing leaves any more.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Nothing is let go any more.
    pub(super) fn end(&mut self, rejection: Rejection) -> Rejection {
        self.over = true;
        rejection
    }

    /// Refuses an event in which a name was masked, if what is `written` of it can be read in two ways.
    pub(super) fn judge(&mut self, written: impl FnOnce() -> BytesMut) -> Result<(), Rejection> {
        if std::mem::take(&mut self.renamed) && !dialect::is_unambiguous(&written()) {
            return Err(odd(dialect::AMBIGUOUS));
        }
        Ok(())
    }

    /// Puts `nothing` in the place of log probabilities, where they would spell what is masked.
    pub(super) fn drop_spelled(&self, logprobs: Value<'_>, nothing: &'static str, patches: &mut Patches) {
        if self.spells {
            patches.add(logprobs.range(), nothing.as_bytes());
        }
    }

    /// Screens a string, a key or a number that is a whole text.
    pub(super) fn take_alone(
        &mut self,
        leaf: Value<'_>,
        patches: &mut Patches,
        tally: &mut Tally,
    ) -> Result<(), Rejection> {
        if self.clean.iter().any(|known| **known == *leaf.raw()) {
            return Ok(());
        }
        let (text, mut findings) = (leaf.as_read(), Vec::new());
        self.detectors.scan(&text, &mut findings);
        if findings.is_empty() && self.clean.len() < CLEAN.0 && leaf.raw().len() <= CLEAN.1 {
            self.clean.push(leaf.raw().into());
        }
        findings.iter().for_each(|finding| tally.add(finding.what, 1));
        let masked = apply(&text, &findings, &self.actions, &mut self.masker);
        let masked = masked.map_err(|blocked| self.end(Rejection::blocked(blocked.what.label())))?;
        if let Some(again) = &mut self.again {
            let asked = again.ask(findings.iter().map(|finding| finding.what));
            asked.map_err(|rejection| self.end(rejection))?;
        }
        if masked != text {
            self.renamed |= leaf.kind() == Kind::Key;
            patches.add(leaf.range(), quoted(&masked));
        }
        Ok(())
    }

    /// Where a text holds a new kind of data, of which so many were `asked` about: whether the policy still permits the answer.
    pub(super) fn ask_again(&mut self, found: &[(What, u32)], asked: &mut usize) -> Result<(), Rejection> {
        let Some(again) = &mut self.again else { return Ok(()) };
        if found.len() > std::mem::replace(asked, found.len()) {
            again.ask(found.iter().map(|(what, _)| *what))?;
        }
        Ok(())
    }

    /// A name of a member as it leaves in an event of our own. Whatever may not leave was refused when it came.
    pub(super) fn name(&mut self, key: &str) -> String {
        let mut findings = Vec::new();
        self.detectors.scan(key, &mut findings);
        apply(key, &findings, &self.actions, &mut self.masker).map(Cow::into_owned).unwrap_or_default()
    }
}

/// What the vendor sent is not the protocol.
pub(super) fn odd(what: &'static str) -> Rejection {
    Rejection::upstream(&UpstreamError::caused(Failure::Protocol, what), None)
}
