//! Rules and guardrails, in from the wire and out to it.

use policy_engine::facts::{Check, Guardrail, ModelGlob, Obligation, Rule, Subject};
use policy_engine::vocabulary::{Duration, Effect, Instant, Layer, MaskAction, Mode, SpanError};

use super::checks::{Checks, Faults, Problem};
use super::{shown, text, texts};
use crate::admin;

impl TryFrom<&admin::Rule> for Rule {
    type Error = Faults;

    fn try_from(wire: &admin::Rule) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        c.text("description", &spec.description);
        let layer: Option<Layer> = c.required("layer", &spec.layer);
        let effect: Option<Effect> = c.required("effect", &spec.effect);
        let when = c.text("when", &spec.when);
        let obligations = c.each("obligations", &spec.obligations, obligation);
        if !spec.obligations.is_empty() && effect.is_some_and(|e| e != Effect::Require) {
            c.invalid("obligations", "are for the effect `require` alone");
        }
        let reason_code = c.optional_by("reasonCode", &spec.reason_code, reason_code);
        let legal_ref = c.optional_text("legalRef", &spec.legal_ref);
        let valid_from = c.optional_by("validFrom", &spec.valid_from, Instant::parse);
        let valid_to = c.optional_by("validTo", &spec.valid_to, Instant::parse);
        if valid_from.zip(valid_to).is_some_and(|(from, to)| to <= from) {
            c.invalid("validTo", "is not after `validFrom`");
        }
        let mode = c.optional("mode", &spec.mode).unwrap_or(Mode::Enforce);
        let geos = c.list("geos", &spec.geos);
        let (or_unknown, needs_permit) = (spec.or_unknown, spec.needs_permit);
        c.finish(layer.zip(effect).map(|(layer, effect)| Self {
            layer,
            effect,
            when,
            obligations,
            reason_code,
            legal_ref,
            valid_from,
            valid_to,
            mode,
            or_unknown,
            needs_permit,
            geos,
        }))
    }
}

fn reason_code(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if begins && text.len() <= 64 && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("`{}` is not 1 to 64 of `a-z 0-9 _`, beginning with a letter", shown(text)))
}

/// Bytes a notice may have: it travels in a response header.
const MAX_NOTICE: usize = 1024;

fn obligation(c: &mut Checks, wire: &admin::Obligation) -> Option<Obligation> {
    let given = [
        !wire.residency.is_empty(),
        !wire.mask.is_empty(),
        !wire.block.is_empty(),
        wire.notice.is_some(),
        wire.no_cache.is_some(),
        wire.capture.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        let one =
            "must have exactly one of residency | mask | block | notice | noCache | capture, and not empty";
        c.fault_here(Problem::Invalid(one.to_owned()));
        return None;
    }
    if let Some(notice) = &wire.notice {
        return c.optional_by("notice", notice, self::notice).map(Obligation::Notice).or_else(|| {
            notice.is_empty().then(|| c.fault("notice", Problem::Missing));
            None
        });
    }
    if let Some(asked) = wire.no_cache {
        if !asked {
            c.invalid("noCache", "can only be true");
        }
        return asked.then_some(Obligation::NoCache);
    }
    if let Some(asked) = &wire.capture {
        return c.at("capture", |c| {
            if asked.retention.is_empty() {
                c.fault("retention", Problem::Missing);
            }
            c.optional_by("retention", &asked.retention, retention).map(Obligation::Capture)
        });
    }
    Some(match given {
        [true, ..] => Obligation::Residency(c.list("residency", &wire.residency)),
        [_, true, ..] => Obligation::Mask(c.list("mask", &wire.mask)),
        _ => Obligation::Block(c.list("block", &wire.block)),
    })
}

/// For how long something that is recorded may be kept.
const RETENTION: [Duration; 2] = [Duration(1_000_000), Duration(3_660 * 86_400_000_000)];

/// For how long something that is recorded is to be kept: `1s` to `3660d`.
///
/// # Errors
/// The text is no such length; why, for whoever wrote it.
pub fn retention(text: &str) -> Result<Duration, String> {
    let [least, most] = RETENTION;
    let length: Duration = text.parse().map_err(|error: SpanError| {
        format!("{error}: a number and `s`, `m`, `h` or `d`, of `{least}` to `{most}`; a week is `7d`, a year `365d`")
    })?;
    match length < least || length > most {
        true => Err(format!("`{length}` is not between `{least}` and `{most}`")),
        false => Ok(length),
    }
}

/// A text that callers are told.
pub(super) fn notice(text: &str) -> Result<String, String> {
    match text.chars().any(char::is_control) || text.len() > MAX_NOTICE {
        true => Err(format!("is not one line of at most {MAX_NOTICE} bytes")),
        false => Ok(text.to_owned()),
    }
}

impl From<&Obligation> for admin::Obligation {
    fn from(fact: &Obligation) -> Self {
        let none = Self::default();
        match fact {
            Obligation::Residency(regions) => Self { residency: texts(regions), ..none },
            Obligation::Mask(entities) => Self { mask: texts(entities), ..none },
            Obligation::Block(entities) => Self { block: texts(entities), ..none },
            Obligation::Notice(notice) => Self { notice: Some(notice.clone()), ..none },
            Obligation::NoCache => Self { no_cache: Some(true), ..none },
            Obligation::Capture(retention) => {
                Self { capture: Some(admin::Capture { retention: retention.to_string() }), ..none }
            }
        }
    }
}

impl From<&Rule> for admin::RuleSpec {
    fn from(fact: &Rule) -> Self {
        Self {
            layer: fact.layer.to_string(),
            effect: fact.effect.to_string(),
            when: fact.when.clone(),
            obligations: fact.obligations.iter().map(Into::into).collect(),
            legal_ref: text(&fact.legal_ref),
            valid_from: text(&fact.valid_from),
            valid_to: text(&fact.valid_to),
            mode: fact.mode.to_string(),
            description: String::new(),
            geos: texts(&fact.geos),
            reason_code: text(&fact.reason_code),
            or_unknown: fact.or_unknown,
            needs_permit: fact.needs_permit,
        }
    }
}

impl TryFrom<&admin::Guardrail> for Guardrail {
    type Error = Faults;

    fn try_from(wire: &admin::Guardrail) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let applies = spec.applies.as_ref().map(|wire| c.at("applies", |c| applies(c, wire)));
        let input = c.each("input", &spec.input, check);
        let output = c.each("output", &spec.output, check);
        let geos = c.list("geos", &spec.geos);
        c.finish(Some(Self { applies: applies.unwrap_or_default(), input, output, geos }))
    }
}

fn applies(c: &mut Checks, wire: &admin::GuardrailApplies) -> Subject {
    Subject { models: c.list_by("models", &wire.models, ModelGlob::new), teams: c.list("teams", &wire.teams) }
}

fn check(c: &mut Checks, wire: &admin::ContentCheck) -> Option<Check> {
    if wire.detect.is_empty() == wire.words.is_empty() {
        c.fault_here(Problem::Invalid("must have exactly one of detect | words".to_owned()));
    }
    let action: Option<MaskAction> = c.required("action", &wire.action);
    let detect = c.optional("detect", &wire.detect).into_iter().collect();
    let words = c.texts("words", &wire.words);
    Some(Check { detect, words, action: action? })
}

impl From<&Guardrail> for admin::GuardrailSpec {
    fn from(fact: &Guardrail) -> Self {
        let checks = |checks: &[Check]| checks.iter().flat_map(check_out).collect();
        let applies = admin::GuardrailApplies {
            models: texts(&fact.applies.models),
            teams: texts(&fact.applies.teams),
        };
        Self {
            applies: (fact.applies != Subject::default()).then_some(applies),
            input: checks(&fact.input),
            output: checks(&fact.output),
            geos: texts(&fact.geos),
        }
    }
}

/// A check of several entities is as many checks on the wire.
fn check_out(fact: &Check) -> Vec<admin::ContentCheck> {
    let action = fact.action.to_string();
    let words = (!fact.words.is_empty()).then(|| admin::ContentCheck {
        words: fact.words.clone(),
        action: action.clone(),
        ..Default::default()
    });
    let detect = |entity: &policy_engine::vocabulary::Entity| admin::ContentCheck {
        detect: entity.to_string(),
        action: action.clone(),
        ..Default::default()
    };
    fact.detect.iter().map(detect).chain(words).collect()
}
