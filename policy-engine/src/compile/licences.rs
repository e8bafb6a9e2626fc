//! Licences, and which teams have accepted their texts.

use std::sync::Arc;

use super::build::Build;
use crate::facts::{Licence, LicenceAcceptance};
use crate::snapshot::registry::{meant, position};
use crate::snapshot::{LicenceRow, People, Registry};
use crate::vocabulary::{Id, Kind};

impl Registry {
    pub(crate) fn put_licence(&mut self, build: &mut Build<'_>, people: &People, licence: (&Id, &Licence)) {
        let (id, licence) = licence;
        let at = (Kind::Licence, id);
        people.owner_of(build, Kind::Licence, id);
        if let (Some(from), Some(until)) = (licence.term.from, licence.term.until)
            && until <= from
        {
            build.fault(at, "spec.term.to", "conflict", "the term ends before it begins".to_owned());
        }
        let include = build.regions(at, "spec.territory.include", &licence.territory.include);
        let exclude = build.regions(at, "spec.territory.exclude", &licence.territory.exclude);
        let row = LicenceRow {
            id: id.clone(),
            term: licence.term,
            attribution: licence.attribution.as_deref().map(Arc::from),
            include,
            exclude,
            prohibited: licence.prohibited.clone().into_boxed_slice(),
            permitted: licence.permitted.clone().into_boxed_slice(),
            acceptance: licence.acceptance,
            text_digest: licence.text_digest.as_deref().map(Box::from),
        };
        self.licences.put(position(&self.licences, id), row);
    }
}

/// Notes each acceptance with its team.
pub(crate) fn accept_all(build: &mut Build<'_>, people: &mut People, registry: &Registry) {
    let facts = build.facts;
    let all = facts.acceptances.iter();
    let accepted = all.filter_map(|(id, fact)| accepted(build, people, registry, (id, fact)));
    let accepted: Vec<(u32, u32)> = accepted.collect();
    people.accept(accepted);
}

/// The team and the licence that an acceptance is of. One of another text than the licence has now counts for nothing: the
/// terms have changed since.
pub(crate) fn accepted(
    build: &mut Build<'_>,
    people: &People,
    registry: &Registry,
    acceptance: (&Id, &LicenceAcceptance),
) -> Option<(u32, u32)> {
    let (id, acceptance) = acceptance;
    let at = (Kind::LicenceAcceptance, id);
    let tenant = people.tenant_of(build, Kind::LicenceAcceptance, id);
    let licence = meant(&registry.licences, &id.tenant, &acceptance.licence);
    if licence.is_none() {
        build.missing(at, "spec.licence", (Kind::Licence, acceptance.licence.as_str()));
    }
    let team = people.team(tenant, &acceptance.team);
    if tenant.is_some() && team.is_none() {
        build.missing(at, "spec.team", (Kind::Team, acceptance.team.as_str()));
    }
    let row = licence.and_then(|l| registry.licences.get(l as usize));
    let text = row.and_then(|row| row.text_digest.as_deref());
    let counts = text.is_none_or(|text| acceptance.text_digest.as_deref() == Some(text));
    team.zip(licence).filter(|_| counts)
}

impl People {
    /// Gives teams what they have accepted, as pairs of team and licence.
    pub(crate) fn accept(&mut self, mut accepted: Vec<(u32, u32)>) {
        accepted.sort_unstable();
        accepted.dedup();
        for of_team in accepted.chunk_by(|a, b| a.0 == b.0) {
            let team = of_team.first().and_then(|(team, _)| self.teams.get_mut(*team as usize));
            if let Some(team) = team {
                team.accepted = of_team.iter().map(|(_, licence)| *licence).collect();
            }
        }
    }
}
