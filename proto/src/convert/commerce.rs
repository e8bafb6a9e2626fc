//! Limits and prices, in from the wire and out to it.

use policy_engine::facts::{
    Bound, Each, Label, Limit, LimitScope, ModelGlob, Picture, PicturePrice, Price, PricePerMillion,
    PricePerUnit,
};
use policy_engine::vocabulary::{Currency, Instant, Name, OnStoreLoss, Period, decimal_nanos, decimal_text};

use super::checks::{Checks, Faults, Problem};
use super::{shown, text, texts};
use crate::admin;
use crate::admin::limit_bound::Measure;

impl TryFrom<&admin::Limit> for Limit {
    type Error = Faults;

    fn try_from(wire: &admin::Limit) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let scope = c.at("scope", |c| scope(c, &spec.scope.clone().unwrap_or_default()));
        let bound = c.at("bound", |c| bound(c, &spec.bound.clone().unwrap_or_default()));
        let asked = c.optional("onStoreLoss", &spec.on_store_loss);
        let geos = c.list("geos", &spec.geos);
        c.finish(bound.map(|bound| {
            let usual = match bound {
                Bound::Spend(..) => OnStoreLoss::Closed,
                _ => OnStoreLoss::LocalShare,
            };
            Self { scope, bound, on_store_loss: asked.unwrap_or(usual), geos }
        }))
    }
}

fn scope(c: &mut Checks, wire: &admin::LimitScope) -> LimitScope {
    LimitScope {
        team: c.optional("team", &wire.team),
        principal: c.optional("principal", &wire.principal),
        key: c.optional("key", &wire.key),
        model: c.optional_by("model", &wire.model, ModelGlob::new),
        endpoint: c.optional("endpoint", &wire.endpoint),
        provider: c.optional("provider", &wire.provider),
        each: c.optional_by("each", &wire.each, each),
    }
}

const EACH: [(&str, Each); 5] = [
    ("scope", Each::Scope),
    ("tenant", Each::Tenant),
    ("team", Each::Team),
    ("principal", Each::Principal),
    ("key", Each::Key),
];

fn each(text: &str) -> Result<Each, String> {
    let found = EACH.iter().find(|(word, _)| *word == text).map(|(_, each)| *each);
    found.ok_or_else(|| format!("`{}` is not one of scope | tenant | team | principal | key", shown(text)))
}

fn each_text(each: Each) -> String {
    EACH.iter().find(|(_, e)| *e == each).map_or("", |(word, _)| *word).to_owned()
}

fn bound(c: &mut Checks, wire: &admin::LimitBound) -> Option<Bound> {
    let Some(measure) = &wire.measure else {
        c.fault_here(Problem::Missing);
        return None;
    };
    if let Measure::Concurrent(n) = measure {
        if !wire.per.is_empty() {
            c.invalid("per", "is not for `concurrent`, which has no window");
        }
        return Some(Bound::Concurrent(*n));
    }
    let money = match measure {
        Measure::Spend(amount) => Some(c.required("spend", amount)?),
        _ => None,
    };
    let per: Period = c.required("per", &wire.per)?;
    Some(match measure {
        Measure::Requests(n) => Bound::Requests(*n, per),
        Measure::Tokens(n) => Bound::Tokens(*n, per),
        Measure::InputTokens(n) => Bound::InputTokens(*n, per),
        Measure::OutputTokens(n) => Bound::OutputTokens(*n, per),
        Measure::Spend(_) => Bound::Spend(money?, per),
        Measure::Concurrent(n) => Bound::Concurrent(*n),
        Measure::Seats(n) => Bound::Seats(*n, per),
    })
}

impl From<&Limit> for admin::LimitSpec {
    fn from(fact: &Limit) -> Self {
        let (measure, per) = match fact.bound {
            Bound::Requests(n, per) => (Measure::Requests(n), per.to_string()),
            Bound::Tokens(n, per) => (Measure::Tokens(n), per.to_string()),
            Bound::InputTokens(n, per) => (Measure::InputTokens(n), per.to_string()),
            Bound::OutputTokens(n, per) => (Measure::OutputTokens(n), per.to_string()),
            Bound::Spend(amount, per) => (Measure::Spend(amount.to_string()), per.to_string()),
            Bound::Concurrent(n) => (Measure::Concurrent(n), String::new()),
            Bound::Seats(n, per) => (Measure::Seats(n), per.to_string()),
        };
        Self {
            scope: (fact.scope != LimitScope::default()).then(|| admin::LimitScope::from(&fact.scope)),
            bound: Some(admin::LimitBound { measure: Some(measure), per }),
            on_store_loss: fact.on_store_loss.to_string(),
            geos: texts(&fact.geos),
        }
    }
}

impl From<&LimitScope> for admin::LimitScope {
    fn from(fact: &LimitScope) -> Self {
        Self {
            team: text(&fact.team),
            principal: text(&fact.principal),
            key: text(&fact.key),
            model: text(&fact.model),
            endpoint: text(&fact.endpoint),
            provider: text(&fact.provider),
            each: fact.each.map(each_text).unwrap_or_default(),
        }
    }
}

impl TryFrom<&admin::Price> for Price {
    type Error = Faults;

    fn try_from(wire: &admin::Price) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let model: Option<Name> = c.required("model", &spec.model);
        let endpoint = c.optional("endpoint", &spec.endpoint);
        let valid_from = c.optional_by("validFrom", &spec.valid_from, Instant::parse);
        let currency: Option<Currency> = c.required("currency", &spec.currency);
        let per_unit = spec.per_unit.as_ref().map(|wire| c.at("perUnit", |c| per_unit(c, wire)));
        let per_unit = per_unit.unwrap_or_default();
        let per_million = match &spec.per_million {
            None if !per_unit.is_empty() => Some(PricePerMillion::default()),
            wire => c.at("perMillion", |c| per_million(c, &wire.clone().unwrap_or_default())),
        };
        let geos = c.list("geos", &spec.geos);
        let known = model.zip(currency).zip(per_million);
        c.finish(known.map(|((model, currency), per_million)| Self {
            model,
            endpoint,
            valid_from,
            currency,
            per_million,
            per_unit,
            geos,
        }))
    }
}

fn per_million(c: &mut Checks, wire: &admin::PricePerMillion) -> Option<PricePerMillion> {
    if wire.input.is_empty() {
        c.fault("input", Problem::Missing);
    }
    let mut read = |field, text: &str| c.optional_by(field, text, decimal_nanos);
    let input = read("input", &wire.input);
    let output = read("output", &wire.output).unwrap_or(0);
    let cached_input = wire.cached_input.as_deref().and_then(|amount| read("cachedInput", amount));
    let reasoning = wire.reasoning.as_deref().and_then(|amount| read("reasoning", amount));
    Some(PricePerMillion { input: input?, cached_input, output, reasoning })
}

/// The most prices of pictures that one price has: each picture that is asked for is looked for among them.
const MOST_PICTURES: usize = 64;

fn per_unit(c: &mut Checks, wire: &admin::PricePerUnit) -> PricePerUnit {
    let few = wire.pictures.get(..MOST_PICTURES).unwrap_or(&wire.pictures);
    if few.len() < wire.pictures.len() {
        c.invalid("pictures", format_args!("has more than {MOST_PICTURES} members"));
    }
    let pictures = c.each("pictures", few, |c, wire| {
        if wire.amount.is_empty() {
            c.fault("amount", Problem::Missing);
        }
        let word = |text: &str| Label::new(text).ok_or("must be 1 to 16 visible ASCII characters");
        let size = c.optional_by("size", &wire.size, word);
        let quality = c.optional_by("quality", &wire.quality, word);
        let amount = c.optional_by("amount", &wire.amount, decimal_nanos)?;
        Some(PicturePrice { of: Picture { size, quality }, amount })
    });
    let twin = pictures
        .iter()
        .enumerate()
        .find(|(at, one)| pictures.iter().take(*at).any(|other| other.of == one.of));
    if twin.is_some() {
        c.invalid("pictures", "two of them are of the same size and quality");
    }
    let mut read = |field, text: &Option<String>| {
        text.as_deref().and_then(|amount| c.optional_by(field, amount, decimal_nanos))
    };
    let request = read("request", &wire.request);
    let audio_second = read("audioSecond", &wire.audio_second);
    let character = read("character", &wire.character);
    PricePerUnit { request, pictures, floor: Vec::new(), audio_second, character }
}

impl From<&PricePerUnit> for admin::PricePerUnit {
    fn from(fact: &PricePerUnit) -> Self {
        let word = |label: &Option<Label>| label.map(|label| label.as_str().to_owned()).unwrap_or_default();
        let picture = |price: &PicturePrice| admin::PricePerPicture {
            amount: decimal_text(price.amount),
            size: word(&price.of.size),
            quality: word(&price.of.quality),
        };
        Self {
            request: fact.request.map(decimal_text),
            pictures: fact.pictures.iter().map(picture).collect(),
            audio_second: fact.audio_second.map(decimal_text),
            character: fact.character.map(decimal_text),
        }
    }
}

impl From<&Price> for admin::PriceSpec {
    fn from(fact: &Price) -> Self {
        let p = &fact.per_million;
        Self {
            model: fact.model.to_string(),
            valid_from: text(&fact.valid_from),
            currency: fact.currency.to_string(),
            per_million: Some(admin::PricePerMillion {
                input: decimal_text(p.input),
                cached_input: p.cached_input.map(decimal_text),
                output: decimal_text(p.output),
                reasoning: p.reasoning.map(decimal_text),
            }),
            geos: texts(&fact.geos),
            endpoint: text(&fact.endpoint),
            per_unit: (!fact.per_unit.is_empty()).then(|| admin::PricePerUnit::from(&fact.per_unit)),
        }
    }
}
