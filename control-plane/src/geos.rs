//! Which geos there are, and what somebody may have meant who names another.
//!
//! Law: a geo is known where a node is known in it, or a resource names it. It has one spelling: what differs from a known one by
//! capitals alone is a slip, for nodes and resources of the two would never meet.

use std::collections::BTreeSet;

use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Geo, Id, Name};

use crate::nearest::{meant, suggestion};

/// The geos that are known, and which of them nodes are known in.
pub(crate) struct Known<'a>(BTreeSet<&'a Geo>, &'a BTreeSet<Geo>);

impl<'a> Known<'a> {
    /// Those that nodes are known in, and those that any resource names.
    pub(crate) fn of(facts: &'a Facts, nodes: &'a BTreeSet<Geo>) -> Self {
        Self(nodes.iter().chain(named(facts, None)).collect(), nodes)
    }

    pub(crate) fn has(&self, geo: &Geo) -> bool {
        self.0.contains(geo)
    }

    /// Whether no geo is known at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is told of a geo that nothing knows.
    pub(crate) fn told(&self, geo: &Geo) -> String {
        let known = suggestion(geo.as_str(), self.0.iter().map(|known| known.as_str()));
        format!("no node runs in `{geo}`, and nothing names it: {known}")
    }

    /// What is told of one whose name is nearly that of a known one; `None` where none is.
    pub(crate) fn slip(&self, geo: &Geo) -> Option<String> {
        let meant = meant(geo.as_str(), self.0.iter().map(|known| known.as_str()))?;
        Some(format!("no node runs in `{geo}`, and nothing names it: {meant}"))
    }

    /// What is told of a geo that resources name and no node is in, where nodes are in one that differs by capitals alone.
    pub(crate) fn misspelt(&self, geo: &Geo) -> Option<String> {
        let same = |known: &&Geo| known.as_str().eq_ignore_ascii_case(geo.as_str());
        let meant = self.1.iter().find(same).filter(|_| !self.1.contains(geo))?;
        Some(format!("no node runs in `{geo}`: nodes run in `{meant}`, and a geo has one spelling"))
    }

    /// The known geo that another differs from by capitals alone.
    pub(crate) fn spelled(&self, geo: &Geo) -> Option<&Geo> {
        let same = |known: &&&Geo| known.as_str().eq_ignore_ascii_case(geo.as_str());
        self.0.iter().find(same).copied().filter(|known| *known != geo)
    }
}

/// The geos that resources are limited to: all of them, or the platform's and one tenant's own.
pub(crate) fn named<'f>(facts: &'f Facts, tenant: Option<&Name>) -> BTreeSet<&'f Geo> {
    let of = |id: &Id| tenant.is_none_or(|tenant| id.tenant.as_ref().is_none_or(|owner| owner == tenant));
    let mut all = BTreeSet::new();
    macro_rules! limited {
        ($($shelf:ident),*) => { $(
            let own = facts.$shelf.iter().filter(|(id, _)| of(id));
            all.extend(own.flat_map(|(_, found)| found.geos.iter()));
        )* };
    }
    limited!(teams, principals, roles, grants, providers, endpoints, models, licences, acceptances);
    limited!(limits, rules, guardrails, prices);
    let own = |owner: &Name| tenant.is_none_or(|tenant| owner == tenant);
    let keys = facts.keys.values().filter(|key| own(&key.tenant));
    all.extend(keys.flat_map(|key| key.geos.iter()));
    let tenants = facts.tenants.iter().filter(|(id, _)| own(&id.name));
    all.extend(tenants.flat_map(|(_, found)| found.geos.iter()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geo_that_only_a_resource_spells_so_is_not_taken_for_that_of_nodes() {
        let nodes: BTreeSet<Geo> = ["eu"].map(|geo| geo.parse().unwrap()).into();
        let facts = Facts::default();
        let known = Known::of(&facts, &nodes);
        let told = |text: &str| known.misspelt(&text.parse().unwrap());
        assert_eq!((told("eu"), told("us")), (None, None));
        assert_eq!(
            told("EU").as_deref(),
            Some("no node runs in `EU`: nodes run in `eu`, and a geo has one spelling")
        );
    }

    #[test]
    fn a_geo_has_one_spelling_and_a_slip_is_told() {
        let nodes: BTreeSet<Geo> = ["eu", "us-west"].map(|geo| geo.parse().unwrap()).into();
        let facts = Facts::default();
        let known = Known::of(&facts, &nodes);
        let geo = |text: &str| text.parse::<Geo>().unwrap();
        assert!(known.has(&geo("eu")) && !known.has(&geo("EU")));
        assert_eq!(known.spelled(&geo("EU")), Some(&geo("eu")));
        assert_eq!((known.spelled(&geo("eu")), known.spelled(&geo("uk"))), (None, None));
        assert!(known.slip(&geo("us-wset")).unwrap().ends_with("did you mean `us-west`?"));
        assert_eq!(known.slip(&geo("mars")), None);
        assert!(known.told(&geo("mars")).ends_with("known are `eu`, `us-west`"));
    }
}
