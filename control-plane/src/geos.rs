//! Which geos there are, and what somebody may have meant who names another.
//!
//! Law: a geo is known where a node is known in it, or a resource names it. It has one spelling: what differs from a known one by
//! capitals alone is a slip, for nodes and resources of the two would never meet.

use std::collections::BTreeSet;

use policy_engine::compile::Fault;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Geo, Id, Kind, Name};
use prost_reflect::Value;

use crate::descriptors;
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

    /// What is told of a geo that differs from a known one by capitals alone, with the way out where that one is the slip; `None` where
    /// none does.
    pub(crate) fn spelled(&self, geo: &Geo) -> Option<String> {
        let same = |known: &&&Geo| known.as_str().eq_ignore_ascii_case(geo.as_str());
        let known = self.0.iter().find(same).copied().filter(|known| *known != geo)?;
        let way_out = match self.1.contains(known) {
            true => out_of(known),
            false => format!("mend `spec.geos` of what names `{known}`: no node is known there"),
        };
        Some(format!(
            "`{geo}` is known as `{known}`: a geo has one spelling. Where `{geo}` is meant, {way_out}"
        ))
    }
}

/// How a geo that nodes are known in gets another spelling.
fn out_of(known: &Geo) -> String {
    format!(
        "withdraw the tokens and forget the nodes of `{known}` first (`chancery nodes tokens`, `nodes withdraw`, `nodes revoke`, `nodes \
         forget`)"
    )
}

/// What may be wrong with the geos that resources are limited to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Odd {
    /// Nodes are known in one that differs by capitals alone.
    pub(crate) faults: Vec<Fault>,
    /// No node is known there, and nodes are known elsewhere: policy may come before them.
    pub(crate) warnings: Vec<Fault>,
}

impl Odd {
    /// Looks at the geos of an encoded resource. While no node is known anywhere nothing is odd.
    pub(crate) fn of(kind: Kind, id: &Id, encoded: &[u8], nodes: &BTreeSet<Geo>) -> Self {
        let mut odd = Self::default();
        if nodes.is_empty() {
            return odd;
        }
        for (at, geo) in limits(kind, encoded).iter().enumerate() {
            // What is no name is a fault of its own.
            let Ok(geo) = Geo::new(geo) else { continue };
            let Some((is_slip, message)) = told(&geo, nodes) else { continue };
            let field = format!("spec.geos[{at}]");
            let fault = Fault { kind, id: id.clone(), field, code: "invalid", message, target: None };
            if is_slip { odd.faults.push(fault) } else { odd.warnings.push(fault) }
        }
        odd
    }
}

/// What is told of a geo in which no node is known, while nodes are known elsewhere.
pub(crate) fn odd(geo: &Geo, nodes: &BTreeSet<Geo>) -> Option<String> {
    told(geo, nodes).filter(|_| !nodes.is_empty()).map(|(_, message)| message)
}

/// What is told of a geo that a resource names and no node is known in, and whether that is surely a slip.
fn told(geo: &Geo, nodes: &BTreeSet<Geo>) -> Option<(bool, String)> {
    if nodes.contains(geo) {
        return None;
    }
    match nodes.iter().find(|known| known.as_str().eq_ignore_ascii_case(geo.as_str())) {
        Some(known) => Some((
            true,
            format!(
                "nodes are known in `{known}`, not in `{geo}`, and a geo has one spelling: write `{known}`, or {}",
                out_of(known)
            ),
        )),
        None => {
            let known = suggestion(geo.as_str(), nodes.iter().map(Geo::as_str));
            Some((false, format!("no node is known in `{geo}`: {known}")))
        }
    }
}

/// The geos that an encoded resource is limited to, as they are written.
fn limits(kind: Kind, encoded: &[u8]) -> Vec<String> {
    let read = || {
        let message = descriptors::dynamic(kind, encoded)?;
        let spec = message.get_field_by_name("spec")?;
        let geos = spec.as_message()?.get_field_by_name("geos")?;
        Some(geos.as_list()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    read().unwrap_or_default()
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
    use prost::Message as _;

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
        let told = known.spelled(&geo("EU")).unwrap();
        assert!(told.contains("`EU` is known as `eu`") && told.contains("nodes forget"), "{told}");
        assert_eq!((known.spelled(&geo("eu")), known.spelled(&geo("uk"))), (None, None));
        assert!(known.slip(&geo("us-wset")).unwrap().ends_with("did you mean `us-west`?"));
        assert_eq!(known.slip(&geo("mars")), None);
        assert!(known.told(&geo("mars")).ends_with("known are `eu`, `us-west`"));
    }

    #[test]
    fn a_resource_is_limited_to_geos_that_nodes_are_known_in_as_they_are_spelled() {
        let nodes: BTreeSet<Geo> = ["eu", "us-west"].map(|geo| geo.parse().unwrap()).into();
        let odd = |geos: &[&str], nodes: &BTreeSet<Geo>| {
            let geos = geos.iter().map(ToString::to_string).collect();
            let spec = proto::admin::RuleSpec { geos, ..Default::default() };
            let rule = proto::admin::Rule { spec: Some(spec), ..Default::default() };
            let id = Id::platform("r".parse().unwrap());
            let Odd { faults, warnings } = Odd::of(Kind::Rule, &id, &rule.encode_to_vec(), nodes);
            let told = |all: Vec<Fault>| all.into_iter().map(|f| (f.field, f.message)).collect::<Vec<_>>();
            (told(faults), told(warnings))
        };
        assert_eq!(odd(&["eu", "us-west"], &nodes), (vec![], vec![]));
        assert_eq!(odd(&["EU", "mars"], &BTreeSet::new()), (vec![], vec![]), "policy may come before nodes");
        let (faults, warnings) = odd(&["eu", "US-West", "euu", "mars", "no name"], &nodes);
        assert_eq!((faults.len(), &*faults[0].0), (1, "spec.geos[1]"));
        assert!(
            faults[0].1.contains("write `us-west`") && faults[0].1.contains("nodes forget"),
            "{faults:?}"
        );
        assert_eq!(
            warnings,
            [
                ("spec.geos[2]".to_owned(), "no node is known in `euu`: did you mean `eu`?".to_owned()),
                (
                    "spec.geos[3]".to_owned(),
                    "no node is known in `mars`: known are `eu`, `us-west`".to_owned()
                ),
            ]
        );
    }
}
