//! Licences and their acceptances, in from the wire and out to it.

use policy_engine::facts::{Acceptance, Licence, LicenceAcceptance, LicenceTerm, Seats, Territory};
use policy_engine::vocabulary::{Duration, Instant, LicenceKind, Name, Period, SpanError};

use super::checks::{Checks, Faults};
use super::rulebook::notice;
use super::{shown, text, texts};
use crate::admin;

const DAY: Duration = Duration(86_400_000_000);

impl TryFrom<&admin::Licence> for Licence {
    type Error = Faults;

    fn try_from(wire: &admin::Licence) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        c.text("url", &spec.url);
        let kind: Option<LicenceKind> = c.required("kind", &spec.kind);
        let spdx = c.optional_text("spdx", &spec.spdx);
        let term = spec.term.as_ref().map(|wire| c.at("term", |c| term(c, wire))).unwrap_or_default();
        let territory = spec.territory.as_ref().map(|wire| c.at("territory", |c| territory(c, wire)));
        let uses = spec.field_of_use.clone().unwrap_or_default();
        let prohibited = c.at("fieldOfUse", |c| c.texts("prohibited", &uses.prohibited));
        let permitted = c.at("fieldOfUse", |c| c.texts("permitted", &uses.permitted));
        let seats = spec.seats.as_ref().and_then(|wire| c.at("seats", |c| seats(c, wire)));
        let acceptance = c.optional_by("acceptance", &spec.acceptance, acceptance).unwrap_or_default();
        let text_digest = c.optional_by("textDigest", &spec.text_digest, digest);
        let attribution =
            c.optional_by("attribution", spec.attribution.as_deref().unwrap_or_default(), notice);
        let geos = c.list("geos", &spec.geos);
        c.finish(kind.map(|kind| Self {
            kind,
            spdx,
            term,
            territory: territory.unwrap_or_default(),
            prohibited,
            permitted,
            seats,
            acceptance,
            text_digest,
            attribution,
            geos,
        }))
    }
}

fn term(c: &mut Checks, wire: &admin::LicenceTerm) -> LicenceTerm {
    let from = c.optional_by("from", &wire.from, Instant::parse);
    let until = c.optional_by("to", &wire.to, last_instant);
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        c.invalid("to", "is not after `from`");
    }
    LicenceTerm { from, until }
}

/// Reads the end of a term: a date is its last day, an instant is the first one outside.
fn last_instant(text: &str) -> Result<Instant, SpanError> {
    let instant = Instant::parse(text)?;
    Ok(if text.contains('T') { instant } else { instant.plus(DAY) })
}

fn last_text(until: Instant) -> String {
    let day = Instant(until.0.saturating_sub(DAY.0)).to_string();
    if day.contains('T') { until.to_string() } else { day }
}

fn territory(c: &mut Checks, wire: &admin::LicenceTerritory) -> Territory {
    Territory { include: c.list("include", &wire.include), exclude: c.list("exclude", &wire.exclude) }
}

fn seats(c: &mut Checks, wire: &admin::LicenceSeats) -> Option<Seats> {
    let per: Option<Period> = c.required("per", &wire.per);
    Some(Seats { limit: wire.limit, per: per? })
}

fn acceptance(text: &str) -> Result<Acceptance, String> {
    match text {
        "required" => Ok(Acceptance::Required),
        "none" => Ok(Acceptance::NotRequired),
        other => Err(format!("`{}` is not one of required | none", shown(other))),
    }
}

fn digest(text: &str) -> Result<String, String> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() == 64 && text.bytes().all(hex) {
        return Ok(text.to_owned());
    }
    Err(format!("`{}` is not a SHA-256 in 64 lower-case hexadecimal digits", shown(text)))
}

impl From<&Licence> for admin::LicenceSpec {
    fn from(fact: &Licence) -> Self {
        let LicenceTerm { from, until } = fact.term;
        let term = admin::LicenceTerm { from: text(&from), to: text(&until.map(last_text)) };
        let territory = admin::LicenceTerritory {
            include: texts(&fact.territory.include),
            exclude: texts(&fact.territory.exclude),
        };
        let uses =
            admin::FieldOfUse { prohibited: fact.prohibited.clone(), permitted: fact.permitted.clone() };
        let seats = |s: Seats| admin::LicenceSeats { limit: s.limit, per: s.per.to_string() };
        let acceptance = match fact.acceptance {
            Acceptance::Required => "required",
            Acceptance::NotRequired => "none",
        };
        Self {
            kind: fact.kind.to_string(),
            term: (fact.term != LicenceTerm::default()).then_some(term),
            territory: (fact.territory != Territory::default()).then_some(territory),
            field_of_use: (uses != admin::FieldOfUse::default()).then_some(uses),
            seats: fact.seats.map(seats),
            acceptance: acceptance.to_owned(),
            attribution: fact.attribution.clone(),
            text_digest: text(&fact.text_digest),
            url: String::new(),
            geos: texts(&fact.geos),
            spdx: text(&fact.spdx),
        }
    }
}

impl TryFrom<&admin::LicenceAcceptance> for LicenceAcceptance {
    type Error = Faults;

    fn try_from(wire: &admin::LicenceAcceptance) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let licence: Option<Name> = c.required("licence", &spec.licence);
        let team: Option<Name> = c.required("team", &spec.team);
        let text_digest = c.optional_by("textDigest", &spec.text_digest, digest);
        let accepted_by = c.text("acceptedBy", &spec.accepted_by);
        let geos = c.list("geos", &spec.geos);
        c.finish(licence.zip(team).map(|(licence, team)| Self {
            licence,
            team,
            text_digest,
            accepted_by,
            geos,
        }))
    }
}

impl From<&LicenceAcceptance> for admin::LicenceAcceptanceSpec {
    fn from(fact: &LicenceAcceptance) -> Self {
        Self {
            licence: fact.licence.to_string(),
            team: fact.team.to_string(),
            text_digest: text(&fact.text_digest),
            accepted_by: fact.accepted_by.clone(),
            geos: texts(&fact.geos),
        }
    }
}
