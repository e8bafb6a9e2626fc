//! Licences, and which teams have accepted their texts.

use std::sync::Arc;

use super::build::{Build, Positions};
use super::people::People;
use crate::snapshot::LicenceRow;
use crate::vocabulary::Kind;

pub(super) fn compile(build: &mut Build<'_>, people: &People) -> Vec<LicenceRow> {
    let facts = build.facts;
    let mut rows = Vec::with_capacity(facts.licences.len());
    for (id, licence) in &facts.licences {
        let at = (Kind::Licence, id);
        people.owner_of(build, Kind::Licence, id);
        if let (Some(from), Some(until)) = (licence.term.from, licence.term.until)
            && until <= from
        {
            build.fault(at, "spec.term.to", "conflict", "the term ends before it begins".to_owned());
        }
        let include = build.regions(at, "spec.territory.include", &licence.territory.include);
        let exclude = build.regions(at, "spec.territory.exclude", &licence.territory.exclude);
        rows.push(LicenceRow {
            id: id.clone(),
            term: licence.term,
            attribution: licence.attribution.as_deref().map(Arc::from),
            include,
            exclude,
            prohibited: licence.prohibited.clone().into_boxed_slice(),
            permitted: licence.permitted.clone().into_boxed_slice(),
            acceptance: licence.acceptance,
            text_digest: licence.text_digest.as_deref().map(Box::from),
        });
    }
    rows
}

/// Notes each acceptance with its team. An acceptance of another text than the licence has now counts for nothing: the
/// terms have changed since.
pub(super) fn accept(build: &mut Build<'_>, people: &mut People, licences: &[LicenceRow]) {
    let facts = build.facts;
    let positions = Positions::of(licences.iter().map(|l| &l.id));
    let mut accepted: Vec<(u32, u32)> = Vec::new();
    for (id, acceptance) in &facts.acceptances {
        let at = (Kind::LicenceAcceptance, id);
        let tenant = people.tenant_of(build, Kind::LicenceAcceptance, id);
        let licence = positions.resolve(&id.tenant, &acceptance.licence);
        if licence.is_none() {
            build.missing(at, "spec.licence", (Kind::Licence, acceptance.licence.as_str()));
        }
        let team = tenant.and_then(|t| people.team_at.get(&(t, acceptance.team.clone()))).copied();
        if tenant.is_some() && team.is_none() {
            build.missing(at, "spec.team", (Kind::Team, acceptance.team.as_str()));
        }
        let text = licence.and_then(|l| licences.get(l as usize)).and_then(|row| row.text_digest.as_deref());
        if let (Some(team), Some(licence)) = (team, licence)
            && text.is_none_or(|text| acceptance.text_digest.as_deref() == Some(text))
        {
            accepted.push((team, licence));
        }
    }
    accepted.sort_unstable();
    accepted.dedup();
    for of_team in accepted.chunk_by(|a, b| a.0 == b.0) {
        let team = of_team.first().and_then(|(team, _)| people.teams.get_mut(*team as usize));
        if let Some(team) = team {
            team.accepted = of_team.iter().map(|(_, licence)| *licence).collect();
        }
    }
}
