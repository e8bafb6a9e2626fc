//! A record as one line of JSON.
//!
//! Law: names are camelCase and stable; what is absent is left out; times are RFC 3339, money integer nano-units. A busy node
//! writes a line for every request, so everything goes straight into it: no string is made on the way, and what can hold nothing to
//! escape is not looked through.

use std::fmt::Display;
use std::io::Write as _;

use jiff::Timestamp;
use policy_engine::facts::{Label, Picture};
use policy_engine::snapshot::WordList;
use policy_engine::vocabulary::{Entity, Id, Instant, MaskAction, Name};

use super::{Attempt, Fate, Record, Ruling};
use crate::captured::{Kept, Place};
use crate::tape::text::escape;
use crate::upstream::fetched::Fetched;

/// Appends the line of a record with a number of a process and what became of its content, without its closing brace, which comes
/// after what chains it.
pub(super) fn write(record: &Record, (seq, boot_id): (u64, &str), kept: Option<&Kept>, out: &mut Vec<u8>) {
    let mut line = Line(out);
    line.raw("{\"seq\":");
    line.number(seq);
    line.raw(",\"bootId\":");
    line.text(boot_id);
    line.request(record);
    line.inputs(record);
    line.ruling(&record.ruling);
    line.ending(record);
    if let Some(kept) = kept {
        line.captured(kept);
    }
}

/// A line that is being written.
struct Line<'o>(&'o mut Vec<u8>);

/// Writes a member: its name as it stands, and its value by one of the ways a line has.
macro_rules! put {
    ($line:ident, $name:literal, $way:ident $value:expr) => {{
        $line.raw(concat!(",\"", $name, "\":"));
        $line.$way($value);
    }};
}

/// Writes a member, where there is one.
macro_rules! put_some {
    ($line:ident, $name:literal, $way:ident $value:expr) => {
        if let Some(value) = $value {
            put!($line, $name, $way value);
        }
    };
}

impl Line<'_> {
    /// Who asked for what, when and where.
    fn request(&mut self, r: &Record) {
        put!(self, "requestId", shown r.id);
        put_some!(self, "mirrorOf", shown r.mirror_of);
        put!(self, "time", shown time(r.received));
        put!(self, "door", plain r.door.as_str());
        put!(self, "operation", plain r.operation.as_str());
        put!(self, "stream", boolean r.stream);
        if let Some(owner) = &r.owner {
            put!(self, "tenant", plain owner.tenant.as_str());
            put!(self, "team", plain owner.team.as_str());
            put!(self, "principal", plain owner.principal.as_str());
            put!(self, "key", text & owner.key);
        }
        put_some!(self, "modelAsked", text & r.model_asked);
        put_some!(self, "model", id & r.model);
        put_some!(self, "endpoint", id & r.endpoint);
        if let Some((guardrail, fate)) = &r.guardrail {
            put!(self, "guardrail", id guardrail);
            put_some!(self, "guardrailAction", plain fate.map(Fate::as_str));
        }
        put!(self, "geo", plain r.geo.as_str());
        put!(self, "revision", signed r.version.revision);
        if r.version.revision > 0 {
            put!(self, "digest", short & r.version.digest);
            put!(self, "epoch", signed r.version.epoch);
        }
        put_some!(self, "revocationSeq", number(r.revocation_seq > 0).then_some(r.revocation_seq));
        put_some!(self, "purpose", text & r.purpose);
    }

    /// What was found, and what the policy was told.
    fn inputs(&mut self, r: &Record) {
        self.raw(",\"found\":{\"input\":");
        self.counts(&r.found_input);
        self.raw(",\"output\":");
        self.counts(&r.found_output);
        self.raw("}");
        put_some!(self, "uninspected", counts given(&r.uninspected));
        let i = &r.inputs;
        put_some!(self, "decideTime", shown i.instant.map(time));
        put_some!(self, "declaredJurisdictions", names given(&i.jurisdictions));
        put_some!(self, "declaredClasses", texts given(&i.classes));
        put_some!(self, "egressTools", texts given(&i.egress_tools));
        put_some!(self, "unknownFields", number(i.unknown_fields > 0).then_some(i.unknown_fields as u64));
        put_some!(self, "picture", picture i.picture);
        put_some!(self, "wordLists", word_lists given(&i.word_lists));
    }

    /// What the policy said.
    fn ruling(&mut self, ruling: &Ruling) {
        if let Some(allowed) = ruling.allowed {
            put!(self, "evaluator", plain policy_engine::VERSION);
            put!(self, "effect", plain if allowed { "allow" } else { "deny" });
        }
        put_some!(self, "candidates", ids given(&ruling.candidates));
        put!(self, "matchedRules", ids & ruling.matched);
        put!(self, "shadowDenials", ids & ruling.shadow_denials);
        put!(self, "obligations", obligations ruling);
        put!(self, "reasons", texts & ruling.reasons);
        put!(self, "limits", ids & ruling.limits);
    }

    /// How it ended, and what that took.
    fn ending(&mut self, r: &Record) {
        put!(self, "outcome", plain r.outcome.as_str());
        put_some!(self, "code", plain r.code);
        put!(self, "status", number u64::from(r.status));
        let amounts = r.usage.amounts;
        self.raw(",\"usage\":{\"input\":");
        self.number(amounts.input);
        put!(self, "cachedInput", number amounts.cached_input);
        put!(self, "output", number amounts.output);
        put!(self, "reasoning", number amounts.reasoning);
        let units = amounts.units;
        put_some!(self, "pictures", number some(units.pictures));
        put_some!(self, "audioMillis", number some(units.audio_millis));
        put_some!(self, "characters", number some(units.characters));
        put!(self, "provenance", plain r.usage.provenance.as_str());
        self.raw("}");
        if let Some(cost) = &r.cost {
            put!(self, "costNanos", signed cost.nanos);
            put!(self, "currency", plain cost.currency.as_str());
        }
        put!(self, "latencyUs", number r.latency_us);
        put_some!(self, "firstByteUs", number r.first_byte_us);
        put_some!(self, "upstreamRequestId", text & r.upstream_request_id);
        put!(self, "attempts", attempts & r.attempts);
        put_some!(self, "fetched", fetched given(&r.fetched));
        put_some!(self, "kill", text & r.kill);
    }

    /// Where content is, or why it was lost.
    fn captured(&mut self, kept: &Kept) {
        match kept {
            Kept::Lost(why) => {
                self.raw(",\"captured\":{\"lost\":");
                self.text(why);
            }
            Kept::In(Place { file, bytes, sha256, until, truncated }) => {
                self.raw(",\"captured\":{\"file\":");
                self.text(file);
                put!(self, "bytes", number * bytes as u64);
                put!(self, "sha256", plain & proto::segment::hex(sha256));
                put!(self, "until", shown time(*until));
                if let Some(truncated) = given(truncated) {
                    self.raw(",\"truncated\":");
                    self.list(truncated, |line, part| line.plain(part.as_str()));
                }
            }
        }
        self.raw("}");
    }

    /// Obligations as words, such as `input:mask:EMAIL`, `noCache` and `capture:30d`.
    fn obligations(&mut self, ruling: &Ruling) {
        self.raw("[");
        let begin = self.0.len();
        for (direction, actions) in [("input:", &ruling.input), ("output:", &ruling.output)] {
            for entity in Entity::ALL {
                if let Some(action) = actions.on(*entity) {
                    self.next(begin);
                    self.duty(direction, action);
                    self.raw(entity.as_str());
                    self.raw("\"");
                }
            }
            for (list, action) in &actions.word_lists {
                self.next(begin);
                self.duty(direction, *action);
                self.raw("words[");
                self.number(u64::from(*list));
                self.raw("]\"");
            }
        }
        let told = [(ruling.notices > 0).then_some("notice"), ruling.no_cache.then_some("noCache")];
        for word in told.into_iter().flatten() {
            self.next(begin);
            self.plain(word);
        }
        if let Some(retention) = ruling.capture {
            self.next(begin);
            self.shown(format_args!("capture:{retention}"));
        }
        self.raw("]");
    }

    fn duty(&mut self, direction: &str, action: MaskAction) {
        self.raw("\"");
        self.raw(direction);
        self.raw(action.as_str());
        self.raw(":");
    }

    fn attempts(&mut self, attempts: &[Attempt]) {
        self.list(attempts, |line, attempt| {
            line.raw("{\"endpoint\":");
            line.id(&attempt.endpoint);
            put_some!(line, "latencyUs", number attempt.latency_us);
            put_some!(line, "failure", text attempt.failure.as_ref().map(|failure| &*failure.why));
            line.raw("}");
        });
    }

    /// Files by URL: how many, those that were not had, how many bytes, and the digests of their hosts.
    fn fetched(&mut self, fetched: &[Fetched]) {
        let had = || fetched.iter().filter_map(|file| file.bytes);
        self.raw("{\"files\":");
        self.number(fetched.len() as u64);
        put!(self, "failed", number(fetched.len() - had().count()) as u64);
        put!(self, "bytes", number had().sum());
        self.raw(",\"hosts\":");
        self.list(fetched, |line, file| line.shown(format_args!("{:016x}", u64::from_be_bytes(file.host))));
        self.raw("}");
    }

    fn counts(&mut self, counts: &[(&'static str, u32)]) {
        self.raw("{");
        let begin = self.0.len();
        for (label, count) in counts {
            self.next(begin);
            self.plain(label);
            self.raw(":");
            self.number(u64::from(*count));
        }
        self.raw("}");
    }

    fn ids(&mut self, ids: &[Id]) {
        self.list(ids, Self::id);
    }

    fn names(&mut self, names: &[Name]) {
        self.list(names, |line, name| line.plain(name.as_str()));
    }

    fn texts(&mut self, texts: &[String]) {
        self.list(texts, |line, text| line.text(text));
    }

    /// The size and the quality of a picture, each empty where it is not said.
    fn picture(&mut self, of: Picture) {
        let words = [of.size, of.quality];
        self.list(&words, |line, word| line.text(word.as_ref().map_or("", Label::as_str)));
    }

    fn word_lists(&mut self, lists: &[WordList]) {
        self.list(lists, Self::shown);
    }

    fn list<'a, T>(&mut self, all: &'a [T], mut each: impl FnMut(&mut Self, &'a T)) {
        self.raw("[");
        let begin = self.0.len();
        for one in all {
            self.next(begin);
            each(self, one);
        }
        self.raw("]");
    }

    /// Puts a comma, unless nothing was written since `begin`.
    fn next(&mut self, begin: usize) {
        if self.0.len() > begin {
            self.raw(",");
        }
    }

    /// An id; no character of a name is one to be escaped.
    fn id(&mut self, id: &Id) {
        self.raw("\"");
        if let Some(tenant) = &id.tenant {
            self.raw(tenant.as_str());
            self.raw("/");
        }
        self.raw(id.name.as_str());
        self.raw("\"");
    }

    /// A text of anybody's.
    fn text(&mut self, text: impl AsRef<str>) {
        self.raw("\"");
        escape(text.as_ref(), self.0);
        self.raw("\"");
    }

    /// A text in which nothing is to be escaped: a name, or a word of ours.
    fn plain(&mut self, text: &str) {
        self.raw("\"");
        self.raw(text);
        self.raw("\"");
    }

    /// Something as it shows itself, in which nothing is to be escaped.
    fn shown(&mut self, value: impl Display) {
        // Writing to memory fails for no value of ours.
        let _ = write!(self.0, "\"{value}\"");
    }

    /// The beginning of a digest: enough to tell the two snapshots apart that a revision may be.
    fn short(&mut self, digest: &[u8; 32]) {
        let beginning = digest.first_chunk().copied().unwrap_or_default();
        let _ = write!(self.0, "\"{:016x}\"", u64::from_be_bytes(beginning));
    }

    fn number(&mut self, value: u64) {
        self.raw(itoa::Buffer::new().format(value));
    }

    fn signed(&mut self, value: i64) {
        self.raw(itoa::Buffer::new().format(value));
    }

    fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }
}

fn time(instant: Instant) -> Timestamp {
    Timestamp::from_microsecond(instant.0).unwrap_or_default()
}

/// A count that is none where it is zero.
fn some(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}

/// What there is; `None` where there is nothing.
fn given<T>(all: &[T]) -> Option<&[T]> {
    (!all.is_empty()).then_some(all)
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
            picture: Some(Picture { size: Label::new("1024x1024"), quality: None }),
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
{"seq":12,"bootId":"b-1","requestId":"00000000-0000-0000-0000-000000000007","time":"2026-01-01T00:00:00Z","door":"openai","operation":"chat","stream":false,"tenant":"acme","team":"research","principal":"ada@example.org","key":"k1","modelAsked":"sim \"fast\"\n","model":"m","endpoint":"acme/e","geo":"eu","revision":7,"digest":"0707070707070707","epoch":1,"revocationSeq":3,"found":{"input":{"EMAIL":2},"output":{}},"uninspected":{"image":2,"file":1},"decideTime":"2026-01-01T00:00:00.000001Z","declaredJurisdictions":["DE"],"declaredClasses":["health"],"egressTools":["web_search"],"unknownFields":2,"picture":["1024x1024",""],"wordLists":["acme/g#1"],"evaluator":"0.1.0","effect":"allow","candidates":["acme/e","f"],"matchedRules":["acme/r1","r2"],"shadowDenials":[],"obligations":["input:mask:EMAIL","input:block:words[3]","notice","noCache","capture:30d"],"reasons":[],"limits":["acme/l"],"outcome":"answered","status":200,"usage":{"input":0,"cachedInput":0,"output":0,"reasoning":0,"provenance":"none"},"costNanos":-5,"currency":"USD","latencyUs":5,"attempts":[{"endpoint":"e","latencyUs":3,"failure":"it \"broke\""}],"captured":{"file":"f-1","bytes":7,"sha256":"0505050505050505050505050505050505050505050505050505050505050505","until":"2026-01-02T00:00:00Z","truncated":["answer"]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
