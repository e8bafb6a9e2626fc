//! A record as one line of JSON.
//!
//! Law: names are camelCase and stable; what is absent is left out; times are RFC 3339, money integer nano-units. A busy node
//! writes a line for every request, so names go straight into it and no string is made on the way.

use std::fmt;

use jiff::Timestamp;
use policy_engine::vocabulary::{Duration, Entity, Id, Instant, MaskAction};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::{Attempt, Record, Ruling};
use crate::captured::{Kept, Place};

/// Appends the line of a record with a number of a process and what became of its content, without its closing brace, which comes
/// after what chains it.
pub(super) fn write(record: &Record, (seq, boot_id): (u64, &str), kept: Option<&Kept>, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, &Line { seq, boot_id, record, kept }).is_err() {
        // Writing to memory fails for no value of ours; half a line must not stay all the same.
        out.truncate(start);
        return;
    }
    out.pop();
}

/// A record, where it is written.
struct Line<'r> {
    seq: u64,
    boot_id: &'r str,
    record: &'r Record,
    kept: Option<&'r Kept>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let r = self.record;
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
        put!("seq", self.seq);
        put!("bootId", self.boot_id);
        put!("requestId", Spelled(r.id));
        put!("time", Spelled(time(r.received)));
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
        put_some!("model", r.model.as_ref().map(Spelled));
        put_some!("endpoint", r.endpoint.as_ref().map(Spelled));
        put!("geo", r.geo.as_str());
        put!("revision", r.version.revision);
        put_some!("digest", (r.version.revision > 0).then_some(Spelled(Short(&r.version.digest))));
        put_some!("epoch", (r.version.revision > 0).then_some(r.version.epoch));
        put_some!("revocationSeq", (r.revocation_seq > 0).then_some(r.revocation_seq));
        put_some!("purpose", r.purpose);
        put!("found", Found { input: Counts(&r.found_input), output: Counts(&r.found_output) });
        put_some!("uninspected", (!r.uninspected.is_empty()).then_some(Counts(&r.uninspected)));
        let i = &r.inputs;
        put_some!("decideTime", i.instant.map(time).map(Spelled));
        put_some!("declaredJurisdictions", given(&i.jurisdictions).map(Names));
        put_some!("declaredClasses", given(&i.classes));
        put_some!("egressTools", given(&i.egress_tools));
        put_some!("unknownFields", (i.unknown_fields > 0).then_some(i.unknown_fields));
        put_some!("wordLists", given(&i.word_lists).map(Names));
        put_some!("evaluator", r.ruling.allowed.map(|_| policy_engine::VERSION));
        put_some!("effect", r.ruling.allowed.map(|allowed| if allowed { "allow" } else { "deny" }));
        put_some!("candidates", given(&r.ruling.candidates).map(Names));
        put!("matchedRules", Names(&r.ruling.matched));
        put!("shadowDenials", Names(&r.ruling.shadow_denials));
        put!("obligations", Obligations(&r.ruling));
        put!("reasons", r.ruling.reasons);
        put!("limits", Names(&r.ruling.limits));
        put!("outcome", r.outcome.as_str());
        put_some!("code", r.code);
        put!("status", r.status);
        put!("usage", Tokens::of(r));
        put_some!("costNanos", r.cost.map(|cost| cost.nanos));
        put_some!("currency", r.cost.as_ref().map(|cost| cost.currency.as_str()));
        put!("latencyUs", r.latency_us);
        put_some!("firstByteUs", r.first_byte_us);
        put_some!("upstreamRequestId", r.upstream_request_id);
        put!("attempts", Attempts(&r.attempts));
        put_some!("kill", r.kill.as_deref());
        put_some!("captured", self.kept.map(Captured));
        map.end()
    }
}

/// Where content is, or why it was lost.
struct Captured<'r>(&'r Kept);

impl Serialize for Captured<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Kept::Lost(why) => map.serialize_entry("lost", why)?,
            Kept::In(Place { file, bytes, sha256, until, truncated }) => {
                map.serialize_entry("file", file)?;
                map.serialize_entry("bytes", bytes)?;
                map.serialize_entry("sha256", &proto::segment::hex(sha256))?;
                map.serialize_entry("until", &Spelled(time(*until)))?;
                if let Some(truncated) = given(truncated) {
                    map.serialize_entry("truncated", truncated)?;
                }
            }
        }
        map.end()
    }
}

/// Something as it spells itself.
struct Spelled<T>(T);

impl<T: fmt::Display> Serialize for Spelled<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The beginning of a digest: enough to tell the two snapshots apart that a revision may be.
struct Short<'r>(&'r [u8; 32]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = self.0.first_chunk().copied().unwrap_or_default();
        write!(f, "{:016x}", u64::from_be_bytes(beginning))
    }
}

fn time(instant: Instant) -> Timestamp {
    Timestamp::from_microsecond(instant.0).unwrap_or_default()
}

/// What there is; `None` where there is nothing.
fn given<T>(all: &[T]) -> Option<&[T]> {
    (!all.is_empty()).then_some(all)
}

struct Names<'r, T>(&'r [T]);

impl<T: fmt::Display> Serialize for Names<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Spelled))
    }
}

/// Obligations as words, such as `input:mask:EMAIL`, `noCache` and `capture:30d`.
struct Obligations<'r>(&'r Ruling);

/// What happens to one kind of finding in one direction.
enum Duty {
    Entity(&'static str, MaskAction, Entity),
    Words(&'static str, MaskAction, u32),
    Told(&'static str),
    Kept(Duration),
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity(direction, action, entity) => write!(f, "{direction}:{action}:{entity}"),
            Self::Words(direction, action, list) => write!(f, "{direction}:{action}:words[{list}]"),
            Self::Told(word) => f.write_str(word),
            Self::Kept(retention) => write!(f, "capture:{retention}"),
        }
    }
}

impl Serialize for Obligations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ruling = self.0;
        let duties = [("input", &ruling.input), ("output", &ruling.output)].into_iter().flat_map(
            |(direction, actions)| {
                let on = move |entity: &Entity| Some(Duty::Entity(direction, actions.on(*entity)?, *entity));
                let words = actions
                    .word_lists
                    .iter()
                    .map(move |(list, action)| Duty::Words(direction, *action, *list));
                Entity::ALL.iter().filter_map(on).chain(words)
            },
        );
        let notice = (ruling.notices > 0).then_some(Duty::Told("notice"));
        let no_cache = ruling.no_cache.then_some(Duty::Told("noCache"));
        let capture = ruling.capture.map(Duty::Kept);
        serializer.collect_seq(duties.chain(notice).chain(no_cache).chain(capture).map(Spelled))
    }
}

struct Attempts<'r>(&'r [Attempt]);

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Tried::of))
    }
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
#[serde(rename_all = "camelCase")]
struct Tried<'r> {
    endpoint: Spelled<&'r Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'r str>,
}

impl<'r> Tried<'r> {
    fn of(attempt: &'r Attempt) -> Self {
        let failure = attempt.failure.as_ref().map(|failure| failure.why.as_str());
        Self { endpoint: Spelled(&attempt.endpoint), latency_us: attempt.latency_us, failure }
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::decision::Actions;
    use policy_engine::snapshot::WordList;
    use policy_engine::vocabulary::Money;

    use super::super::outbox::tests::record;
    use super::super::{Failure, Inputs, Owner, Ruling};
    use super::*;

    #[test]
    fn a_line_spells_every_name_whole() {
        let id = |tenant: Option<&str>, name: &str| Id {
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            name: name.parse().unwrap(),
        };
        let mut input = Actions::default();
        input.tighten(Entity::Email, MaskAction::Mask);
        input.tighten_words(3, MaskAction::Block);
        let mut record = record(7);
        record.owner = Some(Owner {
            tenant: "acme".parse().unwrap(),
            team: "research".parse().unwrap(),
            principal: "ada@example.org".parse().unwrap(),
            key: "k1".into(),
        });
        record.uninspected = vec![("image", 2), ("file", 1)];
        record.model = Some(id(None, "m"));
        record.endpoint = Some(id(Some("acme"), "e"));
        record.inputs = Inputs {
            instant: Some(Instant(1_767_225_600_000_001)),
            jurisdictions: vec!["DE".parse().unwrap()],
            classes: vec!["health".to_owned()],
            egress_tools: vec!["web_search".to_owned()],
            unknown_fields: 2,
            word_lists: vec![WordList { guardrail: id(Some("acme"), "g"), number: 1 }],
        };
        record.ruling = Ruling {
            allowed: Some(true),
            candidates: vec![id(Some("acme"), "e"), id(None, "f")],
            matched: vec![id(Some("acme"), "r1"), id(None, "r2")],
            input,
            notices: 2,
            no_cache: true,
            capture: Some("30d".parse().unwrap()),
            limits: vec![id(Some("acme"), "l")],
            ..Ruling::default()
        };
        record.cost = Some(Money { currency: "USD".parse().unwrap(), nanos: -5 });
        record.attempts = vec![Attempt {
            endpoint: id(None, "e"),
            latency_us: Some(3),
            failure: Some(Failure { kind: "reset", why: "it \"broke\"".to_owned() }),
        }];
        let mut out = b"before\n".to_vec();
        let place = Place {
            file: "f-1".into(),
            bytes: 7,
            sha256: [5; 32],
            until: Instant(1_767_312_000_000_000),
            truncated: vec![proto::captured::Part::Answer],
        };
        write(&record, (12, "b-1"), Some(&Kept::In(place)), &mut out);
        let expected = r#"before
{"seq":12,"bootId":"b-1","requestId":"00000000-0000-0000-0000-000000000007","time":"2026-01-01T00:00:00Z","door":"openai","operation":"chat","stream":false,"tenant":"acme","team":"research","principal":"ada@example.org","key":"k1","modelAsked":"sim \"fast\"\n","model":"m","endpoint":"acme/e","geo":"eu","revision":7,"digest":"0707070707070707","epoch":1,"revocationSeq":3,"found":{"input":{"EMAIL":2},"output":{}},"uninspected":{"image":2,"file":1},"decideTime":"2026-01-01T00:00:00.000001Z","declaredJurisdictions":["DE"],"declaredClasses":["health"],"egressTools":["web_search"],"unknownFields":2,"wordLists":["acme/g#1"],"evaluator":"0.1.0","effect":"allow","candidates":["acme/e","f"],"matchedRules":["acme/r1","r2"],"shadowDenials":[],"obligations":["input:mask:EMAIL","input:block:words[3]","notice","noCache","capture:30d"],"reasons":[],"limits":["acme/l"],"outcome":"answered","status":200,"usage":{"input":0,"cachedInput":0,"output":0,"reasoning":0,"provenance":"none"},"costNanos":-5,"currency":"USD","latencyUs":5,"attempts":[{"endpoint":"e","latencyUs":3,"failure":"it \"broke\""}],"captured":{"file":"f-1","bytes":7,"sha256":"0505050505050505050505050505050505050505050505050505050505050505","until":"2026-01-02T00:00:00Z","truncated":["answer"]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
