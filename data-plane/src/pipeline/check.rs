//! Texts checked by one guardrail, without a model: authenticate, entitle, reserve, inspect; settle and record are the account's.
//!
//! Law: the same verbs, readers and detectors as the sentence's, so that what is found here is found there. Of a guardrail that could
//! check nothing of the caller's not even the name is told; values are never told, only types, counts and places. What can't be
//! read passes nobody: it is refused. Deliberately absent: rules and vendors, which are about models.

mod answer;
mod asked;

use std::sync::Arc;

use bytes::Bytes;
use policy_engine::content::{Masker, What};
use policy_engine::decision::Actions;
use policy_engine::request::Found;
use policy_engine::vocabulary::MaskAction;
use policy_engine::{Guarded, guard};
use proto::code::ErrorCode;

use super::authenticate::{Identified, authenticate};
use super::decide::reserve_placeholders;
use super::inspect::{self, Content, Marked, Tally, decoded, note};
use super::reply::{Body, Head, Reply, Screened, Told};
use super::{Exchange, received::Received, turn_away};
use crate::error::Rejection;
use crate::node::Node;
use crate::quota::{Amounts, Reservation, SubjectKey};
use crate::record::Unnoted;
use crate::runtime::Counted;
use answer::Answer;
use asked::Asked;
pub(crate) use asked::Direction;

/// Asks the guardrail of this name, or refuses to.
pub(crate) async fn check(node: &Arc<Node>, received: Received, name: &str) -> Reply {
    let Some(runtime) = node.runtime.load_full() else {
        return turn_away(node, &received.arrival, Rejection::unready());
    };
    let head = Head::of(&received.arrival, &runtime);
    let mut exchange = Exchange::open(node, &runtime, &received.arrival);
    let checked = sentence(&mut exchange, received, name).await;
    super::end(exchange, head, checked).await
}

async fn sentence(
    exchange: &mut Exchange<'_>,
    received: Received,
    name: &str,
) -> Result<Screened, Rejection> {
    let identified = authenticate(exchange, received)?;
    let Identified { received, caller, key } = &identified;
    let guarded = guard(*caller, Some(key), name, &exchange.runtime.snapshot).ok_or_else(unknown)?;
    exchange.account.guarded(guarded.id, None);
    exchange.knows_rules(*caller, &received.arrival)?;
    let Asked { direction, texts } = Asked::read(&received.body)?;
    reserve(exchange, &identified, &guarded).await?;
    let body = received.body.clone();
    let content = Content::of_answer(texts, Vec::new(), std::iter::empty());
    let ((marked, _), content) = inspect::look(content, &guarded.inspect.detectors, &body).await?;
    let actions = match direction {
        Direction::Input => &guarded.input,
        Direction::Output => &guarded.output,
    };
    let read = Read { content: &content, body: &body, marked, actions };
    exchange.found(direction, &read, &guarded);
    let answer = read.judge()?;
    exchange.account.guarded(guarded.id, Some(answer.fate));
    let standings = exchange.account.reservation().map(|held| held.standings()).unwrap_or_default();
    let body = Bytes::from(answer.json(guarded.id));
    Ok(Screened { told: Told::of_check(&standings), body: Body::Whole(body) })
}

/// Takes what the request counts for, as for any other.
async fn reserve(
    exchange: &mut Exchange<'_>,
    identified: &Identified,
    guarded: &Guarded<'_>,
) -> Result<(), Rejection> {
    if !exchange.account.may_go_unrecorded() {
        return Err(Rejection::unnoted(Unnoted));
    }
    let (runtime, key) = (exchange.runtime, SubjectKey::new(&*identified.key));
    let Some(identity) = runtime.snapshot.identity(identified.caller) else { return Ok(()) };
    let counted = Counted { identity, key: &key };
    let line = |ix| runtime.limits().line(&runtime.snapshot, ix, counted);
    let lines: Vec<_> = guarded.limits.iter().copied().filter_map(line).collect();
    if !lines.is_empty() {
        let now = exchange.account.now();
        let held = Reservation::reserve(&exchange.node.ledger, lines, Amounts::default(), now).await;
        exchange.account.reserved(held.map_err(|refusal| Rejection::limited(&refusal, None))?);
    }
    Ok(())
}

/// No such guardrail, or not this caller's to know.
fn unknown() -> Rejection {
    Rejection::new(ErrorCode::NotFound, "the guardrail does not exist or you may not know of it")
}

/// Texts that were read.
struct Read<'r> {
    content: &'r Content,
    body: &'r [u8],
    marked: Vec<Marked>,
    actions: &'r Actions,
}

impl Read<'_> {
    /// Findings that the guardrail has a check for, with the position of their text and what happens to them.
    fn findings(&self) -> impl Iterator<Item = Spotted> {
        self.marked.iter().flat_map(move |marked| {
            let text = self.place(marked.begins_at());
            marked.findings.iter().filter_map(move |finding| {
                let action = action(self.actions, finding.what)?;
                Some(Spotted { what: finding.what, action, text, at: (finding.start, finding.end) })
            })
        })
    }

    /// The position of the text that begins there.
    fn place(&self, start: usize) -> usize {
        self.content.texts().binary_search_by_key(&start, |at| at.start).unwrap_or_else(|place| place)
    }

    /// What becomes of the texts.
    fn judge(&self) -> Result<Answer, Rejection> {
        let texts = self.content.texts();
        let mut answer = Answer::of(self.findings());
        if answer.is_blocked() {
            return Ok(answer);
        }
        let mut masker = Masker::new();
        reserve_placeholders(self.body, texts, &mut masker);
        answer.texts = texts.iter().map(|at| decoded(self.body, at).into_owned()).collect();
        for marked in &self.marked {
            // Nothing that is blocked is left; were it, nothing would pass.
            let masked = marked.masked(self.body, self.actions, &mut masker);
            let masked = masked.map_err(|_| Rejection::defect())?;
            for (at, text) in masked {
                if let Some(held) = answer.texts.get_mut(self.place(at.start)) {
                    *held = text;
                }
            }
        }
        Ok(answer)
    }
}

/// Something that was found and is acted on.
struct Spotted {
    what: What,
    action: MaskAction,
    /// The position of its text.
    text: usize,
    /// Its first byte there, and one past its last.
    at: (usize, usize),
}

fn action(actions: &Actions, what: What) -> Option<MaskAction> {
    match what {
        What::Entity(entity) => actions.on(entity),
        What::Word(list) => actions.on_words(list),
    }
}

impl Exchange<'_> {
    /// Writes down what was found, of what the guardrail has a check for.
    fn found(&mut self, direction: Direction, read: &Read<'_>, guarded: &Guarded<'_>) {
        let (mut found, mut tally) = (Found::default(), Tally::default());
        for spotted in read.findings() {
            note(&mut found, spotted.what);
            tally.add(spotted.what, 1);
        }
        let lists = found.word_lists.iter();
        let lists = lists.filter_map(|at| guarded.inspect.word_lists.get(*at as usize).cloned()).collect();
        match direction {
            Direction::Input => self.account.found_input((tally, lists), Vec::new()),
            Direction::Output => self.account.found_output(tally),
        }
    }
}
