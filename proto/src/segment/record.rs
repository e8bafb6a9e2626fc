//! A record of a request, as far as it says what was decided and by what: enough to decide it again.
//!
//! Law: a record that says that something was decided says by what, or is refused. Absent on purpose: how the request went on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, BufRead, Read as _};
use std::ops::ControlFlow;
use std::str::FromStr;

use policy_engine::facts::{Label, Picture};
use policy_engine::replay::{Judged, Recorded};
use policy_engine::vocabulary::{Entity, Id, Instant, Name};
use serde::Deserialize;

/// A record in which something was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The request's name.
    pub request_id: String,
    /// Where the node runs that decided.
    pub geo: String,
    /// The revision by which it was decided.
    pub revision: i64,
    /// The model that was meant, as an id; `None`: no model is called so.
    pub model: Option<Id>,
    /// The first eight bytes of the digest of what the node held of it, in hexadecimal digits.
    pub digest: String,
    /// The version of the engine that decided; empty: it did not say so yet.
    pub evaluator: String,
    /// By what it was decided.
    pub recorded: Recorded,
    /// What was decided.
    pub judged: Judged,
}

/// Why a record can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// Reads one line of a segment; `None`: the request did not come to be decided, or was written down before decisions were.
///
/// # Errors
/// It is no record, or says only half of what was decided.
pub fn decided(line: &[u8]) -> Result<Option<Decided>, Unreadable> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| Unreadable(error.to_string()))?;
    let allowed = match line.effect.as_deref() {
        None => return Ok(None),
        Some("allow") => true,
        Some("deny") => false,
        Some(other) => return Err(Unreadable(format!("`{other}` is no effect"))),
    };
    let named = |name: &'static str, value: &Option<Cow<'_, str>>| {
        value.as_deref().map(str::to_owned).ok_or_else(|| Unreadable(format!("it has no `{name}`")))
    };
    let recorded = Recorded {
        tenant: read("tenant", &named("tenant", &line.tenant)?)?,
        team: read("team", &named("team", &line.team)?)?,
        principal: read("principal", &named("principal", &line.principal)?)?,
        key: named("key", &line.key)?,
        model: named("modelAsked", &line.model_asked)?,
        operation: read("operation", &line.operation)?,
        stream: line.stream,
        purpose: line.purpose.map(Cow::into_owned),
        declared_jurisdictions: all("declaredJurisdictions", &line.declared_jurisdictions)?,
        declared_classes: owned(line.declared_classes),
        egress_tools: owned(line.egress_tools),
        unknown_fields: line.unknown_fields,
        picture: line.picture.as_ref().map(picture).transpose()?,
        instant: instant(line.decide_time.as_deref().unwrap_or(&line.time))?,
        // Words are named by their lists.
        entities: line.found.input.keys().filter_map(|label| label.parse::<Entity>().ok()).collect(),
        word_lists: owned(line.word_lists),
    };
    let judged = Judged {
        allowed,
        // Of what was allowed they tell what ended it later, such as what was switched off.
        reasons: if allowed { Vec::new() } else { owned(line.reasons) },
        matched: ids("matchedRules", &line.matched_rules)?,
        shadow_denials: ids("shadowDenials", &line.shadow_denials)?,
        candidates: ids("candidates", &line.candidates)?,
    };
    Ok(Some(Decided {
        request_id: line.request_id.into_owned(),
        geo: line.geo.into_owned(),
        revision: line.revision,
        model: line.model.as_deref().map(|model| id("model", model)).transpose()?,
        digest: named("digest", &line.digest)?,
        evaluator: line.evaluator.map(Cow::into_owned).unwrap_or_default(),
        recorded,
        judged,
    }))
}

/// The longest line that is read, in bytes: far above what a record has.
const MOST: u64 = 1 << 20;

/// Reads the records of a segment, or of what is to become one, line by line, for as long as `each` goes on. A line that breaks off is the
/// end of what was written.
///
/// # Errors
/// It can't be read, or a line of it is no record: that one is told.
pub fn each_record(
    mut lines: impl BufRead,
    mut each: impl FnMut(Option<Decided>) -> ControlFlow<()>,
) -> io::Result<()> {
    let (mut line, mut count) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        (&mut lines).take(MOST).read_until(b'\n', &mut line)?;
        count += 1;
        if !line.ends_with(b"\n") {
            return match line.len() as u64 {
                MOST => Err(io::Error::other(format!("line {count} is longer than a record"))),
                _ => Ok(()),
            };
        }
        let read = decided(&line).map_err(|error| io::Error::other(format!("line {count}: {error}")))?;
        if each(read).is_break() {
            return Ok(());
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'l> {
    #[serde(borrow)]
    request_id: Cow<'l, str>,
    #[serde(borrow)]
    time: Cow<'l, str>,
    #[serde(borrow)]
    geo: Cow<'l, str>,
    #[serde(borrow)]
    operation: Cow<'l, str>,
    stream: bool,
    revision: i64,
    #[serde(borrow, default)]
    digest: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    tenant: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    team: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    principal: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    key: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    model_asked: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    purpose: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    decide_time: Option<Cow<'l, str>>,
    #[serde(borrow)]
    found: Found<'l>,
    #[serde(borrow, default)]
    declared_jurisdictions: Vec<Cow<'l, str>>,
    #[serde(borrow, default)]
    declared_classes: Vec<Cow<'l, str>>,
    #[serde(borrow, default)]
    egress_tools: Vec<Cow<'l, str>>,
    #[serde(default)]
    unknown_fields: usize,
    #[serde(borrow, default)]
    picture: Option<(Cow<'l, str>, Cow<'l, str>)>,
    #[serde(borrow, default)]
    word_lists: Vec<Cow<'l, str>>,
    #[serde(borrow, default)]
    evaluator: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    effect: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    candidates: Vec<Cow<'l, str>>,
    #[serde(borrow)]
    matched_rules: Vec<Cow<'l, str>>,
    #[serde(borrow)]
    shadow_denials: Vec<Cow<'l, str>>,
    #[serde(borrow)]
    reasons: Vec<Cow<'l, str>>,
}

#[derive(Deserialize)]
struct Found<'l> {
    #[serde(borrow)]
    input: BTreeMap<Cow<'l, str>, u64>,
}

/// A picture by its size and its quality, each empty where it was not said.
fn picture((size, quality): &(Cow<'_, str>, Cow<'_, str>)) -> Result<Picture, Unreadable> {
    let word = |text: &str| match Label::new(text) {
        None if !text.is_empty() => Err(Unreadable(format!("`picture`: `{text}` is no size and no quality"))),
        label => Ok(label),
    };
    Ok(Picture { size: word(size)?, quality: word(quality)? })
}

fn owned(all: Vec<Cow<'_, str>>) -> Vec<String> {
    all.into_iter().map(Cow::into_owned).collect()
}

fn read<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|error| Unreadable(format!("`{name}`: {error}")))
}

fn all<T: FromStr<Err: Display>>(name: &str, texts: &[Cow<'_, str>]) -> Result<Vec<T>, Unreadable> {
    texts.iter().map(|text| read(name, text)).collect()
}

fn ids(name: &str, texts: &[Cow<'_, str>]) -> Result<Vec<Id>, Unreadable> {
    texts.iter().map(|text| id(name, text)).collect()
}

fn id(name: &str, text: &str) -> Result<Id, Unreadable> {
    match text.split_once('/') {
        Some((tenant, own)) => Ok(Id::of(read::<Name>(name, tenant)?, read(name, own)?)),
        None => Ok(Id::platform(read(name, text)?)),
    }
}

fn instant(text: &str) -> Result<Instant, Unreadable> {
    Instant::parse(text).map_err(|error| Unreadable(format!("`{text}` is no time: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"seq":12,"bootId":"b-1","requestId":"r-7","time":"2026-01-01T00:00:00Z","door":"openai","operation":"chat","stream":true,"tenant":"acme","team":"research","principal":"ada@example.org","key":"k1","modelAsked":"sim \"fast\"","model":"m","geo":"eu","revision":7,"digest":"0707070707070707","purpose":"support","found":{"input":{"EMAIL":2,"WORDS":1},"output":{"PHONE":1}},"decideTime":"2026-01-01T00:00:00.000001Z","declaredJurisdictions":["DE"],"declaredClasses":["health"],"egressTools":["web_search"],"unknownFields":2,"picture":["1024x1024",""],"wordLists":["acme/g#1"],"evaluator":"0.1.0","effect":"allow","candidates":["acme/e","f"],"matchedRules":["acme/r1","r2"],"shadowDenials":["r3"],"obligations":[],"reasons":[],"limits":[],"outcome":"answered","status":200,"chain":"00"}"#;

    fn id(tenant: Option<&str>, name: &str) -> Id {
        Id { tenant: tenant.map(|tenant| tenant.parse().unwrap()), name: name.parse().unwrap() }
    }

    #[test]
    fn a_record_is_read_whole() {
        let read = decided(LINE.as_bytes()).unwrap().unwrap();
        let recorded = Recorded {
            tenant: "acme".parse().unwrap(),
            team: "research".parse().unwrap(),
            principal: "ada@example.org".parse().unwrap(),
            key: "k1".to_owned(),
            model: "sim \"fast\"".to_owned(),
            operation: "chat".parse().unwrap(),
            stream: true,
            purpose: Some("support".to_owned()),
            declared_jurisdictions: vec!["DE".parse().unwrap()],
            declared_classes: vec!["health".to_owned()],
            egress_tools: vec!["web_search".to_owned()],
            unknown_fields: 2,
            picture: Some(Picture { size: Label::new("1024x1024"), quality: None }),
            instant: Instant(1_767_225_600_000_001),
            entities: vec![Entity::Email],
            word_lists: vec!["acme/g#1".to_owned()],
        };
        let judged = Judged {
            allowed: true,
            reasons: vec![],
            matched: vec![id(Some("acme"), "r1"), id(None, "r2")],
            shadow_denials: vec![id(None, "r3")],
            candidates: vec![id(Some("acme"), "e"), id(None, "f")],
        };
        let (geo, digest) = ("eu".to_owned(), "0707070707070707".to_owned());
        let request_id = "r-7".to_owned();
        let model = Some(id(None, "m"));
        let evaluator = "0.1.0".to_owned();
        assert_eq!(
            read,
            Decided { request_id, geo, revision: 7, model, digest, evaluator, recorded, judged }
        );
    }

    #[test]
    fn what_ended_a_request_that_was_allowed_is_no_reason_of_the_decision() {
        let line = LINE.replace(r#""reasons":[]"#, r#""reasons":["switched_off"]"#);
        assert_eq!(decided(line.as_bytes()).unwrap().unwrap().judged.reasons, [""; 0]);
        let line = line.replace(r#""effect":"allow""#, r#""effect":"deny""#);
        assert_eq!(decided(line.as_bytes()).unwrap().unwrap().judged.reasons, ["switched_off"]);
    }

    #[test]
    fn records_are_read_up_to_a_line_that_breaks_off() {
        let count = |text: &str, most: usize| {
            let mut seen = Vec::new();
            let read = each_record(text.as_bytes(), |decided| {
                seen.push(decided.is_some());
                if seen.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            (read.map_err(|error| error.to_string()), seen)
        };
        let undecided = LINE.replace(r#""effect":"allow","#, "");
        let text = format!("{LINE}\n{undecided}\n{LINE}\n{{\"half");
        assert_eq!(count(&text, 9), (Ok(()), vec![true, false, true]));
        assert_eq!(count(&text, 2), (Ok(()), vec![true, false]));
        let (read, seen) = count(&format!("{LINE}\n{{}}\n"), 9);
        assert!(read.unwrap_err().starts_with("line 2: ") && seen == [true]);
        assert!(count(&"x".repeat(2 << 20), 9).0.is_err());
    }

    #[test]
    fn what_was_not_decided_is_none_and_half_of_what_was_is_refused() {
        let without = LINE.replace(r#""effect":"allow","#, "");
        assert_eq!(decided(without.as_bytes()), Ok(None));
        for (part, instead, told) in [
            (r#""effect":"allow""#, r#""effect":"maybe""#, "`maybe` is no effect"),
            (r#""principal":"ada@example.org","#, "", "it has no `principal`"),
            (r#""digest":"0707070707070707","#, "", "it has no `digest`"),
            (r#""operation":"chat""#, r#""operation":"sing""#, "`operation`: "),
            (r#"["acme/e","f"]"#, r#"["acme/e","f/g/h"]"#, "`candidates`: "),
            (r#""decideTime":"2026-01-01T00:00:00.000001Z""#, r#""decideTime":"today""#, "is no time"),
            (r#""reasons":[],"#, "", "reasons"),
        ] {
            let line = LINE.replace(part, instead);
            assert_ne!(line, LINE, "{part}");
            let error = decided(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(decided(b"").is_err());
    }
}
