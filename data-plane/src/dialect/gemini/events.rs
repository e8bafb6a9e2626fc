//! The events of an answer of the dialect, read and written.
//!
//! Law: each event is an answer of its own, and the end of the stream is the end, for there is no mark of it. A call comes whole here, so
//! the pieces of one are gathered until its answer ends; so does a signature, which stands on the next part. Absent on purpose: what has no
//! event in the form between, such as pictures of the model's and where it searched.
//!
//! A vendor that fails while it answers says so in an event: [`Reading::take`] gives that as [`VendorError`].

use super::super::answer::{Finish, Usage};
use super::super::chat::{Call, Kind, Part};
use super::super::event::{Delta, Event, Start};
use super::super::json::Json;
use super::super::{VendorError, VendorFault};
use super::answer::{
    blocked, content, created, finish, head, index, malformed, reason, usage, write_content, write_usage,
};
use super::error;
use super::ids::Ids;
use super::members::{at, text_at};
use super::signature;
use crate::tape::{Tape, Value};

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    tape: Tape,
    ids: Option<Ids>,
    used: Option<Usage>,
    /// Each answer, how many calls it has made, and whether it ended.
    choices: Vec<(u64, u64, bool)>,
}

impl Reading {
    /// What an event says.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        let mut tape = std::mem::take(&mut self.tape);
        let told = match tape.read(data) {
            Ok(()) => tape.root(data).map_or(Ok(()), |root| self.chunk(root, data, events)),
            Err(malformed) => {
                Err(VendorError { fault: VendorFault::Malformed, message: malformed.fault.to_string() })
            }
        };
        self.tape = tape;
        told
    }

    fn chunk(
        &mut self,
        root: Value<'_>,
        data: &[u8],
        events: &mut impl Extend<Event>,
    ) -> Result<(), VendorError> {
        if let Some(error) = at(root, "error") {
            let fault = match at(error, "code").and_then(|code| code.whole()) {
                Some(429 | 503) => VendorFault::Overloaded,
                _ => VendorFault::Other,
            };
            return Err(VendorError { fault, message: error::message(data).unwrap_or_default() });
        }
        let mut ids = self.ids.take().unwrap_or_else(|| begin(root, events));
        let candidates = at(root, "candidates").into_iter().flat_map(|all| all.elements());
        for (position, candidate) in candidates.enumerate() {
            self.candidate(position, candidate, &mut ids, events);
        }
        self.ids = Some(ids);
        if let Some(message) = blocked(root) {
            let (choice, refusal) = (0, message.map(Delta::Refusal));
            events.extend(refusal.map(|delta| Event::More { choice, delta }));
            self.end(choice, Finish::Filtered, events);
        }
        self.used = at(root, "usageMetadata").and_then(usage).or(self.used);
        Ok(())
    }

    fn candidate(
        &mut self,
        position: usize,
        candidate: Value<'_>,
        ids: &mut Ids,
        events: &mut impl Extend<Event>,
    ) {
        let choice = index(candidate, position);
        for part in content(candidate, ids) {
            let calls = &mut self.choice(choice).1;
            deltas(part.kind, calls, |delta| events.extend([Event::More { choice, delta }]));
        }
        let has_called = self.choice(choice).1 > 0;
        if let Some(finish) = finish(candidate, has_called) {
            self.end(choice, finish, events);
        }
    }

    fn choice(&mut self, choice: u64) -> &mut (u64, u64, bool) {
        let known = self.choices.iter().position(|(known, ..)| *known == choice);
        let known = known.unwrap_or_else(|| {
            self.choices.push((choice, 0, false));
            self.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found, or pushed above")]
        &mut self.choices[known]
    }

    fn end(&mut self, choice: u64, finish: Finish, events: &mut impl Extend<Event>) {
        if !std::mem::replace(&mut self.choice(choice).2, true) {
            events.extend([Event::End { choice, finish }]);
        }
    }

    /// What the end of the stream says.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) {
        events.extend(self.used.take().map(Event::Usage));
        events.extend([Event::Done]);
    }
}

fn begin(root: Value<'_>, events: &mut impl Extend<Event>) -> Ids {
    let [id, model] = ["responseId", "modelVersion"].map(|name| text_at(root, name).unwrap_or_default());
    let ids = Ids::of_answer(&id);
    events.extend([Event::Start(Start { id, model, created: created(root) })]);
    ids
}

fn deltas(kind: Kind, calls: &mut u64, mut see: impl FnMut(Delta)) {
    match kind {
        Kind::Text(text) if !text.is_empty() => see(Delta::Text(text)),
        Kind::Refusal(text) => see(Delta::Refusal(text)),
        Kind::Thinking { text, signature } => {
            if !text.is_empty() {
                see(Delta::Thinking(text));
            }
            signature.map(Delta::Signature).into_iter().for_each(&mut see);
        }
        Kind::Redacted(data) => see(Delta::Redacted(data)),
        Kind::Call(Call { id, name, arguments }) => {
            see(Delta::Call { at: *calls, id: Some(id), name: Some(name), arguments });
            *calls += 1;
        }
        _ => {}
    }
}

/// Writes the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    start: Start,
    used: Option<Usage>,
    choices: Vec<Gathered>,
}

/// What is gathered of one answer.
#[derive(Debug, Default)]
struct Gathered {
    choice: u64,
    /// A signature of Gemini's that waits for what it stands on.
    signature: Option<String>,
    /// Calls: which, the signature before it, and what came of it.
    calls: Vec<(u64, Option<String>, Call)>,
    /// Why it ended, and what is said of that.
    end: Option<(&'static str, Option<String>)>,
}

impl Gathered {
    /// A part with the signature before it.
    fn signed(&mut self, kind: Kind) -> Vec<Part> {
        signed(self.signature.take(), Some(kind)).collect()
    }

    fn call(&mut self, at: u64) -> &mut (u64, Option<String>, Call) {
        let known = self.calls.iter().position(|(known, ..)| *known == at);
        let known = known.unwrap_or_else(|| {
            let call = Call { id: String::new(), name: String::new(), arguments: String::new() };
            self.calls.push((at, self.signature.take(), call));
            self.calls.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found, or pushed above")]
        &mut self.calls[known]
    }

    /// What is left to be told when the answer ends.
    fn rest(&mut self) -> Vec<Part> {
        let calls = std::mem::take(&mut self.calls).into_iter();
        let calls = calls.flat_map(|(_, signature, call)| signed(signature, Some(Kind::Call(call))));
        calls.chain(signed(self.signature.take(), None)).collect()
    }
}

/// What bears a signature, and the signature before it.
fn signed(signature: Option<String>, kind: Option<Kind>) -> impl Iterator<Item = Part> {
    let proof = signature.map(|proof| Kind::Thinking { text: String::new(), signature: Some(proof) });
    proof.into_iter().chain(kind).map(Part::of)
}

impl Writing {
    /// Writes what happens.
    pub(crate) fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start = start,
            Event::More { choice, delta } => self.more(choice, delta, out),
            Event::End { choice, finish } => self.end(choice, &finish, out),
            Event::Usage(usage) => self.used = Some(usage),
            Event::Done => self.done(out),
        }
    }

    fn gathered(&mut self, choice: u64) -> &mut Gathered {
        let known = self.choices.iter().position(|gathered| gathered.choice == choice);
        let known = known.unwrap_or_else(|| {
            self.choices.push(Gathered { choice, ..Gathered::default() });
            self.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found, or pushed above")]
        &mut self.choices[known]
    }

    fn more(&mut self, choice: u64, delta: Delta, out: &mut Vec<u8>) {
        let gathered = self.gathered(choice);
        let parts = match delta {
            Delta::Text(text) => gathered.signed(Kind::Text(text)),
            Delta::Refusal(text) => gathered.signed(Kind::Text(text)),
            Delta::Thinking(text) => vec![Part::of(Kind::Thinking { text, signature: None })],
            Delta::Signature(proof) if signature::own(&proof).is_some() => {
                gathered.signature = Some(proof);
                return;
            }
            Delta::Signature(proof) => {
                vec![Part::of(Kind::Thinking { text: String::new(), signature: Some(proof) })]
            }
            Delta::Redacted(data) => vec![Part::of(Kind::Redacted(data))],
            Delta::Call { at, id, name, arguments } => {
                let (_, _, call) = gathered.call(at);
                call.id.extend(id);
                call.name.extend(name);
                call.arguments.push_str(&arguments);
                return;
            }
        };
        self.content(choice, &parts, out);
    }

    fn end(&mut self, choice: u64, finish: &Finish, out: &mut Vec<u8>) {
        let gathered = self.gathered(choice);
        let mut parts = gathered.rest();
        let broken = parts.iter().find_map(malformed).map(str::to_owned);
        gathered.end = Some(match broken {
            Some(arguments) => ("MALFORMED_FUNCTION_CALL", Some(arguments)),
            None => (reason(finish), None),
        });
        parts.retain(|part| malformed(part).is_none());
        if !parts.is_empty() {
            self.content(choice, &parts, out);
        }
    }

    /// The last event: why each answer ended, and what was used.
    fn done(&mut self, out: &mut Vec<u8>) {
        let ended: Vec<Gathered> = std::mem::take(&mut self.choices);
        let used = self.used.take();
        let ended = || ended.iter().filter_map(|gathered| Some((gathered.choice, gathered.end.as_ref()?)));
        if ended().next().is_none() && used.is_none() {
            return;
        }
        self.event(out, |json| {
            json.key("candidates").array(|json| {
                for (choice, (reason, message)) in ended() {
                    json.object(|json| {
                        write_content(&[Part::of(Kind::Text(String::new()))], json);
                        json.key("finishReason").string(reason);
                        if let Some(message) = message {
                            json.key("finishMessage").string(message);
                        }
                        json.key("index").number_of(choice);
                    });
                }
            });
            if let Some(usage) = &used {
                json.key("usageMetadata").object(|json| write_usage(usage, json));
            }
        });
    }

    fn content(&self, choice: u64, parts: &[Part], out: &mut Vec<u8>) {
        self.event(out, |json| {
            json.key("candidates").array(|json| {
                json.object(|json| {
                    write_content(parts, json);
                    json.key("index").number_of(choice);
                });
            });
        });
    }

    fn event(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Json)) {
        let mut json = Json::default();
        json.object(|json| {
            write(json);
            head(&self.start.id, &self.start.model, json);
        });
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&json.done());
        // The API ends its lines as HTTP does.
        out.extend_from_slice(b"\r\n\r\n");
    }
}
