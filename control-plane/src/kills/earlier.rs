//! What is switched off and was in a geo's policy before it left it: nodes that take no newer one enforce one that has it.
//!
//! Law: read from history alone, so that a control plane that starts again tells what the one before told; what is found stays. By the
//! rules of projection, so that no geo is told a name that never was in its policy.

use std::collections::{BTreeMap, BTreeSet};

use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Geo, Id, Kind, Name};
use policy_engine::{Change, Scope, project};
use proto::admin::KillSpec;

use super::{KillsNow, Target, is_in};
use crate::govern;
use crate::store::{ResourceRow, Store, StoreError};

/// What history says of the things that are switched off, for one geo.
#[derive(Debug, Clone, Default)]
pub(crate) struct Earlier {
    /// By target and resource, whether the geo's policy ever had it.
    had: BTreeMap<(String, String), bool>,
}

/// One version of a resource, and the revisions it was in force at.
pub(super) type Version = (ResourceRow, Option<i64>);

impl Earlier {
    /// Whether a geo's policy had what a kill names, as far as that was looked up.
    pub(super) fn had(&self, spec: &KillSpec) -> bool {
        self.had.get(&place(spec)) == Some(&true)
    }

    /// What was not there may have been since: where changes are not known, any of it.
    pub(crate) fn forget(&mut self, changes: Option<&[Change]>) {
        let moves = |change: &Change| {
            matches!(
                change.kind,
                Kind::Tenant | Kind::Provider | Kind::Endpoint | Kind::Licence | Kind::Model
            )
        };
        if changes.is_none_or(|changes| changes.iter().any(moves)) {
            self.had.retain(|_, had| *had);
        }
    }

    /// Looks up what is not known yet of kills that hit nothing in any of the policies.
    pub(crate) async fn look_up(
        &mut self,
        now: &KillsNow,
        (geo, policies): (&Geo, &[&Facts]),
        store: &Store,
    ) -> Result<(), StoreError> {
        let specs: Vec<&KillSpec> = now.kills.values().filter_map(|kill| kill.spec.as_ref()).collect();
        let standing: BTreeSet<_> = specs.iter().map(|spec| place(spec)).collect();
        self.had.retain(|place, _| standing.contains(place));
        for spec in specs {
            let is_known = self.had.contains_key(&place(spec));
            if is_known || policies.iter().any(|facts| is_in(spec, geo, facts)) {
                continue;
            }
            let had = was_in(spec, geo, store).await?;
            self.had.insert(place(spec), had);
        }
        Ok(())
    }
}

fn place(spec: &KillSpec) -> (String, String) {
    (spec.target.clone(), spec.resource.clone())
}

/// What a kill names and each version of it there ever was; `None` where it names no resource.
pub(super) async fn versions_of(
    spec: &KillSpec,
    store: &Store,
) -> Result<Option<((Kind, Id), Vec<Version>)>, StoreError> {
    let Some(Target::Kind(kind)) = Target::of(&spec.target) else { return Ok(None) };
    let Ok(id) = proto::name::parse_as(kind, &spec.resource) else { return Ok(None) };
    let versions = store.versions(kind.as_str(), tenant(&id), id.name.as_str()).await?;
    Ok(Some(((kind, id), versions)))
}

/// Whether a geo's policy ever had what a kill names.
async fn was_in(spec: &KillSpec, geo: &Geo, store: &Store) -> Result<bool, StoreError> {
    let Some(((kind, id), own)) = versions_of(spec, store).await? else { return Ok(false) };
    let mut all: Vec<(Kind, Id, Version)> = Vec::new();
    for (kind, id) in refers_to(kind, &id, &own) {
        let versions = store.versions(kind.as_str(), tenant(&id), id.name.as_str()).await?;
        all.extend(versions.into_iter().map(|version| (kind, id.clone(), version)));
    }
    all.extend(own.into_iter().map(|version| (kind, id.clone(), version)));
    // Nothing of it changed between two of these.
    let turns: BTreeSet<i64> = all.iter().map(|(_, _, (row, _))| row.revision).collect();
    let scope = Scope { geo: geo.clone() };
    Ok(turns.into_iter().rev().any(|turn| is_in(spec, geo, &project(&at(turn, &all), &scope))))
}

/// What a thing's versions refer to, as far as projection asks whether that is there.
fn refers_to(kind: Kind, id: &Id, versions: &[Version]) -> BTreeSet<(Kind, Id)> {
    let mut found = BTreeSet::new();
    found.extend(id.tenant.clone().map(|tenant| (Kind::Tenant, Id::platform(tenant))));
    for (row, _) in versions {
        let mut facts = Facts::default();
        if govern::learn(kind, id, &row.bytes, &mut facts).is_err() {
            continue;
        }
        let sibling = |name: &Name| Id { tenant: id.tenant.clone(), name: name.clone() };
        found.extend(facts.endpoints.values().map(|endpoint| (Kind::Provider, sibling(&endpoint.provider))));
        for licence in facts.models.values().filter_map(|model| model.licence.as_ref()) {
            found.insert((Kind::Licence, sibling(licence)));
            found.insert((Kind::Licence, Id::platform(licence.clone())));
        }
    }
    found
}

/// What of it was in force at a revision; what can't be read any more is left out.
fn at(revision: i64, all: &[(Kind, Id, Version)]) -> Facts {
    let mut facts = Facts::default();
    for (kind, id, (row, until)) in all {
        if row.revision <= revision && until.is_none_or(|until| until > revision) {
            drop(govern::learn(*kind, id, &row.bytes, &mut facts));
        }
    }
    facts
}

fn tenant(id: &Id) -> &str {
    id.tenant.as_ref().map_or("", Name::as_str)
}
