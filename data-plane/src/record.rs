//! What is written down of every request: one record each, with who, what, under which rules, how it ended, and what it used.
//!
//! Law: never a byte of a prompt or of an answer is in a record; findings are types and counts. A record holds names, never the snapshot
//! they came from. Deliberately absent: deciding what is recorded (everything is) and writing it (`record::outbox`).

mod file;
mod line;
mod noted;
pub(crate) mod outbox;
mod recover;
mod seal;
mod segments;
mod shelf;
mod sink;
mod tally;

pub(crate) use noted::{Noted, Unnoted};
pub(crate) use seal::Seal;
pub(crate) use segments::Keeping;
pub(crate) use shelf::Shelf;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use policy_engine::decision::Actions;
use policy_engine::facts::{Amounts, Picture};
use policy_engine::snapshot::WordList;
use policy_engine::vocabulary::{Duration, Geo, Id, Instant, Money, Name, Operation};
use uuid::Uuid;

use crate::captured::Gathered;
use crate::policy::Version;
use crate::upstream::error::UpstreamError;
use crate::upstream::fetched::Fetched;

/// Names one request, on every surface and in every log; a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(pub(crate) Uuid);

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    /// The OpenAI dialect over HTTP.
    OpenAi,
    /// Anthropic's dialect over HTTP.
    Anthropic,
    /// Gemini's dialect over HTTP.
    Gemini,
    /// `chancery.inference.v1` over gRPC.
    Grpc,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// Something of a model.
    Model(Operation),
    /// What a guardrail makes of texts.
    ApplyGuardrail,
}

/// What becomes of texts that a guardrail was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// They pass as they are.
    None,
    /// They pass with placeholders.
    Masked,
    /// None of them passes.
    Blocked,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// With a whole answer.
    Answered,
    /// Refused by the house: a credential, a rule, a limit, a body that is wrong.
    Refused,
    /// No vendor gave an answer.
    Failed,
    /// The answer broke off after it had begun.
    Cut,
    /// The answer was ended because of what it held.
    Blocked,
    /// The caller went away.
    Cancelled,
}

/// Where the numbers of a usage come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Provenance {
    /// Nothing was used, or nothing that is told in tokens.
    #[default]
    None,
    /// The vendor counted.
    Vendor,
    /// The vendor counted, and what it said was not possible: cut to what is.
    Clamped,
    /// We estimated: the vendor said nothing usable.
    Estimated,
}

/// What a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// Tokens by class.
    pub(crate) amounts: Amounts,
    /// Who says so.
    pub(crate) provenance: Provenance,
}

/// Whose a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The tenant.
    pub(crate) tenant: Name,
    /// The team the key acts in.
    pub(crate) team: Name,
    /// The principal.
    pub(crate) principal: Name,
    /// The key's public id.
    pub(crate) key: Box<str>,
}

/// One call to a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The endpoint.
    pub(crate) endpoint: Id,
    /// From sent to the first of its answer or to its failure, in microseconds; `None` where neither came, or nothing was sent.
    pub(crate) latency_us: Option<u64>,
    /// Why it gave no answer; `None` where it gave one or the request ended before it could.
    pub(crate) failure: Option<Failure>,
}

/// Why a vendor gave no answer, or not the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its kind, of few: a label.
    pub(crate) kind: &'static str,
    /// The same in words.
    pub(crate) why: String,
}

/// What the policy was told beside what stands elsewhere in the record: enough to decide it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// When it was decided, where that is not when it was received: time does not go back for a node.
    pub(crate) instant: Option<Instant>,
    /// Where the caller said that its subjects live.
    pub(crate) jurisdictions: Vec<Name>,
    /// Data classes the caller declared.
    pub(crate) classes: Vec<String>,
    /// Tools that the vendor runs by itself, by kind.
    pub(crate) egress_tools: Vec<String>,
    /// How many fields were outside the published schema, as far as they are counted.
    pub(crate) unknown_fields: usize,
    /// How a picture was asked for, where one was.
    pub(crate) picture: Option<Picture>,
    /// The word lists of which a word was found.
    pub(crate) word_lists: Vec<WordList>,
}

/// What the policy said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// Whether it may go ahead; `None` where it did not come to be decided.
    pub(crate) allowed: Option<bool>,
    /// Where it might go, in the order of the route's groups.
    pub(crate) candidates: Vec<Id>,
    /// Rules that matched and acted.
    pub(crate) matched: Vec<Id>,
    /// Rules in shadow mode that would have denied.
    pub(crate) shadow_denials: Vec<Id>,
    /// What happens to findings in what was sent.
    pub(crate) input: Actions,
    /// What happens to findings in the answer.
    pub(crate) output: Actions,
    /// How many texts the caller was told.
    pub(crate) notices: usize,
    /// Nothing of it may be cached.
    pub(crate) no_cache: bool,
    /// For how long its content is to be kept, if it is.
    pub(crate) capture: Option<Duration>,
    /// Codes of the reasons of a denial, most telling first.
    pub(crate) reasons: Vec<String>,
    /// The limits that counted the request.
    pub(crate) limits: Vec<Id>,
}

/// One request, ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// The request.
    pub(crate) id: RequestId,
    /// The request that it is a copy of, for a mirror.
    pub(crate) mirror_of: Option<RequestId>,
    /// The trace it is part of, as W3C `traceparent` says it; for traces alone, it is not written down.
    pub(crate) trace: Option<Box<str>>,
    /// When it was received.
    pub(crate) received: Instant,
    /// Where it came in.
    pub(crate) door: Door,
    /// What was asked for.
    pub(crate) operation: Task,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
    /// Whose it is; `None` where the credential did not prove it.
    pub(crate) owner: Option<Owner>,
    /// The model as written; at most 256 bytes.
    pub(crate) model_asked: Option<Box<str>>,
    /// The model that was meant.
    pub(crate) model: Option<Id>,
    /// The endpoint that answered, or was tried last.
    pub(crate) endpoint: Option<Id>,
    /// The guardrail that was asked in a model's place, and what became of the texts; `None` of the latter where it did not answer.
    pub(crate) guardrail: Option<(Id, Option<Fate>)>,
    /// Where this node runs.
    pub(crate) geo: Geo,
    /// The snapshot that judged it; revision 0: none.
    pub(crate) version: Version,
    /// The number of the revocations that were known when it came in; 0: none.
    pub(crate) revocation_seq: u64,
    /// The purpose the caller declared.
    pub(crate) purpose: Option<Box<str>>,
    /// Data classes found in what was sent, and how often.
    pub(crate) found_input: Vec<(&'static str, u32)>,
    /// Media in what was sent that could not be looked into, though content was inspected, by kind and how often.
    pub(crate) uninspected: Vec<(&'static str, u32)>,
    /// Data classes found in the answer, and how often.
    pub(crate) found_output: Vec<(&'static str, u32)>,
    /// What the policy was told.
    pub(crate) inputs: Inputs,
    /// What the policy said.
    pub(crate) ruling: Ruling,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The error code it was refused or ended with.
    pub(crate) code: Option<&'static str>,
    /// The HTTP status of the answer, or that its code stands for.
    pub(crate) status: u16,
    /// What it used.
    pub(crate) usage: Usage,
    /// What that cost; `None` where nothing has a price.
    pub(crate) cost: Option<Money>,
    /// From received to ended, in microseconds.
    pub(crate) latency_us: u64,
    /// From received to the first byte of the answer, in microseconds.
    pub(crate) first_byte_us: Option<u64>,
    /// The vendor's own id of the request.
    pub(crate) upstream_request_id: Option<Box<str>>,
    /// Every call to a vendor, and every candidate that could not be called, in order.
    pub(crate) attempts: Vec<Attempt>,
    /// Files by URL that were fetched for it, or tried.
    pub(crate) fetched: Vec<Fetched>,
    /// The kill that refused or ended it.
    pub(crate) kill: Option<Arc<str>>,
    /// Its content, where that is kept; never written into the record, which tells where it is.
    pub(crate) content: Option<Gathered>,
}

/// Sees every record as it is made, on the thread of its request: for sums and metrics; it must not wait.
pub(crate) trait Observer: Send + Sync {
    /// A request ended. `recorded` is false where there was no place to write it down.
    fn ended(&self, record: &Record, recorded: bool);
}

impl Observer for () {
    fn ended(&self, _: &Record, _: bool) {}
}

impl Failure {
    /// Another that was sent the same began to answer sooner.
    pub(crate) fn overtaken() -> Self {
        Self { kind: "overtaken", why: "another endpoint was asked too, and answered sooner".to_owned() }
    }

    /// It was switched off while it was asked, and another went on.
    pub(crate) fn switched_off() -> Self {
        Self { kind: "switched_off", why: "the endpoint was switched off".to_owned() }
    }

    /// A vendor's failure.
    pub(crate) fn of(error: &UpstreamError) -> Self {
        Self { kind: error.kind.as_str(), why: error.to_string() }
    }
}

impl Task {
    /// The word on every surface.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Model(operation) => operation.as_str(),
            Self::ApplyGuardrail => "applyGuardrail",
        }
    }
}

impl From<Operation> for Task {
    fn from(operation: Operation) -> Self {
        Self::Model(operation)
    }
}

impl RequestId {
    /// The id as a header.
    pub(crate) fn to_header(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

macro_rules! spelled {
    ($($name:ident { $($variant:ident = $text:literal),* })*) => {$(
        impl $name {
            /// The word on every surface.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }
    )*};
}

spelled! {
    Door { OpenAi = "openai", Anthropic = "anthropic", Gemini = "gemini", Grpc = "grpc" }
    Outcome {
        Answered = "answered", Refused = "refused", Failed = "failed", Cut = "cut", Blocked = "blocked",
        Cancelled = "cancelled"
    }
    Fate { None = "none", Masked = "masked", Blocked = "blocked" }
    Provenance { None = "none", Vendor = "vendor", Clamped = "clamped", Estimated = "estimated" }
}

#[cfg(test)]
pub(crate) mod tests {
    use proto::sync::SealedSegment;

    use super::Shelf;

    /// What would be told of segments.
    pub(crate) fn unanchored(shelf: &Shelf) -> Vec<SealedSegment> {
        shelf.unanchored()
    }
}
