//! The one guard of a request: it settles what was used and records how it ended, exactly once, however it ends.
//!
//! Law: nothing else settles or records. It takes its place in the outbox when it is opened, so its `Drop` is synchronous and
//! never finds the queue full. Dropped without an end it is a caller that went away, or a defect of ours. Deliberately absent:
//! deciding anything.
//!
//! | how it ends | what is charged |
//! |---|---|
//! | before a vendor was called | nothing: the hold is released |
//! | a guardrail was asked and answered | the request itself |
//! | no vendor gave an answer | nothing but the request itself |
//! | the caller went away, the answer was cut or blocked | what was produced |
//! | answered | what the vendor says, if that is possible |

mod billed;
mod entry;
mod overlaid;

use std::sync::Arc;
use std::time::Instant as Moment;

use bytes::Bytes;
use jiff::Timestamp;
use policy_engine::decision::{Denial, Permit};
use policy_engine::facts::Price;
use policy_engine::snapshot::WordList;
use policy_engine::vocabulary::Id;

use super::entitle::Question;
use super::estimate::{Estimate, amounts};
use super::inspect::Tally;
use super::received::Arrival;
use super::usage::{Delivered, Produced, Reported, Seen};
use crate::captured::Gathering;
use crate::error::Rejection;
use crate::node::Node;
use crate::overlay::Watch;
use crate::policy::Version;
use crate::quota::Reservation;
use crate::record::outbox::Place;
use crate::record::{Attempt, Failure, Fate, Noted, Outcome, Owner, Record, Task, Usage};
use crate::runtime::vitals::verdict::Verdict;
use crate::runtime::vitals::{InFlight, Standing};
use crate::runtime::{Endpoint, Runtime};
use crate::upstream::error::UpstreamError;
use crate::upstream::fetched::Fetches;
use billed::Billed;

/// Text after which the hold is told how far the answer is: about 256 tokens.
const CHECKPOINT: u64 = 1024;

/// The guard of one request.
pub(crate) struct Account {
    node: Arc<Node>,
    /// `None` once it ended.
    open: Option<Box<Open>>,
    /// Its eye on what is taken back and switched off.
    watch: Watch,
}

/// What is known of a request that has not ended.
struct Open {
    record: Record,
    place: Option<Place>,
    must_audit: bool,
    moment: Moment,
    reservation: Option<Reservation>,
    price: Option<Arc<Price>>,
    /// Whose the endpoint is that was called last.
    provider: Option<Id>,
    /// When a vendor was sent the request last, in microseconds since it was received; `None` if none was.
    sent_us: Option<u64>,
    in_flight: Option<InFlight>,
    /// The time in which it must end is the caller's own.
    own_deadline: bool,
    seen: Seen,
    reported: Option<Reported>,
    /// Pictures and sound of the answer.
    delivered: Delivered,
    told_bytes: u64,
    /// What is kept of its content, where a rule asks for that.
    content: Option<Box<Gathering>>,
    /// Where it is noted what was fetched for it.
    fetched: Fetches,
}

impl Account {
    /// Opens the account of a request, and takes its place in the outbox.
    pub(crate) fn open(node: &Arc<Node>, version: Version, arrival: &Arrival) -> Self {
        let open = Open {
            record: entry::begin(node, version, arrival),
            place: node.outbox.place(),
            must_audit: false,
            moment: arrival.moment,
            reservation: None,
            price: None,
            provider: None,
            sent_us: None,
            in_flight: None,
            own_deadline: arrival.own_deadline,
            seen: Seen { estimate: Estimate::default(), output_bytes: 0, spoken_bytes: 0, window: None },
            reported: None,
            delivered: Delivered::default(),
            told_bytes: 0,
            content: None,
            fetched: Fetches::default(),
        };
        Self { node: node.clone(), open: Some(Box::new(open)), watch: Watch::from_now(&node.overlay) }
    }

    fn note(&mut self, write: impl FnOnce(&mut Open)) {
        if let Some(open) = self.open.as_deref_mut() {
            write(open);
        }
    }

    /// Whose it is, and whether that tenant demands a record.
    pub(crate) fn identified(&mut self, owner: Owner, must_audit: bool) {
        self.note(|open| {
            open.record.owner = Some(owner);
            open.must_audit = must_audit;
        });
    }

    /// What was asked.
    pub(crate) fn asked(&mut self, question: &Question) {
        self.note(|open| entry::ask(&mut open.record, question));
    }

    /// Which model was meant.
    pub(crate) fn entitled(&mut self, model: &Id) {
        self.note(|open| open.record.model = Some(model.clone()));
    }

    /// Which guardrail is asked, and what became of the texts once it has answered.
    pub(crate) fn guarded(&mut self, guardrail: &Id, fate: Option<Fate>) {
        self.note(|open| open.record.guardrail = Some((guardrail.clone(), fate)));
    }

    /// What was found in what was sent, of which lists among it, and what of it could not be looked into.
    pub(crate) fn found_input(
        &mut self,
        (tally, word_lists): (Tally, Vec<WordList>),
        uninspected: Vec<(&'static str, u32)>,
    ) {
        self.note(|open| {
            (open.record.found_input, open.record.uninspected) = (tally.0, uninspected);
            open.record.inputs.word_lists = word_lists;
        });
    }

    /// What was found in the answer.
    pub(crate) fn found_output(&mut self, tally: Tally) {
        self.note(|open| open.record.found_output = tally.0);
    }

    /// The policy said no.
    pub(crate) fn denied(&mut self, denial: &Denial, runtime: &Runtime) {
        self.note(|open| entry::deny(&mut open.record, denial, runtime));
    }

    /// The policy said yes, on these terms, to a body of so many bytes.
    pub(crate) fn permitted(&mut self, permit: &Permit, runtime: &Runtime, body: usize) {
        let room = permit.capture.map(|_| self.node.content.clone());
        self.note(|open| {
            open.content = permit.capture.zip(room).map(|(retention, room)| {
                let owner = open.record.owner.as_ref();
                let key = owner.and_then(|owner| runtime.content_key(&owner.tenant)).cloned();
                Box::new(Gathering::begin((retention, key), &room, body))
            });
            let card = runtime.snapshot.model(permit.model).map(|model| &model.card);
            open.seen.window = card.and_then(|card| card.context_window);
            entry::permit(&mut open.record, permit, runtime);
        });
    }

    /// What it may use at most.
    pub(crate) fn estimated(&mut self, estimate: Estimate) {
        self.note(|open| open.seen.estimate = estimate);
    }

    /// Whether it may go on with the record it can have.
    pub(crate) fn may_go_unrecorded(&self) -> bool {
        let kept = |open: &Open| open.content.as_ref().is_none_or(|content| content.is_well());
        let recordable = |open: &Open| open.place.is_some() && !self.node.outbox.is_failing() && kept(open);
        self.open.as_deref().is_none_or(|open| !open.must_audit || recordable(open))
    }

    /// What is held for it.
    pub(crate) fn reserved(&mut self, reservation: Reservation) {
        self.note(|open| open.reservation = Some(reservation));
    }

    /// What is held for it, if anything.
    pub(crate) fn reservation(&self) -> Option<&Reservation> {
        self.open.as_deref().and_then(|open| open.reservation.as_ref())
    }

    /// Where it is noted what is fetched for a request, where it names anything by URL.
    pub(crate) fn fetches(&mut self, elsewhere: &[&'static str]) -> Fetches {
        let names = !elsewhere.is_empty();
        let Some(open) = self.open.as_deref_mut().filter(|_| names) else { return Fetches::default() };
        if !open.fetched.is_somewhere() {
            open.fetched = Fetches::somewhere();
        }
        open.fetched.clone()
    }

    /// Whether content of it is kept.
    pub(crate) fn keeps_content(&self) -> bool {
        self.open.as_deref().is_some_and(|open| open.content.is_some())
    }

    /// A vendor is called, at this price, with this body.
    pub(crate) fn sent(
        &mut self,
        endpoint: &Endpoint,
        (price, body): (Option<Arc<Price>>, &Bytes),
        in_flight: InFlight,
    ) {
        self.note(|open| {
            if let Some(content) = &mut open.content {
                content.sent(body);
            }
            open.price = price;
            open.in_flight = Some(in_flight);
            open.provider = endpoint.provider.clone();
            open.record.endpoint = Some(endpoint.id.clone());
            open.sent_us = Some(micros(open.moment));
            open.record.attempts.push(Attempt {
                endpoint: endpoint.id.clone(),
                latency_us: None,
                failure: None,
            });
        });
    }

    /// Another is sent the same beside whoever was called last, who stays the last.
    pub(crate) fn sent_beside(&mut self, endpoint: &Id) {
        self.note(|open| {
            let attempt = Attempt { endpoint: endpoint.clone(), latency_us: None, failure: None };
            let before = open.record.attempts.len().saturating_sub(1);
            open.record.attempts.insert(before, attempt);
        });
    }

    /// Who was sent the same beside gave no answer.
    pub(crate) fn lost(&mut self, endpoint: &Id, failure: Failure) {
        self.note(|open| {
            let beside = open.beside(endpoint).and_then(|at| open.record.attempts.get_mut(at));
            if let Some(attempt) = beside {
                attempt.failure = Some(failure);
            }
        });
    }

    /// Whoever was called last is given up, unless it failed.
    pub(crate) fn give_up(&mut self, why: Failure) {
        self.note(|open| {
            if let Some(attempt) = open.record.attempts.last_mut() {
                attempt.failure.get_or_insert(why);
            }
        });
    }

    /// Who was sent the same beside whoever was called last, at `since`, is in its place.
    pub(crate) fn overtaken(
        &mut self,
        endpoint: &Endpoint,
        (price, body): (Option<Arc<Price>>, &Bytes),
        (in_flight, since): (InFlight, Moment),
    ) {
        self.note(|open| {
            if let Some(at) = open.beside(&endpoint.id) {
                open.record.attempts.remove(at);
            }
        });
        self.sent(endpoint, (price, body), in_flight);
        self.note(|open| {
            let since = since.saturating_duration_since(open.moment);
            open.sent_us = Some(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        });
        // What is switched off of this one was not looked for.
        self.watch.look_anew();
    }

    /// The vendor called last gave no answer, or broke it off.
    pub(crate) fn failed(&mut self, error: &UpstreamError) {
        let (now, chance) = (self.node.clock.now(), self.node.chance());
        self.note(|open| {
            let verdict = Verdict::of(error, open.own_deadline);
            if let Some(in_flight) = open.in_flight.take() {
                in_flight.failed(verdict, now, chance);
            }
            let took = micros(open.moment).saturating_sub(open.sent_us.unwrap_or(0));
            if let Some(attempt) = open.record.attempts.last_mut() {
                attempt.latency_us.get_or_insert(took);
                attempt.failure = Some(Failure::of(error));
            }
        });
    }

    /// Who was called last, if anybody was.
    pub(crate) fn called(&self) -> Option<&Id> {
        self.open.as_deref().and_then(|open| open.record.endpoint.as_ref())
    }

    /// A candidate was not called, and why; it is told once.
    pub(crate) fn passed_over(&mut self, endpoint: &Id, failure: Failure) {
        self.note(|open| {
            let same = |known: &Failure| known.kind == failure.kind;
            let attempts = &mut open.record.attempts;
            if !attempts.iter().any(|a| a.endpoint == *endpoint && a.failure.as_ref().is_some_and(same)) {
                let (endpoint, failure) = (endpoint.clone(), Some(failure));
                attempts.push(Attempt { endpoint, latency_us: None, failure });
            }
        });
    }

    /// A candidate was not called, or not yet, for it stands so.
    pub(crate) fn put_off(&mut self, endpoint: &Id, standing: Standing) {
        self.passed_over(endpoint, Failure { kind: standing.as_str(), why: standing.why().to_owned() });
    }

    /// The vendor began to answer.
    pub(crate) fn answered(&mut self, upstream_request_id: Option<Box<str>>) {
        let node = &self.node;
        if let Some(open) = self.open.as_deref_mut() {
            if let Some(in_flight) = &mut open.in_flight {
                in_flight.answers(|| node.clock.now());
            }
            open.record.upstream_request_id = upstream_request_id;
            let now = micros(open.moment);
            open.record.first_byte_us = Some(now);
            if let Some(attempt) = open.record.attempts.last_mut() {
                attempt.latency_us = Some(now.saturating_sub(open.sent_us.unwrap_or(0)));
            }
        }
    }

    /// Text of the answer came; now and then the hold is told.
    pub(crate) fn produced(&mut self, produced: Produced) {
        let node = &self.node;
        let Some(open) = self.open.as_deref_mut() else { return };
        open.seen.output_bytes = open.seen.output_bytes.saturating_add(produced.bytes as u64);
        open.seen.spoken_bytes = open.seen.spoken_bytes.saturating_add(produced.spoken as u64);
        if open.seen.output_bytes.saturating_sub(open.told_bytes) >= CHECKPOINT {
            open.told_bytes = open.seen.output_bytes;
            let so_far = amounts(open.seen.guess().amounts, open.price.as_deref());
            if let Some(reservation) = &open.reservation {
                reservation.checkpoint(so_far, timestamp(node));
            }
        }
    }

    /// This of the answer goes to the caller.
    pub(crate) fn told(&mut self, answer: &[u8]) {
        if let Some(content) = self.open.as_deref_mut().and_then(|open| open.content.as_mut()) {
            content.answered(answer);
        }
    }

    /// The answer holds this of what is billed otherwise than by tokens.
    pub(crate) fn delivered(&mut self, delivered: Delivered) {
        self.note(|open| open.delivered = delivered);
    }

    /// The vendor said what was used.
    pub(crate) fn reported(&mut self, reported: Reported) {
        self.note(|open| open.reported = Some(reported));
    }

    /// Now, for the ledger.
    pub(crate) fn now(&self) -> Timestamp {
        timestamp(&self.node)
    }

    /// Whether its tenant is told nothing whole that is not recorded.
    pub(crate) fn must_be_noted(&self) -> bool {
        self.open.as_deref().is_some_and(|open| open.must_audit)
    }

    /// It ended: well, or with a refusal. After it was handed over, or a second time, nothing happens. Gives what the answer waits for, where
    /// the tenant demands a record.
    pub(crate) fn close(&mut self, refused: Option<&Rejection>) -> Option<Noted> {
        let open = self.open.take()?;
        match refused {
            None => open.end(&self.node, Outcome::Answered, None),
            Some(rejection) => open.end(&self.node, rejection.outcome, Some(&rejection.refusal)),
        }
    }

    /// Puts the request's name and revision under a refusal that leaves after the head has.
    pub(crate) fn sign(&self, rejection: &mut Rejection) {
        if let Some(open) = self.open.as_deref() {
            rejection.refusal.request_id = Some(open.record.id.to_string());
            rejection.refusal.revision = u64::try_from(open.record.version.revision).ok();
        }
    }

    /// The account for whoever goes on with the request; what is left here is closed.
    pub(crate) fn hand_over(&mut self) -> Self {
        Self { node: self.node.clone(), open: self.open.take(), watch: self.watch.hand_over() }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.watch.leave(&self.node.overlay);
        let Some(mut open) = self.open.take() else { return };
        // Nobody is there to wait for the record.
        open.must_audit = false;
        let defect = std::thread::panicking().then(Rejection::defect);
        let outcome = defect.as_ref().map_or(Outcome::Cancelled, |defect| defect.outcome);
        open.end(&self.node, outcome, defect.as_ref().map(|defect| &*defect.refusal));
    }
}

impl Open {
    /// The place of who was sent the same beside who was called last, and has not failed.
    fn beside(&self, endpoint: &Id) -> Option<usize> {
        let (_, before) = self.record.attempts.split_last()?;
        before.iter().rposition(|attempt| attempt.endpoint == *endpoint && attempt.failure.is_none())
    }

    fn end(self, node: &Node, outcome: Outcome, refusal: Option<&proto::status::Refusal>) -> Option<Noted> {
        let Self {
            mut record,
            place,
            must_audit,
            moment,
            reservation,
            price,
            seen,
            reported,
            delivered,
            sent_us,
            content,
            in_flight,
            fetched,
            ..
        } = self;
        record.fetched = fetched.all();
        if let (Some(in_flight), Outcome::Answered | Outcome::Blocked) = (in_flight, outcome) {
            in_flight.well();
        }
        let sent = sent_us.is_some();
        let checked = record.operation == Task::ApplyGuardrail && outcome == Outcome::Answered;
        let full = seen.estimate.amounts(price.as_deref());
        let told = reported.is_some_and(|reported| reported.has_tokens());
        let most = seen.estimate.units;
        let Billed { units, wordless, untold, price } =
            Billed::of(record.operation, (delivered, told), (most, price));
        let usage = match outcome {
            _ if untold => Usage::default(),
            Outcome::Refused | Outcome::Failed => Usage::default(),
            Outcome::Cancelled if !sent => Usage::default(),
            _ if checked => Usage::default(),
            _ if wordless => Usage::of(units),
            _ => seen.judge(reported).with(units),
        };
        record.usage = usage;
        record.cost = price.as_ref().map(|price| price.cost(usage.amounts));
        entry::end(&mut record, outcome, refusal);
        record.latency_us = micros(moment);
        record.content = content.and_then(|content| content.end(entry::whose(&record, must_audit)?));
        match reservation {
            // What it came to is not told, so all that was held for it counts.
            Some(held) if sent && untold && !matches!(outcome, Outcome::Refused | Outcome::Failed) => {
                held.settle(full, timestamp(node));
            }
            Some(held) if sent || checked => {
                held.settle(amounts(usage.amounts, price.as_deref()), timestamp(node));
            }
            Some(held) => held.release(),
            None => {}
        }
        if record.mirror_of.is_none() {
            node.count(&record.version, refusal.map(|refusal| refusal.code));
        }
        node.observer.ended(&record, place.is_some());
        match place {
            Some(place) if must_audit => return Some(place.fill_noted(record)),
            Some(place) => place.fill(record),
            None => node.outbox.note_lost(),
        }
        must_audit.then(Noted::never)
    }
}

fn timestamp(node: &Node) -> Timestamp {
    Timestamp::from_microsecond(node.clock.now().0).unwrap_or_default()
}

fn micros(since: Moment) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
