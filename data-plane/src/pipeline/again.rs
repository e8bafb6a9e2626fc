//! Asking the policy again, when an answer holds a class of data that the request did not.
//!
//! Law: the same question with more found can only be decided more strictly; an endpoint that would not have been permitted then
//! has answered in vain. Deliberately absent: trying another.

use std::sync::Arc;

use policy_engine::content::{Detectors, What};
use policy_engine::decision::{Actions, Decision};
use policy_engine::request::Found;
use policy_engine::vocabulary::{Entity, Id, MaskAction};
use proto::code::ErrorCode;

use super::decide::Permitted;
use super::entitle::Question;
use super::inspect::note;
use crate::error::Rejection;
use crate::record::Outcome;
use crate::runtime::Runtime;

/// A question that can be asked again.
pub(crate) struct Again {
    /// What was asked.
    pub(crate) question: Box<Question>,
    /// What was found so far.
    pub(crate) found: Found,
    /// The revision that judged it.
    pub(crate) runtime: Arc<Runtime>,
    /// Who answers.
    pub(crate) endpoint: Id,
}

impl Again {
    /// Takes in findings of an answer. If one of them is new, gives what the policy now does to answers.
    ///
    /// # Errors
    /// When the policy now says no.
    pub(crate) fn ask(
        &mut self,
        found: impl IntoIterator<Item = What>,
    ) -> Result<Option<Actions>, Rejection> {
        let mut new = false;
        for what in found {
            new |= note(&mut self.found, what);
        }
        if !new {
            return Ok(None);
        }
        self.judge(&self.found).map(Some)
    }

    /// What the policy does to answers to a request in which this was found.
    fn judge(&self, found: &Found) -> Result<Actions, Rejection> {
        let (request, snapshot) = (self.question.request(), &self.runtime.snapshot);
        let entitled =
            policy_engine::entitle(&request, snapshot).map_err(|denial| ended(Rejection::denied(&denial)))?;
        match policy_engine::decide(&request, &entitled, found, snapshot) {
            Decision::Deny(denial) => Err(ended(Rejection::denied(&denial))),
            Decision::Allow(permit) => {
                let id = |at| self.runtime.endpoint(at).map(|endpoint| &endpoint.id);
                if permit.candidates.iter().any(|c| id(c.endpoint) == Some(&self.endpoint)) {
                    return Ok(permit.output);
                }
                let line = "the answer holds data that its endpoint may not process";
                Err(ended(Rejection::new(ErrorCode::ResidencyUnsatisfied, line)))
            }
        }
    }
}

impl Again {
    /// What happens to findings in an answer, given what the policy would say once each was found: a class that would have been
    /// refused is blocked, so that a stream is held back for it and nothing of it leaves before the policy is asked.
    pub(crate) fn foresee(&self, actions: &Actions) -> Actions {
        let mut foreseen = actions.clone();
        for entity in Entity::ALL.iter().filter(|entity| !self.found.has(**entity)) {
            let mut found = self.found.clone();
            found.note_entity(*entity);
            let action = match self.judge(&found) {
                Err(_) => Some(MaskAction::Block),
                Ok(actions) => actions.on(*entity),
            };
            foreseen.tighten(*entity, action.unwrap_or(MaskAction::Detect));
        }
        foreseen
    }
}

fn ended(rejection: Rejection) -> Rejection {
    Rejection { outcome: Outcome::Blocked, ..rejection }
}

/// The detectors an answer must pass; `None` where no finding could change anything.
pub(crate) fn detectors(permitted: &Permitted<'_>) -> Option<Arc<Detectors>> {
    let view = permitted.entitled.entitled.inspect?;
    let asked = !permitted.permit.output.is_empty() || permitted.permit.output_decides;
    asked.then(|| view.detectors.clone())
}
