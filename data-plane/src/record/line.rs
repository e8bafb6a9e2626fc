//! A record as one line of JSON.
//!
//! Law: names are camelCase and stable; what is absent is left out; times are RFC 3339, money integer nano-units.

use jiff::Timestamp;
use policy_engine::vocabulary::{Entity, Id};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::{Attempt, Record, Ruling};

/// Appends the line, with its line feed.
pub(super) fn write(record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, &Line(record)).is_err() {
        // Writing to memory fails for no value of ours; half a line must not stay all the same.
        out.truncate(start);
        return;
    }
    out.push(b'\n');
}

struct Line<'r>(&'r Record);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let r = self.0;
        let mut map = serializer.serialize_map(None)?;
        macro_rules! put {
            ($name:literal, $value:expr) => {
                map.serialize_entry($name, &$value)?
            };
        }
        macro_rules! put_some {
            ($name:literal, $value:expr) => {
                if let Some(value) = &$value {
                    map.serialize_entry($name, value)?;
                }
            };
        }
        put!("requestId", r.id.to_string());
        put!("time", Timestamp::from_microsecond(r.received.0).unwrap_or_default().to_string());
        put!("door", r.door.as_str());
        put!("operation", r.operation.as_str());
        put!("stream", r.stream);
        if let Some(owner) = &r.owner {
            put!("tenant", owner.tenant.as_str());
            put!("team", owner.team.as_str());
            put!("principal", owner.principal.as_str());
            put!("key", owner.key);
        }
        put_some!("modelAsked", r.model_asked);
        put_some!("model", r.model.as_ref().map(ToString::to_string));
        put_some!("endpoint", r.endpoint.as_ref().map(ToString::to_string));
        put!("geo", r.geo.as_str());
        put!("revision", r.revision);
        put_some!("purpose", r.purpose);
        put!("found", Found { input: Counts(&r.found_input), output: Counts(&r.found_output) });
        put!("matchedRules", names(&r.ruling.matched));
        put!("shadowDenials", names(&r.ruling.shadow_denials));
        put!("obligations", obligations(&r.ruling));
        put!("reasons", r.ruling.reasons);
        put!("limits", names(&r.ruling.limits));
        put!("outcome", r.outcome.as_str());
        put_some!("code", r.code);
        put!("status", r.status);
        put!("usage", Tokens::of(r));
        put_some!("costNanos", r.cost.map(|cost| cost.nanos));
        put_some!("currency", r.cost.map(|cost| cost.currency.as_str().to_owned()));
        put!("latencyUs", r.latency_us);
        put_some!("firstByteUs", r.first_byte_us);
        put_some!("upstreamRequestId", r.upstream_request_id);
        put!("attempts", r.attempts.iter().map(Tried::of).collect::<Vec<_>>());
        map.end()
    }
}

/// Obligations as words, such as `input:mask:EMAIL` and `noCache`.
fn obligations(ruling: &Ruling) -> Vec<String> {
    let mut out = Vec::new();
    for (direction, actions) in [("input", &ruling.input), ("output", &ruling.output)] {
        let entities = Entity::ALL.iter().filter_map(|entity| Some((entity, actions.on(*entity)?)));
        out.extend(entities.map(|(entity, action)| format!("{direction}:{action}:{entity}")));
        let lists = actions.word_lists.iter();
        out.extend(lists.map(|(list, action)| format!("{direction}:{action}:words[{list}]")));
    }
    let told = (ruling.notices > 0).then(|| "notice".to_owned());
    out.extend(told.into_iter().chain(ruling.no_cache.then(|| "noCache".to_owned())));
    out
}

fn names(ids: &[Id]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[derive(Serialize)]
struct Found<'r> {
    input: Counts<'r>,
    output: Counts<'r>,
}

struct Counts<'r>(&'r [(&'static str, u32)]);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(label, count)| (label, count)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    input: u64,
    cached_input: u64,
    output: u64,
    reasoning: u64,
    provenance: &'static str,
}

impl Tokens {
    fn of(record: &Record) -> Self {
        let amounts = record.usage.amounts;
        Self {
            input: amounts.input,
            cached_input: amounts.cached_input,
            output: amounts.output,
            reasoning: amounts.reasoning,
            provenance: record.usage.provenance.as_str(),
        }
    }
}

#[derive(Serialize)]
struct Tried<'r> {
    endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'r str>,
}

impl<'r> Tried<'r> {
    fn of(attempt: &'r Attempt) -> Self {
        Self { endpoint: attempt.endpoint.to_string(), failure: attempt.failure.as_deref() }
    }
}
